//! Reading the config again, as a transaction: everything compiles and everything that is closed
//! stays coverable, or nothing changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use utoipa::ToSchema;

use super::command::{Handle, Refused};
use super::declared::{Declarations, Foreseen};
use crate::clock::{Clock, Wall};
use crate::config::{self, Loaded, Problem, Process};
use crate::snapshot::Cells;

/// Who wants the config to be read again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "trigger", content = "by")]
pub enum Trigger {
    /// SIGHUP.
    Signal,
    /// The file changed.
    File,
    /// A certificate by ACME, or what proves to a CA who we are.
    Acme,
    /// An operator, by the admin API.
    Api(String),
}

/// How a reload went.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Outcome {
    /// When.
    pub at: Wall,
    /// Why.
    #[serde(flatten)]
    pub trigger: Trigger,
    /// Whether the new config is in force.
    pub result: Verdict,
    /// Of the file that was read, where it could be.
    pub fingerprint: Option<String>,
    /// The generation that shows the new config.
    pub generation: Option<u64>,
    /// What is wrong, in one sentence; empty if nothing is.
    pub reason: String,
    /// What is wrong with the file, place by place.
    pub problems: Vec<Problem>,
    /// What the file says that only a restart puts in force.
    pub warnings: Vec<String>,
    /// Where it was only looked at: what would be done about declared maintenances.
    pub declared: Vec<Foreseen>,
}

/// Whether a config was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is in force, or would be.
    Ok,
    /// Nothing changed.
    Failed,
}

/// Carries reloads out, one after another.
pub struct Reloader {
    path: PathBuf,
    started: Process,
    handle: Handle,
    clock: Clock,
    wanted: mpsc::Receiver<Wanted>,
    last: watch::Sender<Option<Arc<Outcome>>>,
    declarations: Option<Declarations>,
}

/// Asks for reloads and tells how the last one went.
#[derive(Clone)]
pub struct Reloads {
    wanted: mpsc::Sender<Wanted>,
    last: watch::Receiver<Option<Arc<Outcome>>>,
}

struct Wanted {
    trigger: Trigger,
    way: Way,
    /// What is looked at in place of the file.
    text: Option<String>,
    answer: Option<oneshot::Sender<Arc<Outcome>>>,
}

/// Whether the file is only looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Put it in force.
    Apply,
    /// Say whether it could be.
    Check,
}

/// Reloads that wait. More than one of a kind says nothing new.
const WAITING_MAX: usize = 16;

impl Reloader {
    /// A reloader of the file at `path`, for a process that was `started` with these settings.
    pub fn new(path: PathBuf, started: Process, handle: Handle, clock: Clock) -> (Self, Reloads) {
        let (sender, wanted) = mpsc::channel(WAITING_MAX);
        let (last, seen) = watch::channel(None);
        let reloader = Self { path, started, handle, clock, wanted, last, declarations: None };
        (reloader, Reloads { wanted: sender, last: seen })
    }

    /// One that also plans what files declare.
    #[must_use]
    pub fn declaring(self, declarations: Declarations) -> Self {
        Self { declarations: Some(declarations), ..self }
    }

    /// Works until every [`Reloads`] is gone.
    pub async fn run(mut self) {
        while let Some(Wanted { trigger, way, text, answer }) = self.wanted.recv().await {
            let outcome = Arc::new(self.carry_out(trigger, way, text).await);
            if way == Way::Apply {
                tell(&outcome);
                self.last.send_replace(Some(Arc::clone(&outcome)));
            }
            if let Some(answer) = answer {
                let _ = answer.send(outcome);
            }
        }
    }

    async fn carry_out(&self, trigger: Trigger, way: Way, text: Option<String>) -> Outcome {
        let mut outcome = Outcome {
            at: self.clock.now(),
            trigger,
            result: Verdict::Failed,
            fingerprint: None,
            generation: None,
            reason: String::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            declared: Vec::new(),
        };
        let loaded = match read(self.path.clone(), text).await {
            Ok(loaded) => loaded,
            Err((reason, problems)) => return Outcome { reason, problems, ..outcome },
        };
        outcome.fingerprint = Some(loaded.site.fingerprint.clone());
        outcome.warnings = config::compatible(&self.started, &loaded.process);
        if let Some(reason) = config::unserved(&self.started, &loaded.site) {
            outcome.reason = reason;
            return outcome;
        }
        let mut loaded = loaded;
        let (site, declared) = (Arc::clone(&loaded.site), loaded.declared.take());
        let taken = match way {
            Way::Apply => self.apply(loaded).await.map(Some),
            Way::Check => self.check(&loaded).map(|()| None),
        };
        if let (Way::Check, Some(declarations), Some(declared)) =
            (way, &self.declarations, &declared)
        {
            outcome.declared = declarations.rehearse(declared, &site).await;
        }
        match taken {
            Ok(generation) => (outcome.result, outcome.generation) = (Verdict::Ok, generation),
            Err(refused) => outcome.reason = refused.to_string(),
        }
        // ORDER: after the config, whose names the files use.
        if let (Way::Apply, Verdict::Ok) = (way, outcome.result)
            && let (Some(declarations), Some(declared)) = (&self.declarations, declared)
        {
            outcome.warnings.extend(declarations.reconcile(&declared).await);
        }
        outcome
    }

