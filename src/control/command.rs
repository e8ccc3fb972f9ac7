//! What the reconciler can be asked for, and what it answers.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

pub use super::handle::Handle;
use super::roster::{Seen, Servers};
use super::scopes::Unknown;
use crate::duty::{Duty, Posting};
use crate::grant::Bypass;
use crate::id::Id;
use crate::limit;
use crate::pages::Pages;
use crate::snapshot::Site;
use crate::store::StoreError;
use crate::window::maintenance::{Aftermath, Maintenance};
use crate::window::scope::Scope;
use crate::window::state::{Author, Checks, Event, Illegal, Order, Window};

/// Something the reconciler is asked to do.
pub(super) enum Command {
    Switch {
        order: Box<Order>,
        author: Author,
        answer: Answer<Change>,
    },
    End {
        which: Which,
        checks: Checks,
        author: Author,
        answer: Answer<Change>,
    },
    /// Something that happens to one window.
    Event {
        window: Id,
        expected: Expected,
        event: Event,
        author: Author,
        answer: Answer<Change>,
    },
    Maintain {
        what: Maintain,
        author: Author,
        answer: Answer<Change>,
    },
    Grant {
        what: Grant,
        author: Author,
        answer: Answer<Granted>,
    },
    Post {
        order: Assignment,
        author: Author,
        answer: Answer<Posted>,
    },
    /// Nobody waits for an answer: whoever looked looks again.
    See(Seen),
    Reload {
        site: Arc<Site>,
        pages: Arc<Pages>,
        answer: Answer<u64>,
    },
}

/// Something about a whole maintenance.
pub(super) enum Maintain {
    Plan(Box<Draft>),
    Revise(Id, Expected, Box<Draft>),
    Cancel(Id, Expected),
    Withdraw(Id),
    Update(Id, String),
    Aftermath(Id, Aftermath),
}

/// A maintenance as it is asked for: what it is, and its phases with their names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// What it has in common. Its id, version, windows, updates and aftermath are not looked at.
    pub maintenance: Maintenance,
    /// Its phases, in their order.
    pub phases: Vec<(String, Order)>,
}

/// Something about a bypass.
pub(super) enum Grant {
    Make(Box<Bypass>),
    Revoke(Id),
}

/// A bypass that was stored, and the first generation that shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granted {
    /// The bypass after the change.
    pub bypass: Arc<Bypass>,
    /// Every request that is judged at this generation or a later one sees it.
    pub generation: u64,
}

pub(super) type Answer<T> = oneshot::Sender<Result<T, Refused>>;

/// Which windows are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// This one.
    Window(Id, Expected),
    /// Every window in force that closes this scope or a part of it, and nothing outside it.
    Scope(Scope),
}

/// The version of a window that the caller has read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Expected {
    /// The caller does not say.
    #[default]
    Any,
    /// This one; another means that somebody changed the window meanwhile.
    Version(u64),
}

/// What was done, and the first generation that shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The windows that changed, after the change.
    pub windows: Vec<Arc<Window>>,
    /// The maintenance that was asked for, after the change.
    pub maintenance: Option<Arc<Maintenance>>,
    /// Every request that is judged at this generation or a later one sees the change.
    pub generation: u64,
}

/// What an operator wants of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// The upstream's name.
    pub upstream: String,
    /// The server as it is typed in the config.
    pub server: String,
    /// What it shall be.
    pub state: Duty,
    /// The decision that the caller knows of; version 0 is none.
    pub expected: Expected,
}

/// What was decided about a server, and the first generation that shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Posted {
    /// The decision, which is stored.
    pub posting: Posting,
    /// Every request that is judged at this generation or a later one sees it.
    pub generation: u64,
}

