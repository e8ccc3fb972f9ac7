//! The last act: one maintenance in three phases, hours of it within seconds.

use std::time::Duration;

use serde_json::Value;

use super::operator::typed;
use super::{Broken, Seen, Story, must};
use crate::cli::demo::visitor::{Answer, Request, exchange};
use crate::clock::{Clock, Wall};

const TITLE: &str = "Portal upgrade";
/// How long a state may let us wait.
const WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many visitors come while two regions reopen.
const CROWD: usize = 40;

/// What an operator would have in a file; `{starts}` is put in.
const PLAN: &str = r#"
title = "Portal upgrade"
owner = "platform"
announce = ["1h"]
[texts]
reason = "the portal's tables move to their next version"

[[phase]]
name = "development"
regions = ["dev"]
routes = ["claims"]
starts = "{starts}"
lasts = "2s"
drain = "1s"
reopen = "auto"

[[phase]]
name = "production APAC"
regions = ["apac"]
routes = ["claims"]
starts = "{starts}"
lasts = "5m"
drain = "1s"
[phase.verification]
probes = [{ path = "/claims/version", contains = "version 2", host = "apac.localhost" }]
health = false
successes = 1
every = "1s"
within = "2s"

[[phase]]
name = "production EU and North America"
regions = ["eu", "na"]
routes = ["claims"]
starts = "{starts}"
lasts = "10m"
drain = "1s"
[phase.verification]
probes = [{ path = "/claims/version", contains = "version 2", host = "eu.localhost" }]
health = false
successes = 1
every = "1s"
within = "10s"
[phase.ramp]
over = "3s"
"#;

impl Story {
    pub(super) fn rehearse(&mut self) -> Seen {
        let starts = Clock::System.now().plus(Duration::from_secs(2)).rfc3339();
        std::fs::write(self.plan_path(), PLAN.replace("{starts}", &starts))?;
        let file = self.plan_path().display().to_string();
        let printed = self.operator.types(&["maintenance", "diff", "--file", &file])?;
        for phase in ["development", "production APAC", "production EU"] {
            must(printed.contains(phase), || format!("{phase} is not in: {printed}"))?;
        }
        let listed = self.operator.types(&["maintenance", "list"])?;
        must(listed == "nothing is planned", || listed.clone())?;
        Ok(format!("$ intermission maintenance diff --file upgrade.toml\n{printed}"))
    }

    pub(super) fn plan(&mut self) -> Seen {
        let starts = Clock::System.now().plus(Duration::from_secs(2)).rfc3339();
        std::fs::write(self.plan_path(), PLAN.replace("{starts}", &starts))?;
        let file = self.plan_path().display().to_string();
        self.operator.types(&["maintenance", "plan", "--file", &file, "--yes"])?;
        let states = self.states()?;
        must(states.len() == 3, || states.join(", "))?;
        let next = self.visit("dev")?;
        let announced = next.header("intermission-next").unwrap_or("(absent)").to_owned();
        must(next.status == 503 || announced.contains("starts="), || {
            format!("dev: {}, Intermission-Next: {announced}", next.status)
        })?;
        Ok(format!(
            "$ intermission maintenance plan --file upgrade.toml\n{}\ndev: Intermission-Next: \
             {announced}",
            states.join(", ")
        ))
    }

    pub(super) fn first(&mut self) -> Seen {
        self.until(0, &["draining", "closed"])?;
        self.seen(&[("dev", 503), ("apac", 200), ("eu", 200), ("na", 200)])
    }

    pub(super) fn extend(&mut self) -> Seen {
        let before = self.end_of(0)?;
        let arguments = ["maintenance", "extend", TITLE, "--phase", "1", "--back-in", "4s"];
        let printed = self.operator.types(&arguments)?;
        let after = self.end_of(0)?;
        must(before < after, || format!("promised for {before} before, for {after} now"))?;
        let page = self.visit("dev")?;
        let retry = page.header("retry-after").unwrap_or("(absent)").to_owned();
        must(page.status == 503, || format!("dev: {}", page.status))?;
        Ok(format!("$ {}\n{printed}\nRetry-After: {retry}", typed(&arguments)))
    }

    pub(super) fn gate(&mut self) -> Seen {
        let windows = self.windows()?;
        let starts = windows[1]["plan"]["starts"].as_str().and_then(|at| Wall::parse(at).ok());
        must(starts.is_some_and(|at| at <= Clock::System.now()), || {
            format!("phase 2 begins at {}", windows[1]["plan"]["starts"])
        })?;
        let states = self.states()?;
        must(states[1] == "planned" && states[2] == "planned", || states.join(", "))?;
        Ok(format!("{}\n{}", states.join(", "), self.seen(&[("dev", 503), ("apac", 200)])?))
    }

    pub(super) fn second(&mut self) -> Seen {
        self.until(0, &["ended"])?;
        self.until(1, &["closed"])?;
        self.seen(&[("dev", 200), ("apac", 503), ("eu", 200), ("na", 200)])
    }

