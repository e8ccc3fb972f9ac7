//! The built binary as a process that can be killed and started on the same store.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use intermission::cli::demo::visitor::{Answer, Request, Visitor, exchange};
use intermission::clock::Clock;
use intermission::digest;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "crash-test";

/// A proxy in front of one application.
pub(super) struct Node {
    proxy: SocketAddr,
    admin: SocketAddr,
    process: Mutex<Option<Child>>,
    folder: TempDir,
}

impl Node {
    pub(super) fn start(origin: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (proxy, admin) = (free_port(), free_port());
        let config = format!(
            r#"
            [node]
            name = "crash-test"
            workers = 2
            [listen]
            http = ["{proxy}"]
            [admin]
            listen = "{admin}"
            [[admin.token]]
            name = "tester"
            sha256 = "{token}"
            [store]
            directory = "{store}"
            [log]
            access = "off"
            [[upstream]]
            name = "origin"
            servers = ["{origin}"]
            [[route]]
            name = "form"
            title = "Form"
            hosts = ["*"]
            paths = ["/*"]
            upstream = "origin"
            [route.forms]
            resume = "replay"
            "#,
            token = digest::hex(&digest::sha256(TOKEN.as_bytes())),
            store = folder.path().join("store").display(),
        );
        std::fs::write(folder.path().join("node.toml"), config).expect("the config");
        let mut node = Self { proxy, admin, process: Mutex::new(None), folder };
        node.start_again();
        node
    }

    /// A new browser.
    pub(super) fn visitor(&self) -> Visitor {
        Visitor::new(self.proxy, &format!("localhost:{}", self.proxy.port()))
    }

    /// SIGKILL.
    pub(super) fn kill(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut process = process.expect("a running proxy");
        process.kill().expect("our own child");
        process.wait().expect("our own child");
    }

    pub(super) fn start_again(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("the log");
        let process = Command::new(env!("CARGO_BIN_EXE_intermission"))
            .arg("serve")
            .arg("--config")
            .arg(self.folder.path().join("node.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the built binary");
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        let ready = Request::get("/ready").field("host", "localhost");
        wait_for("the proxy to be ready", || {
            let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(ended.is_none(), "the proxy ended ({ended:?}): {}", log());
            exchange(self.admin, &ready, PATIENCE).is_ok_and(|answer| answer.status == 200)
        });
    }

    pub(super) fn kill_and_start(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Closes the route; a route that is closed stays so.
    pub(super) fn close(&self) {
        if self.admin("GET", "/api/v1/windows", "").text().contains("\"id\"") {
            return;
        }
        let order = r#"{"routes":["form"],"reason":"crash test","back_in":"1h"}"#;
        let answer = self.admin("POST", "/api/v1/switches", order);
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Reopens it.
    pub(super) fn reopen(&self) {
        let order = r#"{"routes":["form"],"reason":"crash test"}"#;
        let answer = self.admin("POST", "/api/v1/switches/off", order);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Sealed frames in the store that belong to no submission.
    pub(super) fn stray_frames(&self) -> i64 {
        let file = self.folder.path().join("store").join("intermission.db");
        let store = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let sql =
            "SELECT count(*) FROM frames WHERE submission NOT IN (SELECT id FROM submissions)";
        let count = store.and_then(|store| store.query_row(sql, [], |row| row.get(0)));
        count.expect("the store can be read beside the proxy")
    }

    /// Opens a connection and writes `bytes`, which need not be a whole request.
    pub(super) fn write(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.proxy).expect("a connection");
        stream.write_all(bytes).expect("written");
        stream
    }

    /// Gives the proxy the time to read what was written to `stream`, which it tells nobody: other
    /// requests are answered meanwhile, some by the same worker.
    pub(super) fn wait_until_busy_with(&self, stream: &TcpStream) {
        for _ in 0..4 {
            self.visitor().open("/.intermission/s").expect("an answer");
        }
        stream.set_nonblocking(true).expect("our own socket");
        let got = (&mut &*stream).read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(got, Err(ErrorKind::WouldBlock), "half a form was answered");
    }

    fn admin(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut request = Request::get(path)
            .field("host", "localhost")
            .field("authorization", &format!("Bearer {TOKEN}"))
            .field("content-type", "application/json");
        method.clone_into(&mut request.method);
        request.body = body.as_bytes().to_vec();
        exchange(self.admin, &request, PATIENCE).expect("the admin API")
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("proxy.log")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) =
            self.process.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Waits until `holds`; fails after a bounded time, saying what did not come.
pub(super) fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let deadline = Clock::System.tick().plus(PATIENCE);
    while !holds() {
        assert!(Clock::System.tick() < deadline, "waited in vain for {what}");
        // SLEEP: another process's state is looked at, which announces nothing.
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
