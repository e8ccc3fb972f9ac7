//! Maintenances that files declare, held against what is planned: what is new is planned, what
//! changed is revised, what is gone is cancelled as far as it has not begun.
//!
//! A file is known by its name, and whether it changed by the document that the maintenance keeps:
//! what an operator extended meanwhile stays so until the file itself changes.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::command::{Draft, Expected, Refused, Standing};
use super::drift;
use super::handle::Handle;
use crate::clock::{Clock, Wall};
use crate::config::maintenances::Declared;
use crate::limit;
use crate::snapshot::Site;
use crate::store::Store;
use crate::window::draft::{Compiled, Fault, Given, Past};
use crate::window::event::{Author, Order};
use crate::window::maintenance::{Maintenance, Source};
use crate::window::schedule;

/// Holds files against what is planned.
pub struct Declarations {
    handle: Handle,
    store: Arc<dyn Store>,
    clock: Clock,
    drain: Duration,
}

/// What would be done about one file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Foreseen {
    /// Its name, without its directory.
    pub file: String,
    /// What.
    pub act: Deed,
    /// The phases that it would plan, in their order.
    pub phases: Vec<ForeseenPhase>,
    /// Why, where that is not plain.
    pub why: String,
}

/// One phase that a file would plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct ForeseenPhase {
    /// What operators call it.
    pub name: String,
    /// When it begins.
    pub starts: Wall,
    /// When it ends, if anybody knows.
    pub ends: Option<Wall>,
}

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It is new.
    Plan,
    /// It changed.
    Revise,
    /// It says what is planned already, or what is over.
    Nothing,
    /// It is gone.
    Cancel,
    /// It cannot be planned.
    Refuse,
}

impl Foreseen {
    fn of(file: &str, act: Result<Act, Vec<Fault>>) -> Self {
        let (act, compiled, why) = match act {
            Ok(Act::Plan(compiled)) => (Deed::Plan, Some(compiled), String::new()),
            Ok(Act::Revise(_, compiled)) => (Deed::Revise, Some(compiled), String::new()),
            Ok(Act::Nothing) => (Deed::Nothing, None, String::new()),
            Err(faults) => (Deed::Refuse, None, sentence(&faults)),
        };
        let phases = compiled.into_iter().flat_map(|compiled| compiled.phases);
        let phases = phases.map(|(name, order)| {
            let (starts, ends) = (order.plan.starts, order.promised_end);
            ForeseenPhase { name, starts, ends }
        });
        Self { file: file.to_owned(), act, phases: phases.collect(), why }
    }
}

/// What is to be done about one file.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Act {
    Plan(Box<Compiled>),
    Revise(Arc<Maintenance>, Box<Compiled>),
    Nothing,
}

impl Declarations {
    /// Of what `handle` plans and `store` keeps. `drain` counts where a file does not say.
    pub fn new(handle: Handle, store: Arc<dyn Store>, clock: Clock, drain: Duration) -> Self {
        Self { handle, store, clock, drain }
    }

    /// The same at the start of the process, told to the log. None leaves all as it is.
    pub async fn begin(&self, declared: Option<&[Declared]>) {
        let Some(declared) = declared else { return };
        for warning in self.reconcile(declared).await {
            tracing::warn!("{warning}");
        }
    }

    /// Does what is to be done, and tells in sentences what could not be.
    pub async fn reconcile(&self, declared: &[Declared]) -> Vec<String> {
        let standing = self.handle.standing();
        let over = match self.store.ended_maintenances(limit::DECLARED_OVER_MAX).await {
            Ok(over) => over,
            Err(error) => {
                return vec![format!("declared maintenances are not looked at: {error}")];
            }
        };
        let site = Arc::clone(&self.handle.snapshot().site);
        let mut warnings = Vec::new();
        for file in declared {
            let live = find(standing.maintenances.iter().map(AsRef::as_ref), &file.name);
            let live = live.map(|live| Arc::new(live.clone()));
            let over = find(&over, &file.name);
            let done = match self.act(file, live, over, &site) {
                Ok(act) => self.carry_out(&file.name, act, &standing).await,
                Err(faults) => Err(sentence(&faults)),
            };
            if let Err(why) = done {
                warnings.push(format!("{} is not planned: {why}", file.name));
            }
        }
        for (maintenance, file) in gone(&standing, declared) {
            let author = Author::intermission(&format!("`{file}` does not declare it any more"));
            match self.handle.withdraw(maintenance.id, author).await {
                Ok(_) => tracing::info!(file, "what it declared is cancelled: the file is gone"),
                Err(Refused::NothingToCancel(_)) => {}
                Err(refused) => warnings.push(format!("{file} is gone: {refused}")),
            }
        }
        drift::tell(&self.handle.standing());
        warnings
    }

