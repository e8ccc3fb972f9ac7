//! A whole node with a listener for TLS, its certificates in files beside its config.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

use intermission::clock::Clock;
use intermission::config::{self, Color, Loaded};
use intermission::serve::{self, Options, Running, Signals, Takeover};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::http1::Message;
use crate::support::origin::Origin;
use crate::support::raw;
use crate::support::tls::{Ca, Visitor};

/// The names of the certificates of every node, the first of which is the default.
pub(super) const CERTIFICATES: [(&str, &[&str]); 3] = [
    ("default", &["default.test"]),
    ("site", &["site.test", "WWW.site.test"]),
    ("wild", &["*.wild.test"]),
];

/// A node. Stops when dropped.
pub(super) struct Node {
    running: Mutex<Option<Running>>,
    http: SocketAddr,
    https: SocketAddr,
    admin: SocketAddr,
    pub(super) ca: Ca,
    pub(super) origin: Origin,
    pub(super) folder: TempDir,
}

impl Node {
    /// A node as it comes.
    pub(super) fn start() -> Self {
        Self::with("", |_| {})
    }

    /// A node with these lines in `[tls]`, after `prepare` has put files beside its config.
    pub(super) fn with(tls: &str, prepare: impl FnOnce(&Path)) -> Self {
        Self::before(Origin::replying("hello"), tls, "", prepare)
    }

    /// A node in front of this origin, with more sections besides.
    pub(super) fn before(
        origin: Origin,
        tls: &str,
        more: &str,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = Ca::new("of the tests");
        let mut text = config_text(origin.address(), tls);
        for (name, names) in CERTIFICATES {
            ca.issue(names).write(folder.path(), name);
            text.push_str(&format!(
                "[[tls.certificate]]\nchain = \"{name}.pem\"\nkey = \"{name}.key\"\n"
            ));
        }
        text.push_str(more);
        prepare(folder.path());
        let file = folder.path().join("intermission.toml");
        std::fs::write(&file, text).expect("written");
        let options = Options {
            loaded: load(&file),
            file: Some(file),
            clock: Clock::System,
            signals: Signals::Ignored,
            takeover: Takeover::No,
        };
        let running = serve::start(options).expect("a node that starts");
        let (http, https) = (running.proxy_addresses()[0], running.proxy_addresses()[1]);
        let admin = running.admin_address();
        Self { running: Mutex::new(Some(running)), http, https, admin, ca, origin, folder }
    }

    /// Where visitors connect in the clear.
    #[allow(dead_code, reason = "for the tests of a feature")]
    pub(super) fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where visitors connect by TLS.
    pub(super) fn https(&self) -> SocketAddr {
        self.https
    }

    /// Somebody who believes the node's CA.
    pub(super) fn visitor(&self) -> Visitor {
        Visitor::trusting(&self.ca)
    }

    /// The certificate in this file.
    pub(super) fn certificate(&self, file: &str) -> CertificateDer<'static> {
        let at = self.folder.path().join(format!("{file}.pem"));
        CertificateDer::from_pem_file(at).expect("a certificate")
    }

    /// Reads the config again.
    #[track_caller]
    pub(super) fn reload(&self) {
        let answer = self.admin("POST /api/v1/config/reload");
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }

    /// A request to the admin API.
    pub(super) fn admin(&self, line: &str) -> Message {
        let at = self.admin;
        raw::exchange(
            at,
            format!(
                "{line} HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer of-the-tests\r\n\
                 Content-Type: application/json\r\nContent-Length: 0\r\n\r\n"
            ),
        )
    }

    /// The value of a metric's series, 0 if there is none.
    pub(super) fn metric(&self, series: &str) -> u64 {
        let text = self.admin("GET /metrics").text();
        let line = text.lines().find(|line| line.starts_with(series));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(0, |value| value.parse().expect("a number"))
    }

    /// Waits until a metric's series has this value.
    #[track_caller]
    pub(super) fn comes_to(&self, series: &str, value: u64) {
        eventually(series, || (self.metric(series) >= value).then_some(()));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.running.lock().expect("not poisoned").take().map(Running::stop);
    }
}

/// A request for this host.
pub(super) fn get(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// The series of handshakes that went so.
pub(super) fn handshakes(outcome: &str, version: &str) -> String {
    format!("intermission_tls_handshakes_total{{outcome=\"{outcome}\",version=\"{version}\"}}")
}

#[track_caller]
fn load(file: &Path) -> Loaded {
    config::load(file).unwrap_or_else(|problems| panic!("{}", problems.render(Color::Plain)))
}

fn config_text(server: SocketAddr, tls: &str) -> String {
    let hash = intermission::digest::hex(&intermission::digest::sha256(b"of-the-tests"));
    format!(
        r#"
[node]
name = "node-1"
workers = 2
[listen]
http = ["127.0.0.1:0"]
https = ["127.0.0.1:0"]
[admin]
listen = "127.0.0.1:0"
[[admin.token]]
name = "ops"
sha256 = "{hash}"
[store]
directory = "store"
[log]
access = "off"
[[upstream]]
name = "app"
servers = ["{server}"]
[[route]]
name = "site"
paths = ["/*"]
upstream = "app"
[tls]
{tls}
"#
    )
}
