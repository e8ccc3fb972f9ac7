//! What a route's keys about heads, paths and redirects mean.

use http::{HeaderName, HeaderValue, StatusCode};
use toml::Spanned;

use super::file::{Section, Text};
use super::problem::Found;
use super::{keys, names, quantity};
use crate::addr::canonical_host;
use crate::limit;
use crate::route::{PathPattern, path};
use crate::snapshot::edge::{
    Coding, Compression, EdgeRules, Edit, PathRule, Redirect, Template, Value, Variable,
};

/// Fields that say where a message ends or belong to one hop: changing them would break both.
const OURS: [&str; 13] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What is compressed unless a route says otherwise: text by another name, mostly.
const TYPES: [&str; 12] = [
    "text/*",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/wasm",
    "application/xhtml+xml",
    "application/xml",
    "application/rss+xml",
    "application/atom+xml",
    "image/svg+xml",
];

/// Reads what a route changes; none if it changes nothing.
pub(super) fn rules(
    route: &Section<'_>,
    paths: &[Spanned<PathPattern>],
    found: &mut Found,
) -> Option<Box<EdgeRules>> {
    let rules = EdgeRules {
        request: edits(&route.section("request_headers", &keys::REQUEST_HEADERS, found), found),
        response: edits(&route.section("response_headers", &keys::RESPONSE_HEADERS, found), found),
        path: path_rule(route, paths, found),
        host: host(route, found),
        redirect: redirect(route, found),
        https: route.flag("https_redirect", found).unwrap_or(false).then_some(None),
        hsts: hsts(route, found),
        compression: compression(route, found),
    };
    (rules != EdgeRules::default()).then(|| Box::new(rules))
}

fn edits(section: &Section<'_>, found: &mut Found) -> Vec<Edit> {
    let mut edits = Vec::new();
    let removed = section.texts("remove", found).unwrap_or_default();
    names::each_once(&removed, found);
    for name in removed {
        edits.extend(field_name(&name, found).map(Edit::Remove));
    }
    for (name, value) in section.pairs("set", found) {
        let (name, value) = (field_name(&name, found), field_value(&value, found));
        edits.extend(name.zip(value).map(|(name, value)| Edit::Set(name, value)));
    }
    for (name, value) in section.pairs("add", found) {
        let (name, value) = (field_name(&name, found), field_value(&value, found));
        edits.extend(name.zip(value).map(|(name, value)| Edit::Add(name, value)));
    }
    edits
}

fn field_name(typed: &Text, found: &mut Found) -> Option<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(typed.get_ref().as_bytes()) else {
        let what = format!("{:?} is not a name of a header", typed.get_ref());
        found.add(typed.span(), what, "letters, digits and `-` are possible: \"x-region\"");
        return None;
    };
    if name.as_str().starts_with("intermission-") {
        let what = format!("`{name}` is written by this proxy alone");
        found.add(typed.span(), what, "choose another name");
        return None;
    }
    if OURS.contains(&name.as_str()) {
        let what = format!("`{name}` belongs to one connection, or to the framing of its messages");
        let help = match name.as_str() {
            "host" => {
                "write `host = \"app.internal\"` in [[route]] to ask servers for another host"
            }
            _ => "it cannot be changed: what is needed of it is written by the proxy",
        };
        found.add(typed.span(), what, help);
        return None;
    }
    Some(name)
}

fn field_value(typed: &Text, found: &mut Found) -> Option<Value> {
    let text = typed.get_ref();
    // What variables stand for is visible.
    let visible = text.bytes().all(|byte| byte >= b' ' && byte != 0x7f);
    if !visible || text.trim() != text {
        let what = format!("no header has the value {text:?}");
        found.add(typed.span(), what, "write it without control characters or outer spaces");
        return None;
    }
    let template = template(typed, &Variable::OF_FIELDS, found)?;
    if !template.is_fixed() {
        return Some(Value::Made(template));
    }
    HeaderValue::from_str(template.beginning()).ok().map(Value::Fixed)
}