    /// What would be done about each file if `site` were in force; nothing is.
    pub async fn rehearse(&self, declared: &[Declared], site: &Site) -> Vec<Foreseen> {
        let standing = self.handle.standing();
        let over = self.store.ended_maintenances(limit::DECLARED_OVER_MAX).await;
        let over = over.unwrap_or_default();
        let files = declared.iter().map(|file| {
            let live = find(standing.maintenances.iter().map(AsRef::as_ref), &file.name);
            let live = live.map(|live| Arc::new(live.clone()));
            Foreseen::of(&file.name, self.act(file, live, find(&over, &file.name), site))
        });
        let gone = gone(&standing, declared).map(|(_, file)| Foreseen {
            file: file.to_owned(),
            act: Deed::Cancel,
            phases: Vec::new(),
            why: "the file is gone: what has not begun is cancelled".to_owned(),
        });
        files.chain(gone).collect()
    }

    fn act(
        &self,
        file: &Declared,
        live: Option<Arc<Maintenance>>,
        over: Option<&Maintenance>,
        site: &Site,
    ) -> Result<Act, Vec<Fault>> {
        let given = Given { now: self.clock.now(), drain: self.drain, past: Past::Allowed };
        let compiled = file.draft.compile(&given)?;
        let document = &compiled.maintenance.document;
        let known = live.as_deref().or(over);
        if known.is_some_and(|known| known.document == *document) {
            return Ok(Act::Nothing);
        }
        let mut compiled = match &compiled.maintenance.recurrence {
            // Its own occurrence, if the rule still has that, else the next.
            Some(_) => {
                let at = live.as_ref().and_then(|live| live.recurrence.as_ref()?.at);
                let from = at.unwrap_or(given.now);
                let before = from.minus(Duration::from_millis(1));
                let blackouts = &site.blackouts;
                match schedule::occurrence_after(&file.draft, before, &given, blackouts)? {
                    Some(coming) => coming.compiled,
                    None => return Ok(Act::Nothing),
                }
            }
            None => compiled,
        };
        let missed = |(_, order): &(String, Order)| {
            let latest = order.plan.starts.plus(order.plan.start_within);
            order.promised_end.map_or(latest, |end| end.min(latest)) <= given.now
        };
        compiled.maintenance.source = Source::File(file.name.clone());
        "intermission".clone_into(&mut compiled.maintenance.by);
        match live {
            Some(live) => Ok(Act::Revise(live, Box::new(compiled))),
            // It was over before this node knew of it.
            None if compiled.phases.iter().all(missed) => Ok(Act::Nothing),
            None => Ok(Act::Plan(Box::new(compiled))),
        }
    }

    async fn carry_out(&self, file: &str, act: Act, standing: &Standing) -> Result<(), String> {
        let author = Author::intermission(&format!("declared in `{file}`"));
        let done = match act {
            Act::Nothing => return Ok(()),
            Act::Plan(compiled) => {
                let Compiled { maintenance, phases, .. } = *compiled;
                self.handle.plan(Draft { maintenance, phases }).await
            }
            Act::Revise(live, compiled) => {
                let Compiled { maintenance, mut phases, .. } = *compiled;
                for (at, (_, order)) in phases.iter_mut().enumerate() {
                    keep_what_is_in_force(&live, at, order, standing);
                }
                let expected = Expected::Version(live.version);
                let draft = Draft { maintenance, phases };
                self.handle.revise(live.id, expected, draft, author).await
            }
        };
        match done {
            Ok(change) => {
                let windows = change.windows.len();
                tracing::info!(file, windows, "what it declares is planned");
                Ok(())
            }
            Err(refused) => Err(refused.to_string()),
        }
    }
}

/// Of what is in force a file changes the words and the promised end, and nothing else: what is
/// closed for a work that goes on is not opened by an edit.
fn keep_what_is_in_force(live: &Maintenance, at: usize, order: &mut Order, standing: &Standing) {
    let id = live.windows.get(at);
    let window = id.and_then(|id| standing.windows.iter().find(|window| window.id == *id));
    if let Some(window) = window.filter(|window| window.state.in_force()) {
        order.scope = window.scope.clone();
        order.mode = window.mode;
        order.plan = window.plan.clone();
    }
}

/// The newest maintenance that a file of this name declared.
fn find<'a>(all: impl IntoIterator<Item = &'a Maintenance>, name: &str) -> Option<&'a Maintenance> {
    let declares = |one: &&Maintenance| matches!(&one.source, Source::File(file) if file == name);
    all.into_iter().filter(declares).max_by_key(|one| one.created)
}

/// What files declared that are not there any more.
fn gone<'a>(
    standing: &'a Standing,
    declared: &'a [Declared],
) -> impl Iterator<Item = (&'a Maintenance, &'a str)> {
    standing.maintenances.iter().filter_map(|maintenance| match &maintenance.source {
        Source::File(file) if !declared.iter().any(|one| one.name == *file) => {
            Some((maintenance.as_ref(), file.as_str()))
        }
        Source::File(_) | Source::Operator => None,
    })
}

fn sentence(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
