//! Maintenances: planned, revised, cancelled, told of.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::asked::{self, Asked, Items, Key};
use super::body::{self, Because, Json};
use super::gate::Operator;
use super::problem::Problem;
use super::rehearsal::{self, Either, Rehearsal};
use super::windows::{WindowView, etag};
use crate::clock::Wall;
use crate::control::command::{self, Change, Refused, Standing};
use crate::control::traffic::InFlight;
use crate::grant::Role;
use crate::id::Id;
use crate::store::Reach;
use crate::window::draft::{Compiled, Draft, Fault, Given, Past};
use crate::window::maintenance::{
    Aftermath, Announce, Kind, Maintenance, Progress, Recurrence, Severity, Source, Update,
};
use crate::window::schedule::{self, Drift, Report};
use crate::window::state::{Texts, Window};

type Answer = Result<Response, Problem>;

/// A maintenance with its windows.
#[derive(Serialize, ToSchema)]
#[schema(as = MaintenanceWithWindows)]
pub(super) struct MaintenanceView {
    id: Id,
    /// Counts changes, from 1.
    version: u64,
    title: String,
    kind: Kind,
    severity: Severity,
    /// Who answers for it.
    owner: String,
    /// What visitors are told, unless a window says otherwise.
    texts: Texts,
    /// Where it stands, seen from its windows.
    progress: Progress,
    /// Its windows, in the order of their phases.
    windows: Vec<WindowView>,
    /// How long ahead it is announced.
    announce: Vec<Announce>,
    /// When it comes again; null if it does not.
    recurrence: Option<Recurrence>,
    /// The first maintenance of its series.
    series: Option<Id>,
    /// Who declares it.
    source: Source,
    /// What operators told while it went on, oldest first.
    updates: Vec<Update>,
    /// What is said afterwards.
    aftermath: Option<Aftermath>,
    /// The document that it was last laid down by.
    document: Option<Box<Draft>>,
    /// Where its windows that are not over differ from that.
    drift: Vec<Drift>,
    /// When it was planned.
    created: Wall,
    /// Who planned it.
    by: String,
}

/// A maintenance after a change, and the first generation that shows it.
#[derive(Serialize, ToSchema)]
pub(super) struct MaintenanceAnswer {
    maintenance: MaintenanceView,
    /// Every request that is judged at this generation or a later one sees the change.
    generation: u64,
    /// What may not be meant, and holds all the same.
    warnings: Vec<Fault>,
}

/// What is told while it goes on.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    #[schema(min_length = 1, max_length = 2000)]
    text: String,
}

/// Which maintenances.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Rows {
    /// Those that are not over, or those that are.
    #[serde(default)]
    #[param(inline)]
    state: Wanted,
    /// How many rows at most; 100 if it is left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// What `next` of the page before said.
    after: Option<String>,
}

/// Maintenances in which part of their life.
#[derive(Deserialize, ToSchema, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schema(as = WantedMaintenances)]
enum Wanted {
    /// Planned, under way or stalled, oldest first.
    #[default]
    Open,
    /// Completed or cancelled, newest first.
    Over,
    /// All of them, newest first.
    All,
}

impl MaintenanceView {
    /// With its windows, wherever they are.
    async fn of(
        admin: &Admin,
        (maintenance, standing): (&Maintenance, &Standing),
        traffic: &[InFlight],
    ) -> Result<Self, Problem> {
        let mut windows: Vec<Arc<Window>> = Vec::with_capacity(maintenance.windows.len());
        for id in &maintenance.windows {
            match standing.window(*id) {
                Some(window) => windows.push(Arc::clone(window)),
                None => windows.extend(admin.store.window(*id).await?.map(Arc::new)),
            }
        }
        let progress = Progress::of(windows.iter().map(|window| &**window));
        let drift = schedule::drift(maintenance, windows.iter().map(AsRef::as_ref));
        let windows = windows.iter().map(|window| WindowView::of(window, traffic)).collect();
        let m = maintenance.clone();
        Ok(Self {
            id: m.id,
            version: m.version,
            title: m.title,
            kind: m.kind,
            severity: m.severity,
            owner: m.owner,
            texts: m.texts,
            progress,
            windows,
            announce: m.announce,
            recurrence: m.recurrence,
            series: m.series,
            source: m.source,
            updates: m.updates,
            aftermath: m.aftermath,
            document: m.document,
            drift,
            created: m.created,
            by: m.by,
        })
    }
}

