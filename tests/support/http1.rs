//! One HTTP/1.1 message, request or response, read from a stream of bytes: enough of the protocol
//! to see exactly what was sent, and nothing shared with the code under test.

/// A message as it stood on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The request or status line.
    pub(crate) first_line: String,
    /// Field names as they were sent, and values, in order.
    pub(crate) fields: Vec<(String, String)>,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// Sizes of the chunks, if the body came in chunks.
    pub(crate) chunks: Vec<usize>,
    /// Fields after the last chunk.
    pub(crate) trailers: Vec<(String, String)>,
    /// Every byte of it.
    pub(crate) raw: Vec<u8>,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// A request without framing has no body.
    Request,
    /// A response without framing ends with its connection.
    Response,
    /// A response to HEAD has no body whatever it says.
    Bodiless,
}

/// Where reading a message stands.
#[derive(Debug)]
pub(crate) enum Progress {
    /// It is there, and this many bytes long.
    Whole(Box<Message>, usize),
    /// More bytes are needed.
    Partial,
    /// More bytes are needed, or the end of the connection.
    UntilClose(Box<Message>),
    /// It is no HTTP/1.1 message.
    Broken(String),
}

impl Message {
    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// All values of a field.
    pub(crate) fn field_values(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The status of a response.
    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        let status = self.first_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no status in {:?}", self.first_line))
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> &str {
        self.first_line.split(' ').next().unwrap_or_default()
    }

    /// The target of a request.
    pub(crate) fn target(&self) -> &str {
        self.first_line.split(' ').nth(1).unwrap_or_default()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads the message at the beginning of `bytes`.
pub(crate) fn read(bytes: &[u8], side: Side) -> Progress {
    let Some(head_end) = find(bytes, b"\r\n\r\n") else { return Progress::Partial };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let first_line = lines.next().unwrap_or_default().to_owned();
    let fields = match lines.map(field_of).collect() {
        Ok(fields) => fields,
        Err(line) => return Progress::Broken(format!("field line {line:?}")),
    };
    let mut message = Message { first_line, fields, ..Message::default() };
    let body = head_end + 4;
    let bodiless = side == Side::Bodiless
        || side == Side::Response && matches!(message.status(), 100..=199 | 204 | 304);
    let coding = message.field("transfer-encoding").unwrap_or_default().to_ascii_lowercase();
    let length = message.field("content-length").map(|length| length.trim().parse::<usize>());
    match (bodiless, coding.ends_with("chunked"), length) {
        (true, _, _) => whole(message, bytes, body),
        (false, true, _) => read_chunks(message, bytes, body),
        (false, false, Some(Ok(length))) => match bytes.get(body..body + length) {
            None => Progress::Partial,
            Some(content) => {
                message.body = content.to_vec();
                whole(message, bytes, body + length)
            }
        },
        (false, false, Some(Err(fault))) => Progress::Broken(format!("content-length: {fault}")),
        (false, false, None) if side == Side::Request => whole(message, bytes, body),
        (false, false, None) => {
            message.body = bytes[body..].to_vec();
            message.raw = bytes.to_vec();
            Progress::UntilClose(Box::new(message))
        }
    }
}

fn read_chunks(mut message: Message, bytes: &[u8], mut at: usize) -> Progress {
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else { return Progress::Partial };
        let text = String::from_utf8_lossy(&bytes[at..at + line]).into_owned();
        let digits = text.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(digits, 16) else {
            return Progress::Broken(format!("chunk size line {text:?}"));
        };
        at += line + 2;
        if size == 0 {
            return read_trailers(message, bytes, at);
        }
        match bytes.get(at..at + size + 2) {
            None => return Progress::Partial,
            Some(chunk) if chunk.ends_with(b"\r\n") => {
                message.body.extend_from_slice(&chunk[..size]);
                message.chunks.push(size);
                at += size + 2;
            }
            Some(_) => return Progress::Broken("a chunk without its line end".to_owned()),
        }
    }
}

fn read_trailers(mut message: Message, bytes: &[u8], mut at: usize) -> Progress {
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else { return Progress::Partial };
        let text = String::from_utf8_lossy(&bytes[at..at + line]).into_owned();
        at += line + 2;
        if text.is_empty() {
            return whole(message, bytes, at);
        }
        match field_of(&text) {
            Ok(field) => message.trailers.push(field),
            Err(line) => return Progress::Broken(format!("trailer line {line:?}")),
        }
    }
}

fn whole(mut message: Message, bytes: &[u8], length: usize) -> Progress {
    message.raw = bytes[..length].to_vec();
    Progress::Whole(Box::new(message), length)
}

fn field_of(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or_else(|| line.to_owned())?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
