//! Traces on their way through: one that is well formed passes as it is, one that is not is taken
//! away, and where the config says so, one is begun.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::fields::Fields;
use super::worker::Worker;
use crate::snapshot::Site;
use crate::telemetry::trace::Context;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The trace that a request belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trace {
    /// None that anybody knows of.
    None,
    /// The client's.
    Passed(Context),
    /// It begins here.
    Begun(Context),
}

impl Trace {
    /// What a request's head says, or what the config wants.
    pub(super) fn of(fields: Fields, headers: &HeaderMap, site: &Site, worker: &Worker) -> Self {
        if fields.any(Fields::TRACE) {
            let mut values = headers.get_all(TRACEPARENT).iter();
            let only = values.next().filter(|_| values.next().is_none());
            if let Some(context) = only.and_then(|value| Context::parse(value.as_bytes())) {
                return Self::Passed(context);
            }
        }
        let Some(sampled_percent) = site.begin_traces else { return Self::None };
        // The jitter of a worker repeats itself after 2^64 steps; the other half tells workers
        // and nodes apart.
        let low = u128::from(worker.jitter());
        let trace = u128::from(worker.trace_prefix) << 64 | low;
        let sampled = worker.jitter() % 100 < u64::from(sampled_percent);
        Self::Begun(Context { trace, parent: worker.jitter(), sampled })
    }

    /// The trace's id, for the access line.
    pub(super) fn id(self) -> Option<u128> {
        match self {
            Self::None => None,
            Self::Passed(context) | Self::Begun(context) => Some(context.trace),
        }
    }

    /// Makes the fields that go to the server tell this and nothing else. A `tracestate` belongs
    /// to the `traceparent` it came with, and goes with it.
    pub(super) fn say(self, fields: Fields, headers: &mut HeaderMap) {
        if fields.any(Fields::TRACE) && !matches!(self, Self::Passed(_)) {
            headers.remove(TRACEPARENT);
            headers.remove(TRACESTATE);
        }
        if let Self::Begun(context) = self
            && let Ok(value) = HeaderValue::try_from(context.field())
        {
            headers.insert(TRACEPARENT, value);
        }
    }
}
