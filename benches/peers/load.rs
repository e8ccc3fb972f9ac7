//! The load generator: some connections, kept alive, each asking again when it was answered.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use intermission::clock::{Clock, Tick};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::chat;
use super::secure::{self, Visitor};

/// Requests of one connection in one measurement: the loop's bound in count.
const REQUESTS_MAX: u64 = 10_000_000;
/// How long after its end a measurement may still wait for answers.
const GRACE: Duration = Duration::from_secs(10);
const BUFFER_BYTES: usize = 128 * 1024;

/// One request, as it stands on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// Digits that are counted up from one request to the next, so that no two are the same.
    digits: Option<Range<usize>>,
}

/// What is asked of whom.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) to: SocketAddr,
    pub(crate) request: Request,
    /// The status of a right answer.
    pub(crate) expected: u16,
    pub(crate) connections: usize,
    pub(crate) span: Duration,
    pub(crate) manner: Manner,
}

/// How requests come.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// One after the other on a connection that is kept.
    Kept,
    /// Each on a connection of its own.
    Fresh,
    /// Each on a connection of its own, over TLS.
    Shaken(Visitor),
    /// As messages on a WebSocket.
    Talk,
}

/// What came of it.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    /// Right answers.
    pub(crate) answers: u64,
    /// Answers with another status.
    pub(crate) others: u64,
    /// Connections that failed.
    pub(crate) faults: u64,
    /// TLS handshakes without a session.
    pub(crate) full: u64,
    /// From each request to its answer, in order of size.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) span: Duration,
}

impl Request {
    pub(crate) fn get(host: SocketAddr, path: &str, accept: &str) -> Self {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n");
        Self { bytes: head.into_bytes(), digits: None }
    }

    /// One request as it is.
    pub(crate) const fn raw(bytes: Vec<u8>) -> Self {
        Self { bytes, digits: None }
    }

    /// The last request of its connection.
    pub(crate) fn last(host: SocketAddr, path: &str) -> Self {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        Self { bytes: head.into_bytes(), digits: None }
    }

    /// What an operator asks of the admin API.
    pub(crate) fn command(host: SocketAddr, path: &str, token: &str) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 0\r\n\r\n"
        );
        Self { bytes: head.into_bytes(), digits: None }
    }

    /// A form of this many bytes as a browser sends it; no two are the same.
    pub(crate) fn form(host: SocketAddr, path: &str, bytes: usize) -> Self {
        const FIELD: &str = "claim=";
        const DIGITS: usize = 15;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\
             Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {bytes}\r\n\r\n"
        );
        let first = head.len() + FIELD.len();
        let mut body = format!("{FIELD}{:0DIGITS$}", 0);
        for n in 0.. {
            body += &format!("&field{n}=value+of+the+field+number+{n}");
            if body.len() >= bytes {
                break;
            }
        }
        body.truncate(bytes);
        Self { bytes: (head + &body).into_bytes(), digits: Some(first..first + DIGITS) }
    }

    /// Makes it another one than before, and than those of other connections.
    fn count_up(&mut self) {
        let Some(digits) = self.digits.clone() else { return };
        for digit in self.bytes[digits].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
    }

    pub(crate) fn begin_at(&mut self, number: u64) {
        let Some(digits) = self.digits.clone() else { return };
        let text = format!("{number:0width$}", width = digits.len());
        self.bytes[digits].copy_from_slice(text.as_bytes());
    }
}

impl Load {
    /// Asks for the span, and counts.
    pub(crate) fn run(&self, runtime: &Runtime) -> Tally {
        let began = Clock::System.tick();
        let ends = began.plus(self.span);
        let epoch = Clock::System.now().millis().unsigned_abs() % 1_000_000;
        let mut tally = runtime.block_on(async {
            let mut lanes = JoinSet::new();
            for lane in 0..self.connections as u64 {
                let mut load = self.clone();
                load.request.begin_at((epoch * 1_000 + lane) * 1_000_000);
                lanes.spawn(load.converse(ends));
            }
            let mut sum = Tally::default();
            let all = async {
                while let Some(lane) = lanes.join_next().await {
                    sum.add(lane.unwrap_or_else(|_| Tally { faults: 1, ..Tally::default() }));
                }
            };
            let in_time = tokio::time::timeout(self.span + GRACE, all).await.is_ok();
            if !in_time {
                sum.faults += lanes.len() as u64;
            }
            sum
        });
        tally.span = Clock::System.tick().since(began);
        tally.latencies.sort_unstable();
        tally
    }

    async fn converse(mut self, ends: Tick) -> Tally {
        let mut tally = Tally::default();
        if self.converse_until(ends, &mut tally).await.is_err() {
            tally.faults += 1;
        }
        tally
    }

