//! A door for `tests/fuzz` into parsers that nobody else calls: what they make of bytes, in words
//! that hold nothing of theirs. Compiled only with the feature `fuzzing`.

use http::Request;

use super::head;
use super::wire::{Scan, Scanner};
use crate::addr::canonical_host;
use crate::limit;

/// How far the bytes of a client could be followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Followed {
    /// To the end; whether that is between two requests.
    Clean(bool),
    /// To a head that is refused; what for.
    Head(String),
    /// To a body whose framing is refused; what for.
    Body(String),
}

/// Follows a connection that arrives in these pieces.
pub fn requests<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Followed {
    let mut scanner = Scanner::of_requests(limit::HEAD_BYTES_MAX);
    for piece in pieces {
        match scanner.scan(piece) {
            Scan::Clean => {}
            Scan::FaultInHead(_, fault) => return Followed::Head(format!("{fault:?}")),
            Scan::FaultInBody(_, fault) => return Followed::Body(format!("{fault:?}")),
        }
    }
    Followed::Clean(scanner.is_between())
}

/// The host and the path that a request is judged by, in canonical form; none if it is refused.
pub fn place(request: &Request<()>) -> Option<(String, String)> {
    let (mut host, mut path) = (String::new(), String::new());
    let host = canonical_host(head::host_of(request).ok()?, &mut host).ok()?.to_owned();
    let path = head::path_of(request, limit::TARGET_BYTES_MAX, &mut path).ok()?.path.to_owned();
    Some((host, path))
}
