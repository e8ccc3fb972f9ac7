//! A visitor: as much of a browser as a form needs, over real sockets.
//!
//! Keeps cookies by path, sends `Origin` and `Sec-Fetch-*` as browsers do, follows 303 with a GET
//! and 307 with the same post, reads forms out of pages. No script: what it can do, anybody can.

mod form;
mod http;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use form::{Enctype, Form};
pub use http::{Answer, Fault, Request, Unfinished, exchange};

/// Redirects that are followed. Over it: the last answer stands.
const HOPS_MAX: usize = 5;
/// Patience with one request.
const PATIENCE: Duration = Duration::from_secs(15);

/// A browser with its cookies, on one host.
#[derive(Clone, Debug)]
pub struct Visitor {
    proxy: SocketAddr,
    host: String,
    language: String,
    jar: Vec<Cookie>,
    /// Shared by clones, which are the same person.
    asked: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

/// A page that the visitor looks at.
#[derive(Clone, Debug)]
pub struct Page {
    /// The address in the address bar: path and query.
    pub at: String,
    /// The redirects that led here: status and target.
    pub hops: Vec<(u16, String)>,
    /// What was answered.
    pub answer: Answer,
}

/// Where a post seems to come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    /// A page of the same site.
    SameOrigin,
    /// A page of somebody else's.
    CrossSite,
}

impl Visitor {
    /// A new browser that reaches `host` (with its port, as it stands in the address bar) at the
    /// address of the proxy.
    pub fn new(proxy: SocketAddr, host: &str) -> Self {
        let (host, language) = (host.to_owned(), "en".to_owned());
        Self { proxy, host, language, jar: Vec::new(), asked: Arc::default() }
    }

    /// The same browser, reading another language.
    #[must_use]
    pub fn reading(mut self, language: &str) -> Self {
        language.clone_into(&mut self.language);
        self
    }

    /// How many requests this browser has sent.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The cookies that are sent to `path`, as one field.
    pub fn cookies_for(&self, path: &str) -> Option<String> {
        let path = path.split('?').next().unwrap_or_default();
        let sent = self.jar.iter().filter(|cookie| covers(&cookie.path, path));
        let pairs: Vec<String> =
            sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Types an address.
    pub fn open(&mut self, path: &str) -> Result<Page, Fault> {
        self.follow(self.navigation(Request::get(path)).field("sec-fetch-site", "none"))
    }

    /// Presses a form's button, on the page that it was read from.
    pub fn submit(&mut self, page: &Page, form: &Form) -> Result<Page, Fault> {
        self.follow(self.post(&page.at, form, Sender::SameOrigin))
    }

    /// A form's post as this browser would send it, not sent yet.
    pub fn post(&self, from: &str, form: &Form, sender: Sender) -> Request {
        self.post_to(form.action.as_deref().unwrap_or(from), from, form, sender)
    }

    /// The same post to another place: what a browser makes of a 307.
    pub fn post_to(&self, target: &str, from: &str, form: &Form, sender: Sender) -> Request {
        let (content_type, body) = form.encode();
        let request = self.navigation(Request::post(target, &content_type, body));
        match sender {
            Sender::SameOrigin => request
                .field("origin", &format!("http://{}", self.host))
                .field("sec-fetch-site", "same-origin")
                .field("referer", &format!("http://{}{from}", self.host)),
            Sender::CrossSite => request
                .field("origin", "http://elsewhere.example")
                .field("sec-fetch-site", "cross-site")
                .field("referer", "http://elsewhere.example/"),
        }
    }

    /// Sends one request as it is, keeps its cookies, follows nothing.
    pub fn send(&mut self, request: &Request) -> Result<Answer, Fault> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = exchange(self.proxy, request, PATIENCE)?;
        for cookie in answer.headers.get_all("set-cookie") {
            self.keep(&String::from_utf8_lossy(cookie.as_bytes()));
        }
        Ok(answer)
    }

    /// Begins to send a request over a slow line: half of its body is on the wire.
    pub fn begin(&mut self, request: Request) -> Result<Unfinished, Fault> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let half = request.body.len() / 2;
        Unfinished::begin(self.proxy, request, half, PATIENCE)
    }

    fn follow(&mut self, mut request: Request) -> Result<Page, Fault> {
        let mut hops = Vec::new();
        loop {
            let answer = self.send(&request)?;
            let next = self.next(&answer).filter(|_| hops.len() < HOPS_MAX);
            let Some(target) = next else {
                return Ok(Page { at: request.target, hops, answer });
            };
            hops.push((answer.status, target.clone()));
            let from = request.take("sec-fetch-site").unwrap_or_default();
            request = match answer.status {
                307 | 308 => self.again(request, &target),
                _ => self.navigation(Request::get(&target)),
            }
            .field("sec-fetch-site", &from);
        }
    }

    /// The same post to another place, with the cookies of that place.
    fn again(&self, mut request: Request, target: &str) -> Request {
        request.take("cookie");
        target.clone_into(&mut request.target);
        match self.cookies_for(target) {
            Some(cookies) => request.field("cookie", &cookies),
            None => request,
        }
    }

    fn next(&self, answer: &Answer) -> Option<String> {
        let redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
        let location = answer.header("location").filter(|_| redirect)?;
        let origin = format!("http://{}", self.host);
        let path = location.strip_prefix(&origin).unwrap_or(location);
        path.starts_with('/').then(|| path.to_owned())
    }

    fn navigation(&self, request: Request) -> Request {
        let request = request
            .field("host", &self.host)
            .field("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Walk/1.0")
            .field("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
            .field("accept-language", &self.language)
            .field("sec-fetch-mode", "navigate")
            .field("sec-fetch-dest", "document")
            .field("sec-fetch-user", "?1")
            .field("upgrade-insecure-requests", "1");
        match self.cookies_for(&request.target) {
            Some(cookies) => request.field("cookie", &cookies),
            None => request,
        }
    }

    fn keep(&mut self, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let mut cookie =
            Cookie { name: name.to_owned(), value: value.to_owned(), path: "/".to_owned() };
        let mut gone = false;
        for (key, text) in parts.filter_map(|part| part.split_once('=')) {
            match key.to_ascii_lowercase().as_str() {
                "path" => text.clone_into(&mut cookie.path),
                "max-age" => gone = text.parse::<i64>().is_ok_and(|secs| secs <= 0),
                _ => {}
            }
        }
        self.jar.retain(|known| (&known.name, &known.path) != (&cookie.name, &cookie.path));
        if !gone {
            self.jar.push(cookie);
        }
    }
}

/// Whether a cookie of `scope` is sent to `path` (RFC 6265 §5.1.4).
fn covers(scope: &str, path: &str) -> bool {
    path.strip_prefix(scope)
        .is_some_and(|rest| rest.is_empty() || scope.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_go_where_their_path_says() {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut visitor = Visitor::new(nowhere, "localhost");
        visitor.keep("a=1; Path=/claims; HttpOnly");
        visitor.keep("b=2; Path=/");
        assert_eq!(visitor.cookies_for("/claims/new?x=1").as_deref(), Some("a=1; b=2"));
        assert_eq!(visitor.cookies_for("/claimsmen").as_deref(), Some("b=2"));
        visitor.keep("b=; Path=/; Max-Age=0");
        assert_eq!(visitor.cookies_for("/"), None);
    }
}
