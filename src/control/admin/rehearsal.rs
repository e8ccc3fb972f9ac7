//! `?dry_run=true`: what would close, when, and whom it would hit by the last hour's traffic.
//! Nothing is changed, and nothing is noted.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::gate::Operator;
use super::problem::Problem;
use super::windows::WindowView;
use crate::clock::Wall;
use crate::control::command::Refused;
use crate::control::hour::Counts;
use crate::control::scopes;
use crate::grant::Role;
use crate::id::Id;
use crate::limit;
use crate::snapshot::Site;
use crate::window::draft::{Compiled, Fault, Names};
use crate::window::maintenance::Phase;
use crate::window::schedule::Conflict;
use crate::window::scope::Scope;
use crate::window::state::{Mode, Window};

/// Whether it is meant.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Rehearsal {
    /// Say what would happen, and do nothing.
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// A query without a member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// What is answered where it is meant, and where it is not.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document; handlers answer the one or the other")]
pub(super) enum Either<T> {
    Done(T),
    Rehearsed(Box<Rehearsed>),
}

/// What would come of it.
#[derive(Serialize, ToSchema, Default)]
pub(super) struct Rehearsed {
    /// Always true: nothing was done.
    dry_run: bool,
    /// How many route × region places would be closed, each counted once.
    count: usize,
    /// How many of them are closed already.
    already_closed: usize,
    /// The places; at most a thousand.
    cells: Vec<CellView>,
    /// Requests under way there now.
    in_flight: u64,
    /// Whom it would hit, if the next hour is like the last.
    last_hour: Hit,
    /// What would close when, phase by phase.
    phases: Vec<PhaseView>,
    /// Other windows and blackouts that it would meet.
    conflicts: Vec<Conflict>,
    /// What may not be meant, and would hold all the same.
    warnings: Vec<Fault>,
    /// Whether another operator would have to approve it.
    approval_wanted: bool,
    /// The windows as they would be.
    windows: Vec<WindowView>,
}

/// Requests of the last hour.
#[derive(Serialize, ToSchema, Default, Clone, Copy)]
pub(super) struct Hit {
    /// That many came to these places.
    requests: u64,
    /// Of all requests that were routed; 0 if there were none.
    share: f64,
    /// How many minutes of the hour were watched to their end; fewer than 60 after a start.
    minutes: u32,
    /// Whether that is so much that people should be asked whether they mean it.
    confirm: bool,
}

/// A place that would be closed.
#[derive(Serialize, ToSchema)]
pub(super) struct CellView {
    route: String,
    region: String,
    /// Whether it is closed already.
    closed: bool,
    /// Requests that came there in the last hour.
    last_hour: u64,
}

/// What one phase would close.
#[derive(Serialize, ToSchema)]
pub(super) struct PhaseView {
    name: String,
    scope: Scope,
    mode: Mode,
    starts: Wall,
    ends: Option<Wall>,
    /// How many places.
    count: usize,
    last_hour: Hit,
}

/// The names that a document may use.
pub(super) fn names(site: &Site) -> Names<'_> {
    Names {
        regions: site.regions.names().collect(),
        routes: site.rules.iter().map(|rules| &*rules.name).collect(),
    }
}

/// The places of a scope, and who came there.
struct Places<'a> {
    site: &'a Site,
    hour: &'a HashMap<(&'a str, &'a str), u64>,
    total: u64,
    minutes: u32,
    /// In percent.
    confirm_share: u8,
}

impl<'a> Places<'a> {
    /// Route, region and the last hour's requests of each place.
    fn of(&self, scope: &'a Scope) -> impl Iterator<Item = (&'a str, &'a str, u64)> + use<'a, '_> {
        let routes = self.site.rules.iter().map(|rules| &*rules.name);
        let routes = routes.filter(|name| scope.routes.covers(name));
        routes.flat_map(move |route| {
            let regions = self.site.regions.names().filter(|name| scope.regions.covers(name));
            regions.map(move |region| {
                (route, region, self.hour.get(&(route, region)).copied().unwrap_or_default())
            })
        })
    }

    fn hit(&self, requests: u64) -> Hit {
        #[expect(clippy::cast_precision_loss, reason = "a share of what was counted")]
        let share = if self.total == 0 { 0.0 } else { requests as f64 / self.total as f64 };
        let is_told = self.minutes > 0 || self.total >= limit::CONFIRM_REQUESTS_MIN;
        let confirm = is_told && share * 100.0 > f64::from(self.confirm_share);
        Hit { requests, share, minutes: self.minutes, confirm }
    }
}

