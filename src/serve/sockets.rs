//! Where the listening sockets come from: another process of ours, the service manager, or the
//! system.

use std::net::{SocketAddr, TcpListener};

use super::error::ServeError;
use super::handover::{Given, Taker, Whose};
use crate::config::Process;
use crate::control::service;
use crate::limit;
use crate::proxy::{Bound, Inherited};

/// Whether a node takes over from one that serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takeover {
    /// If there is one.
    Wanted,
    /// An address that somebody listens at is a reason not to start.
    No,
}

/// Every listening socket of a node.
pub(super) struct Sockets {
    pub(super) visitors: Bound,
    pub(super) admin: TcpListener,
    /// Whom they are taken over from, and who still holds the store.
    pub(super) taker: Option<Taker>,
}

/// Handles of every listening socket, for a process or a node that takes over.
pub(super) struct Shared {
    pub(super) visitors: Vec<Inherited>,
    pub(super) admin: Inherited,
}

impl Shared {
    /// Further handles of the same.
    pub(super) fn again(&self) -> std::io::Result<Self> {
        let again = |one: &Inherited| {
            std::io::Result::Ok(Inherited { at: one.at, socket: one.socket.try_clone()? })
        };
        let visitors = self.visitors.iter().map(again).collect::<Result<_, _>>()?;
        Ok(Self { visitors, admin: again(&self.admin)? })
    }
}

impl Sockets {
    /// Takes what the config wants.
    pub(super) fn acquire(process: &Process, takeover: Takeover) -> Result<Self, ServeError> {
        let asked = match takeover {
            Takeover::Wanted => Taker::ask(&process.store_dir).map_err(ServeError::Handover)?,
            Takeover::No => None,
        };
        match asked {
            Some((taker, given)) => Self::given(process, given, Some(taker)),
            None => Self::given(process, activated(process)?, None),
        }
    }

    /// Those that a node had whose place another takes.
    pub(super) fn again(process: &Process, shared: Shared) -> Result<Self, ServeError> {
        let Shared { visitors, admin } = shared;
        let visitors = visitors.into_iter().map(|one| Given { whose: Whose::Visitors, one });
        let given = visitors.chain([Given { whose: Whose::Admin, one: admin }]);
        Self::given(process, given.collect(), None)
    }

    fn given(
        process: &Process,
        given: Vec<Given>,
        taker: Option<Taker>,
    ) -> Result<Self, ServeError> {
        let (admins, visitors): (Vec<_>, Vec<_>) =
            given.into_iter().partition(|given| given.whose == Whose::Admin);
        let visitors: Vec<_> = visitors.into_iter().map(|given| given.one).collect();
        let known = |at| admins.iter().any(|given| given.one.at == at);
        let (admin, listen) = (&process.admin, process.admin.listen);
        let visitors = bind_visitors(process, visitors)?;
        let admin = if known(listen) {
            let mut admins = admins.into_iter();
            admins.find(|given| given.one.at == admin.listen).map(|given| given.one.socket)
        } else {
            None
        };
        let admin = admin.map_or_else(|| bind_admin(listen), Ok)?;
        Ok(Self { visitors, admin, taker })
    }

    /// Handles of all of them.
    pub(super) fn share(&self, process: &Process) -> std::io::Result<Shared> {
        let admin = Inherited { at: process.admin.listen, socket: self.admin.try_clone()? };
        Ok(Shared { visitors: self.visitors.share()?, admin })
    }
}

/// What the service manager listens at for us.
fn activated(process: &Process) -> Result<Vec<Given>, ServeError> {
    let failed = |source| ServeError::System { what: "with the service manager's sockets", source };
    let sockets = service::sockets().map_err(failed)?;
    let mut given = Vec::new();
    for socket in sockets {
        socket.set_nonblocking(true).map_err(failed)?;
        let at = socket.local_addr().map_err(failed)?;
        let whose = if at == process.admin.listen {
            Whose::Admin
        } else if process.listeners.iter().any(|listener| listener.at == at) {
            Whose::Visitors
        } else {
            let mut wanted: Vec<SocketAddr> =
                process.listeners.iter().map(|listener| listener.at).collect();
            wanted.push(process.admin.listen);
            return Err(ServeError::Unwanted { got: at, wanted });
        };
        given.push(Given { whose, one: Inherited { at, socket } });
    }
    Ok(given)
}

/// Tries again while an address is in use: the process before may just be ending, or a connection
/// of somebody's may hold the port for a moment.
pub fn patiently<T>(bind: impl Fn() -> std::io::Result<T>) -> std::io::Result<T> {
    let mut left = limit::BIND_ATTEMPTS_MAX;
    loop {
        left -= 1;
        match bind() {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && left > 0 => {
                std::thread::sleep(limit::BIND_AGAIN_AFTER);
            }
            bound => return bound,
        }
    }
}

fn bind_visitors(process: &Process, inherited: Vec<Inherited>) -> Result<Bound, ServeError> {
    let failed = |source| ServeError::Bind {
        what: "visitors",
        at: process.listeners.iter().map(|listener| listener.at).collect(),
        source,
    };
    if inherited.is_empty() {
        return patiently(|| Bound::bind(&process.listeners, process.workers)).map_err(failed);
    }
    Bound::inherit(&process.listeners, process.workers, inherited).map_err(failed)
}

fn bind_admin(at: SocketAddr) -> Result<TcpListener, ServeError> {
    let bind = || {
        let listener = TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let bound = patiently(bind);
    bound.map_err(|source| ServeError::Bind { what: "the admin API", at: vec![at], source })
}
