//! Whose a connection is, told by the balancer that passes it on before anything else is said.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::addr::proxy_protocol::{Ends, Fault, Header, Parsed, V2_BYTES_MAX, parse};
use crate::limit;

/// Why a connection is closed before its first request.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// What a trusted balancer sends first must be a header, and it is none.
    #[error(transparent)]
    Header(#[from] Fault),
    /// It broke or ended before that.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// The ends of a connection that a balancer passes on, taken from its first bytes; no byte behind
/// the header is. None if the header is missing, malformed or late. A balancer that speaks for
/// itself, or does not say for whom, keeps the ends of the socket.
pub(super) async fn take(stream: &mut TcpStream, own: Ends) -> Option<Ends> {
    let peer = own.source;
    match tokio::time::timeout(limit::HEAD_DEADLINE, header(stream)).await {
        Ok(Ok(header)) => Some(header.ends.unwrap_or(own)),
        Ok(Err(why)) => {
            tracing::debug!(%peer, %why, "a balancer did not say whose its connection is");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "a balancer did not say in time whose its connection is");
            None
        }
    }
}

/// Reads exactly the header. Bytes are looked at first and taken then, since what follows is TLS
/// or HTTP and is read by others.
async fn header(stream: &mut TcpStream) -> Result<Header, Refused> {
    let mut bytes = [0; V2_BYTES_MAX];
    let mut taken = 0;
    loop {
        let looked = stream.peek(&mut bytes[taken..]).await?;
        if looked == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let parsed = parse(&bytes[..taken + looked])?;
        let next = match &parsed {
            Parsed::Whole(header) => header.length,
            // All of it is header, so it can be taken, and waiting for more really waits.
            Parsed::Partial => taken + looked,
        };
        stream.read_exact(&mut bytes[taken..next]).await?;
        taken = next;
        if let Parsed::Whole(header) = parsed {
            return Ok(header);
        }
    }
}
