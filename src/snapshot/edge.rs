//! What a route changes in the heads and bodies that pass through it. Most routes change nothing.

use std::fmt::Write;
use std::net::IpAddr;

use http::{HeaderName, HeaderValue, StatusCode};

/// The changes of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeRules {
    /// Fields of requests, in this order, after our own were added.
    pub request: Vec<Edit>,
    /// Fields of answers from upstream.
    pub response: Vec<Edit>,
    /// What begins the path there.
    pub path: Option<PathRule>,
    /// The `Host` that servers are asked for, instead of the visitor's.
    pub host: Option<HeaderValue>,
    /// Answered so, without an upstream.
    pub redirect: Option<Redirect>,
    /// Whether `http` is led to `https`, and to which port; none is 443.
    pub https: Option<Option<u16>>,
    /// `Strict-Transport-Security` over `https`.
    pub hsts: Option<HeaderValue>,
    /// Whether bodies of answers are compressed.
    pub compression: Option<Compression>,
}

/// Which bodies are compressed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// What clients may choose from; among equals the first.
    pub codings: Vec<Coding>,
    /// Types of bodies: `text/css`, or `text/*` for a family.
    pub types: Vec<String>,
    /// Bodies that are known to be smaller stay as they are.
    pub bytes_min: u64,
}

/// A content coding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// As it stands in `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// One change of a head's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// This value instead of any.
    Set(HeaderName, Value),
    /// This value besides others.
    Add(HeaderName, Value),
    /// No such field.
    Remove(HeaderName),
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The same for all requests.
    Fixed(HeaderValue),
    /// Made for each.
    Made(Template),
}

/// What begins a path, and what stands in its place upstream. Both without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// Seen by visitors: `/app`.
    pub from: String,
    /// Seen by servers: `/inner`, or nothing.
    pub to: String,
}

impl PathRule {
    /// What is left of a path below `prefix`: empty, or with a slash at its beginning.
    pub fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
        path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// An answer that leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Where to. Scheme and host are fixed, so that nobody is led where a request's sender wants.
    pub to: Template,
    /// Which kind.
    pub status: StatusCode,
}

/// A text with places for what differs from request to request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(Variable),
}

/// What differs from request to request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The client's address.
    Client,
    /// The host that the visitor asks for, with its port.
    Host,
    /// `http` or `https`.
    Scheme,
    /// The request's number, as in the access line.
    RequestId,
    /// The route's name.
    Route,
    /// The path as it was sent.
    Path,
    /// `?` and the query; empty if there is none.
    Query,
}

impl Variable {
    /// Those that may stand in a field's value.
    pub const OF_FIELDS: [Self; 5] =
        [Self::Client, Self::Host, Self::Scheme, Self::RequestId, Self::Route];
    /// Those that may stand in a redirect's target.
    pub const OF_TARGETS: [Self; 2] = [Self::Path, Self::Query];

    /// As it is written in braces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Host => "host",
            Self::Scheme => "scheme",
            Self::RequestId => "request_id",
            Self::Route => "route",
            Self::Path => "path",
            Self::Query => "query",
        }
    }
}

/// The variables of one request.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    /// See [`Variable::Client`].
    pub client: IpAddr,
    /// See [`Variable::Host`].
    pub host: &'a str,
    /// See [`Variable::Scheme`].
    pub scheme: &'static str,
    /// See [`Variable::RequestId`].
    pub request: u64,
    /// See [`Variable::Route`].
    pub route: &'a str,
    /// See [`Variable::Path`].
    pub path: &'a str,
    /// The query without its mark.
    pub query: Option<&'a str>,
}

/// Why a text is no template.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TemplateFault {
    /// A brace without its other half.
    #[error("a brace stands alone: write {{{{ or }}}} for one that is meant as it is")]
    Brace,
    /// A variable that is not known here.
    #[error("there is no {{{0}}} here")]
    Unknown(String),
}

impl Template {
    /// Reads `text {variable} {{braces}}`.
    pub fn parse(text: &str, known: &[Variable]) -> Result<Self, TemplateFault> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let tail = &rest[at + 1..];
            let closing = rest[at..].starts_with('}');
            if tail.starts_with(if closing { '}' } else { '{' }) {
                plain.push(if closing { '}' } else { '{' });
                rest = &tail[1..];
                continue;
            }
            let (name, after) = tail.split_once('}').ok_or(TemplateFault::Brace)?;
            if closing || name.contains('{') {
                return Err(TemplateFault::Brace);
            }
            let variable = known.iter().find(|variable| variable.name() == name);
            let variable = variable.ok_or_else(|| TemplateFault::Unknown(name.to_owned()))?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Variable(*variable));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// What stands before the first variable.
    pub fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            Some(Piece::Variable(_)) | None => "",
        }
    }

    /// Whether there is no variable in it.
    pub fn is_fixed(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// The text for one request.
    pub fn fill(&self, of: &Variables<'_>) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            let written = match piece {
                Piece::Text(plain) => text.write_str(plain),
                Piece::Variable(Variable::Client) => write!(text, "{}", of.client),
                Piece::Variable(Variable::Host) => text.write_str(of.host),
                Piece::Variable(Variable::Scheme) => text.write_str(of.scheme),
                Piece::Variable(Variable::RequestId) => write!(text, "{:016x}", of.request),
                Piece::Variable(Variable::Route) => text.write_str(of.route),
                Piece::Variable(Variable::Path) => text.write_str(of.path),
                Piece::Variable(Variable::Query) => {
                    of.query.map_or(Ok(()), |query| write!(text, "?{query}"))
                }
            };
            debug_assert!(written.is_ok(), "a text takes what is written to it");
        }
        text
    }
}
