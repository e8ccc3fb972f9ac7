//! What stands at the edge of a network: balancers in front, rules for heads, smaller bodies.

/// Connections that a balancer passes on, over the wire.
mod balancer;
/// The PROXY protocol, byte by byte.
mod proxy_header;
/// A node under TLS, and a client that believes its certificate.
mod secure;
