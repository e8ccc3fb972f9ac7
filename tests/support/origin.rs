//! An application behind the proxy: a listener with a thread per connection that records every
//! byte it receives and acts as it is told.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::http1::{self, Message, Progress, Side};
use super::{Deadline, PATIENCE, raw};

/// What an origin does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends these bytes, and goes on with the connection.
    Send(Vec<u8>),
    /// Sends these bytes, and closes.
    SendAndClose(Vec<u8>),
    /// Sends these bytes, which may be none, and resets the connection.
    SendAndReset(Vec<u8>),
    /// Sends these bytes, waits for [`Origin::release`], and sends those.
    Hold(Vec<u8>, Vec<u8>),
    /// Sends these bytes, which may be none, and nothing more as long as the origin lives.
    Stall(Vec<u8>),
    /// After these bytes (an answer 101), sends back whatever comes.
    Echo(Vec<u8>),
}

/// The bytes of an answer 200 with this body.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK", &[], body)
}

/// The bytes of an answer.
pub(crate) fn answer(status: &str, fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in fields {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    bytes.push_str("\r\n");
    [bytes.as_bytes(), body].concat()
}

/// An application. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Origin {
    address: SocketAddr,
    seen: Arc<Seen>,
    accepting: Option<JoinHandle<()>>,
    untouched: Untouched,
}

/// Whether the origin fails the test when something reached it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Untouched {
    Required,
    Whatever,
}

type Script = Arc<dyn Fn(&Message) -> Act + Send + Sync>;

#[derive(Default, Debug)]
struct Seen {
    ledger: Mutex<Ledger>,
    changed: Condvar,
}

#[derive(Default, Debug)]
struct Ledger {
    requests: Vec<Message>,
    /// Every byte of each connection, in the order of the connections.
    wire: Vec<Vec<u8>>,
    /// To end each connection that is still open.
    streams: Vec<Option<TcpStream>>,
    released: bool,
    stopped: bool,
}

impl Origin {
    /// Answers 200 with this body to everything.
    pub(crate) fn replying(body: &str) -> Self {
        let body = body.to_owned();
        Self::acting(move |_| Act::Send(ok(&body)))
    }

    /// Does with each request what the script says.
    pub(crate) fn acting(script: impl Fn(&Message) -> Act + Send + Sync + 'static) -> Self {
        Self::start(Arc::new(script), Untouched::Whatever)
    }

    /// Fails the test, when dropped, if even a connection reached it.
    pub(crate) fn untouched() -> Self {
        let script = |_: &Message| Act::SendAndReset(Vec::new());
        Self::start(Arc::new(script), Untouched::Required)
    }

    fn start(script: Script, untouched: Untouched) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has ports");
        Self::on(listener, script, untouched)
    }

    /// Answers 200 and the body `back` to everything, at an address where there was one before.
    pub(crate) fn at(address: SocketAddr) -> std::io::Result<Self> {
        let script: Script = Arc::new(|_: &Message| Act::Send(ok("back")));
        Ok(Self::on(TcpListener::bind(address)?, script, Untouched::Whatever))
    }

    fn on(listener: TcpListener, script: Script, untouched: Untouched) -> Self {
        let address = listener.local_addr().expect("a bound socket");
        let seen = Arc::new(Seen::default());
        let accepting = {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || accept(&listener, &seen, &script))
        };
        Self { address, seen, accepting: Some(accepting), untouched }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests that arrived whole so far.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.seen.ledger().requests.clone()
    }

    /// Waits until this many requests arrived whole.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Message> {
        let until = |ledger: &Ledger| ledger.requests.len() >= count;
        self.seen.wait(&format!("{count} requests"), until).requests.clone()
    }

    /// Waits until some connection has carried these bytes.
    #[track_caller]
    pub(crate) fn wait_for_bytes(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let has = |wire: &Vec<u8>| wire.windows(bytes.len()).any(|window| window == bytes);
        let what = format!("the bytes {:?}", String::from_utf8_lossy(bytes));
        drop(self.seen.wait(&what, |ledger| ledger.wire.iter().any(has)));
    }

    /// Waits until the peer has closed the connection of this number.
    #[track_caller]
    pub(crate) fn wait_closed(&self, number: usize) {
        let closed = |ledger: &Ledger| ledger.streams.get(number).is_some_and(Option::is_none);
        drop(self.seen.wait("the end of a connection", closed));
    }

    /// Every byte of each connection so far.
    pub(crate) fn wire(&self) -> Vec<Vec<u8>> {
        self.seen.ledger().wire.clone()
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.seen.ledger().wire.len()
    }

    /// Lets what is held go on, now and later.
    pub(crate) fn release(&self) {
        self.seen.ledger().released = true;
        self.seen.changed.notify_all();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let touched = {
            let mut ledger = self.seen.ledger();
            ledger.stopped = true;
            for stream in ledger.streams.iter().flatten() {
                // It may be closed already.
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
            ledger.wire.clone()
        };
        self.seen.changed.notify_all();
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        self.accepting.take().map(JoinHandle::join);
        if self.untouched == Untouched::Required && !std::thread::panicking() {
            assert!(touched.is_empty(), "something reached the origin: {touched:?}");
        }
    }
}

