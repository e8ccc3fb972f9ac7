//! A page on its way: our tag goes in where its head begins, and nothing else of it changes.
//!
//! Every byte that comes in goes out at once and as it came, but for a `<` and the up to four
//! letters behind it while they could become `<html` or `<head`: so no page is held up, none is
//! ever cut short, and the memory that a page takes does not depend on it.

use bytes::Bytes;

use super::learn::{Learner, Learnt};
use super::scan::{Met, Name, Scanner, Syntax};
use crate::digest;

/// The element that loads our script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag(Bytes);

impl Tag {
    /// For the pages of this route; with the nonce that their policy wants.
    pub fn new(route: &str, nonce: Option<&str>) -> Self {
        let quoted = |text: &str| html_escape::encode_double_quoted_attribute(text).into_owned();
        let nonce = nonce.map(|nonce| format!(" nonce=\"{}\"", quoted(nonce))).unwrap_or_default();
        let (path, route) = (super::script_path(), quoted(route));
        // It is well-formed XML as well.
        Self(
            format!("<script async=\"\" src=\"{path}\" data-im=\"{route}\"{nonce}></script>")
                .into(),
        )
    }

    /// Told to ask how its place stands by loading modules, where the policy forbids `fetch`.
    pub fn asking_by_module(self) -> Self {
        let text = String::from_utf8_lossy(&self.0);
        Self(text.replacen(" data-im=", " data-im-ask=\"module\" data-im=", 1).into())
    }

    /// Its bytes, ASCII but for what the route's name has.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// A nonce that nobody can guess, for a policy that lets nothing else pass.
pub fn fresh_nonce() -> String {
    digest::base64(&digest::random::<16>())
}

/// What is done to a page.
pub struct Work {
    /// How it is written.
    pub syntax: Syntax,
    /// Goes in.
    pub script: Option<Tag>,
    /// Whether its forms are learnt.
    pub learn: bool,
}

/// What became of our tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placed {
    /// There has been no place for it yet.
    Looking,
    /// It is in.
    In,
    /// What came is no page, or has no head that could take it.
    Nowhere,
}

/// Does it, piece by piece.
pub struct Rewriter {
    scanner: Scanner,
    tag: Option<Tag>,
    learner: Option<Learner>,
    placed: Placed,
    /// Whether the body begins as a page does; none before its first letter.
    is_page: Option<bool>,
    /// The first bytes, as long as they could be a byte order mark.
    mark: usize,
    /// Bytes that came in.
    taken: u64,
    /// Came in, and did not go out.
    held: Bytes,
}

impl Rewriter {
    /// Begins a page.
    pub fn new(work: Work) -> Self {
        Self {
            scanner: Scanner::new(work.syntax),
            placed: if work.script.is_some() { Placed::Looking } else { Placed::Nowhere },
            tag: work.script,
            learner: work.learn.then(Learner::default),
            is_page: None,
            mark: 0,
            taken: 0,
            held: Bytes::new(),
        }
    }

    /// What became of our tag so far.
    pub fn placed(&self) -> Placed {
        self.placed
    }

    /// What the page's forms keep secret, if that was to be learnt.
    pub fn learnt(&mut self) -> Option<Learnt> {
        self.learner.take().map(Learner::finish)
    }

