//! A node, an application and a browser: the real proxy over the real store, raw bytes on the wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use intermission::clock::Clock;
use intermission::config;
use intermission::digest;
use intermission::serve::{self, Options, Running, Signals, Takeover};
use tempfile::TempDir;

use crate::support::http1::Message;
use crate::support::origin::Origin;
use crate::support::raw::{Raw, exchange};

const TOKEN: &str = "forms-test";

/// How a node differs from the usual.
pub(super) struct Shape<'a> {
    /// Worker threads.
    pub(super) workers: u32,
    /// Trusted networks, quoted.
    pub(super) trusted: &'a str,
    /// Lines of `[route.forms]`.
    pub(super) forms: &'a str,
    /// Lines of `[limits]`.
    pub(super) limits: &'a str,
    /// Lines of `[[upstream]]`.
    pub(super) upstream: &'a str,
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self { workers: 1, trusted: "", forms: "resume = \"replay\"", limits: "", upstream: "" }
    }
}

/// A node in front of one application.
pub(super) struct Stage {
    pub(super) origin: Origin,
    running: Option<Running>,
    pub(super) folder: TempDir,
}

impl Stage {
    /// The route `/` with these `[route.forms]` lines.
    pub(super) fn with_forms(origin: Origin, forms: &str) -> Self {
        let server = origin.address();
        Self::start(origin, server, Shape { forms, ..Shape::default() })
    }

    /// As it is shaped.
    pub(super) fn shaped(origin: Origin, shape: Shape<'_>) -> Self {
        let server = origin.address();
        Self::start(origin, server, shape)
    }

    /// With another server than the origin.
    pub(super) fn with_upstream(origin: Origin, server: SocketAddr) -> Self {
        Self::start(origin, server, Shape::default())
    }

