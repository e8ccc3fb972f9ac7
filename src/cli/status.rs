//! `intermission status`: what is closed, since when, until when, by whom and why; what is still
//! in flight; what was kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use comfy_table::{Cell, Color, ColumnConstraint, Table, Width};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::client::{self, Client};
use super::shown::{PlaceShown, WindowShown};
pub use super::table::Paint;
use super::table::Shape;
use super::{Fault, Reach, table, text, wait};
use crate::clock::Wall;

/// An id and the spaces at its sides.
const ID_COLUMNS: u16 = 34;
/// From this width on, a table has room for ids.
const ROOMY_COLUMNS: u16 = 90;

#[derive(Args)]
pub(super) struct StatusCommand {
    /// Look again every second until interrupted.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What the admin API tells of a node, as far as it is shown.
#[derive(Deserialize, Debug)]
pub struct StatusShown {
    node: String,
    phase: String,
    now: Wall,
    uptime_secs: u64,
    generation: u64,
    config: ConfigShown,
    /// Windows in force.
    pub windows: Vec<WindowShown>,
    closed_cells: u64,
    #[serde(default)]
    drift: u64,
    in_flight: Vec<PlaceShown>,
    connections: u64,
    store: StoreShown,
}

#[derive(Deserialize, Debug)]
struct ConfigShown {
    fingerprint: String,
    last_reload: Option<ReloadShown>,
}

#[derive(Deserialize, Debug)]
struct ReloadShown {
    at: Wall,
    result: String,
    reason: String,
}

#[derive(Deserialize, Debug)]
struct StoreShown {
    #[serde(default)]
    submissions: BTreeMap<String, u64>,
    #[serde(default)]
    bytes: u64,
    error: Option<String>,
}

impl StatusCommand {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        wait::watch(self.watch, || {
            let answer = client.get("/api/v1/status")?;
            if self.reach.json {
                return Ok(table::json(&answer, self.watch));
            }
            let status: StatusShown = client::read(answer)?;
            let Shape { width, paint } = Shape::of_output();
            Ok(render(&status, width, paint, &TimeZone::system()))
        })
    }
}

/// The status for people; `width` in columns, or the terminal's.
pub fn render(status: &StatusShown, width: Option<u16>, paint: Paint, zone: &TimeZone) -> String {
    let StatusShown { node, phase, generation, now, .. } = status;
    let up = text::span(Duration::from_secs(status.uptime_secs));
    let config = &status.config.fingerprint;
    let mut out = format!("{node}: {phase}, up {up}, generation {generation}, config {config}\n");
    if let Some(reload) = &status.config.last_reload {
        let when = text::since(reload.at, *now, zone);
        match reload.result.as_str() {
            "ok" => out += &format!("config read again at {when}\n"),
            _ => out += &format!("LAST RELOAD FAILED at {when}: {}\n", reload.reason),
        }
    }
    out.push('\n');
    let (in_force, coming): (Vec<_>, Vec<_>) =
        status.windows.iter().partition(|window| window.in_force());
    if in_force.is_empty() {
        out.push_str("nothing is closed\n");
    } else {
        let _ = writeln!(out, "{}", table((&in_force, status.now), width, paint, zone));
        let cells = status.closed_cells;
        let _ = writeln!(out, "closed places (route × region): {cells}");
    }
    if status.drift > 0 {
        let drift = status.drift;
        let _ = writeln!(out, "otherwise than declared: {drift}; `maintenance diff` tells where");
    }
    for window in coming {
        let at = window.starts().map(|at| text::instant(at, *now, zone)).unwrap_or_default();
        let _ =
            writeln!(out, "{}: {}, {}, begins {at}", window.state, window.part(), window.place());
    }
    out.push('\n');
    out += &traffic(status);
    out += &kept(&status.store);
    out
}

fn table(
    (windows, now): (&[&WindowShown], Wall),
    width: Option<u16>,
    paint: Paint,
    zone: &TimeZone,
) -> Table {
    let head = ["closed", "since", "back", "by", "why", "in flight"];
    let mut table = Shape { width, paint }.table(&head);
    // An id that is broken over two lines cannot be copied.
    let roomy = table.width().is_none_or(|width| width >= ROOMY_COLUMNS);
    if let Some(column) = table.column_mut(0).filter(|_| roomy) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(ID_COLUMNS)));
    }
    for window in windows {
        let WindowShown { id, state, mode, .. } = window;
        let place = Cell::new(format!("{}\n{mode}, {state}\n{id}", window.place()));
        let colour = match state.as_str() {
            "draining" => Color::Yellow,
            "overrun" => Color::Red,
            _ => Color::Reset,
        };
        table.add_row([
            if paint == Paint::Colours { place.fg(colour) } else { place },
            Cell::new(text::since(window.began.unwrap_or(now), now, zone)),
            Cell::new(text::until(window.promised_end, now, zone)),
            Cell::new(&window.by),
            Cell::new(&window.texts.reason),
            Cell::new(in_flight(window, now)),
        ]);
    }
    table
}

/// `3, until 15:02` with a line for each place while a window drains.
fn in_flight(window: &WindowShown, now: Wall) -> String {
    let mut told = window.in_flight_total.to_string();
    if window.state == "draining" {
        let _ = write!(told, ", {} left", text::span(window.drain_deadline.since(now)));
    }
    for PlaceShown { route, region, count } in &window.in_flight {
        let _ = write!(told, "\n{route} in {region}: {count}");
    }
    told
}

fn traffic(status: &StatusShown) -> String {
    let total: u64 = status.in_flight.iter().map(|place| place.count).sum();
    format!("in flight: {total}, on {} connections\n", status.connections)
}

fn kept(store: &StoreShown) -> String {
    if let Some(error) = &store.error {
        return format!("kept forms: cannot be counted: {error}\n");
    }
    let live = store.submissions.iter().filter(|(_, count)| **count > 0);
    let each: Vec<_> = live.map(|(state, count)| format!("{count} {state}")).collect();
    if each.is_empty() {
        return "kept forms: none\n".to_owned();
    }
    format!("kept forms: {} ({} KiB)\n", each.join(", "), store.bytes.div_ceil(1024))
}