    async fn apply(&self, loaded: Loaded) -> Result<u64, Refused> {
        self.handle.reload(loaded.site, loaded.pages).await
    }

    fn check(&self, loaded: &Loaded) -> Result<(), Refused> {
        let standing = self.handle.standing();
        let windows: Vec<_> = standing.windows.iter().map(|w| (**w).clone()).collect();
        let mut lost = config::uncovered(&loaded.site, &windows);
        let windows: Vec<_> = windows.iter().collect();
        let cells = Cells::compute(&loaded.site, &windows, &loaded.pages, None);
        lost.extend(config::opened(&self.handle.snapshot(), &loaded.site, &cells));
        if lost.is_empty() { Ok(()) } else { Err(Refused::Uncovered(lost)) }
    }
}

impl Reloads {
    /// How the last reload went; none if there was none.
    pub fn last(&self) -> Option<Arc<Outcome>> {
        self.last.borrow().clone()
    }

    /// A receiver that tells of every reload.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<Outcome>>> {
        self.last.clone()
    }

    /// Asks for a reload without waiting for it. If many wait already, one of them will do.
    pub fn request(&self, trigger: Trigger) {
        let _ = self.wanted.try_send(Wanted { trigger, way: Way::Apply, text: None, answer: None });
    }

    /// Reads the file and applies it, or only says whether that could be done.
    pub async fn carry_out(&self, trigger: Trigger, way: Way) -> Result<Arc<Outcome>, Refused> {
        self.ask(trigger, way, None).await
    }

    /// Says whether this text could be put in force in place of the file.
    pub async fn check(&self, trigger: Trigger, text: String) -> Result<Arc<Outcome>, Refused> {
        self.ask(trigger, Way::Check, Some(text)).await
    }

    async fn ask(
        &self,
        trigger: Trigger,
        way: Way,
        text: Option<String>,
    ) -> Result<Arc<Outcome>, Refused> {
        let (answer, answered) = oneshot::channel();
        let wanted = Wanted { trigger, way, text, answer: Some(answer) };
        self.wanted.try_send(wanted).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Busy,
            mpsc::error::TrySendError::Closed(_) => Refused::Stopped,
        })?;
        answered.await.map_err(|_| Refused::Stopped)
    }
}

/// Reads and compiles the file, or the text as if it stood in the file's place; else tells why
/// not, in one sentence and place by place.
async fn read(path: PathBuf, text: Option<String>) -> Result<Loaded, (String, Vec<Problem>)> {
    // Compiling may take long (10,000 routes, a slow disk) and holds nobody up here.
    let loading = tokio::task::spawn_blocking(move || match text {
        None => config::load(&path),
        Some(text) => config::load_text("the text", &text, path.parent().unwrap_or(Path::new("."))),
    });
    match loading.await {
        Ok(Ok(loaded)) => Ok(loaded),
        Ok(Err(problems)) => {
            let problems: Vec<_> = problems.iter().cloned().collect();
            let first = problems.first().map(|p| format!(", line {}: {}", p.line, p.what));
            let s = if problems.len() == 1 { "" } else { "s" };
            let reason = format!("{} problem{s}{}", problems.len(), first.unwrap_or_default());
            Err((reason, problems))
        }
        Err(_) => {
            Err(("the compiler of the config broke off; this is a fault".to_owned(), Vec::new()))
        }
    }
}

fn tell(outcome: &Outcome) {
    let Outcome { trigger, fingerprint, generation, reason, .. } = outcome;
    match outcome.result {
        Verdict::Ok => {
            tracing::info!(?trigger, fingerprint, generation, "the config was read again");
        }
        Verdict::Failed => {
            tracing::error!(
                ?trigger,
                reason,
                "the config was not taken; what was in force stays in force"
            );
        }
    }
    for problem in &outcome.problems {
        tracing::error!(line = problem.line, column = problem.column, "{}", problem.what);
    }
    for warning in &outcome.warnings {
        tracing::warn!("{warning}");
    }
}
