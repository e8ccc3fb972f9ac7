//! One process after another, over a Unix socket in the store's directory: the listening sockets
//! and the store change hands, and no connection is refused in between, because the sockets stay
//! open all the while and whoever connects waits in their queues.
//!
//! | # | the process that serves      | says       | the process that starts           |
//! |---|------------------------------|------------|-----------------------------------|
//! | 1 |                              | `take 1`   | ← asks, with its config compiled  |
//! | 2 | gives the sockets →          | a list     |                                   |
//! | 3 |                              | `ready`    | ← has found what it wants         |
//! | 4 | ends captures and control,   | `released` |                                   |
//! |   | closes the store →           |            |                                   |
//! | 5 |                              | `booted`   | ← has the store, windows in force |
//! | 6 | lets requests in flight finish, then ends → | `yours` | serves                |
//!
//! Whoever hears nothing, or something else, goes on alone: before 4 nothing has changed; after it
//! the process that served opens the store again and serves on, and the one that starts ends.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt,
};
use serde::{Deserialize, Serialize};

use super::sockets::Shared;
use crate::limit;
use crate::proxy::Inherited;

const TAKE: &str = "take 1";
const READY: &str = "ready";
const RELEASED: &str = "released";
const BOOTED: &str = "booted";
const YOURS: &str = "yours";
/// One byte goes with each batch of sockets.
const BATCH: u8 = b'+';

/// Whose socket it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Whose {
    Visitors,
    Admin,
}

/// A socket that changes hands.
pub(super) struct Given {
    pub(super) whose: Whose,
    pub(super) one: Inherited,
}

/// What is said of a socket.
#[derive(Serialize, Deserialize)]
struct Label {
    whose: Whose,
    at: SocketAddr,
}

/// The side that starts.
pub(super) struct Taker(Wire);

/// The side that serves.
pub(super) struct Giver {
    wire: Wire,
    pid: u32,
}

struct Wire(UnixStream);

fn path(directory: &Path) -> PathBuf {
    directory.join("handover.sock")
}

