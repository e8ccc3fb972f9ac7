//! A page's Content-Security-Policy (CSP 3): whether it lets our script run, and what has to be
//! added where it does not.
//!
//! A page may have several policies, and all of them must agree. Only lists that keep us out are
//! written anew; where a list names a nonce, the tag gets it and nothing is changed. What is added
//! is the folder of the script and of what it loads, never a word that would let in more. A policy
//! that sandboxes the page without scripts stays as it is.

use std::borrow::Cow;

/// What is done about a policy that keeps the script out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    /// Its lists get what is missing.
    Amend,
    /// The script stays out.
    Respect,
}

/// Under which policies a page may have our tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowed {
    /// The nonce that the tag needs.
    pub nonce: Option<String>,
    /// The fields of the enforced policies, as they are sent now, in their order.
    pub enforced: Vec<String>,
    /// The same of those that only report.
    pub reported: Vec<String>,
    /// Whether the script may ask how its place stands as a page does, with `fetch`.
    pub connects: bool,
    /// Whether any of them differs from what the application said.
    pub changed: bool,
}

/// Where the page and our script are.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The page's host and port, as the visitor's browser knows them.
    pub authority: &'a str,
    /// By which scheme it does.
    pub is_https: bool,
    /// The script's path.
    pub script: &'a str,
}

/// Judges a page's policies; none if the script cannot run under them.
///
/// `enforced` and `reported` are the values of the fields, each a list of policies. `fresh` makes a
/// nonce for a list that takes nothing else.
pub fn judge(
    (enforced, reported): (&[&str], &[&str]),
    place: Place<'_>,
    doing: Doing,
    fresh: impl FnOnce() -> String,
) -> Option<Allowed> {
    let (mut enforced_policies, mut reported_policies) = (parsed(enforced), parsed(reported));
    let all = || enforced_policies.iter().flatten();
    if all().any(Policy::is_sandboxed) {
        return None;
    }
    let mut nonce = all().find_map(|policy| policy.scripts().and_then(Directive::nonce));
    let needs_nonce = |policy: &Policy, nonce: Option<&str>| {
        let strict = policy.scripts().is_some_and(Directive::is_strict);
        strict && !policy.runs(place, nonce)
    };
    match doing {
        Doing::Respect if all().any(|policy| !policy.runs(place, nonce.as_deref())) => return None,
        Doing::Respect => {}
        Doing::Amend => {
            if nonce.is_none() && all().any(|policy| needs_nonce(policy, None)) {
                nonce = Some(fresh());
            }
            let every = enforced_policies
                .iter_mut()
                .flatten()
                .chain(reported_policies.iter_mut().flatten());
            every.for_each(|policy| policy.amend(place, nonce.as_deref()));
        }
    }
    let policies = enforced_policies.iter().chain(&reported_policies).flatten();
    let changed = policies.into_iter().any(|policy| policy.changed);
    let write = |values: &[&str], policies: &[Vec<Policy>]| -> Vec<String> {
        values.iter().zip(policies).map(|(value, list)| written(value, list)).collect()
    };
    let connects = enforced_policies.iter().flatten().all(Policy::connects);
    Some(Allowed {
        nonce,
        connects,
        enforced: write(enforced, &enforced_policies),
        reported: write(reported, &reported_policies),
        changed,
    })
}

/// The policies of each field.
fn parsed<'a>(values: &[&'a str]) -> Vec<Vec<Policy<'a>>> {
    values.iter().map(|value| value.split(',').map(Policy::parse).collect()).collect()
}

/// A field's value; as it was, if nothing in it changed.
fn written(value: &str, policies: &[Policy]) -> String {
    if policies.iter().all(|policy| !policy.changed) {
        return value.to_owned();
    }
    policies.iter().map(Policy::written).collect::<Vec<_>>().join(", ")
}

struct Policy<'a> {
    directives: Vec<Directive<'a>>,
    changed: bool,
}

struct Directive<'a> {
    name: &'a str,
    sources: Vec<Cow<'a, str>>,
}

