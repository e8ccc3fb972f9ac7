//! HTTP/2 to servers.
