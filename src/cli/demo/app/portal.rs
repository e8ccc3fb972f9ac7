//! What the claim portal answers: pages, steps, refusals.
//!
//! A claim is entered by its first step and then grows, as in most portals:
//! details (`/claims/new`) → documents (`/claims/1001/documents`) → review
//! (`/claims/1001/review`) → handed in (`/claims/1001`).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use super::ledger::{Claim, Details, Ledger, Paper};
use super::multipart;
use super::token::Tokens;
use crate::clock::Clock;
use crate::digest;

/// What goes back to the client.
pub(super) type Answer = Response<Full<Bytes>>;

const SESSION: &str = "claims_session";
const TOKEN_FIELD: &str = "csrf_token";

/// The application itself.
pub(super) struct Portal {
    ledger: Arc<Ledger>,
    clock: Clock,
    tokens: Tokens,
    templates: Environment<'static>,
}

/// A visitor as the portal sees one.
struct Guest {
    session: String,
    /// Whether the session was made for this request, so that its cookie must be set.
    fresh: bool,
}

/// Why a post is refused, in the words of the page.
#[derive(Clone, Copy)]
enum Refusal {
    NoSession,
    Origin,
    Token,
    Form,
}

impl Portal {
    pub(super) fn new(ledger: Arc<Ledger>, clock: Clock) -> Self {
        Self { ledger, clock, tokens: Tokens::new(), templates: templates() }
    }

    /// Answers one request.
    pub(super) fn answer(&self, request: &Request<Bytes>) -> Answer {
        let path = request.uri().path().trim_end_matches('/');
        let steps: Vec<&str> = path.split('/').skip(1).collect();
        match (request.method(), steps.as_slice()) {
            (&Method::GET | &Method::HEAD, _) => self.show(&steps, request.headers()),
            (&Method::POST, steps) => match self.check(request) {
                Ok((guest, fields)) => self.take(steps, &guest, &fields),
                Err(refusal) => self.refuse(refusal),
            },
            _ => self.page(StatusCode::METHOD_NOT_ALLOWED, "missing.html", context! {}, None),
        }
    }

    fn show(&self, steps: &[&str], headers: &HeaderMap) -> Answer {
        let guest = self.guest(headers);
        let now = self.clock.now();
        let token = self.tokens.issue(&guest.session, now);
        let today = now.rfc3339()[..10].to_owned();
        let ok = |name, values| self.page(StatusCode::OK, name, values, Some(&guest));
        match steps {
            // Outside the cookie's path every visitor looks new, and must not be given a session.
            [] => self.page(StatusCode::OK, "home.html", context! {}, None),
            ["health"] => text(StatusCode::OK, "ok\n"),
            ["claims"] => ok("list.html", context! { claims => Serde(self.claims(&guest)) }),
            ["claims", "api", "claims"] => json(&self.claims(&guest)),
            ["claims", "version"] => {
                let words = ["tables: version 1\n", "tables: version 2\n"];
                text(StatusCode::OK, words[usize::from(self.ledger.is_upgraded())])
            }
            ["claims", "new"] => ok("details.html", context! { token, today }),
            ["claims", "account"] => ok("account.html", context! { token }),
            ["claims", number] => self.one(&guest, number, "claim.html", &token),
            ["claims", number, "documents"] => self.one(&guest, number, "documents.html", &token),
            ["claims", number, "review"] => self.one(&guest, number, "review.html", &token),
            _ => self.page(StatusCode::NOT_FOUND, "missing.html", context! {}, None),
        }
    }

    fn one(&self, guest: &Guest, number: &str, name: &str, token: &str) -> Answer {
        let claim =
            number.parse().ok().and_then(|number| self.ledger.claim(&guest.session, number));
        match claim {
            Some(claim) => {
                let values = context! { claim => Serde(claim), token };
                self.page(StatusCode::OK, name, values, Some(guest))
            }
            None => self.page(StatusCode::NOT_FOUND, "missing.html", context! {}, Some(guest)),
        }
    }

    /// Takes a post that passed its checks.
    fn take(&self, steps: &[&str], guest: &Guest, fields: &Fields) -> Answer {
        match steps {
            ["claims", "new"] => match self.ledger.enter(&guest.session, fields.details()) {
                Some(number) => see(&format!("/claims/{number}/documents")),
                None => text(StatusCode::INSUFFICIENT_STORAGE, "The demo's ledger is full.\n"),
            },
            ["claims", "account"] => see("/claims"),
            ["claims", number, step] => {
                let Ok(number) = number.parse() else { return self.refuse(Refusal::Form) };
                match (*step, fields.paper.clone()) {
                    ("documents", Some(paper)) => {
                        self.ledger.attach(&guest.session, number, paper);
                        see(&format!("/claims/{number}/review"))
                    }
                    ("documents", None) => see(&format!("/claims/{number}/review")),
                    ("review", _) => {
                        self.ledger.hand_in(&guest.session, number);
                        see(&format!("/claims/{number}"))
                    }
                    _ => self.refuse(Refusal::Form),
                }
            }
            _ => self.page(StatusCode::NOT_FOUND, "missing.html", context! {}, Some(guest)),
        }
    }

