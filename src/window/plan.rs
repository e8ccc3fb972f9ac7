//! What an operator lays down for a window before it begins: when, how it is entered, how it is
//! left again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Wall;
use crate::limit;

/// The course of a window. Every switch has one too: it starts now and is left by an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Plan {
    /// When it is to begin.
    pub starts: Wall,
    /// How late it may still begin by itself. Over it: `stalled`, until an operator decides.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schema(value_type = String, example = "15m")]
    pub start_within: Duration,
    /// How long visitors are expected to be without the application, if that is less than the
    /// whole window: "up to 15 minutes within these two hours".
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schema(value_type = Option<String>, example = "15m")]
    pub disruption: Option<Duration>,
    /// How long requests in flight may take to finish.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schema(value_type = String, example = "15m")]
    pub drain: Duration,
    /// What becomes of those that have not finished by then.
    pub drain_action: DrainAction,
    /// What happens at the promised end.
    pub reopen: Reopen,
    /// What must be seen before visitors are let in again; nothing if it is none.
    pub verification: Option<Verification>,
    /// How visitors are let in again; all at once if it is none.
    pub ramp: Option<Ramp>,
    /// From its beginning on, after which it ends whatever else holds: against the switch that
    /// everybody forgot. None unless an operator asks for one.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schema(value_type = Option<String>, example = "15m")]
    pub hard_limit: Option<Duration>,
    /// The bounds of mode `hold`.
    pub hold: Hold,
    /// Canonical paths that mode `read_only` lets every method pass to, such as a login. One that
    /// ends in `/*` means everything below.
    pub allow: Vec<String>,
}

/// What becomes of requests that are in flight still when the time to drain is over. WebSockets,
/// event streams and gRPC streams take their leave then in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DrainAction {
    /// They finish, however long that takes.
    #[default]
    Finish,
    /// Forms that are kept at hand (`forms.tee`) are saved, and their visitors led to a receipt;
    /// all else finishes.
    Capture,
    /// As `capture`, and all else is cut off: 503 where no answer has begun, else the connection
    /// or the stream is broken.
    Close,
}

impl DrainAction {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finish => "finish",
            Self::Capture => "capture",
            Self::Close => "close",
        }
    }
}

/// What happens at the promised end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reopen {
    /// It is a promise, not an order: the window becomes `overrun` until an operator ends it.
    #[default]
    Manual,
    /// The window ends as if an operator had ended it: verified and ramped, if it is to be.
    Auto,
}

/// What must be seen, through the proxy's own path, before visitors are let in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Verification {
    /// What is asked, in each round.
    pub probes: Vec<Probe>,
    /// Whether the health checks of the upstreams in the scope must be green too.
    pub health: bool,
    /// Rounds in a row in which everything must be well.
    pub successes: u32,
    /// From the start of a round to that of the next.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schema(value_type = String, example = "15m")]
    pub every: Duration,
    /// How long the whole may take. Over it: failed.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schema(value_type = String, example = "15m")]
    pub within: Duration,
}

/// One request of a verification, and what its answer must be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Probe {
    /// The host that is asked for; that of the route if it is empty.
    pub host: String,
    /// The path and query, by GET.
    pub path: String,
    /// Further fields, such as the one that tells the region.
    pub headers: std::collections::BTreeMap<String, String>,
    /// The status that must come.
    pub status: u16,
    /// What the first part of the body must contain; nothing if it is empty.
    pub contains: String,
    /// From the request to the last byte of the answer.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schema(value_type = String, example = "15m")]
    pub within: Duration,
}

/// How visitors are let in again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ramp {
    /// From nobody to everybody.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schema(value_type = String, example = "15m")]
    pub over: Duration,
    /// What grows in that time.
    #[serde(default)]
    pub by: RampBy,
}

/// What a ramp counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RampBy {
    /// The share of visitors that is let in, evenly from none to all.
    #[default]
    Share,
    /// At most this many new visitors a minute on this node; everybody at the end.
    PerMinute(u32),
}

/// How many requests may wait for a short window to end, and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Hold {
    /// Requests that wait at once, on the whole node. Over it: the page.
    pub most: u32,
    /// How long each waits. Over it: the page.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schema(value_type = String, example = "15m")]
    pub longest: Duration,
}

impl Plan {
    /// Of a switch: nothing but how long requests in flight may take to finish.
    pub fn draining(drain: Duration) -> Self {
        Self { drain, ..Self::default() }
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            starts: Wall::from_millis(0),
            start_within: limit::WINDOW_START_WITHIN,
            disruption: None,
            drain: limit::WINDOW_DRAIN,
            drain_action: DrainAction::default(),
            reopen: Reopen::default(),
            verification: None,
            ramp: None,
            hard_limit: None,
            hold: Hold::default(),
            allow: Vec::new(),
        }
    }
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            probes: Vec::new(),
            health: true,
            successes: 3,
            every: limit::VERIFY_EVERY,
            within: limit::VERIFY_WITHIN,
        }
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            host: String::new(),
            path: "/".to_owned(),
            headers: std::collections::BTreeMap::new(),
            status: 200,
            contains: String::new(),
            within: limit::PROBE_WITHIN,
        }
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self { most: limit::HELD_REQUESTS_MAX, longest: limit::HELD_LONGEST }
    }
}