    /// As it is shaped, with another server than the origin.
    pub(super) fn start(origin: Origin, server: SocketAddr, shape: Shape<'_>) -> Self {
        let Shape { workers, trusted, forms, limits, upstream } = shape;
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            r#"
            [node]
            name = "forms-test"
            workers = {workers}
            [listen]
            http = ["127.0.0.1:0"]
            trusted = [{trusted}]
            [admin]
            listen = "127.0.0.1:0"
            [[admin.token]]
            name = "tester"
            sha256 = "{token}"
            [store]
            directory = "{store}"
            [limits]
            {limits}
            [log]
            access = "off"
            [[upstream]]
            name = "origin"
            servers = ["{server}"]
            {upstream}
            [[route]]
            name = "claims"
            title = "Claims"
            hosts = ["*"]
            paths = ["/*"]
            upstream = "origin"
            answer_timeout = "5s"
            [route.forms]
            {forms}
            "#,
            token = digest::hex(&digest::sha256(TOKEN.as_bytes())),
            store = folder.path().join("store").display(),
        );
        let loaded = config::load_text("forms.toml", &text, Path::new("/"));
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(problems) => panic!("{:?}", problems.iter().collect::<Vec<_>>()),
        };
        let (clock, signals) = (Clock::System, Signals::Ignored);
        let running =
            serve::start(Options { loaded, file: None, clock, signals, takeover: Takeover::No });
        let running = Some(running.expect("a node"));
        Self { origin, running, folder }
    }

    pub(super) fn replaying(origin: Origin) -> Self {
        Self::with_forms(origin, "resume = \"replay\"")
    }

    pub(super) fn confirming(origin: Origin) -> Self {
        Self::with_forms(origin, "resume = \"confirm\"")
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.running.as_ref().expect("it runs").proxy_addresses()[0]
    }

    pub(super) fn browser(&self) -> Browser {
        Browser { to: self.address(), cookies: BTreeMap::new() }
    }

    pub(super) fn close(&self) {
        let order = r#"{"routes":["claims"],"reason":"a test","back_in":"15m"}"#;
        assert_eq!(self.admin("/api/v1/switches", order).status(), 201);
    }

    /// Closes it with these members in the order.
    pub(super) fn close_as(&self, more: &str) {
        let order = format!(r#"{{"routes":["claims"],"reason":"a test",{more}}}"#);
        let told = self.admin("/api/v1/switches", &order);
        assert_eq!(told.status(), 201, "{}", told.text());
    }

    pub(super) fn reopen(&self) {
        let order = r#"{"routes":["claims"],"reason":"a test"}"#;
        assert_eq!(self.admin("/api/v1/switches/off", order).status(), 200);
    }

    /// Stops the node, so that its files are whole.
    pub(super) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    /// Whether these bytes are in any file of the store.
    pub(super) fn stores(&self, canary: &str) -> bool {
        let files = std::fs::read_dir(self.folder.path().join("store")).expect("a folder");
        files
            .filter_map(|file| std::fs::read(file.expect("a file").path()).ok())
            .any(|bytes| bytes.windows(canary.len()).any(|window| window == canary.as_bytes()))
    }

    /// What the admin API tells of the node.
    pub(super) fn status(&self) -> String {
        self.ask("GET", "/api/v1/status", "").text()
    }

    fn admin(&self, path: &str, order: &str) -> Message {
        self.ask("POST", path, order)
    }

    /// Asks the admin API.
    pub(super) fn ask(&self, method: &str, path: &str, order: &str) -> Message {
        let to = self.running.as_ref().expect("it runs").admin_address();
        let length = order.len();
        exchange(
            to,
            format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
                 content-type: application/json\r\ncontent-length: {length}\r\n\r\n{order}"
            ),
        )
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A browser: cookies, and the fields that browsers send with navigations.
#[derive(Clone)]
pub(super) struct Browser {
    to: SocketAddr,
    pub(super) cookies: BTreeMap<String, String>,
}

pub(super) const URLENCODED: &str = "application/x-www-form-urlencoded";

impl Browser {
    pub(super) fn origin(&self) -> String {
        format!("http://localhost:{}", self.to.port())
    }

    /// The head of a navigation, without the line that ends it.
    pub(super) fn head(&self, method: &str, path: &str) -> String {
        let port = self.to.port();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\n\
             accept: text/html,application/xhtml+xml\r\naccept-language: en\r\n\
             sec-fetch-mode: navigate\r\nsec-fetch-site: same-origin\r\n"
        );
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            head += &format!("cookie: {}\r\n", pairs.join("; "));
        }
        head
    }

    /// The head of a form post from a page of the site.
    pub(super) fn post_head(&self, path: &str, content_type: &str) -> String {
        let origin = self.origin();
        let referer = format!("referer: {origin}/form?step=2\r\n");
        let head = self.head("POST", path);
        format!("{head}origin: {origin}\r\n{referer}content-type: {content_type}\r\n")
    }

    pub(super) fn get(&mut self, path: &str) -> Message {
        let head = self.head("GET", path);
        self.exchange(format!("{head}\r\n").as_bytes())
    }

    pub(super) fn post(&mut self, path: &str, body: &str) -> Message {
        self.post_as(path, URLENCODED, body.as_bytes())
    }

    pub(super) fn post_as(&mut self, path: &str, content_type: &str, body: &[u8]) -> Message {
        let head = self.post_head(path, content_type);
        let head = format!("{head}content-length: {}\r\n\r\n", body.len());
        self.exchange(&[head.as_bytes(), body].concat())
    }

    /// Sends a request and takes the cookies of its answer.
    pub(super) fn exchange(&mut self, request: &[u8]) -> Message {
        let answer = exchange(self.to, request);
        self.take_cookies(&answer);
        answer
    }

    pub(super) fn take_cookies(&mut self, answer: &Message) {
        for cookie in answer.field_values("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    pub(super) fn connect(&self) -> Raw {
        Raw::connect(self.to)
    }

    /// Submits a form to a closed place; gives the address of its receipt.
    #[track_caller]
    pub(super) fn save(&mut self, path: &str, body: &str) -> String {
        let answer = self.post(path, body);
        saved(&answer)
    }

    /// Presses Send on a receipt; gives the answer at the original address.
    #[track_caller]
    pub(super) fn send(&mut self, receipt: &str) -> Message {
        let form = self.form(receipt);
        let (path, form) = self.press(receipt, &form);
        self.post(&path, &form)
    }

    /// The Send form as the receipt has it.
    #[track_caller]
    pub(super) fn form(&mut self, receipt: &str) -> String {
        let page = self.get(receipt).text();
        let fields = ["intermission_ticket", "im_csrf", "mode"];
        let mut form = String::new();
        for name in fields {
            let value = hidden(&page, name).unwrap_or_else(|| panic!("no {name} in {page}"));
            form += &format!("{name}={value}&");
        }
        form + "checked=yes"
    }

    /// Posts the Send form; gives where the browser is sent, and the same form again.
    #[track_caller]
    pub(super) fn press(&mut self, receipt: &str, form: &str) -> (String, String) {
        let answer = self.post(&format!("{receipt}/resume"), form);
        assert_eq!(answer.status(), 307, "{}", answer.text());
        (answer.field("location").expect("where to").to_owned(), form.to_owned())
    }

    /// The state that a receipt tells.
    pub(super) fn state(&mut self, receipt: &str) -> String {
        self.get(receipt).field("intermission-state").unwrap_or("none").to_owned()
    }
}

/// The receipt that an answer leads to.
#[track_caller]
pub(super) fn saved(answer: &Message) -> String {
    saved_as(answer, "held")
}

/// The receipt that an answer leads to, of a submission in this state.
#[track_caller]
pub(super) fn saved_as(answer: &Message, state: &str) -> String {
    assert_eq!(answer.status(), 303, "{}", answer.text());
    assert_eq!(answer.field("intermission-state"), Some(state));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let receipt = answer.field("location").expect("a receipt");
    assert!(receipt.starts_with("/.intermission/s/"), "{receipt}");
    receipt.to_owned()
}

/// The value of a hidden input.
pub(super) fn hidden(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}
