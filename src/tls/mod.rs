//! TLS, towards visitors and towards servers. The only place that names rustls.
//!
//! What is here was checked when the config was compiled: a certificate without its key, or a CA
//! that cannot be read, refuses the config and never falls back to anything weaker.

mod client;
mod der;
mod names;
mod pem;
mod server;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use client::{Alpn, Client, Connected, Name, Roots, Verify};
pub use pem::{Fault, Identity};
pub use server::{
    Accepted, Clients, Server, Session, Shown, Terms, Version, asked_name, client_certificate,
    client_names, is_proving, session,
};

/// The one cryptography, whose key exchange begins with X25519MLKEM768.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
