//! What is done with a request, one row per case.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use intermission::decide::{
    Accepts, Ask, FormKind, Ground, Keeps, Leads, NotKept, Redirects, Refusal, Verdict, Wants,
    decide, decide_no_ticket, wants,
};
use intermission::window::state::Mode;

const FORM: &str = "content-type: application/x-www-form-urlencoded";
const SITE: &str = "sec-fetch-site: same-origin";
const NAVIGATE: &str = "sec-fetch-mode: navigate";
const HTML: &str = "accept: text/html,application/xhtml+xml,*/*;q=0.8";
const COOKIE: &str = "cookie: a=1; intermission=key; b=2";
/// Longer than any ticket.
const LONG: &str = "content-length: 2000";
const PAGE: Option<Mode> = Some(Mode::Page);
const READ_ONLY: Option<Mode> = Some(Mode::ReadOnly);
const HOLD: Option<Mode> = Some(Mode::Hold);

fn fields(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a field");
        let name: HeaderName = name.parse().expect("a name");
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
    }
    headers
}

/// A request to `http://claims.example:8080/claims`.
struct Case<'a> {
    closed: Option<Mode>,
    allow: &'a [&'a [&'a str]],
    holds: bool,
    keeps: Keeps,
    accepts: Accepts,
    method: &'a str,
    path: &'a str,
    scheme: &'a str,
    authority: &'a str,
    fields: &'a [&'a str],
    redirects: Redirects,
}

const CASE: Case = Case {
    closed: PAGE,
    allow: &[],
    holds: false,
    keeps: Keeps::Forms,
    accepts: Accepts::Asked,
    method: "POST",
    path: "/claims",
    scheme: "http",
    authority: "claims.example:8080",
    fields: &[],
    redirects: Redirects { to_https: false, elsewhere: false },
};

impl Case<'_> {
    fn verdict(&self) -> Verdict {
        self.judged(decide)
    }

    /// The verdict once it was looked into and is no ticket.
    fn rest(&self) -> Verdict {
        self.judged(decide_no_ticket)
    }

    fn judged(&self, decide: fn(&Ground, &Ask) -> Verdict) -> Verdict {
        let probes = ["/healthz".to_owned()];
        let ground = Ground {
            closed: self.closed,
            allow: &self.allow(),
            holds: self.closed == Some(Mode::Hold) || self.holds,
            probes: &probes,
            keeps_forms: self.keeps,
            accepts: self.accepts,
            redirects: self.redirects,
        };
        let (method, headers) = (self.method.parse::<Method>().expect("a method"), self.headers());
        decide(&ground, &self.ask(&method, &headers))
    }

    fn wants(&self) -> Wants {
        let (method, headers) = (self.method.parse::<Method>().expect("a method"), self.headers());
        wants(&self.ask(&method, &headers))
    }

    fn allow(&self) -> Vec<Vec<String>> {
        let list = |list: &&[&str]| list.iter().map(|path| (*path).to_owned()).collect();
        self.allow.iter().map(list).collect()
    }

    fn headers(&self) -> HeaderMap {
        fields(self.fields)
    }

    fn ask<'a>(&'a self, method: &'a Method, headers: &'a HeaderMap) -> Ask<'a> {
        let Self { scheme, authority, path, .. } = *self;
        let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
        Ask { method, scheme, authority, path, query, headers }
    }
}