/// Listens for a process that takes over. One that did before is not in the way: its socket has
/// no listener any more.
pub(super) fn listen(directory: &Path) -> io::Result<UnixListener> {
    let path = path(directory);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Taker {
    /// Asks for the sockets; none if nobody serves.
    pub(super) fn ask(directory: &Path) -> io::Result<Option<(Self, Vec<Given>)>> {
        let stream = match UnixStream::connect(path(directory)) {
            Ok(stream) => stream,
            Err(error) => {
                let kind = error.kind();
                let nobody =
                    kind == io::ErrorKind::NotFound || kind == io::ErrorKind::ConnectionRefused;
                return if nobody { Ok(None) } else { Err(error) };
            }
        };
        let wire = Wire::new(stream)?;
        wire.say(TAKE)?;
        let list = wire.hear(limit::HANDOVER_LIST_BYTES_MAX)?;
        let labels: Vec<Label> = serde_json::from_str(&list).map_err(io::Error::other)?;
        let mut given = Vec::new();
        for batch in labels.chunks(limit::HANDOVER_SOCKETS_MAX) {
            let sockets = wire.receive()?;
            if sockets.len() != batch.len() {
                return Err(io::Error::other("some of the sockets did not arrive"));
            }
            for (label, socket) in batch.iter().zip(sockets) {
                let one = Inherited { at: label.at, socket: TcpListener::from(socket) };
                given.push(Given { whose: label.whose, one });
            }
        }
        Ok(Some((Self(wire), given)))
    }

    /// Says that the sockets are what was wanted, and waits until the store is free.
    pub(super) fn wait_for_store(&self) -> io::Result<()> {
        self.0.say(READY)?;
        self.0.expect(RELEASED)
    }

    /// Says that everything is in place, and waits for the word to begin.
    pub(super) fn begin(&self) -> io::Result<()> {
        self.0.say(BOOTED)?;
        self.0.expect(YOURS)
    }
}

impl Giver {
    /// Gives the sockets to a process that asks for them, if it is ours and can use them.
    pub(super) fn offer(stream: UnixStream, shared: &Shared) -> io::Result<Self> {
        let peer = sockopt::socket_peercred(&stream)?;
        let (us, root) = (rustix::process::geteuid(), rustix::process::Uid::ROOT);
        if peer.uid != us && peer.uid != root {
            return Err(io::Error::other(format!("user {} may not ask", peer.uid.as_raw())));
        }
        let wire = Wire::new(stream)?;
        wire.expect(TAKE)?;
        let visitors = shared.visitors.iter().map(|one| (Whose::Visitors, one));
        let all: Vec<_> = visitors.chain([(Whose::Admin, &shared.admin)]).collect();
        let label = |(whose, one): &(Whose, &Inherited)| Label { whose: *whose, at: one.at };
        let labels: Vec<_> = all.iter().map(label).collect();
        wire.say(&serde_json::to_string(&labels).map_err(io::Error::other)?)?;
        for batch in all.chunks(limit::HANDOVER_SOCKETS_MAX) {
            let sockets: Vec<_> = batch.iter().map(|(_, one)| one.socket.as_fd()).collect();
            wire.send(&sockets)?;
        }
        wire.expect(READY)?;
        Ok(Self { wire, pid: peer.pid.as_raw_nonzero().get().unsigned_abs() })
    }

    /// Which process it is.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Says that the store is free, and waits until the other one has everything in place.
    pub(super) fn release(&self) -> io::Result<()> {
        self.wire.say(RELEASED)?;
        self.wire.expect(BOOTED)
    }

    /// From here on it is the other one that serves.
    pub(super) fn leave(&self) -> io::Result<()> {
        self.wire.say(YOURS)
    }
}

impl Wire {
    fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(limit::HANDOVER_STEP))?;
        stream.set_write_timeout(Some(limit::HANDOVER_STEP))?;
        Ok(Self(stream))
    }

    fn say(&self, word: &str) -> io::Result<()> {
        (&self.0).write_all(format!("{word}\n").as_bytes())
    }

    /// The next line. It is read byte by byte: what comes behind it may carry sockets.
    fn hear(&self, most: usize) -> io::Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            (&self.0).read_exact(&mut byte)?;
            if byte == *b"\n" {
                return String::from_utf8(line).map_err(io::Error::other);
            }
            if line.len() == most {
                return Err(io::Error::other("the other process says too much"));
            }
            line.push(byte[0]);
        }
    }

    fn expect(&self, word: &str) -> io::Result<()> {
        let heard = self.hear(64)?;
        if heard == word {
            return Ok(());
        }
        Err(io::Error::other(format!("the other process said `{heard}` instead of `{word}`")))
    }

    fn send(&self, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [std::mem::MaybeUninit::uninit();
            rustix::cmsg_space!(ScmRights(limit::HANDOVER_SOCKETS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(sockets)) {
            return Err(io::Error::other("too many sockets in one message"));
        }
        sendmsg(&self.0, &[IoSlice::new(&[BATCH])], &mut control, SendFlags::empty())?;
        Ok(())
    }

    fn receive(&self) -> io::Result<Vec<OwnedFd>> {
        let mut space = [std::mem::MaybeUninit::uninit();
            rustix::cmsg_space!(ScmRights(limit::HANDOVER_SOCKETS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got = recvmsg(&self.0, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
        if got.bytes != 1 || byte != [BATCH] {
            return Err(io::Error::other("the other process gave no sockets"));
        }
        let sockets = control.drain().filter_map(|message| {
            let RecvAncillaryMessage::ScmRights(sockets) = message else { return None };
            Some(sockets.collect::<Vec<_>>())
        });
        Ok(sockets.flatten().collect())
    }
}
