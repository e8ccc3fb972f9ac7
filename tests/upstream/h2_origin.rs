//! Servers that speak HTTP/2 in the clear: an honest one, and one whose frames are written by hand.

use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response, request};
use tokio::sync::Notify;

use crate::support::PATIENCE;

/// What an honest server does with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// Answers with the number of the connection.
    Number,
    /// The same, once it is released.
    Hold,
    /// Answers at once, sends back each piece as it comes, and trailers at the end.
    Echo,
}

/// A request as it arrived.
pub(crate) struct Arrived {
    pub(crate) parts: request::Parts,
    pub(crate) connection: usize,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct Ledger {
    arrived: Vec<Arrived>,
    connections: usize,
}

#[derive(Default)]
struct Seen {
    ledger: Mutex<Ledger>,
    changed: Condvar,
    released: Notify,
    is_released: std::sync::atomic::AtomicBool,
}

impl Seen {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An honest server. Its thread ends when it is dropped.
pub(crate) struct Honest {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Honest {
    /// Allows so many streams at once on a connection.
    pub(crate) fn start(streams: u32, script: fn(&request::Parts) -> Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = listener.local_addr().expect("a bound socket");
        listener.set_nonblocking(true).expect("a socket");
        let seen = Arc::<Seen>::default();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let theirs = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, theirs, streams, script) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// Waits until this many requests have arrived whole, or for a part if they are echoed.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) {
        let until = |ledger: &mut Ledger| ledger.arrived.len() < count;
        let ledger = self.seen.ledger();
        let (ledger, waited) = self
            .seen
            .changed
            .wait_timeout_while(ledger, PATIENCE, until)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "only {} of {count} arrived", ledger.arrived.len());
    }

    /// Takes what has arrived.
    pub(crate) fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.seen.ledger().arrived)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.ledger().connections
    }

    pub(crate) fn release(&self) {
        self.seen.is_released.store(true, std::sync::atomic::Ordering::SeqCst);
        self.seen.released.notify_waiters();
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    seen: Arc<Seen>,
    streams: u32,
    script: fn(&request::Parts) -> Act,
) {
    while let Ok((socket, _)) = listener.accept().await {
        let number = seen.ledger().connections;
        seen.ledger().connections += 1;
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut builder = h2::server::Builder::new();
            let handshake = builder.max_concurrent_streams(streams).handshake::<_, Bytes>(socket);
            let Ok(mut connection) = handshake.await else { return };
            while let Some(Ok((request, respond))) = connection.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(serve(request, respond, (seen, number), script));
            }
        });
    }
}

async fn serve(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    (seen, connection): (Arc<Seen>, usize),
    script: fn(&request::Parts) -> Act,
) {
    let (parts, mut body) = request.into_parts();
    let act = script(&parts);
    if act == Act::Echo {
        seen.ledger().arrived.push(Arrived { parts, connection, body: Vec::new() });
        seen.changed.notify_all();
        let Ok(mut send) = respond.send_response(Response::new(()), false) else { return };
        while let Some(Ok(piece)) = body.data().await {
            let _ = body.flow_control().release_capacity(piece.len());
            let _ = send.send_data(piece, false);
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        let _ = send.send_trailers(trailers);
        return;
    }
    let mut whole = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        let _ = body.flow_control().release_capacity(piece.len());
        whole.extend_from_slice(&piece);
    }
    let released = seen.released.notified();
    tokio::pin!(released);
    released.as_mut().enable();
    seen.ledger().arrived.push(Arrived { parts, connection, body: whole });
    seen.changed.notify_all();
    if act == Act::Hold && !seen.is_released.load(std::sync::atomic::Ordering::SeqCst) {
        let reset = poll_fn(|cx| respond.poll_reset(cx));
        tokio::select! { () = released => {} _ = reset => return }
    }
    if let Ok(mut send) = respond.send_response(Response::new(()), false) {
        let _ = send.send_data(Bytes::from(connection.to_string()), true);
    }
}

