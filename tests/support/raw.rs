//! A client that sends exactly the bytes it is given and reads what comes back.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::http1::{self, Message, Progress, Side};
use super::{Deadline, PATIENCE};

/// One connection.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: TcpStream,
    /// Read, but not yet part of a message.
    ahead: Vec<u8>,
}

/// Sends a request on a connection of its own and reads the answer.
#[track_caller]
pub(crate) fn exchange(to: SocketAddr, request: impl AsRef<[u8]>) -> Message {
    let mut raw = Raw::connect(to);
    raw.send(request);
    raw.response()
}

impl Raw {
    /// Connects.
    #[track_caller]
    pub(crate) fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&to, PATIENCE).expect("the listener is bound");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        Self { stream, ahead: Vec::new() }
    }

    /// The address this client is seen under.
    pub(crate) fn local(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket")
    }

    /// Sends these bytes.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the peer takes what is sent");
    }

    /// Sends these bytes to a peer that may have closed already.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends up to this many bytes, until the peer has taken nothing for a second; tells how many.
    #[track_caller]
    pub(crate) fn send_until_stuck(&mut self, most: usize) -> usize {
        let patience = Some(Duration::from_secs(1));
        self.stream.set_write_timeout(patience).expect("a timeout that is not zero");
        let piece = [b'x'; 64 * 1024];
        let mut sent = 0;
        while sent < most {
            match self.stream.write(&piece[..piece.len().min(most - sent)]) {
                Ok(count) => sent += count,
                Err(fault) if is_timeout(&fault) => break,
                Err(fault) => panic!("after {sent} bytes: {fault}"),
            }
        }
        self.stream.set_write_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        sent
    }

    /// The next final response; interim ones (1xx other than 101) are passed over.
    #[track_caller]
    pub(crate) fn response(&mut self) -> Message {
        loop {
            let message = self.next(Side::Response);
            if message.status() == 101 || message.status() >= 200 {
                return message;
            }
        }
    }

    /// The next response, interim ones included.
    #[track_caller]
    pub(crate) fn any_response(&mut self) -> Message {
        self.next(Side::Response)
    }

    /// The response to a HEAD request.
    #[track_caller]
    pub(crate) fn response_to_head(&mut self) -> Message {
        self.next(Side::Bodiless)
    }

    /// Everything until the peer closes or resets; fails if it does neither.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let deadline = Deadline::after(PATIENCE);
        while self.fill(deadline) == Filled::More {}
        std::mem::take(&mut self.ahead)
    }

    /// At least `count` bytes beyond what was read, as on an upgraded connection.
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let deadline = Deadline::after(PATIENCE);
        while self.ahead.len() < count {
            assert_eq!(self.fill(deadline), Filled::More, "closed after {:?}", self.shown());
        }
        self.ahead.drain(..count).collect()
    }

    /// Whether the peer sends nothing and stays for this long.
    pub(crate) fn is_silent_for(&mut self, span: Duration) -> bool {
        self.stream.set_read_timeout(Some(span)).expect("a timeout that is not zero");
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => false,
            Ok(_) => {
                self.ahead.push(byte[0]);
                false
            }
            Err(fault) => is_timeout(&fault),
        }
    }

    /// Ends this side; the other may still send.
    pub(crate) fn finish(&mut self) {
        // The peer may have closed first.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Goes away with a reset.
    pub(crate) fn reset(self) {
        reset(self.stream);
    }

    #[track_caller]
    fn next(&mut self, side: Side) -> Message {
        let deadline = Deadline::after(PATIENCE);
        loop {
            let progress = http1::read(&self.ahead, side);
            if let Progress::Whole(message, length) = progress {
                self.ahead.drain(..length);
                return *message;
            }
            if let Progress::Broken(what) = progress {
                panic!("not a response: {what} in {:?}", self.shown());
            }
            let filled = self.fill(deadline);
            if filled == Filled::More {
                continue;
            }
            if let (Progress::UntilClose(message), Filled::Closed) = (progress, filled) {
                self.ahead.clear();
                return *message;
            }
            panic!("{filled:?} before the end of a response: {:?}", self.shown());
        }
    }

    #[track_caller]
    fn fill(&mut self, deadline: Deadline) -> Filled {
        let Some(left) = deadline.left() else { panic!("no more came than {:?}", self.shown()) };
        self.stream.set_read_timeout(Some(left)).expect("a timeout that is not zero");
        let mut piece = [0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => Filled::Closed,
            Ok(count) => {
                self.ahead.extend_from_slice(&piece[..count]);
                Filled::More
            }
            Err(fault) if is_timeout(&fault) => panic!("no more came than {:?}", self.shown()),
            Err(_) => Filled::Reset,
        }
    }

    fn shown(&self) -> String {
        let end = self.ahead.len().min(2_000);
        String::from_utf8_lossy(&self.ahead[..end]).into_owned()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    More,
    Closed,
    Reset,
}

/// Closes a connection with a reset instead of an end.
pub(crate) fn reset(stream: TcpStream) {
    let socket = socket2::SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).expect("a TCP socket");
}

fn is_timeout(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
