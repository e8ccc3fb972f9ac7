//! `intermission state`: how each route stands in each region.

use std::collections::BTreeSet;

use clap::Args;
use comfy_table::{Cell, Color};
use serde::Deserialize;

use super::client::{self, Client};
use super::table::{Paint, Shape};
use super::{Fault, Reach, table, wait};

#[derive(Args)]
pub(super) struct StateCommand {
    /// Look again every second until interrupted.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Deserialize)]
struct Place {
    route: String,
    region: String,
    state: String,
    #[serde(default)]
    mode: Option<String>,
}

impl StateCommand {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        wait::watch(self.watch, || {
            let answer = client.all("/api/v1/state")?;
            if self.reach.json {
                return Ok(table::json(&answer, self.watch));
            }
            let places: Vec<Place> = client::read(table::items(&answer, "cells"))?;
            Ok(matrix(&places, Shape::of_output()))
        })
    }
}

/// Routes down, regions across.
fn matrix(places: &[Place], shape: Shape) -> String {
    let regions: BTreeSet<&str> = places.iter().map(|place| place.region.as_str()).collect();
    let mut routes: Vec<&str> = Vec::new();
    for place in places {
        if !routes.contains(&place.route.as_str()) {
            routes.push(&place.route);
        }
    }
    let head: Vec<&str> = std::iter::once("route").chain(regions.iter().copied()).collect();
    let mut table = shape.table(&head);
    for route in routes {
        let mut row = vec![Cell::new(route)];
        row.extend(regions.iter().map(|region| {
            let at = places.iter().find(|p| p.route == route && p.region == *region);
            at.map_or_else(|| Cell::new(""), |place| cell(place, shape.paint))
        }));
        table.add_row(row);
    }
    format!("{table}\n")
}

fn cell(place: &Place, paint: Paint) -> Cell {
    let mode = place.mode.as_deref().filter(|mode| !["", "page"].contains(mode));
    let text = match mode {
        Some(mode) => format!("{} ({mode})", place.state),
        None => place.state.clone(),
    };
    let colour = match place.state.as_str() {
        "open" => Color::Green,
        "overrun" => Color::Red,
        _ => Color::Yellow,
    };
    let cell = Cell::new(text);
    if paint == Paint::Colours { cell.fg(colour) } else { cell }
}
