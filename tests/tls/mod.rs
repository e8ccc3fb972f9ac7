//! TLS: certificates and their names, sessions, clients that prove who they are, swaps.

/// Certificates that a CA gives by itself.
#[cfg(feature = "acme")]
mod acme;
/// Visitors who prove who they are.
mod clients;
/// Bounds of a handshake, and how a connection ends.
mod ends;
/// A whole node with certificates.
mod node;
/// What is agreed on: certificate, protocol, key exchange, session.
mod server;
/// Certificates that are exchanged while visitors come.
mod swap;
/// TLS towards servers.
mod upstream;
