//! Where HAProxy's log lines go: a datagram socket that is read as fast as they come.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes that wait in the socket at most.
const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// How soon the end is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The socket and its reader; both end when dropped.
pub(crate) struct Syslog {
    pub(crate) path: PathBuf,
    lines: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Syslog {
    pub(crate) fn start(folder: &Path) -> io::Result<Self> {
        let path = folder.join("log.sock");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(LOOK_EVERY))?;
        // A smaller one would do: the system may refuse a big one, and lines are counted.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(WAITING_BYTES);
        let (lines, done) = (Arc::default(), Arc::default());
        let (counted, until) = (Arc::clone(&lines), Arc::clone(&done));
        let reader = std::thread::spawn(move || drain(&socket, &counted, &until));
        Ok(Self { path, lines, done, reader: Some(reader) })
    }

    /// Lines that arrived so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn drain(socket: &UnixDatagram, lines: &AtomicU64, done: &AtomicBool) {
    let mut line = [0; 8 * 1024];
    while !done.load(Ordering::Relaxed) {
        if socket.recv(&mut line).is_ok() {
            lines.fetch_add(1, Ordering::Relaxed);
        }
    }
}