    async fn converse_until(&mut self, ends: Tick, tally: &mut Tally) -> io::Result<()> {
        match self.manner.clone() {
            Manner::Kept => self.keep(ends, tally).await,
            Manner::Talk => chat::talk(self.to, ends, tally).await,
            Manner::Fresh => self.renew(None, ends, tally).await,
            Manner::Shaken(visitor) => self.renew(Some(visitor), ends, tally).await,
        }
    }

    async fn keep(&mut self, ends: Tick, tally: &mut Tally) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.to).await?;
        stream.set_nodelay(true)?;
        let mut bytes = Vec::with_capacity(BUFFER_BYTES);
        for _ in 0..REQUESTS_MAX {
            self.request.count_up();
            if self.exchange(&mut stream, &mut bytes, Clock::System.tick(), tally).await? >= ends {
                break;
            }
        }
        Ok(())
    }

    async fn renew(
        &mut self,
        visitor: Option<Visitor>,
        ends: Tick,
        tally: &mut Tally,
    ) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(BUFFER_BYTES);
        for _ in 0..REQUESTS_MAX {
            let began = Clock::System.tick();
            let mut stream = TcpStream::connect(self.to).await?;
            stream.set_nodelay(true)?;
            let answered = match &visitor {
                None => self.exchange(&mut stream, &mut bytes, began, tally).await?,
                Some(visitor) => {
                    let mut stream = visitor.enter(stream).await?;
                    tally.full += u64::from(!secure::is_resumed(&stream));
                    self.exchange(&mut stream, &mut bytes, began, tally).await?
                }
            };
            if answered >= ends {
                break;
            }
        }
        Ok(())
    }

    /// One request and its answer; gives the time of the latter.
    async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        bytes: &mut Vec<u8>,
        began: Tick,
        tally: &mut Tally,
    ) -> io::Result<Tick> {
        bytes.clear();
        stream.write_all(&self.request.bytes).await?;
        let answer = receive(stream, bytes).await?;
        let answered = Clock::System.tick();
        tally.latencies.push(answered.since(began));
        if answer.status == self.expected {
            tally.answers += 1;
        } else {
            tally.others += 1;
        }
        Ok(answered)
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.others += other.others;
        self.faults += other.faults;
        self.full += other.full;
        self.latencies.extend(other.latencies);
    }

    /// Whether each request had the right answer.
    pub(crate) fn is_clean(&self) -> bool {
        self.others == 0 && self.faults == 0 && self.answers > 0
    }

    /// This part of all answers came within that time.
    pub(crate) fn within(&self, part: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        self.latencies.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.answers as f64 / self.span.as_secs_f64().max(1e-9)
    }
}

/// One answer, for its own sake: with its fields and its body.
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Whole {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Asks once.
pub(crate) fn ask(runtime: &Runtime, to: SocketAddr, request: &Request) -> io::Result<Whole> {
    let once = async {
        let mut stream = TcpStream::connect(to).await?;
        whole(&mut stream, request).await
    };
    runtime.block_on(async { tokio::time::timeout(GRACE, once).await? })
}

/// Asks on this connection.
pub(crate) async fn whole(stream: &mut TcpStream, request: &Request) -> io::Result<Whole> {
    stream.write_all(&request.bytes).await?;
    let mut bytes = Vec::new();
    let answer = receive(stream, &mut bytes).await?;
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    head.parse(&bytes).map_err(io::Error::other)?;
    let field = |field: &httparse::Header| {
        (field.name.to_owned(), String::from_utf8_lossy(field.value).into_owned())
    };
    let fields = head.headers.iter().map(field).collect();
    Ok(Whole { status: answer.status, fields, body: bytes[answer.begins..].to_vec() })
}

/// One request and its answer, which has to be a good one.
pub(crate) async fn once<S>(stream: &mut S, request: &Request) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&request.bytes).await?;
    let answer = receive(stream, &mut Vec::new()).await?;
    let good = answer.status == 200;
    good.then_some(()).ok_or_else(|| io::Error::other(format!("status {}", answer.status)))
}

#[derive(Clone, Copy)]
struct Answer {
    status: u16,
    begins: usize,
    ends: usize,
}

/// Reads one answer, whole and nothing more.
async fn receive<S: AsyncRead + Unpin>(stream: &mut S, bytes: &mut Vec<u8>) -> io::Result<Answer> {
    let mut known: Option<Answer> = None;
    loop {
        if stream.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if known.is_none() {
            known = head(bytes)?;
        }
        match known {
            Some(answer) if bytes.len() == answer.ends => return Ok(answer),
            Some(answer) if bytes.len() > answer.ends => {
                return Err(io::Error::other("more than one answer"));
            }
            _ => {}
        }
    }
}

fn head(bytes: &[u8]) -> io::Result<Option<Answer>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(begins) = head.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let length = head.headers.iter().find(|f| f.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|field| str::from_utf8(field.value).ok()?.parse::<usize>().ok());
    let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
    let status = head.code.unwrap_or_default();
    Ok(Some(Answer { status, begins, ends: begins + length }))
}
