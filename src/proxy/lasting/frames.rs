//! Where one direction of a WebSocket stands between two frames (RFC 6455 §5.2).

/// The longest head of a frame: two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;
const CLOSE: u8 = 0x8;

/// Follows the frames of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::proxy) struct Frames {
    head: [u8; HEAD_BYTES_MAX],
    /// How much of the head has been seen.
    seen: usize,
    /// Bytes of the payload that are still to come.
    left: u64,
    /// Close was said: nothing may follow.
    closed: bool,
    /// These are no frames.
    lost: bool,
}

impl Frames {
    /// Whether no frame has begun that has not ended. A Close may stand between the frames of one
    /// message (RFC 6455 §5.4).
    pub(in crate::proxy) fn is_between(&self) -> bool {
        self.seen == 0 && self.left == 0 && !self.lost
    }

    /// Whether this side has said Close.
    pub(in crate::proxy) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether what passes is no WebSocket, whatever was agreed on.
    pub(in crate::proxy) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Follows the next piece; tells the last place in it that lies between two frames.
    pub(in crate::proxy) fn follow(&mut self, piece: &[u8]) -> Option<usize> {
        let mut boundary = self.is_between().then_some(0);
        let mut at = 0;
        while at < piece.len() && !self.lost {
            if self.left > 0 {
                let rest = (piece.len() - at) as u64;
                let step = self.left.min(rest);
                self.left -= step;
                // No more than the piece has.
                at += step as usize;
            } else {
                self.head[self.seen] = piece[at];
                self.seen += 1;
                at += 1;
                if self.seen >= 2 && self.seen == self.head_bytes() {
                    self.end_head();
                }
            }
            if self.is_between() {
                boundary = Some(at);
            }
        }
        boundary
    }

    fn head_bytes(&self) -> usize {
        let length = match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        2 + length + mask
    }

    fn end_head(&mut self) {
        let [first, second, a, b, c, d, e, f, g, h, ..] = self.head;
        self.left = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([a, b])),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            short => u64::from(short),
        };
        self.seen = 0;
        match first & 0x0f {
            CLOSE => self.closed = true,
            0x0..=0x2 | 0x9 | 0xa => {}
            _ => self.lost = true,
        }
    }
}

/// A Close frame with a status code and a reason of at most 123 bytes (RFC 6455 §5.5.1). What goes
/// to a server is masked (RFC 6455 §5.3).
pub(in crate::proxy) fn close(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let reason = &reason.as_bytes()[..reason.len().min(123)];
    // At most 125 bytes, so that the length fits its seven bits.
    let length = 2 + reason.len() as u8;
    let mut frame = vec![0x80 | CLOSE, length];
    let payload = code.to_be_bytes().into_iter().chain(reason.iter().copied());
    match mask {
        None => frame.extend(payload),
        Some(mask) => {
            frame[1] |= 0x80;
            frame.extend(mask);
            frame.extend(payload.zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_end_where_they_say() {
        let long = [&[0x82, 126, 1, 0][..], &[7; 256]].concat();
        let longest = [&[0x02, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[7; 65_536]].concat();
        let masked = [0x81, 0x85, 1, 2, 3, 4, b'h', b'e', b'l', b'l', b'o'];
        let wire = [&long[..], &longest, &masked, &[0x89, 0]].concat();
        for size in [1, 3, 1000, wire.len()] {
            let mut frames = Frames::default();
            let mut ends = 0;
            for piece in wire.chunks(size) {
                let before = frames.is_between();
                ends += usize::from(frames.follow(piece).is_some_and(|at| at > 0 || before));
            }
            assert!(frames.is_between() && ends > 0, "in pieces of {size}");
        }
        let mut frames = Frames::default();
        assert_eq!(frames.follow(&[0x81, 1, b'a', 0x81, 2, b'b']), Some(3));
        assert_eq!(frames.follow(b"c"), Some(1));
    }

    #[test]
    fn a_close_is_seen_and_what_is_no_frame_too() {
        let mut frames = Frames::default();
        frames.follow(&close(1012, "bye", Some([1, 2, 3, 4])));
        assert!(frames.is_closed() && frames.is_between());
        frames.follow(&[0x83, 0]);
        assert!(frames.is_lost() && !frames.is_between());
    }

    #[test]
    fn a_close_is_written_as_the_rfc_has_it() {
        assert_eq!(close(1012, "bye", None), [0x88, 5, 0x03, 0xf4, b'b', b'y', b'e']);
        let masked = close(1012, "", Some([0xff, 0, 0xff, 0]));
        assert_eq!(masked, [0x88, 0x82, 0xff, 0, 0xff, 0, 0xfc, 0xf4]);
    }
}
