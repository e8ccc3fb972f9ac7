//! Why a node does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::control::BootError;
use crate::store::StoreError;
use crate::vault::keys::NodeKeyError;

/// Why a node did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened at.
    #[error("cannot listen for {what} at {}: {source}", addresses(.at))]
    Bind {
        /// `visitors` or `the admin API`.
        what: &'static str,
        /// Where.
        at: Vec<SocketAddr>,
        /// What the system says.
        source: io::Error,
    },
    /// The service manager gives a socket that the config has no place for.
    #[error(
        "the service manager listens at {got}, where the config does not: it has {}. Write the \
         same address in both", addresses(.wanted)
    )]
    Unwanted {
        /// Where the socket is bound.
        got: SocketAddr,
        /// Where the config listens.
        wanted: Vec<SocketAddr>,
    },
    /// The process that serves does not hand over.
    #[error("the process that serves did not hand over: {0}")]
    Handover(#[source] io::Error),
    /// The access log cannot be opened.
    #[error("the access log cannot be opened: {0}")]
    Access(#[source] io::Error),
    /// The store cannot be opened.
    #[error("the store in {} cannot be opened: {source}", at.display())]
    Store {
        /// Its directory.
        at: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// The node's key cannot be read or made.
    #[error(transparent)]
    Key(#[from] NodeKeyError),
    /// Submissions that the last process left cannot be put right.
    #[error("submissions cannot be recovered: {0}")]
    Recover(#[source] StoreError),
    /// Windows in force cannot be put in force.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// The system gives no thread, runtime or signal.
    #[error("cannot start {what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

pub(super) fn addresses(at: &[SocketAddr]) -> String {
    at.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