/// The maintenance that is meant.
async fn find(admin: &Admin, id: &str) -> Result<Arc<Maintenance>, Problem> {
    let id = asked::id("maintenance", id)?;
    let standing = admin.handle.standing();
    match standing.maintenance(id) {
        Some(known) => Ok(Arc::clone(known)),
        None => {
            let stored = admin.store.maintenance(id).await?;
            Ok(Arc::new(stored.ok_or(Refused::NoMaintenance(id))?))
        }
    }
}

/// Whoever changes a maintenance must be allowed to wherever it closes.
async fn may(admin: &Admin, operator: &Operator, known: &Maintenance) -> Result<(), Problem> {
    let standing = admin.handle.standing();
    for id in &known.windows {
        if let Some(window) = standing.window(*id) {
            operator.may(Role::Operator, &window.scope)?;
        } else if let Some(window) = admin.store.window(*id).await? {
            operator.may(Role::Operator, &window.scope)?;
        }
    }
    operator.has(Role::Operator)
}

/// Reads a document, and tells everything that is wrong with it at once.
fn read(admin: &Admin, draft: &Draft, own: Option<Id>) -> Result<(Compiled, Report), Problem> {
    let standing = admin.handle.standing();
    let snapshot = admin.live.snapshot();
    let past = if own.is_some() { Past::Allowed } else { Past::Refused };
    let given = Given { now: admin.clock.now(), drain: admin.drain, past };
    let mut faults = rehearsal::names(&snapshot.site).unknown(draft);
    let compiled = match draft.compile(&given) {
        Ok(compiled) => Some(compiled),
        Err(more) => {
            faults.extend(more);
            None
        }
    };
    let Some(compiled) = compiled.filter(|_| faults.is_empty()) else {
        return Err(Problem::faults(faults));
    };
    let others = standing.windows.iter().map(|window| &**window);
    let report = schedule::conflicts(&compiled.phases, others, &snapshot.site.blackouts, own);
    let forbidden = report.faults();
    if !draft.despite_blackout && !forbidden.is_empty() {
        return Err(Problem::faults(forbidden));
    }
    Ok((compiled, report))
}

async fn one(
    admin: &Admin,
    (change, warnings): (&Change, Vec<Fault>),
    status: StatusCode,
) -> Answer {
    let Some(maintenance) = &change.maintenance else { return Ok(status.into_response()) };
    let (standing, traffic) = (admin.handle.standing(), admin.traffic.in_flight());
    let view = MaintenanceView::of(admin, (maintenance, &standing), &traffic).await?;
    let (version, id) = (maintenance.version, maintenance.id);
    let generation = change.generation;
    let body = axum::Json(MaintenanceAnswer { maintenance: view, generation, warnings });
    let mut response = (status, etag(version), body).into_response();
    if status == StatusCode::CREATED
        && let Ok(location) = HeaderValue::try_from(format!("/api/v1/maintenances/{id}"))
    {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Maintenances with their windows.
#[utoipa::path(get, path = "/api/v1/maintenances", tag = "maintenances", params(Rows),
    responses((status = 200, description = "One page", body = Items<MaintenanceView>)))]
