//! Where a gRPC stream stands between two messages.

/// Bytes before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Follows the length-prefixed messages of an answer (gRPC over HTTP/2, "Length-Prefixed-Message").
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::proxy) struct Messages {
    prefix: [u8; PREFIX_BYTES],
    /// How much of the prefix has been seen.
    seen: usize,
    /// Bytes of the message that are still to come.
    left: usize,
}

impl Messages {
    /// Whether no message has begun that has not ended.
    pub(in crate::proxy) fn is_between(&self) -> bool {
        self.seen == 0 && self.left == 0
    }

    /// Follows the next piece; tells the last place in it that lies between two messages.
    pub(in crate::proxy) fn follow(&mut self, piece: &[u8]) -> Option<usize> {
        let mut boundary = self.is_between().then_some(0);
        let mut at = 0;
        while at < piece.len() {
            if self.left > 0 {
                let step = self.left.min(piece.len() - at);
                self.left -= step;
                at += step;
            } else {
                self.prefix[self.seen] = piece[at];
                self.seen += 1;
                at += 1;
                if self.seen == PREFIX_BYTES {
                    let [_, a, b, c, d] = self.prefix;
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    self.seen = 0;
                }
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

    #[test]
    fn messages_end_where_their_length_says() {
        let mut messages = Messages::default();
        assert_eq!(messages.follow(b"\0\0\0\0\x03abc"), Some(8));
        assert_eq!(messages.follow(b"\0\0\0\0\0"), Some(5), "an empty message");
        assert_eq!(messages.follow(b"\0\0\0"), Some(0));
        assert_eq!(messages.follow(b"\0\x02a"), None);
        assert!(!messages.is_between());
        assert_eq!(messages.follow(b"b\0\0\0\0\x01"), Some(1));
    }
}
