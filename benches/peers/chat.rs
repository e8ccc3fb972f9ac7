//! WebSocket echo: an origin that says each message back, and visitors who await it.

use std::io;
use std::net::SocketAddr;

use intermission::clock::{Clock, Tick};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::load::Tally;

/// Where the origin talks.
pub(crate) const PATH: &str = "/chat";
/// Bytes of a message.
const MESSAGE_BYTES: usize = 64;
/// A text frame's two bytes, and the four of its mask.
const OPENING: usize = 2;
const MASK: usize = 4;
const HEAD_BYTES_MAX: usize = 4096;
/// Messages of one visitor: the loop's bound.
const MESSAGES_MAX: u64 = 100_000_000;

const HELLO: &str = "GET /chat HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// Sec-WebSocket-Accept is that of [`HELLO`]'s key (RFC 6455 §1.3): a proxy hands the key on.
const WELCOME: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The origin's side: every frame is one of [`said`], its mask is zero, and so it is its own echo.
pub(crate) async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(WELCOME.as_bytes()).await?;
    let mut frame = said();
    for _ in 0..MESSAGES_MAX {
        stream.read_exact(&mut frame).await?;
        let mut back = vec![frame[0], MESSAGE_BYTES as u8];
        back.extend_from_slice(&frame[OPENING + MASK..]);
        stream.write_all(&back).await?;
    }
    Ok(())
}

/// One masked text frame.
fn said() -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | MESSAGE_BYTES as u8, 0, 0, 0, 0];
    frame.extend(std::iter::repeat_n(b'x', MESSAGE_BYTES));
    frame
}

/// A visitor who talks until then.
pub(crate) async fn talk(to: SocketAddr, ends: Tick, tally: &mut Tally) -> io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    stream.write_all(HELLO.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX {
            return Err(io::Error::other("no end of the head"));
        }
        head.push(stream.read_u8().await?);
    }
    if !head.starts_with(b"HTTP/1.1 101 ") {
        tally.others += 1;
        return Ok(());
    }
    let (frame, mut back) = (said(), [0; OPENING + MESSAGE_BYTES]);
    let mut asked = Clock::System.tick();
    for _ in 0..MESSAGES_MAX {
        stream.write_all(&frame).await?;
        stream.read_exact(&mut back).await?;
        let answered = Clock::System.tick();
        tally.latencies.push(answered.since(asked));
        asked = answered;
        if back[OPENING..] == frame[OPENING + MASK..] {
            tally.answers += 1;
        } else {
            tally.others += 1;
        }
        if answered >= ends {
            break;
        }
    }
    Ok(())
}
