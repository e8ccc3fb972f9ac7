//! Taking connections at one listener, until the worker stops.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{Phase, Queue};
use crate::limit;
use crate::snapshot::Listener;

/// A connection, whose it is, and where it came in.
pub(super) type Accepted = (TcpStream, SocketAddr, Listener);

/// Takes connections until the phase says to stop, then those that are already in the queue.
pub(super) async fn accept(
    socket: TcpListener,
    listener: Listener,
    give: tokio::sync::mpsc::Sender<Accepted>,
    mut phase: watch::Receiver<Phase>,
) {
    loop {
        // CANCEL: a lost accept leaves the connection in the system's queue.
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if give.send((stream, peer, listener)).await.is_err() {
                    return;
                }
            }
            // Out of file descriptors, or a client that left: look again when others have gone.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(limit::ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
    let ours = match *phase.borrow() {
        Phase::Draining(drain) => drain.queue == Queue::Ours,
        Phase::Serving | Phase::Cutting => false,
    };
    if !ours {
        return;
    }
    // Who is in the queue was told that there is somebody: closing the socket would be a reset.
    // The system is asked itself, since the runtime tells only of what it has heard of already.
    let Ok(socket) = socket.into_std() else { return };
    while let Ok((stream, peer)) = socket.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        let Ok(stream) = stream else { continue };
        if give.send((stream, peer, listener)).await.is_err() {
            return;
        }
    }
}