    /// Takes a piece; what can go on is appended to `out`.
    pub fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) {
        if self.is_page.is_none() {
            self.judge(&piece);
        }
        if self.placed != Placed::Looking && self.learner.is_none() {
            add(out, piece);
            return;
        }
        let looks = self.placed == Placed::Looking;
        let base = self.taken;
        self.taken += piece.len() as u64;
        if let Some(learner) = &mut self.learner {
            learner.skim(&piece);
        }
        let mut spot = None;
        let (syntax, learner) = (self.scanner.syntax(), &mut self.learner);
        self.scanner.push(&piece, &mut |met| {
            if looks && spot.is_none() {
                spot = place(syntax, &met);
            }
            if let Some(learner) = learner {
                learner.meet(met);
            }
        });
        if !looks {
            add(out, piece);
            return;
        }
        match spot {
            Some(Spot::At(at)) => self.insert(piece, at, base, out),
            Some(Spot::Nowhere) => {
                self.placed = Placed::Nowhere;
                add(out, std::mem::take(&mut self.held));
                add(out, piece);
            }
            None => self.wait(piece, base, out),
        }
    }

    /// The page has ended.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        add(out, std::mem::take(&mut self.held));
        let fits = self.scanner.syntax() == Syntax::Html && self.scanner.is_in_text();
        if self.placed == Placed::Looking {
            self.placed = Placed::Nowhere;
            if let Some(tag) = self.tag.take().filter(|_| fits && self.is_page == Some(true)) {
                self.placed = Placed::In;
                add(out, tag.0);
            }
        }
    }

    /// Whether what comes is a page: its first letter, behind blanks and a byte order mark, is `<`.
    fn judge(&mut self, piece: &[u8]) {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        for byte in piece {
            if MARK.get(self.mark) == Some(byte) {
                self.mark += 1;
                continue;
            }
            if byte.is_ascii_whitespace() && matches!(self.mark, 0 | 3) {
                continue;
            }
            self.is_page = Some(*byte == b'<' && matches!(self.mark, 0 | 3));
            break;
        }
        if self.is_page == Some(false) {
            (self.placed, self.learner) = (Placed::Nowhere, None);
        }
    }

    /// Puts the tag at this place of the stream, in `piece`, which begins at `base`, or in what is
    /// held before it.
    fn insert(&mut self, piece: Bytes, at: u64, base: u64, out: &mut Vec<Bytes>) {
        let tag = self.tag.take().map(|tag| tag.0).unwrap_or_default();
        self.placed = Placed::In;
        let held = std::mem::take(&mut self.held);
        match usize::try_from(at.saturating_sub(base)) {
            Ok(cut) if at >= base && cut <= piece.len() => {
                add(out, held);
                add(out, piece.slice(..cut));
                add(out, tag);
                add(out, piece.slice(cut..));
            }
            // It begins with what is held.
            Ok(_) | Err(_) => {
                add(out, tag);
                add(out, held);
                add(out, piece);
            }
        }
    }

    /// No place yet: all goes on, but for the beginning of a tag that ours may have to precede.
    fn wait(&mut self, piece: Bytes, base: u64, out: &mut Vec<Bytes>) {
        let unnamed = self.scanner.unnamed().map(<[u8]>::to_vec).unwrap_or_default();
        if unnamed.is_empty() {
            add(out, std::mem::take(&mut self.held));
            add(out, piece);
            return;
        }
        let length = piece.len();
        let start = (base + length as u64).saturating_sub(unnamed.len() as u64);
        if !may_be_head(&unnamed[1..], self.scanner.syntax()) {
            let Some(spot) = before(self.scanner.syntax(), start) else {
                self.placed = Placed::Nowhere;
                add(out, std::mem::take(&mut self.held));
                add(out, piece);
                return;
            };
            self.insert(piece, spot, base, out);
            return;
        }
        if start < base {
            // The tag began in a piece before, and is held.
            self.held = unnamed.into();
            return;
        }
        add(out, std::mem::take(&mut self.held));
        let cut = length - unnamed.len();
        self.held = piece.slice(cut..);
        add(out, piece.slice(..cut));
    }
}

/// Where the tag goes.
enum Spot {
    At(u64),
    Nowhere,
}

/// Behind the start tag of `head`; before any other element that comes first.
fn place(syntax: Syntax, met: &Met<'_>) -> Option<Spot> {
    match met {
        Met::Named(_, name) if is_html(*name) || is_head(*name) => None,
        Met::Named(at, _) => Some(before(syntax, *at).map_or(Spot::Nowhere, Spot::At)),
        Met::Start { end, name, tag, .. } if is_head(*name) => {
            let is_empty = syntax == Syntax::Xml && tag.ends_with(b"/>");
            Some(if is_empty { Spot::Nowhere } else { Spot::At(*end) })
        }
        Met::Start { .. } | Met::End(_) => None,
    }
}

/// A page without a head gets none in XML, where an element out of place breaks it.
fn before(syntax: Syntax, at: u64) -> Option<u64> {
    match syntax {
        Syntax::Html => Some(at),
        Syntax::Xml => None,
    }
}

fn is_html(name: Name) -> bool {
    name.get() == b"html"
}

fn is_head(name: Name) -> bool {
    name.get() == b"head"
}

fn may_be_head(letters: &[u8], syntax: Syntax) -> bool {
    let starts = |name: &[u8]| {
        name.get(..letters.len()).is_some_and(|start| match syntax {
            Syntax::Html => start.eq_ignore_ascii_case(letters),
            Syntax::Xml => start == letters,
        })
    };
    starts(b"html") || starts(b"head")
}

fn add(out: &mut Vec<Bytes>, piece: Bytes) {
    if !piece.is_empty() {
        out.push(piece);
    }
}
