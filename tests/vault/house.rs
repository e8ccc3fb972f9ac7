//! A vault over the real store in a folder of its own, and a clock that a test turns.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use intermission::clock::{Clock, Wall};
use intermission::id::{Id, NodeTag};
use intermission::limit;
use intermission::store::embedded::{self, Embedded};
use intermission::store::{Census, Store};
use intermission::vault::form::Kind;
use intermission::vault::item::{Checked, State};
use intermission::vault::resume::{Arrival, Sending};
use intermission::vault::{Bounds, Head, Keys, Mode, Owner, Receipt, Receiving, Terms, Vault};
use intermission::window::plan::Plan;
use intermission::window::scope::Scope;
use intermission::window::state::{self as window, Author, Order, Texts, Window};
use tempfile::TempDir;

const START: Wall = Wall::from_millis(1_795_262_400_000);
pub(super) const MULTIPART: &str = "multipart/form-data; boundary=b0undary";

/// A vault over a store in a folder of its own.
pub(super) struct House {
    pub(super) dir: TempDir,
    pub(super) clock: Clock,
    pub(super) store: Arc<Embedded>,
    pub(super) vault: Vault,
}

impl House {
    pub(super) fn new() -> Self {
        Self::with(Bounds::default())
    }

    pub(super) fn with(bounds: Bounds) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(START);
        let (store, vault) = open(dir.path(), &clock, bounds);
        Self { dir, clock, store, vault }
    }

    /// The process dies and another begins.
    pub(super) fn restart(mut self) -> Self {
        self.store.shutdown();
        (self.store, self.vault) = open(self.dir.path(), &self.clock, Bounds::default());
        self
    }

    /// A window over everything, in force from now on.
    pub(super) async fn begin_window(&self, id: Id) {
        let order = Order {
            scope: Scope::default(),
            mode: window::Mode::Page,
            texts: Texts::default(),
            promised_end: None,
            plan: Plan::draining(Duration::ZERO),
        };
        let step = Window::begin(id, order, &Author::intermission("a test"), self.clock.now());
        self.store.commit(step.into()).await.expect("in force");
    }

    pub(super) fn pass(&self, span: Duration) {
        self.clock.set(self.clock.now().plus(span));
    }

    pub(super) async fn keep(&self, owner: &Owner, body: &'static [u8]) -> Receipt {
        let mut form = self.receive(owner, Kind::Urlencoded, "application/x-www-form-urlencoded");
        form.push(Bytes::from_static(body)).await.expect("taken");
        form.finish().await.expect("kept")
    }

    pub(super) fn receive(&self, owner: &Owner, kind: Kind, content_type: &str) -> Receiving {
        let terms = Terms {
            name: None,
            kind,
            bytes_max: limit::FORM_BYTES_MAX,
            life: limit::SUBMISSION_LIFE,
            never_kept: Arc::new([]),
            csrf_fields: Arc::new(["csrf".to_owned()]),
            refill_only: false,
            signed_in: Vec::new(),
        };
        self.vault.receive(owner, head(content_type), terms).expect("a form")
    }

    pub(super) async fn state(&self, owner: &Owner, id: Id) -> State {
        self.vault.open(owner, id).await.expect("its owner's").item.state
    }

    pub(super) async fn arm(
        &self,
        owner: &Owner,
        id: Id,
        mode: Mode,
    ) -> intermission::vault::Ticket {
        let version = self.vault.open(owner, id).await.expect("its owner's").item.version;
        let (token, ticket) = (owner.page_token(id, version), owner.ticket(id, version));
        self.vault.arm(owner, id, &token, mode, Checked::NotThere).await.expect("armed");
        ticket
    }

    pub(super) async fn send(&self, owner: &Owner, id: Id, fresh: &[(&str, &str)]) -> Sending {
        let ticket = self.arm(owner, id, Mode::Replay).await;
        let claim = self.vault.claim(owner, &ticket, arrival(Mode::Replay)).await.expect("a claim");
        let fresh = fresh.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        claim.sending(fresh).await.expect("marked")
    }

    pub(super) async fn census(&self) -> Census {
        self.store.census().await.expect("counted")
    }
}

fn open(dir: &Path, clock: &Clock, bounds: Bounds) -> (Arc<Embedded>, Vault) {
    let store = Arc::new(embedded::open(dir, clock.clone()).expect("a store"));
    let keys = Keys::of_directory(dir).expect("keys");
    let of_store: Arc<dyn Store> = Arc::clone(&store) as _;
    let vault = Vault::with_bounds(of_store, keys, clock.clone(), NodeTag(1), bounds);
    (store, vault)
}

fn head(content_type: &str) -> Head {
    Head {
        method: "POST".into(),
        scheme: "https".into(),
        authority: "example.org".into(),
        target: "/claims/new?step=2".into(),
        content_type: content_type.into(),
        referer: Some("https://example.org/claims/new".into()),
        route: "claims".into(),
        region: "apac".into(),
        window: Some(Id::new(START, NodeTag(1))),
        idempotency_key: None,
    }
}

pub(super) fn arrival(mode: Mode) -> Arrival<'static> {
    let (method, authority) = ("POST", "Example.org");
    Arrival { method, authority, target: "/claims/new?step=2", mode }
}

pub(super) async fn body(sending: &Sending) -> Vec<u8> {
    let mut body = sending.body().expect("a body");
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.expect("readable"));
    }
    assert_eq!(bytes.len() as u64, sending.length(), "the announced length is the length");
    bytes
}