/// Why nothing was done. Unless it says otherwise, the store, the windows and the published
/// snapshot are as they were.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// The scope names what the config does not have.
    #[error("{}", super::scopes::sentence(.0))]
    Unknown(Vec<Unknown>),
    /// No window has this id.
    #[error("there is no window {0}")]
    NoWindow(Id),
    /// The window's state does not allow it.
    #[error(transparent)]
    Illegal(Illegal),
    /// Nothing is closed there.
    #[error("nothing is closed in regions: {}, routes: {}", .0.regions, .0.routes)]
    NothingClosed(Scope),
    /// A window closes more than was asked to reopen.
    #[error(
        "window {window} closes more than that (regions: {}, routes: {}), and a window cannot be \
         ended in part yet; end it whole by its id, or name its whole scope", scope.regions, scope.routes
    )]
    Broader {
        /// The window.
        window: Id,
        /// What it closes.
        scope: Scope,
    },
    /// Another version is in force than the caller read.
    #[error(
        "window {window} is at version {actual}, not {expected}: somebody changed it meanwhile"
    )]
    Version {
        /// The window.
        window: Id,
        /// What the caller read.
        expected: u64,
        /// What is in force.
        actual: u64,
    },
    /// No maintenance has this id.
    #[error("there is no maintenance {0}")]
    NoMaintenance(Id),
    /// Another version of a maintenance is stored than the caller read.
    #[error(
        "maintenance {maintenance} is at version {actual}, not {expected}: somebody changed it \
         meanwhile"
    )]
    MaintenanceVersion {
        /// The maintenance.
        maintenance: Id,
        /// What the caller read.
        expected: u64,
        /// What is stored.
        actual: u64,
    },
    /// A file declares it, so it is edited there.
    #[error(
        "maintenance {maintenance} is declared in `{file}`: edit that file. Here it can be \
         started, extended and ended"
    )]
    Declared {
        /// The maintenance.
        maintenance: Id,
        /// The file's name.
        file: String,
    },
    /// A maintenance without windows.
    #[error("a maintenance needs at least one phase")]
    NoPhases,
    /// A revision that leaves out what is in force.
    #[error("phase {number} (window {window}) is in force and cannot be left out: end it first")]
    InForce {
        /// The phase.
        number: u32,
        /// Its window.
        window: Id,
    },
    /// Everything of it has begun or is over.
    #[error("nothing of maintenance {0} is still to come: end its windows instead")]
    NothingToCancel(Id),
    /// A bound is met.
    #[error("more than {most} {what} are not kept")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// No bypass has this id.
    #[error("there is no bypass {0}")]
    NoBypass(Id),
    /// The config has no such server.
    #[error("the upstream `{upstream}` has no server `{server}`")]
    NoServer {
        /// The upstream that was named.
        upstream: String,
        /// The server that was named.
        server: String,
    },
    /// Another decision about the server is in force than the caller read.
    #[error(
        "what operators say of `{server}` is at version {actual}, not {expected}: somebody \
         changed it meanwhile"
    )]
    Posted {
        /// The server.
        server: String,
        /// What the caller read.
        expected: u64,
        /// What is in force.
        actual: u64,
    },
    /// The bound on windows that are not over is reached.
    #[error("{0} windows are planned or in force, which is the bound; end or cancel some first")]
    TooMany(usize),
    /// A config without names that windows in force close.
    #[error("{}", .0.join("; "))]
    Uncovered(Vec<String>),
    /// The store did not take the change.
    #[error("not done: {0}")]
    Store(StoreError),
    /// The queue is full.
    #[error("too many changes are waiting; try again in a second")]
    Busy,
    /// The reconciler failed and starts again from the store.
    #[error("the control plane failed while it did this; look whether it was done")]
    Lost,
    /// The reconciler has stopped.
    #[error("the control plane is stopping; the last published state stays in force")]
    Stopped,
}

/// What is in force, as of one generation.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The generation that shows it.
    pub generation: u64,
    /// Windows that are not over, oldest first: planned, stalled or in force.
    pub windows: Vec<Arc<Window>>,
    /// Windows that are over, of maintenances that are not.
    pub past: Vec<Arc<Window>>,
    /// Maintenances that are not over, oldest first.
    pub maintenances: Vec<Arc<Maintenance>>,
    /// Bypasses that are neither revoked nor expired, oldest first.
    pub bypasses: Vec<Arc<Bypass>>,
    /// Every server, and what is known of it.
    pub servers: Arc<Servers>,
    /// How many route × region cells are closed.
    pub closed_cells: usize,
}

impl Standing {
    /// A window that is not over, or whose maintenance is not.
    pub fn window(&self, id: Id) -> Option<&Arc<Window>> {
        self.windows.iter().chain(&self.past).find(|window| window.id == id)
    }

    /// The windows that requests are judged by.
    pub fn in_force(&self) -> impl Iterator<Item = &Arc<Window>> {
        self.windows.iter().filter(|window| window.state.in_force())
    }

    /// A maintenance that is not over.
    pub fn maintenance(&self, id: Id) -> Option<&Arc<Maintenance>> {
        self.maintenances.iter().find(|maintenance| maintenance.id == id)
    }
}

pub(super) fn queue() -> (mpsc::Sender<Command>, mpsc::Receiver<Command>) {
    mpsc::channel(limit::EVENTS_QUEUED_MAX)
}