    pub(super) fn unverified(&mut self) -> Seen {
        let arguments = ["maintenance", "end", TITLE, "--wait"];
        let told = self.operator.fails(&arguments, 1)?;
        let states = self.states()?;
        must(states[1] == "overrun" && states[2] == "planned", || states.join(", "))?;
        let seen = self.seen(&[("apac", 503), ("eu", 200)])?;
        Ok(format!("$ {}\n{told}\n{}\n{seen}", typed(&arguments), states.join(", ")))
    }

    pub(super) fn verified(&mut self) -> Seen {
        self.stage.ledger.upgrade();
        let arguments = ["maintenance", "end", TITLE, "--wait"];
        let printed = self.operator.types(&arguments)?;
        Ok(format!("$ {}\n{printed}\n{}", typed(&arguments), self.seen(&[("apac", 200)])?))
    }

    pub(super) fn third(&mut self) -> Seen {
        self.until(2, &["closed"])?;
        let update = "Two of three phases are done.";
        self.operator.types(&["maintenance", "update", TITLE, update])?;
        self.seen(&[("dev", 200), ("apac", 200), ("eu", 503), ("na", 503)])
    }

    pub(super) fn ramp(&mut self) -> Seen {
        self.operator.types(&["maintenance", "end", TITLE])?;
        self.until(2, &["reopening"])?;
        let mut crowd = Vec::new();
        for number in 0..CROWD {
            let status = self.visit_from(number)?.status;
            must(status == 200 || status == 503, || format!("eu: {status}"))?;
            crowd.push(status);
        }
        let inside = crowd.iter().filter(|status| **status == 200).count();
        must(inside < CROWD, || "all visitors came in at once".to_owned())?;
        self.until(2, &["ended"])?;
        let seen = self.seen(&[("eu", 200), ("na", 200)])?;
        Ok(format!("while it reopens: {inside} of {CROWD} visitors are in\nafterwards: {seen}"))
    }

    pub(super) fn report(&mut self) -> Seen {
        let link = ["--text", "The tables were moved late.", "--link", "https://example.com/42"];
        self.operator.types(&[&["maintenance", "aftermath", TITLE][..], &link].concat())?;
        let report = self.operator.types(&["maintenance", "report", TITLE, "--markdown"])?;
        for part in [TITLE, "production APAC", "example.com/42", "Two of three phases are done"] {
            must(report.contains(part), || format!("the report lacks {part}:\n{report}"))?;
        }
        Ok(report)
    }

    fn plan_path(&self) -> std::path::PathBuf {
        self.stage.folder().join("upgrade.toml")
    }

    /// The windows of the maintenance, in the order of its phases.
    fn windows(&self) -> Result<Vec<Value>, Broken> {
        let printed = self.operator.types(&["maintenance", "show", TITLE, "--json"])?;
        let answer: Value = serde_json::from_str(&printed)
            .map_err(|error| Broken::Seen(format!("no JSON ({error}): {printed}")))?;
        let windows = answer["windows"].as_array().filter(|windows| windows.len() == 3);
        windows.cloned().ok_or(Broken::Seen(printed))
    }

    fn states(&self) -> Result<Vec<String>, Broken> {
        let windows = self.windows()?;
        let states = windows.iter().map(|window| window["state"].as_str().unwrap_or_default());
        Ok(states.map(str::to_owned).collect())
    }

    fn end_of(&self, phase: usize) -> Result<Wall, Broken> {
        let end = self.windows()?[phase]["promised_end"].clone();
        let at = end.as_str().and_then(|end| Wall::parse(end).ok());
        at.ok_or_else(|| Broken::Seen(format!("phase {} ends at {end}", phase + 1)))
    }

    /// Waits until a phase is in one of these states.
    fn until(&self, phase: usize, wanted: &[&str]) -> Result<(), Broken> {
        let clock = Clock::System;
        let deadline = clock.tick().plus(WITHIN);
        loop {
            let states = self.states()?;
            if wanted.contains(&states[phase].as_str()) {
                return Ok(());
            }
            must(clock.tick() < deadline, || {
                let wanted = wanted.join(" or ");
                format!("phase {} should be {wanted}: {}", phase + 1, states.join(", "))
            })?;
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// What visitors get in these regions, which must be this.
    fn seen(&self, wanted: &[(&str, u16)]) -> Seen {
        let mut told = Vec::new();
        for (region, status) in wanted {
            let answer = self.visit(region)?;
            must(answer.status == *status, || format!("{region}: {}", answer.status))?;
            told.push(format!("{region} {status}"));
        }
        Ok(told.join(", "))
    }

    fn visit(&self, region: &str) -> Result<Answer, Broken> {
        let host = format!("{region}.localhost:{}", self.stage.proxy.port());
        let request = Request::get("/claims").field("host", &host);
        Ok(exchange(self.stage.proxy, &request, WITHIN)?)
    }

    /// A visit of one of a crowd, whose address a balancer told.
    fn visit_from(&self, number: usize) -> Result<Answer, Broken> {
        let host = format!("eu.localhost:{}", self.stage.proxy.port());
        let request = Request::get("/claims")
            .field("host", &host)
            .field("x-forwarded-for", &format!("198.51.100.{}", number + 1));
        Ok(exchange(self.stage.proxy, &request, WITHIN)?)
    }
}