impl<'a> Policy<'a> {
    fn parse(text: &'a str) -> Self {
        let directive = |text: &'a str| {
            let mut words = text.split_ascii_whitespace();
            let name = words.next()?;
            Some(Directive { name, sources: words.map(Cow::Borrowed).collect() })
        };
        Self { directives: text.split(';').filter_map(directive).collect(), changed: false }
    }

    fn written(&self) -> String {
        let directive = |directive: &Directive<'_>| {
            let words = std::iter::once(directive.name);
            words.chain(directive.sources.iter().map(|s| &**s)).collect::<Vec<_>>().join(" ")
        };
        self.directives.iter().map(directive).collect::<Vec<_>>().join("; ")
    }

    /// The directive that counts of those of a name: the first.
    fn get(&self, name: &str) -> Option<&Directive<'a>> {
        self.directives.iter().find(|directive| directive.name.eq_ignore_ascii_case(name))
    }

    /// What governs scripts that a page loads (CSP 3 §6.8.3); none if nothing does.
    fn scripts(&self) -> Option<&Directive<'a>> {
        ["script-src-elem", "script-src", "default-src"].iter().find_map(|name| self.get(name))
    }

    fn is_sandboxed(&self) -> bool {
        let lets = |sandbox: &Directive<'_>| sandbox.has("allow-scripts");
        self.get("sandbox").is_some_and(|sandbox| !lets(sandbox))
    }

    /// Whether our script runs, with this nonce.
    fn runs(&self, place: Place<'_>, nonce: Option<&str>) -> bool {
        let Some(scripts) = self.scripts() else { return true };
        let named = nonce.is_some_and(|nonce| scripts.nonces().any(|known| known == nonce));
        named || !scripts.is_strict() && scripts.matches(place)
    }

    /// Adds what is missing for the script to run, and to ask how its place stands.
    fn amend(&mut self, place: Place<'_>, nonce: Option<&str>) {
        if !self.runs(place, nonce) {
            let strict = self.scripts().is_some_and(Directive::is_strict);
            let source = match nonce.filter(|_| strict) {
                Some(nonce) => format!("'nonce-{nonce}'"),
                None => source(place),
            };
            let has_elem = self.get("script-src-elem").is_some();
            self.add(if has_elem { "script-src-elem" } else { "script-src" }, source);
        }
        if !self.connects() {
            self.add("connect-src", "'self'".to_owned());
        }
    }

    fn connects(&self) -> bool {
        let list = ["connect-src", "default-src"].iter().find_map(|name| self.get(name));
        list.is_none_or(|list| list.has("'self'") || list.has("*"))
    }

    /// Adds a source to a list. Where `default-src` stood in for it, it gets a list of its own.
    fn add(&mut self, name: &'static str, source: String) {
        self.changed = true;
        let known = self.directives.iter_mut().find(|list| list.name.eq_ignore_ascii_case(name));
        if let Some(list) = known {
            return list.add(source);
        }
        let sources = self.get("default-src").map(|list| list.sources.clone()).unwrap_or_default();
        let mut list = Directive { name, sources };
        list.add(source);
        self.directives.push(list);
    }
}

impl Directive<'_> {
    fn add(&mut self, source: String) {
        // `'none'` counts only by itself.
        self.sources.retain(|known| !known.eq_ignore_ascii_case("'none'"));
        self.sources.push(Cow::Owned(source));
    }

    fn has(&self, word: &str) -> bool {
        self.sources.iter().any(|source| source.eq_ignore_ascii_case(word))
    }

    /// Whether addresses in the list count for nothing.
    fn is_strict(&self) -> bool {
        self.has("'strict-dynamic'")
    }

    fn nonces(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter_map(|source| nonce_of(source))
    }

    fn nonce(&self) -> Option<String> {
        self.nonces().next().map(str::to_owned)
    }

    /// Whether an address in the list is our script's. Of lists that say it in a way that is not
    /// looked into here, the answer is no, which costs no more than a source too many.
    fn matches(&self, place: Place<'_>) -> bool {
        let (host, _) = place.authority.split_once(':').unwrap_or((place.authority, ""));
        self.sources.iter().any(|source| {
            let bare = source.strip_prefix("https://").unwrap_or(source);
            source.eq_ignore_ascii_case("'self'")
                || *source == "*"
                || place.is_https && source.eq_ignore_ascii_case("https:")
                || bare.eq_ignore_ascii_case(place.authority)
                || bare.strip_suffix('/').is_some_and(|bare| bare.eq_ignore_ascii_case(host))
                || **source == self::source(place)
        })
    }
}

/// A nonce that may stand in an attribute (CSP 3 §2.3.1: base64).
fn nonce_of(source: &str) -> Option<&str> {
    let start = source.get(..7)?;
    let nonce = source.get(7..)?.strip_suffix('\'')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    let fit = start.eq_ignore_ascii_case("'nonce-") && !nonce.is_empty();
    (fit && nonce.bytes().all(plain)).then_some(nonce)
}

/// Our script's folder as a source: by the page's own scheme, and nothing else of its host. An
/// address in numbers is none that a list may hold.
fn source(place: Place<'_>) -> String {
    let (host, port) = place.authority.rsplit_once(':').unwrap_or((place.authority, "0"));
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_name = host.bytes().all(letter)
        && host.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !host.starts_with('.')
        && port.bytes().all(|byte| byte.is_ascii_digit());
    let folder = place.script.rsplit_once('/').map_or("", |(folder, _)| folder);
    if is_name { format!("{}{folder}/", place.authority) } else { "'self'".to_owned() }
}