#[test]
fn precedence() {
    use Verdict as V;
    let ticket: &[&str] = &[FORM, COOKIE, SITE, NAVIGATE, "content-length: 80"];
    let socket: &[&str] = &["upgrade: websocket", "connection: upgrade"];
    let html = V::Page(Wants::Html, None);
    type Row<'a> = (Option<Mode>, &'a str, &'a str, &'a [&'a str], Verdict);
    let rows: &[Row] = &[
        (None, "GET", "/.intermission", &[], V::Own),
        (PAGE, "POST", "/.intermission/s/x/resume", ticket, V::Own),
        (PAGE, "CONNECT", "/.intermission/s", &[], V::Own),
        (None, "GET", "/.intermissions", &[], V::Forward),
        (None, "CONNECT", "/claims", &[], V::Refuse(Refusal::Unsupported)),
        (PAGE, "TRACE", "/claims", &[], V::Refuse(Refusal::Unsupported)),
        (PAGE, "GET", "/healthz", &[HTML], V::Probe),
        (READ_ONLY, "HEAD", "/healthz", &[], V::Probe),
        (None, "GET", "/healthz", &[], V::Forward),
        (PAGE, "GET", "/healthz/x", &[HTML], html),
        (PAGE, "POST", "/healthz", &[FORM, LONG, SITE, NAVIGATE], V::Capture(FormKind::Urlencoded)),
        (None, "POST", "/claims", ticket, V::Resume),
        (PAGE, "POST", "/claims", ticket, V::Resume),
        (READ_ONLY, "POST", "/claims", ticket, V::Resume),
        (None, "PUT", "/claims", ticket, V::Forward),
        (None, "POST", "/claims", &[FORM, LONG], V::Forward),
        (None, "GET", "/claims", socket, V::Forward),
        (None, "PROPFIND", "/claims", &[], V::Forward),
        (READ_ONLY, "GET", "/claims", &[], V::Forward),
        (READ_ONLY, "HEAD", "/claims", &[], V::Forward),
        (READ_ONLY, "OPTIONS", "/claims", &[], V::Forward),
        (READ_ONLY, "GET", "/claims", socket, V::Page(Wants::WebSocket, None)),
        (READ_ONLY, "DELETE", "/claims", &[], V::Page(Wants::Text, Some(NotKept::Type))),
        (READ_ONLY, "POST", "/claims", &[FORM, LONG, SITE, HTML], V::Capture(FormKind::Urlencoded)),
        (PAGE, "GET", "/claims", &[HTML], html),
        (PAGE, "HEAD", "/claims", &[HTML], html),
        (PAGE, "OPTIONS", "/claims", &[], V::Page(Wants::Text, None)),
        (PAGE, "GET", "/claims", socket, V::Page(Wants::WebSocket, None)),
        (PAGE, "PATCH", "/claims", &[HTML], V::Page(Wants::Html, Some(NotKept::Type))),
        (HOLD, "GET", "/.intermission", &[], V::Own),
        (HOLD, "GET", "/healthz", &[], V::Probe),
        (HOLD, "POST", "/claims", ticket, V::Resume),
        (HOLD, "GET", "/claims", &[HTML], V::Hold),
        (HOLD, "GET", "/claims", socket, V::Hold),
        (HOLD, "POST", "/claims", &[FORM, LONG, SITE, HTML], V::Hold),
    ];
    for (closed, method, path, fields, wanted) in rows {
        let case = Case { closed: *closed, method, path, fields, ..CASE };
        assert_eq!(case.verdict(), *wanted, "{closed:?} {method} {path} {fields:?}");
    }
}

#[test]
fn what_may_be_a_ticket_is_told_by_its_type_and_length_and_not_by_who_sends_it() {
    let length = "content-length: 1024";
    let rows: &[(bool, &[&str])] = &[
        (true, &[FORM, length]),
        (true, &[FORM, COOKIE, length, SITE]),
        (true, &["content-type:  Application/X-WWW-Form-Urlencoded ; charset=utf-8", length]),
        (true, &[FORM, length, length]),
        (true, &[FORM, "content-length: 20"]),
        // One that does not tell its length is looked into as far as it takes to know.
        (true, &[FORM]),
        (true, &[FORM, "transfer-encoding: chunked"]),
        // A ticket of another site's page, or of a script's, is one for all that.
        (true, &[FORM, length, "sec-fetch-site: cross-site"]),
        (true, &[FORM, length, SITE, "sec-fetch-site: same-site"]),
        (true, &[FORM, length, "sec-fetch-mode: cors", "x-requested-with: XMLHttpRequest"]),
        (false, &[FORM, "content-length: 19"]),
        (false, &[FORM, "content-length: 1025"]),
        (false, &[FORM, "content-length: +80"]),
        (false, &[FORM, length, "content-length: 80"]),
        (false, &["content-type: multipart/form-data; boundary=x", COOKIE, length]),
        (false, &[COOKIE, length]),
    ];
    for (ticket, fields) in rows {
        let verdict = Case { closed: None, fields, ..CASE }.verdict();
        let wanted = if *ticket { Verdict::Resume } else { Verdict::Forward };
        assert_eq!(verdict, wanted, "{fields:?}");
    }
}

/// What becomes of a form while its place is closed.
fn kept(case: &Case) -> Result<FormKind, NotKept> {
    match case.rest() {
        Verdict::Capture(kind) => Ok(kind),
        Verdict::Page(_, Some(why)) => Err(why),
        Verdict::Page(_, None)
        | Verdict::Own
        | Verdict::Probe
        | Verdict::Forward
        | Verdict::Accept(_)
        | Verdict::Resume
        | Verdict::Hold
        | Verdict::Redirect(_)
        | Verdict::Refuse(_) => panic!("nothing was said of the form in {:?}", case.fields),
    }
}

#[test]
fn a_route_that_keeps_nothing_says_so_before_anything_else() {
    for fields in [&[FORM, SITE, NAVIGATE][..], &["content-type: application/json"]] {
        let case = Case { keeps: Keeps::Nothing, fields, ..CASE };
        assert_eq!(kept(&case), Err(NotKept::Policy));
    }
}

#[test]
fn forms_are_what_browsers_send_when_somebody_presses_a_button() {
    let multipart = "content-type: multipart/form-data; boundary=----x";
    let rows: &[(Result<FormKind, NotKept>, &[&str])] = &[
        (Ok(FormKind::Urlencoded), &[FORM, SITE, NAVIGATE]),
        (Ok(FormKind::Multipart), &[multipart, SITE, NAVIGATE]),
        (Ok(FormKind::Plain), &["content-type: TEXT/plain", SITE, NAVIGATE]),
        (Ok(FormKind::Urlencoded), &[FORM, SITE, HTML]),
        (Ok(FormKind::Urlencoded), &[FORM, SITE, NAVIGATE, "authorization: Basic dTpw"]),
        (Err(NotKept::Type), &[FORM, SITE, NAVIGATE, "authorization: Bearer x"]),
        (Err(NotKept::Type), &[FORM, SITE, NAVIGATE, "authorization: Basicx y"]),
        (Err(NotKept::Type), &["content-type: application/json", SITE, NAVIGATE]),
        (Err(NotKept::Type), &[SITE, NAVIGATE]),
        (Err(NotKept::Type), &[FORM, multipart, SITE, NAVIGATE]),
        (Err(NotKept::Type), &[FORM, SITE, "sec-fetch-mode: cors", HTML]),
        (Err(NotKept::Type), &[FORM, SITE, NAVIGATE, "sec-fetch-mode: cors"]),
        (Err(NotKept::Type), &[FORM, SITE, "accept: */*"]),
        (Err(NotKept::Type), &[FORM, SITE]),
        (Err(NotKept::Type), &[FORM, SITE, NAVIGATE, "x-requested-with: XMLHttpRequest"]),
        (Err(NotKept::Type), &[FORM, SITE, NAVIGATE, "hx-request: true"]),
        // The type is told before the origin.
        (Err(NotKept::Type), &["content-type: application/json", "sec-fetch-site: cross-site"]),
    ];
    for (wanted, fields) in rows {
        assert_eq!(kept(&Case { fields, ..CASE }), *wanted, "{fields:?}");
    }
}

#[test]
fn the_origin_is_settled_by_what_the_browser_says() {
    let own = "origin: http://claims.example:8080";
    let rows: &[(bool, &[&str])] = &[
        (true, &[SITE]),
        (true, &[SITE, own]),
        (true, &[SITE, "origin: null"]),
        (true, &[own]),
        (true, &["origin: HTTP://Claims.Example:8080"]),
        (true, &["referer: http://claims.example:8080/claims?x=http://evil.example/"]),
        (true, &["referer: http://claims.example:8080"]),
        (true, &[own, "referer: http://evil.example/"]),
        (false, &[]),
        (false, &["sec-fetch-site: same-site", own]),
        (false, &["sec-fetch-site: cross-site", own]),
        (false, &["sec-fetch-site: none", own]),
        (false, &["sec-fetch-site: ", own]),
        (false, &["sec-fetch-site: \u{e9}", own]),
        (false, &[SITE, "sec-fetch-site: cross-site", own]),
        (false, &[SITE, "origin: http://evil.example"]),
        (false, &[SITE, own, "origin: http://evil.example"]),
        // In doubt it is kept, and only given back: `forms::refill` has what follows.
        (true, &["origin: null"]),
        (true, &["origin: null", "referer: http://claims.example:8080/claims"]),
        (false, &["origin: null", "referer: http://evil.example/"]),
        (false, &["origin: null", "sec-fetch-site: cross-site"]),
        (false, &["origin: null", "sec-fetch-site: none"]),
        (false, &["origin: null", "origin: http://evil.example"]),
        (false, &["origin: http://claims.example"]),
        (false, &["origin: http://claims.example:80"]),
        (false, &["origin: https://claims.example:8080"]),
        (false, &["origin: http://claims.example:8080.evil.example"]),
        (false, &["origin: http://claims.example:8080/x"]),
        (false, &["origin: http://x@claims.example:8080"]),
        (false, &["origin: claims.example:8080"]),
        (false, &["origin: http://"]),
        (false, &["referer: http://evil.example/http://claims.example:8080/"]),
        (false, &["referer: http://claims.example:8080@evil.example/"]),
        (false, &["referer: /claims"]),
        (false, &["referer: "]),
    ];
    for (same, evidence) in rows {
        let fields: Vec<&str> = [FORM, NAVIGATE].iter().chain(*evidence).copied().collect();
        let wanted = if *same { Ok(FormKind::Urlencoded) } else { Err(NotKept::Origin) };
        assert_eq!(kept(&Case { fields: &fields, ..CASE }), wanted, "{evidence:?}");
    }
}

#[test]
fn default_ports_are_the_same_as_none() {
    let rows = [
        ("http", "a.example", "origin: http://a.example:80", true),
        ("http", "a.example:80", "origin: http://a.example", true),
        ("https", "a.example:443", "origin: https://a.example", true),
        ("https", "a.example", "origin: https://a.example:443", true),
        ("https", "a.example", "origin: https://a.example:80", false),
        ("https", "a.example", "origin: http://a.example:443", false),
        ("http", "[::1]", "origin: http://[::1]:80", true),
        ("http", "[::1]:80", "origin: http://[::1]", true),
        ("http", "[::1]:81", "origin: http://[::1]", false),
    ];
    for (scheme, authority, origin, same) in rows {
        let case = Case { scheme, authority, fields: &[FORM, NAVIGATE, origin], ..CASE };
        assert_eq!(kept(&case).is_ok(), same, "{scheme}://{authority} {origin}");
    }
}

#[test]
fn the_answer_fits_who_asks() {
    let json = "content-type: application/json";
    let rows: &[(Wants, &[&str])] = &[
        (Wants::Html, &[HTML]),
        (Wants::Html, &["ACCEPT: Text/HTML"]),
        (Wants::Html, &[NAVIGATE, "accept: */*"]),
        (Wants::Html, &["accept: application/json;q=0.5", "accept: text/html"]),
        (Wants::Html, &[FORM, HTML]),
        (Wants::Problem, &["accept: application/json"]),
        (Wants::Problem, &["accept: application/vnd.api+json , */*"]),
        (Wants::Problem, &["accept: application/json, text/html;q=0.5"]),
        (Wants::Problem, &["accept: text/html;q=0, application/json"]),
        (Wants::Problem, &[json]),
        (Wants::Problem, &[json, "accept: */*"]),
        (Wants::Problem, &["x-requested-with: XMLHttpRequest", HTML]),
        (Wants::Problem, &["hx-request: true", HTML]),
        (Wants::Problem, &["sec-fetch-mode: cors", HTML]),
        (Wants::Problem, &["sec-fetch-mode: Same-Origin", "accept: */*"]),
        (Wants::Grpc, &["content-type: application/grpc"]),
        (Wants::Grpc, &["content-type: application/grpc+proto", HTML]),
        (Wants::Grpc, &["content-type: application/grpc-web; charset=utf-8"]),
        (Wants::WebSocket, &["upgrade: h2c, WebSocket", HTML]),
        (Wants::EventStream, &["accept: text/event-stream", "sec-fetch-mode: cors"]),
        (Wants::Text, &[]),
        (Wants::Text, &["accept: */*"]),
        (Wants::Text, &["accept: text/html;q=0"]),
        (Wants::Text, &["accept: image/png;q=nonsense,,;"]),
        (Wants::Text, &["sec-fetch-mode: no-cors", "accept: image/avif,*/*"]),
        (Wants::Text, &["accept: \u{e9}"]),
    ];
    for (wanted, fields) in rows {
        assert_eq!(Case { fields, ..CASE }.wants(), *wanted, "{fields:?}");
    }
}

#[test]
fn a_redirect_comes_after_what_a_window_says_and_https_before_it() {
    let to_https = Redirects { to_https: true, elsewhere: false };
    let elsewhere = Redirects { to_https: false, elsewhere: true };
    let get = Case { method: "GET", ..CASE };
    let led = |closed, redirects| Case { closed, redirects, ..get }.verdict();
    assert_eq!(led(None, elsewhere), Verdict::Redirect(Leads::Elsewhere));
    assert_eq!(led(READ_ONLY, elsewhere), Verdict::Redirect(Leads::Elsewhere));
    assert_eq!(led(PAGE, elsewhere), Verdict::Page(Wants::Text, None));
    for closed in [None, READ_ONLY, PAGE] {
        assert_eq!(led(closed, to_https), Verdict::Redirect(Leads::ToHttps), "{closed:?}");
        let form = Case { closed, redirects: to_https, fields: &[FORM, SITE, NAVIGATE], ..CASE };
        assert_eq!(form.rest(), Verdict::Redirect(Leads::ToHttps), "a form is sent again");
        let own = Case { closed, redirects: to_https, path: "/.intermission/x", ..get };
        assert_eq!(own.verdict(), Verdict::Own);
    }
    for path in ["/healthz", "/.well-known/acme-challenge/token"] {
        let case = Case { closed: None, redirects: to_https, path, ..get };
        assert_eq!(case.verdict(), Verdict::Forward, "{path}");
    }
    let secure = Case { closed: None, redirects: to_https, scheme: "https", ..get };
    assert_eq!(secure.verdict(), Verdict::Forward);
}

#[test]
fn read_only_lets_every_method_pass_to_the_paths_that_each_window_allows() {
    let (login, more): (&[&str], &[&str]) = (&["/login", "/sso/*"], &["/sso/*", "/other"]);
    let rows: &[(bool, &[&[&str]], &str)] = &[
        (true, &[login], "/login"),
        (true, &[login], "/sso/"),
        (true, &[login], "/sso/okta/callback"),
        (true, &[login, more], "/sso/x"),
        (false, &[login, more], "/login"),
        (false, &[login, &[]], "/sso/x"),
        (false, &[], "/login"),
        (false, &[login], "/login/"),
        (false, &[login], "/loginx"),
        (false, &[login], "/Login"),
        (false, &[login], "/sso"),
        (false, &[login], "/ssox"),
        (false, &[login], "/claims"),
        (false, &[login], "/sso/%2F..%2Fclaims"),
        (false, &[login], "/sso/%252e%252e%252fclaims"),
        (true, &[&["/*"]], "/claims"),
    ];
    for (passes, allow, path) in rows {
        let case = Case { closed: READ_ONLY, method: "DELETE", allow, path, ..CASE };
        assert_eq!(case.verdict() == Verdict::Forward, *passes, "{allow:?} {path}");
        let shut = Case { closed: PAGE, ..case };
        assert_ne!(shut.verdict(), Verdict::Forward, "a page lets nothing pass");
        let waits = Case { closed: READ_ONLY, holds: true, ..shut };
        assert_eq!(waits.verdict() == Verdict::Hold, *passes, "beside a window that holds");
    }
}

#[test]
fn a_read_that_claims_to_be_a_write_is_one() {
    let rows: &[(bool, &str, &[&str])] = &[
        (true, "/claims", &[]),
        (true, "/claims", &["x-http-method-override: GET"]),
        (true, "/claims", &["x-http-method-override:  head "]),
        (true, "/claims?_method=options", &[]),
        (true, "/claims?method=DELETE&q=_method", &[]),
        (false, "/claims", &["x-http-method-override: DELETE"]),
        (false, "/claims", &["X-Http-Method: put"]),
        (false, "/claims", &["X-Method-Override: merge"]),
        (false, "/claims", &["x-method-override: no name"]),
        (false, "/claims", &["x-http-method-override: GET", "x-http-method-override: POST"]),
        (false, "/claims", &["x-http-method-override: GET", "x-method-override: POST"]),
        (false, "/claims?_method=DELETE", &[]),
        (false, "/claims?a=b&_method=patch", &[]),
        (false, "/claims?%5Fmethod=DELETE", &[]),
        (false, "/claims?_%6Dethod=%44ELETE", &[]),
        (false, "/claims?_method=GET&_method=DELETE", &[]),
    ];
    for (reads, path, fields) in rows {
        let case = Case { closed: READ_ONLY, method: "GET", path, fields, ..CASE };
        assert_eq!(case.verdict() == Verdict::Forward, *reads, "{path} {fields:?}");
        let open = Case { closed: None, ..case };
        assert_eq!(open.verdict(), Verdict::Forward, "an open place asks nobody");
        let get = "x-http-method-override: GET";
        let post = Case { closed: READ_ONLY, fields: &[get], ..CASE };
        assert_ne!(post.verdict(), Verdict::Forward, "a write that claims to read is a write");
    }
}
