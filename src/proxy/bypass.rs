//! A bypass on its way in: what a request shows, the link that turns into a cookie, and what is
//! said of an answer that was got through one.

use http::header::{CACHE_CONTROL, COOKIE, HeaderName, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::answer::{self, Reply, STATE};
use super::head::Scheme;
use crate::clock::Wall;
use crate::grant::{Bypass, bypass};
use crate::limit;

/// A cache that many share obeys these more than `Cache-Control` (RFC 9213 §2.2).
const FOR_CDNS: [HeaderName; 2] =
    [HeaderName::from_static("cdn-cache-control"), HeaderName::from_static("surrogate-control")];

/// The secrets that a request shows: in the field, or in cookies of our name. A subdomain may have
/// planted more of them, so a few are tried.
pub(super) fn shown(headers: &HeaderMap, scheme: Scheme) -> impl Iterator<Item = &str> {
    let fields = headers.get_all(bypass::FIELD).iter().filter_map(|value| value.to_str().ok());
    fields.chain(cookies(headers, scheme.bypass_cookie())).take(limit::BYPASSES_TRIED_MAX)
}

/// The values of the cookies of this name.
pub(super) fn cookies<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> impl Iterator<Item = &'a str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs.flat_map(|pairs| pairs.split(';')).filter_map(move |pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then_some(value)
    })
}

/// Leads a browser that came by a link to a page of this site, with the secret in a cookie.
pub(super) fn lead(bypass: &Bypass, secret: &str, to: &str, scheme: Scheme, now: Wall) -> Reply {
    let secure = match scheme {
        Scheme::Https => "; Secure",
        Scheme::Http => "",
    };
    let life = bypass.not_after.since(now).as_secs().max(1);
    let name = scheme.bypass_cookie();
    let cookie = format!("{name}={secret}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}");
    let reply = answer::see_other(local(to))
        .with(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    match HeaderValue::from_str(&cookie) {
        Ok(mut value) => {
            value.set_sensitive(true);
            reply.with(SET_COOKIE, value)
        }
        Err(_) => reply,
    }
}

/// A path of this site, as no browser could take it for another: browsers read `//host` and
/// `/\host` as hosts, and drop tabs and line ends before they look.
fn local(to: &str) -> &str {
    let is_plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_plain && to.starts_with('/') && !to.starts_with("//") { to } else { "/" }
}

/// An answer that was got through a bypass is for who has one: whoever shares a cache with a tester
/// would otherwise be served from behind the page. No `Vary` is needed, since nothing is shared.
pub(super) fn mark(headers: &mut HeaderMap) {
    keep_private(headers);
    headers.insert(STATE, HeaderValue::from_static("bypassed"));
}

/// Lets no cache keep an answer that others are served from.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    FOR_CDNS.iter().for_each(|name| drop(headers.remove(name)));
    let mut told = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut words = told.by_ref().flat_map(|value| value.split(',')).map(str::trim);
    if !words.any(|word| word.eq_ignore_ascii_case("no-store")) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_link_leads_nowhere_else() {
        for (to, led) in [
            ("/claims?x=1", "/claims?x=1"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/a\r\nSet-Cookie: x=1", "/"),
            ("https://evil.example/", "/"),
            ("javascript:alert(1)", "/"),
            ("/é", "/"),
            ("", "/"),
        ] {
            assert_eq!(local(to), led, "{to:?}");
        }
    }
}
