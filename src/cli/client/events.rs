//! Reads a stream of server-sent events (WHATWG HTML §9.2), as far as our own API writes them.

use serde_json::Value;

use super::Event;

/// Of one event. Over it: the stream is not what we know, and is left.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What was read of the event that is under way.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    kind: String,
    id: String,
    data: String,
}

impl Events {
    /// Takes a piece of the stream; false once `each` has enough.
    pub(super) fn read(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(Event) -> bool,
    ) -> Result<bool, String> {
        for byte in piece {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if let Some(event) = self.take(String::from_utf8_lossy(&line).trim_end())
                && !each(event)
            {
                return Ok(false);
            }
        }
        if self.line.len().max(self.data.len()) > EVENT_BYTES_MAX {
            return Err(format!("an event of over {EVENT_BYTES_MAX} bytes"));
        }
        Ok(true)
    }

    /// One line; an empty one ends the event.
    fn take(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
            let is_event = !data.is_empty();
            let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
            return is_event.then(|| Event { kind, id: self.id.clone(), data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "id" => value.clone_into(&mut self.id),
            "data" => self.data.push_str(value),
            // Comments, which begin with the colon, keep the connection alive.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_however_they_are_cut() {
        let stream = b": hello\n\nevent: window\nid: 7\ndata: {\"a\":1}\n\ndata: {}\n\ndata: x\n\n";
        for size in 1..stream.len() {
            let (mut events, mut seen) = (Events::default(), Vec::new());
            let mut each = |event: Event| {
                seen.push(format!("{} {} {}", event.kind, event.id, event.data));
                seen.len() < 2
            };
            let mut pieces = stream.chunks(size);
            assert!(pieces.any(|piece| !events.read(piece, &mut each).expect("small")));
            assert_eq!(seen, ["window 7 {\"a\":1}", " 7 {}"], "in pieces of {size}");
        }
    }
}
