//! The life of a submission: captured, sealed, kept, sent on when its owner says so, erased.
//!
//! | file | its part of that life |
//! |---|---|
//! | `item` | the states, and the only ways from one to the next |
//! | `form`, `pairs`, `multipart`, `json` | a form's bytes, cut into tokens without losing one |
//! | `policy`, `summary` | what is never kept; what the receipt shows |
//! | `record` | what is remembered besides the body |
//! | `capture` | from the first byte to "saved", which is said after it is durable |
//! | `seal`, `owner` | who can open it: this node and the visitor's browser, together |
//! | `keys`, `rekey` | this node's keys, and how one takes the place of another |
//! | `code` | what opens it without that browser, to read and delete it, never to send it |
//! | `pace`, `room` | how often one address may try; how much all may send at once |
//! | `receipt`, `transcript` | what its owner sees and may do |
//! | `resume`, `body` | the ticket, the durable mark before the first byte, the outcome |
//! | `refresh`, `substitute` | fresh CSRF values from the live form |
//! | `refill` | the answers for the live form, which its owner sends |
//! | `retention` | what happens when nobody does anything, and after a crash |

pub mod body;
pub mod capture;
pub mod code;
pub mod form;
pub mod item;
mod json;
pub mod keys;
mod multipart;
pub mod owner;
mod pace;
mod pairs;
pub mod policy;
pub mod receipt;
mod record;
pub mod refill;
pub mod refresh;
pub mod rekey;
pub mod resume;
pub mod retention;
mod room;
pub mod seal;
pub mod substitute;
pub mod summary;
pub mod transcript;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::clock::{Clock, Wall};
use crate::digest::{self, Hash};
use crate::id::{Id, NodeTag};
use crate::limit;
use crate::store::{Quota, Same, Store};

use pace::Pace;
use rekey::KeyStanding;

pub use capture::{Head, NotKept, Receipt, Receiving, Terms};
pub use keys::{Keys, NodeKey};
pub use owner::{Mode, Owner, Ticket};

/// Where submissions live. Cheap to clone; one per process.
#[derive(Clone)]
pub struct Vault {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    keys: RwLock<Keys>,
    key_standing: Mutex<KeyStanding>,
    clock: Clock,
    node: NodeTag,
    bounds: Bounds,
    forms: Pace,
    codes: Pace,
    abandon: Sender<Abandoned>,
    abandoned: Mutex<Receiver<Abandoned>>,
    promises: AtomicUsize,
    /// Bytes of bodies that are being received.
    reserved: AtomicU64,
    /// Sealed bytes in the store, as far as is known.
    held: AtomicU64,
    /// Names that clients gave to what is arriving just now.
    arriving: Mutex<BTreeSet<Hash>>,
}

/// Something under way that may still want the store: a capture, or work for a visitor that is
/// done even if the visitor leaves.
#[must_use = "it is under way while this lives"]
pub struct Promise(Arc<Parts>);

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.promises.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Live submissions of one browser.
    pub per_browser: u32,
    /// Sealed bytes of one browser.
    pub bytes_per_browser: u64,
    /// Sealed bytes of all.
    pub bytes: u64,
    /// Bodies of more than one frame that are being received or wait for the sweep.
    pub abandoned: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            per_browser: limit::SUBMISSIONS_PER_BROWSER_MAX,
            bytes_per_browser: limit::BYTES_PER_BROWSER_MAX,
            bytes: limit::BYTES_PER_NODE_MAX,
            abandoned: limit::ABANDONED_MAX,
        }
    }
}

/// What was let go in the middle because its client vanished. A destructor cannot wait for the
/// store, so it leaves word here and the next sweep does what is due.
enum Abandoned {
    /// Frames of a submission that will not be kept.
    Frames(Id),
    /// A submission whose sending was under way.
    Sending(Id),
}

impl Vault {
    /// Counts something that may still want the store, until the promise is dropped.
    pub fn promise(&self) -> Promise {
        self.parts.promises.fetch_add(1, Ordering::Relaxed);
        Promise(Arc::clone(&self.parts))
    }

