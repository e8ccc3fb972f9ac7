//! `intermission in-flight`: which requests are under way.

use clap::Args;
use serde::Deserialize;

use super::client::{self, Client};
use super::{Fault, Reach, table, wait};

#[derive(Args)]
pub(super) struct InFlight {
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
    #[serde(default, alias = "count")]
    requests: u64,
    #[serde(default, alias = "websockets")]
    tunnels: u64,
    #[serde(default)]
    streams: u64,
}

impl InFlight {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        wait::watch(self.watch, || {
            let answer = client.all("/api/v1/in-flight")?;
            if self.reach.json {
                return Ok(table::json(&answer, self.watch));
            }
            let places: Vec<Place> = client::read(table::items(&answer, "in_flight"))?;
            let rows = places.into_iter().map(|place| {
                let Place { route, region, requests, tunnels, streams } = place;
                let [requests, tunnels, streams] =
                    [requests, tunnels, streams].map(|count| count.to_string());
                [route, region, requests, tunnels, streams]
            });
            let head = ["route", "region", "requests", "websockets", "streams"];
            Ok(table::of(head, rows, "nothing is in flight"))
        })
    }
}
