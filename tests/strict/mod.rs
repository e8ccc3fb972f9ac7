//! HTTP/1 to the letter, both ways, and what hostile or idle clients cost.

/// What servers say: framing in doubt, surplus, interim answers.
mod answers;
/// How much clients may take: connections, requests, time.
mod bounds;
/// What a connection costs while nothing is under way on it.
mod idle;
/// What a request is addressed to, and what is passed on of it.
mod requests;