    /// How many promises there are.
    pub fn promises(&self) -> usize {
        self.parts.promises.load(Ordering::Relaxed)
    }

    /// A vault over this store. `key` is this node's half of every key.
    pub fn new(store: Arc<dyn Store>, keys: impl Into<Keys>, clock: Clock, node: NodeTag) -> Self {
        Self::with_bounds(store, keys, clock, node, Bounds::default())
    }

    /// A vault that keeps no more than this.
    pub fn with_bounds(
        store: Arc<dyn Store>,
        keys: impl Into<Keys>,
        clock: Clock,
        node: NodeTag,
        bounds: Bounds,
    ) -> Self {
        let keys = keys.into();
        let (abandon, abandoned) = mpsc::channel(bounds.abandoned);
        let abandoned = Mutex::new(abandoned);
        Self {
            parts: Arc::new(Parts {
                store,
                key_standing: Mutex::new(KeyStanding::at_start(&keys, clock.hands().1)),
                keys: RwLock::new(keys),
                clock,
                node,
                bounds,
                forms: Pace::default(),
                codes: Pace::default(),
                abandon,
                abandoned,
                promises: AtomicUsize::new(0),
                reserved: AtomicU64::new(0),
                held: AtomicU64::new(0),
                arriving: Mutex::default(),
            }),
        }
    }

    /// The browser that shows this cookie value, if it is one of ours.
    pub fn owner(&self, cookie_value: &str) -> Option<Owner> {
        Owner::from_cookie(cookie_value)
    }

    /// A browser that has no cookie yet.
    pub fn new_owner(&self) -> Owner {
        Owner::met(self.now())
    }

    /// A name that nothing else has.
    pub fn new_id(&self) -> Id {
        Id::new(self.now(), self.parts.node)
    }

    /// A client that shows no cookie, known again by what it does show: who sends the same is the
    /// same, also after the node's key was replaced, while the one before is on file. What it shows
    /// must be hard to guess together.
    pub async fn owner_by(&self, shown: &[&[u8]]) -> Owner {
        let keys = self.keys();
        let by = |key: &NodeKey| Owner::derived(&digest::mac(&key.key_for("program"), shown));
        for former in keys.former() {
            let owner = by(former);
            // A store that does not answer refuses what comes next, too.
            let known = self.parts.store.items_of(owner.browser()).await;
            if known.is_ok_and(|items| !items.is_empty()) {
                return owner;
            }
        }
        by(keys.first())
    }

    /// A key of this node's for another purpose than sealing. It stays over restarts.
    pub fn key_for(&self, purpose: &'static str) -> Hash {
        self.keys().first().key_for(purpose)
    }

    /// Counts a form of this address; how long to wait where that is one too many.
    pub fn pace_form(&self, address: IpAddr, per_minute: u32) -> Result<(), Duration> {
        self.parts.forms.take(address, per_minute, self.parts.clock.tick())
    }

    fn keys(&self) -> Keys {
        self.parts.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self) -> Wall {
        self.parts.clock.now()
    }

    /// `same` tells a double click, or a client that gave both the same name.
    fn quota(&self, same: Same) -> Quota {
        let Bounds { per_browser, bytes_per_browser, bytes, abandoned: _ } = self.parts.bounds;
        let same_since = self.now().minus(match same {
            Same::Waiting => limit::SAME_SUBMISSION,
            Same::Any => limit::SUBMISSION_LIFE_MAX,
        });
        Quota { per_browser, bytes_per_browser, bytes, same_since, same }
    }

    /// Names that clients gave to what is arriving just now.
    fn arriving(&self) -> MutexGuard<'_, BTreeSet<Hash>> {
        self.parts.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never blocks. If the queue is full the sweep misses it: a send then becomes unknown when its
    /// time is over. Frames have their place in the queue from the first one on.
    fn abandon(&self, what: Abandoned) {
        if self.parts.abandon.try_send(what).is_err() {
            tracing::warn!("more was abandoned at once than the sweep can take");
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