    /// What must hold before a post is read for its meaning.
    fn check(&self, request: &Request<Bytes>) -> Result<(Guest, Fields), Refusal> {
        let headers = request.headers();
        let host = value(headers, header::HOST.as_str()).ok_or(Refusal::Origin)?;
        let origin = value(headers, header::ORIGIN.as_str()).ok_or(Refusal::Origin)?;
        if origin != format!("http://{host}") && origin != format!("https://{host}") {
            return Err(Refusal::Origin);
        }
        let guest = self.guest(headers);
        if guest.fresh {
            return Err(Refusal::NoSession);
        }
        let content_type = value(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let fields = Fields::read(content_type, request.body()).ok_or(Refusal::Form)?;
        let now = self.clock.now();
        if !self.tokens.accepts(&guest.session, fields.get(TOKEN_FIELD), now) {
            return Err(Refusal::Token);
        }
        Ok((guest, fields))
    }

    fn guest(&self, headers: &HeaderMap) -> Guest {
        let cookies = value(headers, header::COOKIE.as_str()).unwrap_or_default();
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let session = pairs.find(|(name, _)| *name == SESSION).map(|(_, session)| session);
        match session.filter(|session| self.ledger.knows(session)) {
            Some(session) => Guest { session: session.to_owned(), fresh: false },
            None => Guest { session: self.ledger.begin_session(), fresh: true },
        }
    }

    fn claims(&self, guest: &Guest) -> Vec<Claim> {
        self.ledger.claims_of(&guest.session)
    }

    fn refuse(&self, refusal: Refusal) -> Answer {
        let (status, why) = match refusal {
            Refusal::NoSession => (StatusCode::FORBIDDEN, "You have no session here."),
            Refusal::Origin => (StatusCode::FORBIDDEN, "This form was not sent from our pages."),
            Refusal::Token => {
                (StatusCode::FORBIDDEN, "CSRF verification failed: the form's token is stale.")
            }
            Refusal::Form => (StatusCode::BAD_REQUEST, "The form could not be read."),
        };
        self.page(status, "refused.html", context! { why }, None)
    }

    fn page(&self, status: StatusCode, name: &str, values: Value, guest: Option<&Guest>) -> Answer {
        let rendered = self.templates.get_template(name).and_then(|page| page.render(values));
        let Ok(html) = rendered else {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "A page of the demo is broken.\n");
        };
        let mut answer = answer(status, "text/html; charset=utf-8", html);
        if let Some(guest) = guest.filter(|guest| guest.fresh) {
            let cookie =
                format!("{SESSION}={}; Path=/claims; HttpOnly; SameSite=Strict", guest.session);
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                answer.headers_mut().insert(header::SET_COOKIE, cookie);
            }
        }
        answer
    }
}

/// A posted form.
struct Fields {
    texts: Vec<(String, String)>,
    paper: Option<Paper>,
}

impl Fields {
    fn read(content_type: &str, body: &[u8]) -> Option<Self> {
        let Some(boundary) = multipart::boundary(content_type) else {
            let texts = form_urlencoded::parse(body).into_owned().collect();
            return Some(Self { texts, paper: None });
        };
        let mut fields = Self { texts: Vec::new(), paper: None };
        for part in multipart::parts(body, boundary)? {
            match part.file_name {
                Some(name) if !name.is_empty() => {
                    let sha256 = digest::hex(&digest::sha256(part.content));
                    fields.paper = Some(Paper { name, bytes: part.content.len(), sha256 });
                }
                Some(_) => {}
                None => {
                    let content = String::from_utf8_lossy(part.content).into_owned();
                    fields.texts.push((part.name, content));
                }
            }
        }
        Some(fields)
    }

    fn get(&self, name: &str) -> &str {
        self.texts.iter().find(|(key, _)| key == name).map_or("", |(_, text)| text)
    }

    fn details(&self) -> Details {
        Details {
            policy: self.get("policy").to_owned(),
            name: self.get("name").to_owned(),
            email: self.get("email").to_owned(),
            day: self.get("day").to_owned(),
            kind: self.get("kind").to_owned(),
            story: self.get("story").to_owned(),
        }
    }
}

/// The answer to a body over its bound.
pub(super) fn too_large() -> Answer {
    text(StatusCode::PAYLOAD_TOO_LARGE, "That is more than the demo takes.\n")
}

fn templates() -> Environment<'static> {
    let mut templates = Environment::new();
    for (name, source) in [
        ("layout.html", include_str!("../../../../pages/demo/layout.html")),
        ("home.html", include_str!("../../../../pages/demo/home.html")),
        ("list.html", include_str!("../../../../pages/demo/list.html")),
        ("details.html", include_str!("../../../../pages/demo/details.html")),
        ("documents.html", include_str!("../../../../pages/demo/documents.html")),
        ("review.html", include_str!("../../../../pages/demo/review.html")),
        ("claim.html", include_str!("../../../../pages/demo/claim.html")),
        ("account.html", include_str!("../../../../pages/demo/account.html")),
        ("refused.html", include_str!("../../../../pages/demo/refused.html")),
        ("missing.html", include_str!("../../../../pages/demo/missing.html")),
    ] {
        templates.add_template(name, source).expect("the demo's own templates parse");
    }
    templates
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn text(status: StatusCode, body: &'static str) -> Answer {
    answer(status, "text/plain; charset=utf-8", body)
}

fn json(value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec_pretty(value).unwrap_or_default();
    answer(StatusCode::OK, "application/json", body)
}

fn see(location: &str) -> Answer {
    let mut answer = text(StatusCode::SEE_OTHER, "");
    if let Ok(location) = HeaderValue::try_from(location) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}
