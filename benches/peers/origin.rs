//! The application behind the proxies: a process of its own that answers from memory.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{chat, machine, rpc};

/// The argument that makes this program the origin.
pub(crate) const ROLE: &str = "--as-origin";
/// Bytes of the small answer's body.
pub(crate) const SMALL_BYTES: usize = 119;
/// Bytes of the big answer's body.
pub(crate) const BIG_BYTES: usize = 64 * 1024;
/// Requests of one connection: the loop's bound.
const REQUESTS_MAX: u64 = 1_000_000_000;
/// Bytes of one request.
const REQUEST_BYTES_MAX: usize = 128 * 1024;
/// Bytes of the line with its address.
const LINE_BYTES_MAX: u64 = 128;

/// The origin's process; ends when dropped, or when this process ends.
pub(crate) struct Origin {
    child: Child,
    /// The origin reads it, and ends when it ends.
    _life: Option<ChildStdin>,
    pub(crate) address: SocketAddr,
    /// Where it speaks gRPC.
    pub(crate) rpc: SocketAddr,
}

impl Origin {
    /// Starts this program again as the origin, on the core of the load generator.
    pub(crate) fn start() -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        let command = command.arg(ROLE).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let life = child.stdin.take();
        let mut line = String::new();
        if let Some(out) = &mut child.stdout {
            BufReader::new(out.take(LINE_BYTES_MAX)).read_line(&mut line)?;
        }
        let mut named = line.split_ascii_whitespace().map(str::parse);
        let (Some(Ok(address)), Some(Ok(rpc))) = (named.next(), named.next()) else {
            return Err(io::Error::other("the origin named no addresses"));
        };
        Ok(Self { child, _life: life, address, rpc })
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        machine::end(&mut self.child);
    }
}

/// Whether this process was started as the origin.
pub(crate) fn is_role(arguments: &[String]) -> bool {
    arguments.first().is_some_and(|first| first == ROLE)
}

/// Serves until the process that started this one lets go of its standard input.
pub(crate) fn serve() -> io::Result<()> {
    std::thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let rpc = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{} {}", listener.local_addr()?, rpc.local_addr()?);
        io::stdout().flush()?;
        let answers = Answers::default();
        tokio::spawn(rpc::serve(rpc));
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(converse(stream, answers.clone()));
        }
    })
}

/// Everything it ever says.
#[derive(Clone)]
struct Answers {
    small: Bytes,
    big: Bytes,
    posted: Bytes,
}

impl Default for Answers {
    fn default() -> Self {
        let answer = |body: &[u8]| {
            let head = format!(
                "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\n\
                 Content-Length: {}\r\n\r\n",
                body.len()
            );
            Bytes::from([head.as_bytes(), body].concat())
        };
        let text: Vec<u8> = b"hello ".iter().copied().cycle().take(BIG_BYTES).collect();
        let (small, big) = (answer(&text[..SMALL_BYTES]), answer(&text));
        // The storm of switches knows its application by this body.
        Self { small, big, posted: answer(super::drive::HELLO.as_bytes()) }
    }
}

impl Answers {
    fn to(&self, path: &str) -> &Bytes {
        match path {
            "/small" => &self.small,
            "/big" => &self.big,
            _ => &self.posted,
        }
    }
}

async fn converse(mut stream: TcpStream, answers: Answers) {
    let _ = stream.set_nodelay(true);
    let mut bytes = Vec::with_capacity(REQUEST_BYTES_MAX);
    for _ in 0..REQUESTS_MAX {
        let (path, length) = loop {
            match request(&bytes) {
                Some((path, length)) if bytes.len() >= length => break (path, length),
                _ if bytes.len() >= REQUEST_BYTES_MAX => return,
                _ => {}
            }
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        if path == chat::PATH {
            let _ = chat::echo(stream).await;
            return;
        }
        let answer = answers.to(&path);
        bytes.drain(..length);
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// The path of the request at the beginning of the bytes, and the request's length.
fn request(bytes: &[u8]) -> Option<(String, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(begins)) = head.parse(bytes) else { return None };
    let length = head.headers.iter().find(|f| f.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|field| str::from_utf8(field.value).ok()?.parse::<usize>().ok());
    Some((head.path?.to_owned(), begins + length.unwrap_or_default()))
}

/// The path of this program's sibling: the release binary.
pub(crate) fn intermission() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_intermission"))
}
