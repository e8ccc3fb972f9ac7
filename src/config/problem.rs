//! What is wrong with a config file: where it stands, what it is, and how to mend it.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ConfigProblem)]
pub struct Problem {
    /// The line it begins on, from 1. 0 if the file could not be read at all.
    pub line: usize,
    /// The character of that line it begins at, from 1. 0 if the file could not be read at all.
    pub column: usize,
    /// The bytes of the file that are meant.
    #[schema(value_type = Object)]
    pub span: Range<usize>,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub help: String,
    /// Another place that belongs to it, and what stands there.
    #[serde(skip)]
    beside: Option<(Range<usize>, String)>,
}

/// Everything that is wrong with one file, in the order of the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    name: String,
    /// What was typed, secrets masked; `None` if it could not be read.
    text: Option<String>,
    list: Vec<Problem>,
}

/// Whether a rendering is for a terminal that knows colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Color {
    /// ANSI colours.
    Styled,
    /// Characters alone.
    Plain,
}

/// Problems as they are found, before their lines are counted.
#[derive(Default)]
pub(super) struct Found {
    list: Vec<Problem>,
    secrets: Vec<Range<usize>>,
}

impl Found {
    /// Something is wrong at `span`.
    pub(super) fn add(
        &mut self,
        span: Range<usize>,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (what, help) = (what.into(), help.into());
        self.list.push(Problem { line: 0, column: 0, span, what, help, beside: None });
    }

    /// Something is wrong at `span` because of what stands at `beside`.
    pub(super) fn add_beside(
        &mut self,
        span: Range<usize>,
        beside: (Range<usize>, &str),
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(span, what, help);
        if let Some(last) = self.list.last_mut() {
            last.beside = Some((beside.0, beside.1.to_owned()));
        }
    }

    /// What stands at `span` is never to be shown.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.secrets.push(span);
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How much is wrong so far.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The problems of the file `name` with the text `text`; `None` if there are none.
    pub(super) fn into_problems(mut self, name: &str, text: &str) -> Option<Problems> {
        if self.list.is_empty() {
            return None;
        }
        let lines = LineStarts::of(text);
        for problem in &mut self.list {
            problem.span = within(&problem.span, text);
            (problem.line, problem.column) = lines.place(text, problem.span.start);
            if let Some((span, _)) = &mut problem.beside {
                *span = within(span, text);
            }
        }
        self.list.sort_by(|a, b| (a.span.start, &a.what).cmp(&(b.span.start, &b.what)));
        self.list.dedup();
        let text = Some(masked(text, &self.secrets));
        Some(Problems { name: name.to_owned(), text, list: self.list })
    }
}

impl Problems {
    /// The file could not be read at all.
    pub(super) fn unreadable(name: &str, what: impl Into<String>, help: impl Into<String>) -> Self {
        let (what, help) = (what.into(), help.into());
        let problem = Problem { line: 0, column: 0, span: 0..0, what, help, beside: None };
        Self { name: name.to_owned(), text: None, list: vec![problem] }
    }

    /// For people: each problem with the excerpt it is about, and how to mend it.
    pub fn render(&self, color: Color) -> String {
        let renderer = match color {
            Color::Styled => Renderer::styled(),
            Color::Plain => Renderer::plain(),
        };
        let mut out = String::new();
        for problem in &self.list {
            out.push_str(&renderer.render(&[self.group(problem)]));
            out.push_str("\n\n");
        }
        let plural = if self.list.len() == 1 { "problem" } else { "problems" };
        out.push_str(&format!("{}: {} {plural}\n", self.name, self.list.len()));
        out
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let title = Level::ERROR.primary_title(&problem.what);
        let help = Level::HELP.message(&problem.help);
        let Some(text) = &self.text else {
            return title.element(annotate_snippets::Origin::path(&self.name)).element(help);
        };
        let place = AnnotationKind::Primary.span(problem.span.clone());
        let mut snippet = Snippet::source(text.as_str()).path(&self.name).annotation(place);
        if let Some((span, label)) = &problem.beside {
            let beside = AnnotationKind::Context.span(span.clone()).label(label);
            snippet = snippet.annotation(beside);
        }
        title.element(snippet).element(help)
    }

    /// The name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a file without problems has no `Problems`")]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// One after the other, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

/// One line: for logs.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.list.first() else { return f.write_str(&self.name) };
        write!(f, "{}:{}:{}: {}", self.name, first.line, first.column, first.what)?;
        match self.list.len() - 1 {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

/// As one line: the text of a config never goes to a debug print.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Problems {}

/// A list of problems, for the admin API and `--json`.
impl Serialize for Problems {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(to)
    }
}

/// Where each line begins, so that a thousand problems need one reading of the text.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect())
    }

    /// Line and column of a byte, both from 1.
    fn place(&self, text: &str, at: usize) -> (usize, usize) {
        let line = self.0.partition_point(|start| *start <= at);
        let start = self.0[line.saturating_sub(1)];
        (line, text[start..at].chars().count() + 1)
    }
}

/// The span made to lie in the text, on the borders of characters.
fn within(span: &Range<usize>, text: &str) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.ceil_char_boundary(span.end.min(text.len())).max(start);
    // The end of a file that ends with a line break is shown at its last line, not after it.
    let last = text.trim_end_matches(['\n', '\r']).len();
    start.min(last)..end.min(last).max(start.min(last))
}

/// The text with its secrets replaced, byte by byte, so that every span stays true.
fn masked(text: &str, secrets: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for secret in secrets {
        for byte in bytes.get_mut(secret.clone()).into_iter().flatten() {
            if *byte != b'"' && *byte != b'\'' && *byte != b'\n' {
                *byte = b'*';
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
