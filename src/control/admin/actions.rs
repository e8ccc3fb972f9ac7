//! What can be done to one window: start, amend, extend, end, cancel.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::Admin;
use super::asked::{self, Asked, Key};
use super::body::{self, Because, Extend, Json};
use super::gate::Operator;
use super::problem::Problem;
use super::rehearsal::{self, Rehearsal};
use super::windows::{self, WindowAnswer};
use crate::clock::Wall;
use crate::control::command::{Expected, Refused, Which};
use crate::grant::Role;
use crate::id::Id;
use crate::window::draft::{Draft, DraftPhase, Given, Past};
use crate::window::maintenance::Kind;
use crate::window::state::{Checks, Event, Order, Window};

type Answer = Result<Response, Problem>;

/// What is done to a window as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Start,
    Extend(Option<Wall>),
    End(Checks),
    Cancel,
}

/// The precondition of an action.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "for the document; `body::if_match` reads the field")]
struct Matching {
    /// The version that was read.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

/// The window after it, or with `dry_run` what would be.
#[derive(IntoResponses)]
#[response(status = 200, headers(("ETag" = String, description = "Its version")))]
#[expect(dead_code, reason = "for the document; handlers answer the one or the other")]
struct Acted(#[to_schema] rehearsal::Either<WindowAnswer>);

/// Which window, and how it was asked for.
type Target = (Key<String>, Asked<Rehearsal>, HeaderMap);

/// How a window is ended.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ending {
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 2000)]
    reason: String,
    /// Neither verify nor ramp, whatever the plan says.
    #[serde(default)]
    skip_checks: bool,
}

/// What one window shall be.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Amendment {
    /// The whole window: what is left out is as if it was never said.
    window: DraftPhase,
    /// The zone of instants that name none. UTC if it is empty.
    #[serde(default)]
    zone: String,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 2000)]
    reason: String,
    /// Where two operators are needed, an admin may close alone.
    #[serde(default)]
    emergency: bool,
}

/// The window that is meant, and whether it is.
pub(super) struct Meant {
    id: Id,
    expected: Expected,
    window: Arc<Window>,
}

impl Meant {
    async fn find(admin: &Admin, id: &str, headers: &HeaderMap) -> Result<Self, Problem> {
        let (id, expected) = (asked::id("window", id)?, body::if_match(headers)?);
        let standing = admin.handle.standing();
        let window = match standing.windows.iter().find(|window| window.id == id) {
            Some(window) => Arc::clone(window),
            None => Arc::new(admin.store.window(id).await?.ok_or(Refused::NoWindow(id))?),
        };
        Ok(Self { id, expected, window })
    }

    /// What kind of maintenance it is a part of; a switch is of none.
    fn kind(&self, admin: &Admin) -> Kind {
        let standing = admin.handle.standing();
        let phase = self.window.phase.as_ref();
        let maintenance = phase.and_then(|phase| standing.maintenance(phase.maintenance));
        maintenance.map_or(Kind::Planned, |maintenance| maintenance.kind)
    }

    /// What would come of `event`: nothing is done.
    fn rehearse(&self, admin: &Admin, operator: &Operator, event: &Event) -> Answer {
        if let Expected::Version(expected) = self.expected
            && expected != self.window.version
        {
            let (window, actual) = (self.id, self.window.version);
            return Err(Refused::Version { window, expected, actual }.into());
        }
        let (author, now) = (operator.author(String::new()), admin.clock.now());
        let step = (*self.window).clone().step(event, &author, now).map_err(Refused::Illegal)?;
        let after = step.map_or_else(|| (*self.window).clone(), |step| step.window);
        let told = rehearsal::of_window(admin, operator, after)?;
        Ok(axum::Json(told).into_response())
    }
}

impl Act {
    fn event(self) -> Event {
        match self {
            Self::Start => Event::Begin,
            Self::Extend(end) => Event::Extend(end),
            Self::End(checks) => Event::End(checks),
            Self::Cancel => Event::Cancel,
        }
    }
}

/// Finds the window, asks whether the operator may, and does it or says what would come of it.
async fn act(
    admin: &Admin,
    operator: &Operator,
    (Key(window), Asked(rehearsal), headers): Target,
    (act, why): (Act, String),
) -> Answer {
    let meant = Meant::find(admin, &window, &headers).await?;
    operator.may(Role::Operator, &meant.window.scope)?;
    if rehearsal.dry_run {
        return meant.rehearse(admin, operator, &act.event());
    }
    let (id, expected, author) = (meant.id, meant.expected, operator.author(why));
    let change = match act {
        Act::Start => {
            operator.may_plan(&meant.window.scope, meant.kind(admin))?;
            admin.handle.start(id, expected, author).await?
        }
        Act::Extend(end) => admin.handle.extend(id, expected, end, author).await?,
        Act::End(checks) => admin.handle.end(Which::Window(id, expected), checks, author).await?,
        Act::Cancel => admin.handle.cancel(id, expected, author).await?,
    };
    Ok(windows::one(admin, &change, StatusCode::OK))
}