pub(super) async fn list(State(admin): State<Arc<Admin>>, Asked(rows): Asked<Rows>) -> Answer {
    let count = asked::count(rows.limit)?;
    let after = asked::cursor(rows.after.as_deref())?;
    let standing = admin.handle.standing();
    let found: Vec<Arc<Maintenance>> = match rows.state {
        Wanted::Open => {
            let mut all = standing.maintenances.clone();
            all.sort_by_key(|maintenance| maintenance.id);
            let later = all.into_iter().filter(|one| after.is_none_or(|after| one.id > after));
            later.take(count as usize + 1).collect()
        }
        Wanted::Over | Wanted::All => {
            let reach = match rows.state {
                Wanted::All => Reach::Every,
                Wanted::Open | Wanted::Over => Reach::Over,
            };
            let all = admin.store.maintenance_page(reach, after, count + 1).await?;
            all.into_iter().map(Arc::new).collect()
        }
    };
    let traffic = admin.traffic.in_flight();
    let mut views = Vec::with_capacity(found.len());
    for maintenance in &found {
        views.push(MaintenanceView::of(&admin, (maintenance, &standing), &traffic).await?);
    }
    let cursor = |view: &MaintenanceView| view.id.to_string();
    Ok(axum::Json(Items::page(views, count, cursor)).into_response())
}

/// Plans a maintenance, all its windows or none.
#[utoipa::path(post, path = "/api/v1/maintenances", tag = "maintenances", request_body = Draft,
    params(Rehearsal),
    responses(
        (status = 201, description = "It is planned", body = MaintenanceAnswer,
            headers(("ETag" = String, description = "Its version"),
                ("Location" = String, description = "The maintenance"))),
        (status = 200, description = "With `dry_run`: what would close",
            body = rehearsal::Rehearsed)))]
pub(super) async fn plan(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Asked(rehearsal): Asked<Rehearsal>,
    Json(draft): Json<Draft>,
) -> Answer {
    let (mut compiled, report) = read(&admin, &draft, None)?;
    for (_, order) in &compiled.phases {
        operator.may(Role::Operator, &order.scope)?;
    }
    let warnings = report.warnings();
    if rehearsal.dry_run {
        let told = rehearsal::of_plan(&admin, &operator, compiled, report.conflicts, warnings);
        return Ok(axum::Json(told).into_response());
    }
    for (_, order) in &compiled.phases {
        operator.may_plan(&order.scope, compiled.maintenance.kind)?;
    }
    let warnings = [compiled.warnings, warnings].concat();
    compiled.maintenance.by = operator.author(String::new()).by;
    let asked = command::Draft { maintenance: compiled.maintenance, phases: compiled.phases };
    let change = admin.handle.plan(asked).await?;
    one(&admin, (&change, warnings), StatusCode::CREATED).await
}

/// One maintenance with its windows.
#[utoipa::path(get, path = "/api/v1/maintenances/{id}", tag = "maintenances",
    params(("id" = Id, Path, description = "Of the maintenance")),
    responses((status = 200, description = "The maintenance", body = MaintenanceView,
        headers(("ETag" = String, description = "Its version")))))]
pub(super) async fn show(State(admin): State<Arc<Admin>>, Key(id): Key<String>) -> Answer {
    let known = find(&admin, &id).await?;
    let (standing, traffic) = (admin.handle.standing(), admin.traffic.in_flight());
    let view = MaintenanceView::of(&admin, (&known, &standing), &traffic).await?;
    Ok((etag(known.version), axum::Json(view)).into_response())
}

/// Makes another maintenance of one that is not over. Phases are told by their order.
#[utoipa::path(put, path = "/api/v1/maintenances/{id}", tag = "maintenances", request_body = Draft,
    params(Rehearsal, ("id" = Id, Path, description = "Of the maintenance"),
        ("If-Match" = String, Header, description = "The version that was read; `*` for any")),
    responses((status = 200, description = "The maintenance after it, or with `dry_run` what would \
            be", body = inline(Either<MaintenanceAnswer>),
        headers(("ETag" = String, description = "Its version")))))]
