//! Listening sockets, one per worker on the same address: bound, or taken over from whoever
//! listened before.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::snapshot::{Listener, Protocol as Spoken};

/// The queue of connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// The sockets of all workers, bound before anything is started.
pub struct Bound {
    sockets: Vec<Vec<(TcpListener, Listener)>>,
    addresses: Vec<SocketAddr>,
}

/// A listening socket that another process bound.
pub struct Inherited {
    /// The address that was asked for: with port 0, if the system was to pick one.
    pub at: SocketAddr,
    /// The socket.
    pub socket: TcpListener,
}

impl Bound {
    /// Binds every address once per worker. Port 0 picks a port, the same for all workers.
    ///
    /// An address at which somebody listens already is refused: the system would share it with
    /// another process of the same user, whose windows and forms are not ours.
    pub fn bind(listeners: &[Listener], workers: usize) -> std::io::Result<Self> {
        Self::inherit(listeners, workers, Vec::new())
    }

    /// The same, with sockets that were bound before. Each of them is listened at, whatever the
    /// number of workers is, so that nobody waits in a queue that is looked at no more; those of
    /// addresses that are not wanted are closed.
    pub fn inherit(
        listeners: &[Listener],
        workers: usize,
        mut inherited: Vec<Inherited>,
    ) -> std::io::Result<Self> {
        let workers = workers.max(1);
        let mut sockets: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        let known = |listener: &Listener| inherited.iter().any(|one| one.at == listener.at);
        listeners
            .iter()
            .filter(|listener| !known(listener))
            .try_for_each(|listener| is_free(listener.at))?;
        for listener in listeners {
            let (mine, others) = inherited.into_iter().partition(|one| one.at == listener.at);
            inherited = others;
            let all = enough(listener.at, mine, workers)?;
            addresses.push(all[0].local_addr()?);
            for (number, socket) in all.into_iter().enumerate() {
                sockets[number % workers].push((socket, *listener));
            }
        }
        Ok(Self { sockets, addresses })
    }

    /// The addresses, with the ports that were picked.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses, with what is spoken at each.
    pub fn doors(&self, listeners: &[Listener]) -> Vec<(SocketAddr, Spoken)> {
        let spoken = listeners.iter().map(|listener| listener.protocol);
        self.addresses.iter().copied().zip(spoken).collect()
    }

    /// Another handle of each socket, for whoever takes over.
    pub fn share(&self) -> std::io::Result<Vec<Inherited>> {
        let all = self.sockets.iter().flatten();
        all.map(|(socket, listener)| Ok(Inherited { at: listener.at, socket: socket.try_clone()? }))
            .collect()
    }

    pub(super) fn into_parts(self) -> (Vec<Vec<(TcpListener, Listener)>>, Vec<SocketAddr>) {
        (self.sockets, self.addresses)
    }
}

/// At least one socket for each worker.
fn enough(
    at: SocketAddr,
    inherited: Vec<Inherited>,
    workers: usize,
) -> std::io::Result<Vec<TcpListener>> {
    let mut sockets: Vec<_> = inherited.into_iter().map(|one| one.socket).collect();
    for socket in &sockets {
        socket.set_nonblocking(true)?;
    }
    while sockets.len() < workers {
        let next = match sockets.first() {
            None => bind(at)?,
            // A queue of its own, which the system fills by turns.
            Some(first) if SockRef::from(first).reuse_port()? => bind(first.local_addr()?)?,
            // Whoever bound it did not mean it to be shared: the workers take from one queue.
            Some(first) => first.try_clone()?,
        };
        sockets.push(next);
    }
    // Whoever is accepted inherits it: a call less for each connection.
    sockets.iter().try_for_each(|socket| SockRef::from(socket).set_tcp_nodelay(true))?;
    Ok(sockets)
}

/// A listening socket that shares its address with those of the other workers.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Fails if somebody listens at an address. One that is not shared finds out; it is gone at once.
fn is_free(address: SocketAddr) -> std::io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}
