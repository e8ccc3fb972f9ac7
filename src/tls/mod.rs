//! TLS, towards visitors and towards servers. The only place that names rustls.
//!
//! What is here was checked when the config was compiled: a certificate without its key, or a CA
//! that cannot be read, refuses the config and never falls back to anything weaker.

mod client;
mod pem;
mod server;

pub use client::{Client, Connected};
pub use pem::{Fault, Identity};
pub use server::{Accepted, Server};