pub(super) async fn revise(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key(id): Key<String>,
    Asked(rehearsal): Asked<Rehearsal>,
    headers: HeaderMap,
    Json(draft): Json<Draft>,
) -> Answer {
    body::wants_if_match(&headers)?;
    let expected = body::if_match(&headers)?;
    let known = find(&admin, &id).await?;
    may(&admin, &operator, &known).await?;
    let (compiled, report) = read(&admin, &draft, Some(known.id))?;
    for (_, order) in &compiled.phases {
        operator.may(Role::Operator, &order.scope)?;
    }
    let warnings = report.warnings();
    if rehearsal.dry_run {
        let told = rehearsal::of_plan(&admin, &operator, compiled, report.conflicts, warnings);
        return Ok(axum::Json(told).into_response());
    }
    for (_, order) in &compiled.phases {
        operator.may_plan(&order.scope, compiled.maintenance.kind)?;
    }
    let warnings = [compiled.warnings, warnings].concat();
    let asked = command::Draft { maintenance: compiled.maintenance, phases: compiled.phases };
    let author = operator.author("revised".to_owned());
    let change = admin.handle.revise(known.id, expected, asked, author).await?;
    one(&admin, (&change, warnings), StatusCode::OK).await
}

/// Gives up every window of a maintenance that has not begun. What is in force stays so.
#[utoipa::path(post, path = "/api/v1/maintenances/{id}/cancel", tag = "maintenances",
    request_body = Option<Because>,
    params(Rehearsal, ("id" = Id, Path, description = "Of the maintenance"),
        ("If-Match" = Option<String>, Header, description = "The version that was read")),
    responses((status = 200, description = "The maintenance after it; with `dry_run` as it is",
        body = inline(Either<MaintenanceAnswer>),
        headers(("ETag" = String, description = "Its version")))))]
pub(super) async fn cancel(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key(id): Key<String>,
    Asked(rehearsal): Asked<Rehearsal>,
    headers: HeaderMap,
    Json(asked): Json<Because>,
) -> Answer {
    let (expected, why) = (body::if_match(&headers)?, asked.why()?);
    let known = find(&admin, &id).await?;
    may(&admin, &operator, &known).await?;
    if rehearsal.dry_run {
        let (standing, traffic) = (admin.handle.standing(), admin.traffic.in_flight());
        let view = MaintenanceView::of(&admin, (&known, &standing), &traffic).await?;
        return Ok(axum::Json(rehearsal::of_nothing(view.windows)).into_response());
    }
    let author = operator.author(why);
    let change = admin.handle.cancel_maintenance(known.id, expected, author).await?;
    one(&admin, (&change, Vec::new()), StatusCode::OK).await
}

/// Tells visitors and operators how it is going.
#[utoipa::path(post, path = "/api/v1/maintenances/{id}/updates", tag = "maintenances",
    request_body = Told, params(("id" = Id, Path, description = "Of the maintenance")),
    responses((status = 201, description = "It is told", body = MaintenanceAnswer,
        headers(("ETag" = String, description = "Its version"),
            ("Location" = String, description = "The maintenance")))))]
pub(super) async fn update(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key(id): Key<String>,
    Asked(_): Asked<rehearsal::Nothing>,
    Json(asked): Json<Told>,
) -> Answer {
    let text = body::text("text", &asked.text)?;
    if text.is_empty() {
        return Err(Problem::field("text", "say how it is going"));
    }
    let known = find(&admin, &id).await?;
    may(&admin, &operator, &known).await?;
    let author = operator.author(String::new());
    let change = admin.handle.update(known.id, text, author).await?;
    one(&admin, (&change, Vec::new()), StatusCode::CREATED).await
}

/// Says afterwards how it went, and where the incident report is.
#[utoipa::path(post, path = "/api/v1/maintenances/{id}/aftermath", tag = "maintenances",
    request_body = Option<Aftermath>,
    params(("id" = Id, Path, description = "Of the maintenance")),
    responses((status = 200, description = "The maintenance after it", body = MaintenanceAnswer,
        headers(("ETag" = String, description = "Its version")))))]
pub(super) async fn aftermath(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key(id): Key<String>,
    Asked(_): Asked<rehearsal::Nothing>,
    Json(asked): Json<Aftermath>,
) -> Answer {
    let text = body::text("text", &asked.text)?;
    let link = body::text("link", &asked.link)?;
    let known = find(&admin, &id).await?;
    may(&admin, &operator, &known).await?;
    let author = operator.author(String::new());
    let change = admin.handle.aftermath(known.id, Aftermath { text, link }, author).await?;
    one(&admin, (&change, Vec::new()), StatusCode::OK).await
}
