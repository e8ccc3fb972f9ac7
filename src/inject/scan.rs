//! Tags in a stream of HTML: where each begins and ends, whatever pieces the stream comes in.
//!
//! This follows the tokenizer of the HTML standard (§13.2.5) as far as the bounds of tags depend
//! on it: comments, texts of `script`, `style` and their like, quoted values. It builds no tree,
//! keeps no text, and holds at most the beginning of one tag, so that a page costs its scan and
//! nothing else. (`lol_html` tells the same and more, at a third of the speed; a test holds the
//! two together.)

use memchr::memchr;

use crate::limit;

/// How a page is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Syntax {
    /// `text/html`.
    Html,
    /// `application/xhtml+xml`.
    Xml,
}

/// A tag's name in lower case (as it stands in XML), as far as names that matter are long.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Name {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl Name {
    const LONGEST: usize = 13;

    /// Its bytes; none of a longer name.
    pub fn get(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        self.length = (self.length + 1).min(Self::LONGEST + 1);
    }
}

/// What the stream has.
#[derive(Clone, Copy, Debug)]
pub enum Met<'a> {
    /// A start tag begins at this place of the stream, and is called so.
    Named(u64, Name),
    /// A start tag ends before this place of the stream.
    Start {
        /// Behind its `>`.
        end: u64,
        /// How it is called.
        name: Name,
        /// The tag from `<` on: whole, or its beginning if it is longer than is kept.
        tag: &'a [u8],
        /// Whether it came in more than one piece.
        pieced: bool,
    },
    /// An end tag.
    End(Name),
}

/// Where in a tag, behind its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Inside {
    /// Before an attribute's name; behind a `/` or not.
    Between(bool),
    Attribute,
    AfterAttribute,
    BeforeValue,
    Quoted(u8),
    Bare,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Text,
    /// Behind `<`.
    Open,
    /// Behind `</`.
    Close,
    Name,
    Tag(Inside),
    /// Behind `<!`, and so much of `--`.
    Bang(bool),
    /// So much of `<![CDATA[`.
    BangCdata(u8),
    /// Dashes just before, with and without those of `<!--`; whether `--!` is.
    Comment(u8, u8, bool),
    /// Up to `>`.
    Bogus,
    /// An XML document type, so deep in brackets.
    Doctype(u8),
    /// An instruction; whether `?` is just before.
    Instruction(bool),
    /// `]` just before.
    Cdata(u8),
    /// Text of an element up to its end tag, of which so much is just before.
    Raw(usize),
}

/// Reads a stream.
pub struct Scanner {
    syntax: Syntax,
    state: State,
    name: Name,
    /// The element whose text is being read.
    raw: Name,
    closing: bool,
    /// Bytes of the stream before the piece at hand.
    passed: u64,
    /// Where the tag at hand begins in the piece at hand.
    start: usize,
    /// The beginning of a tag that began in a piece before.
    carry: Vec<u8>,
    /// How many `svg` and `math` are open.
    foreign: u32,
}

impl Scanner {
    /// At the beginning of a page.
    pub fn new(syntax: Syntax) -> Self {
        Self {
            syntax,
            state: State::Text,
            name: Name::default(),
            raw: Name::default(),
            closing: false,
            passed: 0,
            start: 0,
            carry: Vec::new(),
            foreign: 0,
        }
    }

    /// How the page is written.
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// Whether what would be inserted here is read as markup.
    pub fn is_in_text(&self) -> bool {
        self.state == State::Text
    }

    /// The beginning of a tag whose name is not whole yet; it stands at the end of what was pushed.
    pub fn unnamed(&self) -> Option<&[u8]> {
        let open = matches!(self.state, State::Open) || self.state == State::Name && !self.closing;
        open.then_some(&self.carry)
    }

    /// Takes more of the stream and tells of its tags.
    pub fn push(&mut self, bytes: &[u8], tell: &mut impl FnMut(Met<'_>)) {
        let mut at = 0;
        self.start = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.state {
                State::Text => self.text(rest, at),
                State::Open => self.open(rest[0], at),
                State::Close => self.close(rest[0]),
                State::Name => self.named(rest, tell),
                State::Tag(inside) => self.tag(inside, rest, (bytes, at), tell),
                State::Bang(dash) => self.bang(rest[0], dash),
                State::BangCdata(so_far) => self.bang_cdata(rest[0], so_far),
                State::Comment(dashes, real, bang) => self.comment(rest, dashes, real, bang),
                State::Bogus => self.up_to_end(rest),
                State::Doctype(depth) => self.doctype(rest[0], depth),
                State::Instruction(question) => self.instruction(rest[0], question),
                State::Cdata(brackets) => self.cdata(rest[0], brackets),
                State::Raw(so_far) => self.raw(rest, at, so_far),
            };
        }
        if matches!(self.state, State::Open | State::Close | State::Name | State::Tag(_)) {
            self.keep(bytes.get(self.start..).unwrap_or_default());
        }
        self.passed += bytes.len() as u64;
    }