/// What a server does with the next request, by the numbers of its connection and of the request
/// on it, both from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Answers with the number of the connection.
    Answer,
    /// Answers only when it was cancelled, which is too late.
    Late,
    /// Says that it did not look at it.
    Refuse,
    /// Says that it looks at nothing from it on, and closes when the rest is done.
    Away,
    /// Closes without a word.
    Close,
}

type Script = Arc<dyn Fn(usize, usize) -> Step + Send + Sync>;

/// A server whose frames are written by hand. Its threads end with their connections.
pub(crate) struct ByHand {
    pub(crate) address: SocketAddr,
    counts: Arc<(Mutex<Counts>, Condvar)>,
}

#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    pub(crate) cancelled: usize,
    pub(crate) goaways: usize,
}

impl ByHand {
    pub(crate) fn start(script: impl Fn(usize, usize) -> Step + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = listener.local_addr().expect("a bound socket");
        let counts = Arc::<(Mutex<Counts>, Condvar)>::default();
        let theirs = Arc::clone(&counts);
        let script: Script = Arc::new(script);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                let (script, counts) = (Arc::clone(&script), Arc::clone(&theirs));
                std::thread::spawn(move || {
                    tell(&counts, |counts| counts.connections += 1);
                    drop(Frames { stream, number, index: 0, counts, script }.serve());
                });
            }
        });
        Self { address, counts }
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the counts are so.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, until: impl Fn(&Counts) -> bool) {
        let counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.counts.1.wait_timeout_while(counts, PATIENCE, |counts| !until(counts));
        let (counts, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "in vain for {what}: {counts:?}");
    }
}

fn tell(counts: &(Mutex<Counts>, Condvar), change: impl FnOnce(&mut Counts)) {
    change(&mut counts.0.lock().unwrap_or_else(PoisonError::into_inner));
    counts.1.notify_all();
}

struct Frames {
    stream: TcpStream,
    number: usize,
    index: usize,
    counts: Arc<(Mutex<Counts>, Condvar)>,
    script: Script,
}

impl Frames {
    fn serve(mut self) -> std::io::Result<()> {
        const PREFACE: usize = 24;
        self.stream.read_exact(&mut [0; PREFACE])?;
        self.write(4, 0, 0, &[])?;
        let mut late = Vec::new();
        let mut open = Vec::new();
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head)?;
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let (kind, flags) = (head[3], head[4]);
            let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload)?;
            match kind {
                4 if flags & 1 == 0 => self.write(4, 1, 0, &[])?,
                6 if flags & 1 == 0 => self.write(6, 1, 0, &payload)?,
                1 => {
                    let step = (self.script)(self.number, self.index);
                    self.index += 1;
                    tell(&self.counts, |counts| counts.requests += 1);
                    match step {
                        Step::Answer if flags & 1 == 1 => self.answer(id)?,
                        Step::Answer => open.push(id),
                        Step::Late => late.push(id),
                        Step::Refuse => self.write(3, 0, id, &7u32.to_be_bytes())?,
                        Step::Away => {
                            let last = id.saturating_sub(2).to_be_bytes();
                            self.write(7, 0, 0, &[last, [0; 4]].concat())?;
                        }
                        Step::Close => return Ok(()),
                    }
                }
                0 if flags & 1 == 1 && open.contains(&id) => self.answer(id)?,
                3 if late.contains(&id) => {
                    self.answer(id)?;
                    tell(&self.counts, |counts| counts.cancelled += 1);
                }
                7 => tell(&self.counts, |counts| counts.goaways += 1),
                _ => {}
            }
        }
    }

    /// `:status 200`, and the number of the connection.
    fn answer(&mut self, id: u32) -> std::io::Result<()> {
        self.write(1, 4, id, &[0x88])?;
        let body = self.number.to_string();
        self.write(0, 1, id, body.as_bytes())
    }

    fn write(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) -> std::io::Result<()> {
        let length = (payload.len() as u32).to_be_bytes();
        let head = [&length[1..], &[kind, flags], &id.to_be_bytes()].concat();
        self.stream.write_all(&[&head, payload].concat())
    }
}
