//! The document that an operator plans a maintenance by: the same in files, in the API's bodies
//! and in the directory of declared maintenances.
//!
//! Instants and durations stay as they were typed until [`Draft::compile`] reads them, so that
//! everything that is wrong is told at once, each with its field, and so that a document that is
//! shown again looks as it was written.

mod check;
mod compile;
mod duration;
mod fault;
mod texts;
mod verify;
mod when;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use check::Names;
pub use compile::{Compiled, Given, Past};
pub use fault::Fault;
pub use when::{Reading, read_instant, read_zone, resolve};

use super::event::Texts;
use super::maintenance::{Kind, Severity};
use super::plan::{DrainAction, RampBy, Reopen};
use super::scope::Selection;
use super::state::Mode;

/// A maintenance as an operator writes it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Draft {
    /// In a few words.
    pub title: String,
    /// Whether it was planned.
    pub kind: Kind,
    /// How much it hurts.
    pub severity: Severity,
    /// Who answers for it.
    pub owner: String,
    /// The zone of instants that name none: `Europe/Paris`. UTC if it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// How long ahead it is announced: `["7d", "24h"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub announce: Vec<String>,
    /// What visitors are told, unless a phase says otherwise.
    pub texts: Texts,
    /// When it comes again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<DraftRecurrence>,
    /// It may lie in a blackout.
    #[serde(skip_serializing_if = "is_false")]
    pub despite_blackout: bool,
    /// Its windows, in their order.
    #[serde(alias = "phase")]
    pub phases: Vec<DraftPhase>,
}

/// When a maintenance comes again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DraftRecurrence {
    /// `FREQ=MONTHLY;BYDAY=1SU` and the like (RFC 5545 §3.3.10, the subset that `schedule` reads).
    pub rule: String,
    /// The zone whose wall clock it follows; that of the document if it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// Days on which it does not come: `["2026-12-25"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

/// One phase.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DraftPhase {
    /// What operators call it: "production APAC".
    pub name: String,
    /// Which regions it closes.
    pub regions: Selection,
    /// Which routes.
    pub routes: Selection,
    /// Which methods, in capitals.
    pub methods: Selection,
    /// What it does to requests.
    pub mode: Mode,
    /// In mode `read_only`, paths that every method passes to: `["/login"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// When it begins: `2026-11-29T16:00:00Z`, or `2026-11-29T16:00` in the document's zone. An
    /// emergency that says nothing begins now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
    /// When it is promised to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// The same as a length: `4h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
    /// How long visitors are expected to be without the application, if that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disruption: Option<String>,
    /// How long requests in flight may take to finish; `window.drain` of the config if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<String>,
    /// What becomes of requests that have not finished by then: they finish (`finish`), forms at
    /// hand are saved (`capture`), or all are cut off (`close`); `finish` if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_action: Option<DrainAction>,
    /// How late it may still begin by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_within: Option<String>,
    /// What happens at the promised end: it ends (`auto`, unless an emergency), or stays closed
    /// until an operator ends it (`manual`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reopen: Option<Reopen>,
    /// From its beginning on, after which it ends whatever else holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_limit: Option<String>,
    /// What visitors are told, where it differs from the document's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texts: Option<Texts>,
    /// What must be seen before visitors are let in again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<DraftVerification>,
    /// How visitors are let in again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp: Option<DraftRamp>,
    /// The bounds of mode `hold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<DraftHold>,
}

/// What must be seen before visitors are let in again. What is left out is as in `plan`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DraftVerification {
    /// What is asked, in each round.
    #[serde(alias = "probe")]
    pub probes: Vec<DraftProbe>,
    /// Whether the health checks of the upstreams in the scope must be green too; true if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<bool>,
    /// Rounds in a row in which everything must be well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successes: Option<u32>,
    /// From the start of a round to that of the next: `5s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// How long the whole may take: `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
}

/// One request of a verification.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DraftProbe {
    /// The host that is asked for; that of the route if it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The path and query, by GET.
    pub path: String,
    /// Further fields, such as the one that tells the region.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The status that must come; 200 if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the first part of the body must contain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub contains: String,
    /// From the request to the last byte of the answer: `5s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
}

/// How visitors are let in again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DraftRamp {
    /// From nobody to everybody: `10m`.
    pub over: String,
    /// What grows in that time.
    pub by: RampBy,
}

/// The bounds of mode `hold`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DraftHold {
    /// Requests that wait at once, on the whole node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// How long each waits: `30s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}
