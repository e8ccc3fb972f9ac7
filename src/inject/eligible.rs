//! Which answers are pages that our script may go into, judged by the heads of the request and of
//! the answer.

use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, HeaderName,
};
use http::{HeaderMap, Method, StatusCode};

use super::scan::Syntax;

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Why a page gets no script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// Its status is none of a page that people fill in.
    Status,
    /// It is a part of a body.
    Part,
    /// It is to be stored, not shown.
    Download,
    /// It says that it must not be changed, or is signed.
    Sealed,
    /// Its text is not written in bytes of ASCII.
    Charset,
}

/// Whether a browser goes to the answer as a page, in a window or in a frame: not a script that
/// asks for a part of one.
pub fn asks_for_page(method: &Method, headers: &HeaderMap) -> bool {
    if *method != Method::GET && *method != Method::POST {
        return false;
    }
    let mode = text(headers, &SEC_FETCH_MODE);
    let navigates = mode.is_none_or(|mode| mode.eq_ignore_ascii_case("navigate"));
    let is_page = match text(headers, &SEC_FETCH_DEST) {
        Some(target) if is_any(target, &["document", "iframe", "frame"]) => true,
        // A service worker that fetches the page it was asked for names no place for it. No script
        // can ask in this mode (Fetch §5.4, step 18 of the constructor of Request).
        Some(target) => {
            is_any(target, &["empty"]) && mode.is_some() && navigates && accepts_html(headers)
        }
        None => navigates && accepts_html(headers),
    };
    is_page && !is_fragment(headers)
}

/// Whether a library has said that it puts the answer into a page that is there.
fn is_fragment(headers: &HeaderMap) -> bool {
    const NAMES: [&str; 6] =
        ["hx-request", "turbo-frame", "x-requested-with", "x-pjax", "x-inertia", "x-up-version"];
    NAMES.iter().any(|name| headers.contains_key(*name))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(is_html);
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn is_html(media: &str) -> bool {
    is_any(media, &["text/html", "application/xhtml+xml"])
}

/// Whether the answer is a page, and if so, how it is written or why it gets no script.
pub fn page(status: StatusCode, headers: &HeaderMap) -> Option<Result<Syntax, Skip>> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media = kind.split(';').next().unwrap_or_default().trim();
    if !is_html(media) {
        return None;
    }
    let syntax = if media.eq_ignore_ascii_case("text/html") { Syntax::Html } else { Syntax::Xml };
    Some(skip(status, headers, kind).map_or(Ok(syntax), Err))
}

fn skip(status: StatusCode, headers: &HeaderMap, kind: &str) -> Option<Skip> {
    if status == StatusCode::PARTIAL_CONTENT || headers.contains_key(CONTENT_RANGE) {
        return Some(Skip::Part);
    }
    if status != StatusCode::OK && !status.is_client_error() {
        return Some(Skip::Status);
    }
    let shown = text(headers, &CONTENT_DISPOSITION)
        .is_none_or(|how| is_any(how.split(';').next().unwrap_or_default(), &["inline", ""]));
    if !shown {
        return Some(Skip::Download);
    }
    if headers.contains_key("signature-input") || is_unchangeable(headers) {
        return Some(Skip::Sealed);
    }
    if headers.get_all(CONTENT_TYPE).iter().nth(1).is_some() || !is_ascii(kind) {
        return Some(Skip::Charset);
    }
    None
}

/// `Cache-Control: no-transform` (RFC 9111 §5.2.2.6).
fn is_unchangeable(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| is_any(word, &["no-transform"]))
}

/// Whether `<` is the byte of ASCII in a page of this type. Browsers know no other such charset
/// than these; an unknown one is read as if none was named.
fn is_ascii(kind: &str) -> bool {
    const OTHERS: [&str; 9] = [
        "utf-16",
        "utf-32",
        "utf-7",
        "iso-2022-",
        "csiso2022",
        "iso-10646-ucs",
        "ucs-",
        "hz-gb-2312",
        "replacement",
    ];
    let mut parameters = kind.split(';').skip(1).filter_map(|part| part.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let Some((_, charset)) = charset else { return true };
    let charset = charset.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    let starts = OTHERS.iter().any(|other| charset.starts_with(other));
    !starts && !charset.starts_with("unicode") && charset != "csunicode"
}

/// A field's value; of several the first.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default().trim())
}

fn is_any(word: &str, others: &[&str]) -> bool {
    others.iter().any(|other| word.trim().eq_ignore_ascii_case(other))
}
