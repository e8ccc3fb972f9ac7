//! The application's database: who has a session, and which claims were made. Outlives restarts of
//! the application, as a real database would.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::digest;

/// Sessions remembered. Over it: new ones are forgotten at once.
const SESSIONS_MAX: usize = 10_000;
/// Claims remembered. Over it: no more are taken.
const CLAIMS_MAX: usize = 10_000;

/// The application's tables.
#[derive(Debug, Default)]
pub struct Ledger {
    tables: Mutex<Tables>,
    upgraded: AtomicBool,
}

#[derive(Debug, Default)]
struct Tables {
    sessions: HashSet<String>,
    claims: Vec<Claim>,
}

/// One claim, from its first step on.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// Its number, from 1001.
    pub number: u64,
    /// Whose it is.
    #[serde(skip)]
    pub session: String,
    /// What was typed in the first step.
    pub details: Details,
    /// What was uploaded in the second.
    pub papers: Vec<Paper>,
    /// How often it was handed in; more than once would be a broken promise.
    pub handed_in: u32,
}

/// The first step's fields.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Details {
    /// The policy's number.
    pub policy: String,
    /// The claimant's name.
    pub name: String,
    /// An e-mail address.
    pub email: String,
    /// The day of the loss.
    pub day: String,
    /// What kind of loss.
    pub kind: String,
    /// What happened.
    pub story: String,
}

/// An uploaded file. Only what proves that it arrived whole is remembered.
#[derive(Clone, Debug, Serialize)]
pub struct Paper {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: usize,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Ledger {
    /// Moves the tables to their next version. Until then the application says so where a
    /// verification asks.
    pub fn upgrade(&self) {
        self.upgraded.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::SeqCst)
    }

    /// A new session.
    pub fn begin_session(&self) -> String {
        let session = digest::base64url(&digest::random::<24>());
        let mut tables = self.tables();
        if tables.sessions.len() < SESSIONS_MAX {
            tables.sessions.insert(session.clone());
        }
        session
    }

    /// Whether this session exists.
    pub fn knows(&self, session: &str) -> bool {
        self.tables().sessions.contains(session)
    }

    /// Forgets every session, as a flushed session store does.
    pub fn forget_sessions(&self) {
        self.tables().sessions.clear();
    }

    /// Enters a claim; tells its number, or nothing if the ledger is full.
    pub fn enter(&self, session: &str, details: Details) -> Option<u64> {
        let mut tables = self.tables();
        if tables.claims.len() >= CLAIMS_MAX {
            return None;
        }
        let number = 1001 + tables.claims.len() as u64;
        let session = session.to_owned();
        tables.claims.push(Claim { number, session, details, papers: Vec::new(), handed_in: 0 });
        Some(number)
    }

    /// The claims of one session, the newest first.
    pub fn claims_of(&self, session: &str) -> Vec<Claim> {
        let tables = self.tables();
        tables.claims.iter().rev().filter(|claim| claim.session == session).cloned().collect()
    }

    /// One claim of one session.
    pub fn claim(&self, session: &str, number: u64) -> Option<Claim> {
        self.claims_of(session).into_iter().find(|claim| claim.number == number)
    }

    /// Every claim, the oldest first.
    pub fn all(&self) -> Vec<Claim> {
        self.tables().claims.clone()
    }

    /// Adds a file to a claim.
    pub fn attach(&self, session: &str, number: u64, paper: Paper) {
        self.change(session, number, |claim| claim.papers.push(paper));
    }

    /// Hands a claim in.
    pub fn hand_in(&self, session: &str, number: u64) {
        self.change(session, number, |claim| claim.handed_in += 1);
    }

    fn change(&self, session: &str, number: u64, change: impl FnOnce(&mut Claim)) {
        let mut tables = self.tables();
        let mut own = tables.claims.iter_mut().filter(|claim| claim.session == session);
        if let Some(claim) = own.find(|claim| claim.number == number) {
            change(claim);
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