/// Begins a window that is planned or stalled, whatever its time and the phase before say.
#[utoipa::path(post, path = "/api/v1/windows/{id}/start", tag = "windows", request_body = Option<Because>,
    params(Rehearsal, Matching, ("id" = Id, Path, description = "Of the window")),
    responses(Acted))]
pub(super) async fn start(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    key: Key<String>,
    rehearsal: Asked<Rehearsal>,
    headers: HeaderMap,
    Json(asked): Json<Because>,
) -> Answer {
    let doing = (Act::Start, asked.why()?);
    act(&admin, &operator, (key, rehearsal, headers), doing).await
}

/// Makes another window of one that has not begun, or that is in force.
#[utoipa::path(put, path = "/api/v1/windows/{id}", tag = "windows", request_body = Amendment,
    params(Rehearsal, ("id" = Id, Path, description = "Of the window"),
        ("If-Match" = String, Header, description = "The version that was read; `*` for any")),
    responses((status = 200, description = "The window after it, or with `dry_run` what would be",
        body = inline(rehearsal::Either<WindowAnswer>),
        headers(("ETag" = String, description = "Its version")))))]
pub(super) async fn amend(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key(window): Key<String>,
    Asked(rehearsal): Asked<Rehearsal>,
    headers: HeaderMap,
    Json(asked): Json<Amendment>,
) -> Answer {
    body::wants_if_match(&headers)?;
    let meant = Meant::find(&admin, &window, &headers).await?;
    operator.may(Role::Operator, &meant.window.scope)?;
    let (why, emergency) = (body::text("reason", &asked.reason)?, asked.emergency);
    let order = order_of(&admin, asked, &meant.window)?;
    operator.may(Role::Operator, &order.scope)?;
    if rehearsal.dry_run {
        return meant.rehearse(&admin, &operator, &Event::Amend(Box::new(order)));
    }
    operator.may_close(&order.scope, emergency)?;
    let author = operator.author(why);
    let change = admin.handle.amend(meant.id, meant.expected, order, author).await?;
    Ok(windows::one(&admin, &change, StatusCode::OK))
}

/// Reads the one phase as a document of its own.
fn order_of(admin: &Admin, asked: Amendment, window: &Window) -> Result<Order, Problem> {
    let past = if window.began.is_some() { Past::Allowed } else { Past::Refused };
    let given = Given { now: admin.clock.now(), drain: admin.drain, past };
    let mut phase = asked.window;
    if phase.starts.is_none() && window.began.is_some() {
        phase.starts = Some(window.plan.starts.to_string());
    }
    let title = window.texts.title.clone();
    let title = if title.is_empty() { "a window".to_owned() } else { title };
    let draft = Draft { title, zone: asked.zone, phases: vec![phase], ..Draft::default() };
    let site = &admin.live.snapshot().site;
    let mut faults = rehearsal::names(site).unknown(&draft);
    let order = match draft.compile(&given) {
        Ok(compiled) => compiled.phases.into_iter().next().map(|(_, order)| order),
        Err(more) => {
            faults.extend(more);
            None
        }
    };
    let own = |field: &str| field.replacen("phases[0]", "window", 1);
    faults.iter_mut().for_each(|fault| fault.field = own(&fault.field));
    match order {
        Some(order) if faults.is_empty() => Ok(order),
        Some(_) | None => Err(Problem::faults(faults)),
    }
}

/// Promises another end, or none.
#[utoipa::path(post, path = "/api/v1/windows/{id}/extend", tag = "windows", request_body = Extend,
    params(Rehearsal, Matching, ("id" = Id, Path, description = "Of the window")),
    responses(Acted))]
pub(super) async fn extend(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    key: Key<String>,
    rehearsal: Asked<Rehearsal>,
    headers: HeaderMap,
    Json(asked): Json<Extend>,
) -> Answer {
    let (end, why) = asked.promise(admin.clock.now())?;
    act(&admin, &operator, (key, rehearsal, headers), (Act::Extend(end), why)).await
}

/// Ends a window: it is verified and ramped, if that is planned, and its scope reopens.
#[utoipa::path(post, path = "/api/v1/windows/{id}/end", tag = "windows", request_body = Option<Ending>,
    params(Rehearsal, Matching, ("id" = Id, Path, description = "Of the window")),
    responses(Acted))]
pub(super) async fn end(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    key: Key<String>,
    rehearsal: Asked<Rehearsal>,
    headers: HeaderMap,
    Json(asked): Json<Ending>,
) -> Answer {
    let why = body::text("reason", &asked.reason)?;
    let checks = if asked.skip_checks { Checks::Skipped } else { Checks::Planned };
    act(&admin, &operator, (key, rehearsal, headers), (Act::End(checks), why)).await
}

/// Gives up a window that has not begun.
#[utoipa::path(post, path = "/api/v1/windows/{id}/cancel", tag = "windows", request_body = Option<Because>,
    params(Rehearsal, Matching, ("id" = Id, Path, description = "Of the window")),
    responses(Acted))]
pub(super) async fn cancel(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    key: Key<String>,
    rehearsal: Asked<Rehearsal>,
    headers: HeaderMap,
    Json(asked): Json<Because>,
) -> Answer {
    let doing = (Act::Cancel, asked.why()?);
    act(&admin, &operator, (key, rehearsal, headers), doing).await
}