impl Seen {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[track_caller]
    fn wait(&self, what: &str, until: impl Fn(&Ledger) -> bool) -> MutexGuard<'_, Ledger> {
        let deadline = Deadline::after(PATIENCE);
        let mut ledger = self.ledger();
        while !until(&ledger) {
            let Some(left) = deadline.left() else {
                panic!("the origin waited in vain for {what}; it has {:?}", ledger.requests)
            };
            let waited = self.changed.wait_timeout(ledger, left);
            ledger = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        ledger
    }

    /// Waits until the origin ends, or what is held may go on; however long that is.
    fn wait_released(&self) {
        let ledger = self.ledger();
        let held = |ledger: &mut Ledger| !ledger.released && !ledger.stopped;
        drop(self.changed.wait_while(ledger, held));
    }

    fn wait_stopped(&self) {
        drop(self.changed.wait_while(self.ledger(), |ledger| !ledger.stopped));
    }
}

fn accept(listener: &TcpListener, seen: &Arc<Seen>, script: &Script) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        let mut ledger = seen.ledger();
        if ledger.stopped {
            return;
        }
        ledger.streams.push(stream.try_clone().ok());
        ledger.wire.push(Vec::new());
        let number = ledger.wire.len() - 1;
        drop(ledger);
        seen.changed.notify_all();
        let (seen, script) = (Arc::clone(seen), Arc::clone(script));
        std::thread::spawn(move || Connection { stream, number, seen }.serve(&script));
    }
}

/// One connection of an origin.
struct Connection {
    stream: TcpStream,
    number: usize,
    seen: Arc<Seen>,
}

/// Its last handle goes with it, so that the peer sees the end.
impl Drop for Connection {
    fn drop(&mut self) {
        self.seen.ledger().streams[self.number] = None;
        self.seen.changed.notify_all();
    }
}

impl Connection {
    fn serve(mut self, script: &Script) {
        let mut ahead = Vec::new();
        loop {
            match http1::read(&ahead, Side::Request) {
                Progress::Whole(request, length) => {
                    ahead.drain(..length);
                    let act = script(&request);
                    self.seen.ledger().requests.push(*request);
                    self.seen.changed.notify_all();
                    if self.act(act) == Next::Close {
                        return;
                    }
                }
                Progress::Partial | Progress::UntilClose(_) => match self.read() {
                    Some(piece) => ahead.extend_from_slice(&piece),
                    None => return,
                },
                Progress::Broken(_) => return,
            }
        }
    }

    fn act(&mut self, act: Act) -> Next {
        match act {
            Act::Send(bytes) => self.write(&bytes),
            Act::SendAndClose(bytes) => {
                self.write(&bytes);
                Next::Close
            }
            Act::SendAndReset(bytes) => {
                self.write(&bytes);
                self.stream.try_clone().into_iter().for_each(raw::reset);
                Next::Close
            }
            Act::Hold(before, after) => {
                self.write(&before);
                self.seen.wait_released();
                self.write(&after)
            }
            Act::Stall(bytes) => {
                self.write(&bytes);
                self.seen.wait_stopped();
                Next::Close
            }
            Act::Echo(bytes) => {
                self.write(&bytes);
                while let Some(piece) = self.read() {
                    self.write(&piece);
                }
                Next::Close
            }
        }
    }

    /// A peer that has gone away is no fault of the origin's.
    fn write(&mut self, bytes: &[u8]) -> Next {
        match self.stream.write_all(bytes) {
            Ok(()) => Next::GoOn,
            Err(_) => Next::Close,
        }
    }

    /// The next bytes; none at the end.
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut piece = vec![0; 64 * 1024];
        let count = self.stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        piece.truncate(count);
        self.seen.ledger().wire[self.number].extend_from_slice(&piece);
        self.seen.changed.notify_all();
        Some(piece)
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Close,
}

/// The support itself must be right before anything is told with it.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_records_what_it_received_and_answers_as_told() {
        let origin = Origin::acting(|request| match request.target() {
            "/chunks" => {
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                Act::Send([head, "2\r\nab\r\n0\r\nx-t: 1\r\n\r\n"].concat().into())
            }
            "/cut" => Act::SendAndReset(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab".to_vec()),
            "/hold" => Act::Hold(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), ok("held")),
            _ => Act::Send(ok("hello")),
        });
        let mut client = raw::Raw::connect(origin.address());
        client.send("POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send("3\r\nabc\r\n0\r\n\r\n");
        assert_eq!(client.response().text(), "hello");
        client.send("GET /chunks HTTP/1.1\r\nhost: a\r\n\r\n");
        let chunked = client.response();
        assert_eq!((chunked.text().as_str(), &chunked.chunks[..]), ("ab", &[2][..]));
        assert_eq!(chunked.trailers, [("x-t".to_owned(), "1".to_owned())]);
        client.send("GET /hold HTTP/1.1\r\nhost: a\r\n\r\n");
        origin.wait_for(3);
        assert_eq!(client.any_response().status(), 100);
        origin.release();
        assert_eq!(client.response().text(), "held");
        client.send("GET /cut HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(!client.rest().ends_with(b"abc"), "it was cut");
        let requests = origin.requests();
        assert_eq!((requests[0].method(), &requests[0].body[..]), ("POST", &b"abc"[..]));
        assert_eq!(origin.connections(), 1);
    }

    #[test]
    #[should_panic(expected = "something reached the origin")]
    fn an_untouched_origin_fails_when_it_is_reached() {
        let origin = Origin::untouched();
        raw::Raw::connect(origin.address()).finish();
        drop(origin.seen.wait("a connection", |ledger| !ledger.wire.is_empty()));
    }
}