    /// Keeps the beginning of a tag that ends in a later piece.
    fn keep(&mut self, part: &[u8]) {
        let room = limit::INJECT_TAG_BYTES_MAX.saturating_sub(self.carry.len());
        self.carry.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn text(&mut self, rest: &[u8], at: usize) -> usize {
        let Some(opens) = memchr(b'<', rest) else { return rest.len() };
        self.begin(at + opens);
        opens + 1
    }

    fn begin(&mut self, start: usize) {
        self.state = State::Open;
        self.start = start;
        self.carry.clear();
    }

    fn open(&mut self, byte: u8, at: usize) -> usize {
        let is_xml = self.syntax == Syntax::Xml;
        (self.state, self.closing) = match byte {
            b'a'..=b'z' | b'A'..=b'Z' => (State::Name, false),
            b'_' | b':' | 0x80.. if is_xml => (State::Name, false),
            b'/' => (State::Close, true),
            b'!' => (State::Bang(false), false),
            b'?' if is_xml => (State::Instruction(false), false),
            b'?' => (State::Bogus, false),
            b'<' => {
                self.begin(at);
                return 1;
            }
            _ => (State::Text, false),
        };
        self.name = Name::default();
        usize::from(matches!(byte, b'/' | b'!' | b'?'))
    }

    fn close(&mut self, byte: u8) -> usize {
        self.state = match byte {
            b'a'..=b'z' | b'A'..=b'Z' => State::Name,
            b'_' | b':' | 0x80.. if self.syntax == Syntax::Xml => State::Name,
            b'>' => State::Text,
            _ => State::Bogus,
        };
        usize::from(byte == b'>')
    }

    fn named(&mut self, rest: &[u8], tell: &mut impl FnMut(Met<'_>)) -> usize {
        for (count, byte) in rest.iter().enumerate() {
            if ends_name(*byte) {
                self.state = State::Tag(Inside::Between(false));
                if !self.closing {
                    // What is carried of it came in pieces before.
                    let before = self.carry.len() as u64;
                    let at = self.passed + self.start as u64 - before;
                    tell(Met::Named(at, self.name));
                }
                return count;
            }
            let byte = match self.syntax {
                Syntax::Html => byte.to_ascii_lowercase(),
                Syntax::Xml => *byte,
            };
            self.name.push(byte);
        }
        rest.len()
    }

    fn tag(
        &mut self,
        mut inside: Inside,
        rest: &[u8],
        (bytes, at): (&[u8], usize),
        tell: &mut impl FnMut(Met<'_>),
    ) -> usize {
        let mut count = 0;
        while let Some(byte) = rest.get(count) {
            if let Inside::Quoted(quote) = inside {
                let Some(length) = memchr(quote, &rest[count..]) else {
                    count = rest.len();
                    break;
                };
                (inside, count) = (Inside::Between(false), count + length + 1);
                continue;
            }
            count += 1;
            inside = match (inside, byte) {
                (Inside::BeforeValue, b'"' | b'\'') => Inside::Quoted(*byte),
                (_, b'>') => {
                    let is_empty = inside == Inside::Between(true);
                    self.end_tag(bytes, at + count, is_empty, tell);
                    return count;
                }
                (Inside::Bare, blank) if !is_blank(*blank) => Inside::Bare,
                (Inside::BeforeValue, blank) if is_blank(*blank) => Inside::BeforeValue,
                (Inside::BeforeValue, _) => Inside::Bare,
                (_, b'/') => Inside::Between(true),
                (Inside::Attribute | Inside::AfterAttribute, b'=') => Inside::BeforeValue,
                (Inside::Attribute | Inside::AfterAttribute, blank) if is_blank(*blank) => {
                    Inside::AfterAttribute
                }
                (Inside::Between(slash), blank) if is_blank(*blank) => Inside::Between(slash),
                (_, blank) if is_blank(*blank) => Inside::Between(false),
                (_, _) => Inside::Attribute,
            };
        }
        self.state = State::Tag(inside);
        count
    }

    fn end_tag(
        &mut self,
        bytes: &[u8],
        end: usize,
        is_empty: bool,
        tell: &mut impl FnMut(Met<'_>),
    ) {
        let name = self.name;
        self.state = State::Text;
        if self.closing {
            if matches!(name.get(), b"svg" | b"math") {
                self.foreign = self.foreign.saturating_sub(1);
            }
            self.carry.clear();
            tell(Met::End(name));
            return;
        }
        let pieced = !self.carry.is_empty();
        let tag = bytes.get(self.start..end).unwrap_or_default();
        if pieced {
            self.keep(tag);
        }
        let tag = if pieced { &self.carry } else { tag };
        tell(Met::Start { end: self.passed + end as u64, name, tag, pieced });
        self.carry.clear();
        if self.syntax == Syntax::Xml {
            return;
        }
        if matches!(name.get(), b"svg" | b"math") && !is_empty {
            self.foreign += 1;
        } else if has_raw_text(name.get()) && !(is_empty && self.foreign > 0) {
            (self.raw, self.state) = (name, State::Raw(0));
        }
    }

    fn bang(&mut self, byte: u8, dash: bool) -> usize {
        let has_cdata = self.syntax == Syntax::Xml || self.foreign > 0;
        let (state, count) = match (byte, dash) {
            (b'-', false) => (State::Bang(true), 1),
            (b'-', true) => (State::Comment(2, 0, false), 1),
            (b'[', false) if has_cdata => (State::BangCdata(1), 1),
            (_, false) if self.syntax == Syntax::Xml => (State::Doctype(0), 0),
            (_, _) => (State::Bogus, 0),
        };
        self.state = state;
        count
    }

    fn bang_cdata(&mut self, byte: u8, so_far: u8) -> usize {
        const CDATA: &[u8] = b"[CDATA[";
        let so_far = usize::from(so_far);
        if CDATA.get(so_far) != Some(&byte) {
            self.state = State::Bogus;
            return 0;
        }
        let is_whole = so_far + 1 == CDATA.len();
        self.state = if is_whole { State::Cdata(0) } else { State::BangCdata(so_far as u8 + 1) };
        1
    }

    fn comment(&mut self, rest: &[u8], dashes: u8, real: u8, bang: bool) -> usize {
        if dashes == 0 && !bang {
            let skipped = memchr(b'-', rest).unwrap_or(rest.len());
            if skipped > 0 {
                return skipped;
            }
        }
        self.state = match rest[0] {
            b'>' if bang || dashes >= 2 => State::Text,
            b'-' if bang => State::Comment(1, 1, false),
            b'-' => State::Comment((dashes + 1).min(2), (real + 1).min(2), false),
            b'!' if real >= 2 => State::Comment(0, 0, true),
            _ => State::Comment(0, 0, false),
        };
        1
    }

    fn up_to_end(&mut self, rest: &[u8]) -> usize {
        let Some(length) = memchr(b'>', rest) else { return rest.len() };
        self.state = State::Text;
        length + 1
    }

    fn doctype(&mut self, byte: u8, depth: u8) -> usize {
        self.state = match byte {
            b'>' if depth == 0 => State::Text,
            b'[' => State::Doctype(depth.saturating_add(1)),
            b']' => State::Doctype(depth.saturating_sub(1)),
            _ => State::Doctype(depth),
        };
        1
    }

    fn instruction(&mut self, byte: u8, question: bool) -> usize {
        let ends = byte == b'>' && question;
        self.state = if ends { State::Text } else { State::Instruction(byte == b'?') };
        1
    }

    fn cdata(&mut self, byte: u8, brackets: u8) -> usize {
        self.state = match byte {
            b'>' if brackets >= 2 => State::Text,
            b']' => State::Cdata((brackets + 1).min(2)),
            _ => State::Cdata(0),
        };
        1
    }

    fn raw(&mut self, rest: &[u8], at: usize, so_far: usize) -> usize {
        if so_far == 0 {
            let Some(opens) = memchr(b'<', rest) else { return rest.len() };
            self.state = State::Raw(1);
            return opens + 1;
        }
        let (byte, name) = (rest[0], self.raw.get());
        let goes_on = match so_far {
            1 => byte == b'/',
            so_far => name.get(so_far - 2) == Some(&byte.to_ascii_lowercase()),
        };
        if goes_on {
            self.state = State::Raw(so_far + 1);
            return 1;
        }
        if so_far == name.len() + 2 && ends_name(byte) {
            (self.name, self.closing, self.start) = (self.raw, true, at);
            self.carry.clear();
            self.state = State::Tag(Inside::Between(false));
            return 0;
        }
        self.state = State::Raw(usize::from(byte == b'<'));
        1
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

pub(super) fn ends_name(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'/' | b'>')
}

/// Elements whose text has no tags. That of `noscript` has, for whom no script runs.
fn has_raw_text(name: &[u8]) -> bool {
    matches!(
        name,
        b"script"
            | b"style"
            | b"textarea"
            | b"title"
            | b"xmp"
            | b"iframe"
            | b"noembed"
            | b"noframes"
    )
}
