//! Asks the reconciler, and looks at what it published.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::command::{
    Answer, Assignment, Change, Command, Draft, Expected, Grant, Granted, Maintain, Posted,
    Refused, Standing, Which,
};
use super::roster::Seen;
use crate::clock::Wall;
use crate::grant::Bypass;
use crate::id::Id;
use crate::pages::Pages;
use crate::snapshot::{Live, Site, Snapshot};
use crate::window::maintenance::Aftermath;
use crate::window::state::{Author, Checks, Event, Order};

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

    /// Ends windows: they are verified and ramped if that is planned and not skipped, and their
    /// scope reopens.
    pub async fn end(
        &self,
        which: Which,
        checks: Checks,
        author: Author,
    ) -> Result<Change, Refused> {
        self.ask(|answer| Command::End { which, checks, author, answer }).await
    }

    /// Begins a window that is planned or stalled, whatever its time and the phase before say.
    pub async fn start(
        &self,
        window: Id,
        expected: Expected,
        author: Author,
    ) -> Result<Change, Refused> {
        self.happen(window, expected, Event::Begin, author).await
    }

    /// Makes another window of one that has not begun, or that is in force and is not being
    /// reopened. What is in force keeps its beginning.
    pub async fn amend(
        &self,
        window: Id,
        expected: Expected,
        order: Order,
        author: Author,
    ) -> Result<Change, Refused> {
        self.happen(window, expected, Event::Amend(Box::new(order)), author).await
    }

    /// Gives up a window that has not begun.
    pub async fn cancel(
        &self,
        window: Id,
        expected: Expected,
        author: Author,
    ) -> Result<Change, Refused> {
        self.happen(window, expected, Event::Cancel, author).await
    }

    /// Everything that a verification wanted to see was seen, of this version of a window.
    pub async fn verified(&self, window: Id, version: u64) -> Result<Change, Refused> {
        let author = Author::intermission("verified");
        self.happen(window, Expected::Version(version), Event::Verified, author).await
    }

    /// A verification or a ramp of this version of a window failed.
    pub async fn failed(&self, window: Id, version: u64, why: String) -> Result<Change, Refused> {
        let author = Author::intermission(&why);
        self.happen(window, Expected::Version(version), Event::Failed, author).await
    }

    /// Plans a maintenance, all its windows or none. Who plans it stands in it.
    pub async fn plan(&self, draft: Draft) -> Result<Change, Refused> {
        let document = draft.maintenance.document.as_ref();
        let insists = document.is_some_and(|document| document.despite_blackout);
        let despite = if insists { ", despite blackouts" } else { "" };
        let author = Author {
            by: draft.maintenance.by.clone(),
            why: format!("planned{despite}: {}", draft.maintenance.title),
        };
        self.maintain(Maintain::Plan(Box::new(draft)), author).await
    }

    /// Makes another maintenance of one that is not over. Phases are told by their order, those
    /// that were cancelled left out: what is over stays as it was, what is in force is amended,
    /// what has not begun is amended, added, or cancelled if it is left out.
    pub async fn revise(
        &self,
        maintenance: Id,
        expected: Expected,
        draft: Draft,
        author: Author,
    ) -> Result<Change, Refused> {
        self.maintain(Maintain::Revise(maintenance, expected, Box::new(draft)), author).await
    }

    /// Gives up every window of a maintenance that has not begun. What is in force stays so, and
    /// nothing recurs.
    pub async fn cancel_maintenance(
        &self,
        maintenance: Id,
        expected: Expected,
        author: Author,
    ) -> Result<Change, Refused> {
        self.maintain(Maintain::Cancel(maintenance, expected), author).await
    }

    /// The same for one that a file declared and does not declare any more.
    pub async fn withdraw(&self, maintenance: Id, author: Author) -> Result<Change, Refused> {
        self.maintain(Maintain::Withdraw(maintenance), author).await
    }

    /// Tells how it is going.
    pub async fn update(
        &self,
        maintenance: Id,
        text: String,
        author: Author,
    ) -> Result<Change, Refused> {
        self.maintain(Maintain::Update(maintenance, text), author).await
    }

    /// Tells how it went.
    pub async fn aftermath(
        &self,
        maintenance: Id,
        aftermath: Aftermath,
        author: Author,
    ) -> Result<Change, Refused> {
        self.maintain(Maintain::Aftermath(maintenance, aftermath), author).await
    }

    /// Promises another end, or none.
    pub async fn extend(
        &self,
        window: Id,
        expected: Expected,
        end: Option<Wall>,
        author: Author,
    ) -> Result<Change, Refused> {
        self.happen(window, expected, Event::Extend(end), author).await
    }

    /// Lets people through what is closed. When this returns, that is stored and holds.
    pub async fn grant(&self, bypass: Bypass, author: Author) -> Result<Granted, Refused> {
        let what = Grant::Make(Box::new(bypass));
        self.ask(|answer| Command::Grant { what, author, answer }).await
    }

    /// Lets nobody through by this bypass any more.
    pub async fn revoke(&self, bypass: Id, author: Author) -> Result<Granted, Refused> {
        let what = Grant::Revoke(bypass);
        self.ask(|answer| Command::Grant { what, author, answer }).await
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

    async fn happen(
        &self,
        window: Id,
        expected: Expected,
        event: Event,
        author: Author,
    ) -> Result<Change, Refused> {
        self.ask(|answer| Command::Event { window, expected, event, author, answer }).await
    }

    async fn maintain(&self, what: Maintain, author: Author) -> Result<Change, Refused> {
        self.ask(|answer| Command::Maintain { what, author, answer }).await
    }

    /// CANCEL: a caller that goes away leaves a command that is carried out all the same; only
    /// its answer is dropped.
    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, Refused> {
        let (answer, answered) = oneshot::channel();
        self.commands.try_send(command(answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Busy,
            mpsc::error::TrySendError::Closed(_) => Refused::Stopped,
        })?;
        let gone = if self.is_heard() { Refused::Lost } else { Refused::Stopped };
        answered.await.unwrap_or(Err(gone))
    }
}
