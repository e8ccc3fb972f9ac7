//! What stands at the edge of a network: balancers in front, rules for heads, smaller bodies.

/// Connections that a balancer passes on, over the wire.
mod balancer;
/// Whom a request is for, as trusted peers tell.
mod chain;
/// What trusted peers say of clients, over the wire.
mod forwarded;
/// The PROXY protocol, byte by byte.
mod proxy_header;
/// A node under TLS, and a client that believes its certificate.
mod secure;
