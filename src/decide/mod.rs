//! What is done with a request: pure, from what governs its place and what its head says.

pub mod verdict;

use http::{HeaderMap, Method};

pub use verdict::{FormKind, NotKept, Refusal, Verdict, Wants};

use crate::window::state::Mode;

/// What governs the place that a request is for.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The mode of the window over it; none if it is open.
    pub closed: Option<Mode>,
    /// Canonical paths of load balancers' probes.
    pub probes: &'a [String],
    /// Whether the route keeps forms.
    pub keeps_forms: Keeps,
    /// The name of the cookie that holds the visitor's key, as it is called on this connection.
    pub cookie: &'static str,
}

/// Whether a route keeps forms while it is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    /// Eligible ones.
    Forms,
    /// None.
    Nothing,
}

/// What a head says.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The method.
    pub method: &'a Method,
    /// `http` or `https`, as the visitor sees it.
    pub scheme: &'a str,
    /// The host and port as the visitor's browser would write them in `Origin`.
    pub authority: &'a str,
    /// The canonical path.
    pub path: &'a str,
    /// The fields.
    pub headers: &'a HeaderMap,
}
