//! What stands at the edge of a network: balancers in front, rules for heads, smaller bodies.

/// The PROXY protocol, byte by byte.
mod proxy_header;