/// Of a switch, or of a window that is in force.
pub(super) fn of_scope(
    admin: &Admin,
    operator: &Operator,
    scope: &Scope,
) -> Result<Rehearsed, Problem> {
    operator.may(Role::Operator, scope)?;
    let snapshot = admin.live.snapshot();
    let unknown = scopes::unknown(scope, &snapshot.site);
    if !unknown.is_empty() {
        return Err(Refused::Unknown(unknown).into());
    }
    Ok(told(admin, operator, &[scope], |places| {
        let requests = places.of(scope).map(|(_, _, count)| count).sum();
        (places.hit(requests), Vec::new())
    }))
}

/// Of one window, as it would be.
pub(super) fn of_window(
    admin: &Admin,
    operator: &Operator,
    after: Window,
) -> Result<Rehearsed, Problem> {
    let mut told = of_scope(admin, operator, &after.scope)?;
    told.windows = vec![WindowView::of(&after, &admin.traffic.in_flight())];
    Ok(told)
}

/// Of a maintenance.
pub(super) fn of_plan(
    admin: &Admin,
    operator: &Operator,
    compiled: Compiled,
    conflicts: Vec<Conflict>,
    warnings: Vec<Fault>,
) -> Rehearsed {
    let scopes: Vec<_> = compiled.phases.iter().map(|(_, order)| &order.scope).collect();
    let mut all = told(admin, operator, &scopes, |places| {
        let phases = compiled.phases.iter().map(|(name, order)| {
            let (mut count, mut requests) = (0, 0);
            for (_, _, came) in places.of(&order.scope) {
                count += 1;
                requests += came;
            }
            PhaseView {
                name: name.clone(),
                scope: order.scope.clone(),
                mode: order.mode,
                starts: order.plan.starts,
                ends: order.promised_end,
                count,
                last_hour: places.hit(requests),
            }
        });
        let phases: Vec<_> = phases.collect();
        let mut seen = std::collections::HashSet::new();
        let each = compiled.phases.iter().flat_map(|(_, order)| places.of(&order.scope));
        let requests = each.filter(|(route, region, _)| seen.insert((*route, *region)));
        (places.hit(requests.map(|(_, _, count)| count).sum()), phases)
    });
    let now = admin.clock.now();
    let windows = compiled.phases.iter().zip(1..).map(|((name, order), number)| {
        let maintenance = Id::from_bytes([0; 20]);
        let phase = Phase { maintenance, number, name: name.clone() };
        let author = operator.author(String::new());
        let step = Window::planned(maintenance, phase, order.clone(), &author, now);
        WindowView::of(&step.window, &[])
    });
    all.windows = windows.collect();
    all.conflicts = conflicts;
    all.warnings = [compiled.warnings, warnings].concat();
    all
}

/// Of what closes nothing.
pub(super) fn of_nothing(windows: Vec<WindowView>) -> Rehearsed {
    Rehearsed { dry_run: true, windows, ..Rehearsed::default() }
}

fn told(
    admin: &Admin,
    operator: &Operator,
    scopes: &[&Scope],
    hit: impl FnOnce(&Places<'_>) -> (Hit, Vec<PhaseView>),
) -> Rehearsed {
    let snapshot = admin.live.snapshot();
    let site = &snapshot.site;
    let Counts { places: came, total, minutes } = admin.hour.counts(&*admin.traffic);
    let came: HashMap<(&str, &str), u64> =
        came.iter().map(|((route, region), count)| ((&**route, &**region), *count)).collect();
    let confirm_share = admin.rules.confirm_share;
    let places = Places { site, hour: &came, total, minutes, confirm_share };
    let mut told = Rehearsed { dry_run: true, ..Rehearsed::default() };
    let mut seen = std::collections::HashSet::new();
    for (route, region, last_hour) in scopes.iter().flat_map(|scope| places.of(scope)) {
        if !seen.insert((route, region)) {
            continue;
        }
        let at = (site.route_named(route), site.regions.named(region));
        let (Some(route_ix), Some(region_ix)) = at else { continue };
        let closed = snapshot.cells.closure(route_ix, region_ix).is_some();
        told.count += 1;
        told.already_closed += usize::from(closed);
        if told.cells.len() < limit::ADMIN_ROWS_MAX as usize {
            let (route, region) = (route.to_owned(), region.to_owned());
            told.cells.push(CellView { route, region, closed, last_hour });
        }
    }
    let traffic = admin.traffic.in_flight();
    let under_way = traffic.iter().filter(|one| seen.contains(&(&*one.route, &*one.region)));
    told.in_flight = under_way.map(|one| one.count).sum();
    (told.last_hour, told.phases) = hit(&places);
    let wanted = |scope: &&&Scope| operator.may_close(scope, false).is_err();
    told.approval_wanted = scopes.iter().any(|scope| wanted(&scope));
    told
}
