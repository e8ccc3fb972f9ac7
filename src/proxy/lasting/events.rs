//! Where an event stream (`text/event-stream`) stands between two events.

use memchr::memchr2;

/// Follows an event stream. Lines end in LF, CR or CRLF; an empty line ends an event (HTML
/// standard, "Parsing an event stream").
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Events {
    at: At,
    /// The last byte was a CR: an LF behind it is no further line end.
    after_cr: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// Nothing of the next event has been seen.
    Between,
    /// At the begin of a line that may be empty and so end the event.
    LineBegin,
    /// In a line.
    Line,
}

impl Events {
    /// At its begin.
    pub(in crate::proxy) fn new() -> Self {
        Self { at: At::Between, after_cr: false }
    }

    /// Whether no event has begun that has not ended.
    pub(in crate::proxy) fn is_between(&self) -> bool {
        self.at == At::Between
    }

    /// Follows the next piece; tells the last place in it that lies between two events.
    pub(in crate::proxy) fn follow(&mut self, piece: &[u8]) -> Option<usize> {
        let mut boundary = self.is_between().then_some(0);
        let mut at = 0;
        while at < piece.len() {
            let byte = piece[at];
            let second = std::mem::take(&mut self.after_cr) && byte == b'\n';
            if second {
                at += 1;
            } else if byte == b'\n' || byte == b'\r' {
                self.after_cr = byte == b'\r';
                self.at = match self.at {
                    At::Between | At::LineBegin => At::Between,
                    At::Line => At::LineBegin,
                };
                at += 1;
            } else {
                self.at = At::Line;
                at += memchr2(b'\n', b'\r', &piece[at..]).unwrap_or(piece.len() - at);
            }
            if self.is_between() {
                boundary = Some(at);
            }
        }
        boundary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(pieces: &[&str]) -> Vec<Option<usize>> {
        let mut events = Events::new();
        pieces.iter().map(|piece| events.follow(piece.as_bytes())).collect()
    }

    #[test]
    fn an_empty_line_ends_an_event_however_lines_end() {
        assert_eq!(ends(&["data: a\n\n"]), [Some(9)]);
        assert_eq!(ends(&["data: a\r\n\r\n"]), [Some(11)]);
        assert_eq!(ends(&["data: a\r\r"]), [Some(9)]);
        assert_eq!(ends(&["data: a\r\ndata: b"]), [Some(0)], "only before it");
        assert_eq!(ends(&["data: a\n\ndata: b\n"]), [Some(9)]);
        assert_eq!(ends(&["data: a\n", "data: b\n", "\n", "x"]), [Some(0), None, Some(1), Some(0)]);
    }

    #[test]
    fn a_split_line_end_is_one_line_end() {
        assert_eq!(ends(&["data: a\r", "\n", "b\n"]), [Some(0), None, None]);
        assert_eq!(ends(&["data: a\r\n\r", "\n"]), [Some(10), Some(1)]);
        assert_eq!(ends(&[": ping\n"]), [Some(0)]);
    }
}
