//! What the reconciler can be asked for, what it answers, and the handle that asks.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::roster::{Seen, Servers};
use super::scopes::Unknown;
use crate::clock::Wall;
use crate::duty::{Duty, Posting};
use crate::id::Id;
use crate::limit;
use crate::pages::Pages;
use crate::snapshot::{Live, Site, Snapshot};
use crate::store::StoreError;
use crate::window::scope::Scope;
use crate::window::state::{Author, Illegal, Order, Window};

/// Something the reconciler is asked to do.
pub(super) enum Command {
    Switch {
        order: Box<Order>,
        author: Author,
        answer: Answer<Change>,
    },
    End {
        which: Which,
        author: Author,
        answer: Answer<Change>,
    },
    Extend {
        window: Id,
        expected: Expected,
        end: Option<Wall>,
        author: Author,
        answer: Answer<Change>,
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
    /// The windows after the change.
    pub windows: Vec<Arc<Window>>,
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
    /// The bound on windows in force is reached.
    #[error("{0} windows are in force, which is the bound; end some first")]
    TooMany(usize),
    /// A config without names that windows in force close.
    #[error("{}", .0.join("; "))]
    Uncovered(Vec<String>),
    /// The store did not take the change. What it did take, if the change touched several
    /// windows, is in force.
    #[error("not done: {0}")]
    Store(StoreError),
    /// The queue is full.
    #[error("too many changes are waiting; try again in a second")]
    Busy,
    /// The reconciler has stopped.
    #[error("the control plane is stopping; the last published state stays in force")]
    Stopped,
}

/// What is in force, as of one generation.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The generation that shows it.
    pub generation: u64,
    /// Windows in force, oldest first.
    pub windows: Vec<Arc<Window>>,
    /// Every server, and what is known of it.
    pub servers: Arc<Servers>,
    /// How many route × region cells are closed.
    pub closed_cells: usize,
}

/// Asks the reconciler. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    standing: watch::Receiver<Arc<Standing>>,
    live: Live,
}

impl Handle {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        standing: watch::Receiver<Arc<Standing>>,
        live: Live,
    ) -> Self {
        Self { commands, standing, live }
    }

    /// What is in force. Never waits, not even for a store that hangs.
    pub fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing.borrow())
    }

    /// What requests are judged by.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.snapshot()
    }

    /// A reader of it, which keeps nobody from stopping.
    pub(super) fn live(&self) -> Live {
        self.live.clone()
    }

    /// Whether somebody carries out what is asked for.
    pub fn is_heard(&self) -> bool {
        !self.commands.is_closed()
    }

    /// A receiver that tells of every change.
    pub fn watch(&self) -> watch::Receiver<Arc<Standing>> {
        self.standing.clone()
    }

    /// Closes a scope now. When this returns, no worker decides by an older snapshot any more.
    pub async fn switch(&self, order: Order, author: Author) -> Result<Change, Refused> {
        self.ask(|answer| Command::Switch { order: Box::new(order), author, answer }).await
    }

    /// Ends windows: their scope reopens.
    pub async fn end(&self, which: Which, author: Author) -> Result<Change, Refused> {
        self.ask(|answer| Command::End { which, author, answer }).await
    }

    /// Promises another end, or none.
    pub async fn extend(
        &self,
        window: Id,
        expected: Expected,
        end: Option<Wall>,
        author: Author,
    ) -> Result<Change, Refused> {
        self.ask(|answer| Command::Extend { window, expected, end, author, answer }).await
    }

    /// Says whether a server takes requests. When this returns, that is stored, and no worker
    /// decides by an older snapshot any more.
    pub async fn post(&self, order: Assignment, author: Author) -> Result<Posted, Refused> {
        self.ask(|answer| Command::Post { order, author, answer }).await
    }

    /// Tells what was seen of a server; false if the reconciler is gone. Waits while its queue
    /// is full.
    pub async fn see(&self, seen: Seen) -> bool {
        self.commands.send(Command::See(seen)).await.is_ok()
    }

    /// Puts another config in force and tells its generation. Windows stay as they are.
    pub async fn reload(&self, site: Arc<Site>, pages: Arc<Pages>) -> Result<u64, Refused> {
        self.ask(|answer| Command::Reload { site, pages, answer }).await
    }

    /// CANCEL: a caller that goes away leaves a command that is carried out all the same; only
    /// its answer is dropped.
    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, Refused> {
        let (answer, answered) = oneshot::channel();
        self.commands.try_send(command(answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Busy,
            mpsc::error::TrySendError::Closed(_) => Refused::Stopped,
        })?;
        answered.await.unwrap_or(Err(Refused::Stopped))
    }
}

pub(super) fn queue() -> (mpsc::Sender<Command>, mpsc::Receiver<Command>) {
    mpsc::channel(limit::EVENTS_QUEUED_MAX)
}