fn template(typed: &Text, known: &[Variable], found: &mut Found) -> Option<Template> {
    match Template::parse(typed.get_ref(), known) {
        Ok(template) => Some(template),
        Err(fault) => {
            let known: Vec<_> = known.iter().map(|known| format!("{{{}}}", known.name())).collect();
            let help = format!("possible are {}", known.join(", "));
            found.add(typed.span(), fault.to_string(), help);
            None
        }
    }
}

/// `strip_prefix` or `rewrite`, of which one is possible.
fn path_rule(
    route: &Section<'_>,
    paths: &[Spanned<PathPattern>],
    found: &mut Found,
) -> Option<PathRule> {
    let stripped = route.text("strip_prefix", found);
    let rewrite = route.section("rewrite", &keys::REWRITE, found);
    let (from, to) = (rewrite.text("from", found), rewrite.text("to", found));
    if stripped.is_some() && route.has("rewrite") {
        let help = "leave one of them out: a prefix is stripped by rewriting it to \"/\"";
        found.add(
            route.place("rewrite"),
            "`strip_prefix` and `rewrite` both change the path",
            help,
        );
    }
    if route.has("rewrite") && (!rewrite.has("from") || !rewrite.has("to")) {
        let help = format!("write {}", route.example("rewrite"));
        found.add(route.place("rewrite"), "`rewrite` wants `from` and `to`", help);
        return None;
    }
    let (from, to) = match stripped {
        Some(prefix) => (prefix, String::new()),
        None => (from?, prefix(&to?, found)?),
    };
    let prefix = prefix(&from, found)?;
    let within = |pattern: &str| {
        let open = pattern.strip_suffix("/*");
        let inside = PathRule::below(open.unwrap_or(pattern), &prefix).is_some();
        inside || open.is_some_and(|open| PathRule::below(&prefix, open).is_some())
    };
    let known = paths.is_empty() || paths.iter().any(|path| within(path.get_ref().as_str()));
    if prefix.is_empty() || !known {
        let what = format!("no path of this route is below `{}`", from.get_ref());
        found.add(from.span(), what, "name what all of them begin with, such as \"/claims\"");
        return None;
    }
    Some(PathRule { from: prefix, to })
}

/// A prefix of whole segments in canonical form, without a slash at its end.
fn prefix(typed: &Text, found: &mut Found) -> Option<String> {
    let text = typed.get_ref();
    let mut scratch = String::new();
    let fault = match path::canonical(text, &mut scratch) {
        Ok(canonical) if canonical.path == text => {
            return Some(text.strip_suffix('/').unwrap_or(text).to_owned());
        }
        Ok(canonical) => format!("write it as {:?}", canonical.path),
        Err(fault) => fault.to_string(),
    };
    found.add(typed.span(), format!("`{text}` is not the beginning of a path"), fault);
    None
}

fn host(route: &Section<'_>, found: &mut Found) -> Option<HeaderValue> {
    let typed = route.text("host", found)?;
    let mut scratch = String::new();
    if let Err(fault) = canonical_host(typed.get_ref(), &mut scratch) {
        let what = format!("`{}` is not a host: {fault}", typed.get_ref());
        found.add(typed.span(), what, format!("write {}", route.example("host")));
        return None;
    }
    HeaderValue::from_str(typed.get_ref()).ok()
}

fn redirect(route: &Section<'_>, found: &mut Found) -> Option<Redirect> {
    if !route.has("redirect") {
        return None;
    }
    let section = route.section("redirect", &keys::REDIRECT, found);
    for key in ["upstream", "upstreams"].into_iter().filter(|key| route.has(key)) {
        let help = format!("leave `{key}` out: no server is asked");
        found.add(route.place(key), "this route answers with a redirect", help);
    }
    let status = match section.whole("status", 301..=308, found) {
        None => StatusCode::PERMANENT_REDIRECT,
        Some(code @ (301 | 302 | 303 | 307 | 308)) => {
            u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok())?
        }
        Some(other) => {
            let help = "301, 302, 303, 307 and 308 are possible";
            found.add(section.place("status"), format!("{other} does not lead anywhere"), help);
            return None;
        }
    };
    let Some(typed) = section.text("to", found) else {
        if !section.has("to") {
            let help = format!("write {}", route.example("redirect"));
            found.add(route.place("redirect"), "this redirect does not say where to", help);
        }
        return None;
    };
    let to = template(&typed, &Variable::OF_TARGETS, found)?;
    if let Err(fault) = leads_where_it_says(to.beginning(), to.is_fixed()) {
        let help = format!("write {}", section.example("to"));
        found.add(typed.span(), format!("`{}` cannot be led to: {fault}", typed.get_ref()), help);
        return None;
    }
    Some(Redirect { to, status })
}

