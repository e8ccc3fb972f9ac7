//! What stands at the edge of a network: balancers in front, rules for heads, smaller bodies.

/// Connections that a balancer passes on, over the wire.
mod balancer;
/// Whom a request is for, as trusted peers tell.
mod chain;
/// Smaller answers, read by real decoders.
mod compression;
/// What trusted peers say of clients, over the wire.
mod forwarded;
/// What a route changes in heads: fields, paths and hosts.
mod heads;
/// The PROXY protocol, byte by byte.
mod proxy_header;
/// Routes that lead elsewhere, and to https.
mod redirects;
/// A node under TLS, and a client that believes its certificate.
mod secure;
