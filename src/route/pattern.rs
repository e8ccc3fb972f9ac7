//! What an operator writes to name paths.

use super::path::{PathFault, canonical};

/// `/claims` (exactly), `/claims/*` (it, with and without a slash, and everything below), `/*`
/// (everything) or `/claims/{id}/edit` (any one segment in that place).
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct PathPattern {
    text: String,
    /// Canonical, without the star. A brace in it always belongs to a `{segment}`.
    stem: String,
    reach: Reach,
}

/// How far a pattern reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(super) enum Reach {
    /// The path itself.
    Exact,
    /// The path, with and without a slash, and everything below.
    Below,
}

/// Why a text is not a path pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternFault {
    /// It does not begin with a slash.
    #[error("a path pattern begins with `/`: write `/{0}`")]
    NotAbsolute(String),
    /// It holds a query or a fragment.
    #[error("a pattern names paths only: leave out the `?` or `#` and what follows it")]
    Query,
    /// A star that is not the last segment.
    #[error(
        "a `*` stands for everything below, as the last segment: write `/claims/*`; for one \
         segment in the middle write `{{name}}`; for a literal star `%2A`"
    )]
    Star,
    /// A brace that is not a whole segment's.
    #[error(
        "`{0}`: braces hold one whole segment's name, of letters, digits, `_` and `-`, such as \
         `/api/{{version}}/claims`; for a literal brace write `%7B` or `%7D`"
    )]
    Brace(String),
    /// A semicolon.
    #[error("parameters after `;` are not matched on: leave them out; for a literal one `%3B`")]
    Parameters,
    /// It is spelt in another way than paths are matched.
    #[error("paths are matched without dot segments and double slashes: write `{0}`")]
    NotCanonical(String),
    /// It belongs to the proxy.
    #[error("paths below `/.intermission` are the proxy's own and never reach a route")]
    Reserved,
    /// It is no path at all.
    #[error("not a path: it holds {0}")]
    Path(#[from] PathFault),
}

impl PathPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternFault> {
        if !text.starts_with('/') {
            return Err(PatternFault::NotAbsolute(text.to_owned()));
        }
        if text.contains(['?', '#']) {
            return Err(PatternFault::Query);
        }
        if text.contains(';') {
            return Err(PatternFault::Parameters);
        }
        let (stem, reach) = match text.strip_suffix("/*") {
            Some(stem) => (stem, Reach::Below),
            None => (text, Reach::Exact),
        };
        if stem.contains('*') {
            return Err(PatternFault::Star);
        }
        let star = match reach {
            Reach::Exact => "",
            Reach::Below => "/*",
        };
        if !star.is_empty() && stem.ends_with('/') {
            return Err(PatternFault::NotCanonical(resolved(stem) + star));
        }
        let stem = canonical_stem(stem)?
            .ok_or_else(|| PatternFault::NotCanonical(resolved(stem) + star))?;
        if stem == "/.intermission" || stem.starts_with("/.intermission/") {
            return Err(PatternFault::Reserved);
        }
        Ok(Self { text: text.to_owned(), stem, reach })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Canonical paths that it matches: the shortest one, and one below it where it reaches there.
    pub(super) fn examples(&self) -> impl Iterator<Item = String> {
        let segments = self.segments().map(|segment| match segment {
            PatternSegment::Slash => "/".to_owned(),
            PatternSegment::AnyOne => "/~any~".to_owned(),
            PatternSegment::Name(name) => format!("/{name}"),
        });
        let stem: String = segments.collect();
        let below = (self.reach == Reach::Below).then(|| format!("{stem}/~any~"));
        let itself = if stem.is_empty() { "/".to_owned() } else { stem };
        std::iter::once(itself).chain(below)
    }

    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// The segments up to the star; the last one is empty if the pattern ends with a slash.
    pub(super) fn segments(&self) -> impl Iterator<Item = PatternSegment<'_>> {
        self.stem.split('/').skip(1).map(|segment| match segment {
            "" => PatternSegment::Slash,
            any if any.starts_with('{') => PatternSegment::AnyOne,
            name => PatternSegment::Name(name),
        })
    }
}

/// A piece of a pattern between two slashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PatternSegment<'a> {
    /// This one.
    Name(&'a str),
    /// Any one.
    AnyOne,
    /// The empty one after the last slash.
    Slash,
}

/// The canonical form of a pattern's path, with its `{segments}` kept; none if it holds dot
/// segments or double slashes.
fn canonical_stem(stem: &str) -> Result<Option<String>, PatternFault> {
    let mut typed = String::with_capacity(stem.len());
    let mut wanted = String::with_capacity(stem.len());
    let mut scratch = String::new();
    for segment in stem.split('/').skip(1) {
        typed.push('/');
        wanted.push('/');
        if segment.contains(['{', '}']) {
            check_braces(segment)?;
            typed.push_str(segment);
            wanted.push_str(segment);
            continue;
        }
        // Segment by segment, so that dot segments cannot eat a `{segment}` unseen.
        let alone = format!("/{segment}");
        let spelt = match segment {
            "" => String::new(),
            _ => match canonical(&alone, &mut scratch) {
                Ok(spelt) => spelt.path.trim_start_matches('/').to_owned(),
                Err(PathFault::NotBelowRoot) => String::new(),
                Err(fault) => return Err(fault.into()),
            },
        };
        typed.push_str(if spelt.is_empty() { segment } else { &spelt });
        wanted.push_str(&spelt);
    }
    Ok((typed == wanted && !typed.contains("//")).then_some(typed))
}

fn check_braces(segment: &str) -> Result<(), PatternFault> {
    let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match name {
        Some(name) if !name.is_empty() && name.chars().all(letter) => Ok(()),
        Some(_) | None => Err(PatternFault::Brace(segment.to_owned())),
    }
}

/// What the operator most likely meant.
fn resolved(stem: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in stem.split('/').filter(|segment| !segment.is_empty()) {
        match segment.replace("%2e", ".").replace("%2E", ".").as_str() {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    kept.iter().map(|segment| format!("/{segment}")).collect()
}