/// Whether scheme and host stand before the first variable and end there, so that no request can
/// make them others.
fn leads_where_it_says(beginning: &str, fixed: bool) -> Result<(), &'static str> {
    let visible = beginning.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !visible {
        return Err("it holds a character that no address has");
    }
    let https = beginning.strip_prefix("https://");
    let Some(rest) = https.or_else(|| beginning.strip_prefix("http://")) else {
        // `/{path}` would be another site's `//evil.example`.
        let own = beginning.strip_prefix('/').is_some_and(|rest| !rest.starts_with('/'));
        let safe = own && (fixed || beginning.len() > 1);
        return if safe { Ok(()) } else { Err("it begins with neither a site nor a fixed path") };
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let mut scratch = String::new();
    canonical_host(&rest[..end], &mut scratch).map_err(|_| "its host is none")?;
    Ok(())
}

/// `Strict-Transport-Security` (RFC 6797 §6.1).
fn hsts(route: &Section<'_>, found: &mut Found) -> Option<HeaderValue> {
    let typed = route.text("hsts", found)?;
    let mut ages = 0;
    let known = typed.get_ref().split(';').map(str::trim).all(|directive| {
        if let Some(age) = directive.strip_prefix("max-age=") {
            ages += 1;
            return !age.is_empty() && age.len() < 11 && age.bytes().all(|b| b.is_ascii_digit());
        }
        matches!(directive, "includeSubDomains" | "preload")
    });
    if !known || ages != 1 {
        let what = format!("`{}` is not a value of Strict-Transport-Security", typed.get_ref());
        found.add(typed.span(), what, format!("write {}", route.example("hsts")));
        return None;
    }
    HeaderValue::from_str(typed.get_ref()).ok()
}

/// What is compressed: nothing, unless the section is there.
fn compression(route: &Section<'_>, found: &mut Found) -> Option<Compression> {
    let section = route.section("compression", &keys::COMPRESSION, found);
    let bytes_min = quantity::size(
        &section,
        "bytes_min",
        limit::COMPRESSION_BYTES_MIN,
        limit::COMPRESSION_BYTES_MIN_CEILING,
        found,
    );
    let codings = codings(&section, found);
    let types = section.texts("types", found).map(|types| {
        types.iter().for_each(|kind| check_type(kind, &section, found));
        types.into_iter().map(|kind| kind.into_inner().to_ascii_lowercase()).collect()
    });
    let types = types.unwrap_or_else(|| TYPES.map(str::to_owned).to_vec());
    route.has("compression").then_some(Compression { codings, types, bytes_min })
}

fn codings(section: &Section<'_>, found: &mut Found) -> Vec<Coding> {
    const ALL: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];
    let Some(typed) = section.texts("algorithms", found) else { return ALL.to_vec() };
    names::each_once(&typed, found);
    if typed.is_empty() {
        let help = format!("write {}", section.example("algorithms"));
        found.add(section.place("algorithms"), "there is nothing to compress with", help);
    }
    let mut codings = Vec::new();
    for name in typed {
        match ALL.iter().find(|coding| coding.name() == name.get_ref()) {
            Some(coding) => codings.push(*coding),
            None => {
                let what = format!("there is no compression `{}`", name.get_ref());
                found.add(name.span(), what, "possible are \"zstd\", \"br\" and \"gzip\"");
            }
        }
    }
    codings
}

/// `text/css`, or `text/*`.
fn check_type(typed: &Text, section: &Section<'_>, found: &mut Found) {
    let fits = typed.get_ref().split_once('/').is_some_and(|(family, kind)| {
        let word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        };
        word(family) && (kind == "*" || word(kind))
    });
    if !fits {
        let what = format!("`{}` is not a type of a body", typed.get_ref());
        found.add(typed.span(), what, format!("write {}", section.example("types")));
    }
}
