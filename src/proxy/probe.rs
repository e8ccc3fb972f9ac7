//! What load balancers are answered at a listener of their own (`listen.probe`): 200 while this
//! node takes visitors, 503 from the moment it is told to stop. Windows do not matter here: a node
//! that shows pages is a node that works.
//!
//! A probe is answered whatever it asks for, and past the bounds on connections: a node that is
//! full must not be taken for one that is dead.

use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::worker::Worker;
use crate::limit;

const SERVING: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\nok\n";
const LEAVING: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
    Content-Length: 9\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nstopping\n";

/// Answers one probe, if not too many are under way.
pub(super) fn take(worker: &Rc<Worker>, stream: TcpStream) {
    if worker.probes.get() >= limit::PROBES_AT_ONCE_MAX {
        return;
    }
    worker.probes.set(worker.probes.get() + 1);
    let asked = Rc::clone(worker);
    worker.spawn(async move {
        let _ = tokio::time::timeout(limit::HEAD_DEADLINE, answer(&asked, stream)).await;
        asked.probes.set(asked.probes.get() - 1);
    });
}

async fn answer(worker: &Worker, mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(512);
    while memchr::memmem::find(&head, b"\r\n\r\n").is_none() {
        let read = (&mut stream).take(512).read_buf(&mut head).await?;
        if read == 0 || head.len() > limit::PROBE_HEAD_BYTES_MAX {
            return Ok(());
        }
    }
    let answer = if worker.is_leaving() { LEAVING } else { SERVING };
    let whole = if head.starts_with(b"HEAD ") {
        let end = memchr::memmem::find(answer.as_bytes(), b"\r\n\r\n").map_or(0, |at| at + 4);
        &answer[..end]
    } else {
        answer
    };
    stream.write_all(whole.as_bytes()).await?;
    stream.shutdown().await
}
