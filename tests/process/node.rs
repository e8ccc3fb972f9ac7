//! The built program as a process of its own: started, signalled, replaced, and heard.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use intermission::digest;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::http1::Message;
use crate::support::origin::Origin;
use crate::support::raw::{Raw, exchange};
use crate::support::{PATIENCE, eventually};

const TOKEN: &str = "process-test";

/// Where processes of one proxy live, one after another.
pub(super) struct Stage {
    pub(super) origin: Origin,
    pub(super) visitors: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) manager: UnixDatagram,
    folder: TempDir,
}

/// A process. Ended when dropped.
pub(super) struct Process(Child);

impl Stage {
    /// A proxy in front of this origin, with these lines in its config.
    pub(super) fn new(origin: Origin, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let manager = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        manager.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        let (visitors, admin) = (free_port(), free_port());
        let stage = Self { origin, visitors, admin, manager, folder };
        stage.configure("site", more);
        stage
    }

    /// Writes the config, with one route of this name.
    pub(super) fn configure(&self, route: &str, more: &str) {
        let Self { visitors, admin, origin, .. } = self;
        let text = format!(
            r#"
            [node]
            name = "process-test"
            workers = 2
            [listen]
            http = ["{visitors}"]
            [admin]
            listen = "{admin}"
            [[admin.token]]
            name = "tester"
            sha256 = "{token}"
            [store]
            directory = "store"
            [log]
            access = "off"
            [limits]
            connections_per_address = 2000
            [[upstream]]
            name = "origin"
            servers = ["{origin}"]
            [[route]]
            name = "{route}"
            hosts = ["*"]
            paths = ["/*"]
            upstream = "origin"
            {more}
            "#,
            token = digest::hex(&digest::sha256(TOKEN.as_bytes())),
            origin = origin.address(),
        );
        std::fs::write(self.config(), text).expect("the config");
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("node.toml")
    }

    /// What its processes have logged.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The command that starts a process.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_intermission"));
        command.args(self.arguments()).args(arguments);
        self.dress(command)
    }

    /// The same behind a shell that passes a listening socket on, as a service manager does.
    pub(super) fn activated(&self, socket: TcpListener) -> Command {
        let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\"";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_intermission")]);
        command.args(self.arguments());
        let mut command = self.dress(command);
        command.stdin(Stdio::from(OwnedFd::from(socket)));
        command
    }

    fn arguments(&self) -> [std::ffi::OsString; 3] {
        ["serve".into(), "--config".into(), self.config().into()]
    }

    fn dress(&self, mut command: Command) -> Command {
        let log = self.folder.path().join("log");
        let log = File::options().create(true).append(true).open(log).expect("the log");
        command
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    /// Starts a process and waits until it says that it serves.
    pub(super) fn start(&self) -> Process {
        let process = Process::spawn(self.command(&[]));
        self.hear("READY=1");
        process
    }

    /// The next word to the service manager that holds this; others are passed over.
    #[track_caller]
    pub(super) fn hear(&self, word: &str) -> String {
        let mut bytes = [0; 4096];
        let mut heard = Vec::new();
        loop {
            let Ok(count) = self.manager.recv(&mut bytes) else {
                panic!("{word} was not said, but {heard:?}: {}", self.log())
            };
            let said = String::from_utf8_lossy(&bytes[..count]).into_owned();
            if said.lines().any(|line| line.starts_with(word)) {
                return said;
            }
            heard.push(said);
        }
    }

    /// A visitor's connection.
    pub(super) fn connect(&self) -> Raw {
        Raw::connect(self.visitors)
    }

    /// What the operator gets.
    pub(super) fn operator(&self, line: &str, body: &str) -> Message {
        let (host, length) = (self.admin, body.len());
        let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n");
        let fields =
            format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\r\n");
        exchange(self.admin, format!("{head}{fields}{body}"))
    }
}

impl Process {
    pub(super) fn spawn(mut command: Command) -> Self {
        Self(command.spawn().expect("the built program"))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(super) fn ended(&mut self) -> ExitStatus {
        eventually("the process ends", || self.0.try_wait().expect("our own child"))
    }

    /// Whether it runs.
    pub(super) fn runs(&mut self) -> bool {
        self.0.try_wait().expect("our own child").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A signal to a process that this test started, or had started.
pub(super) fn send(id: u32, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(id).expect("a process")).expect("a process");
    kill_process(id, signal).expect("a process of ours");
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

/// Visitors who ask again and again, on connections that are kept as long as the proxy lets them.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    failed: Arc<Mutex<Vec<String>>>,
    visitors: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn start(stage: &Stage, visitors: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let asked = Arc::<AtomicUsize>::default();
        let failed = Arc::<Mutex<Vec<String>>>::default();
        let visitors = (0..visitors)
            .map(|_| {
                let (stop, asked, failed) = (stop.clone(), asked.clone(), failed.clone());
                let to = stage.visitors;
                std::thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if let Err(fault) = visit(to, &stop, &asked) {
                            failed.lock().expect("not poisoned").push(fault);
                        }
                    }
                })
            })
            .collect();
        Self { stop, asked, failed, visitors }
    }

    /// Waits until this many more requests were answered.
    #[track_caller]
    pub(super) fn goes_on(&self, more: usize) {
        let from = self.asked.load(Ordering::Relaxed);
        eventually("visitors are served", || {
            (self.asked.load(Ordering::Relaxed) >= from + more).then_some(())
        });
    }

    /// Ends; tells what failed.
    pub(super) fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        for visitor in self.visitors {
            visitor.join().expect("a visitor does not panic");
        }
        self.failed.lock().expect("not poisoned").clone()
    }
}

/// One connection, used until it ends.
fn visit(to: SocketAddr, stop: &AtomicBool, asked: &AtomicUsize) -> Result<(), String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect_timeout(&to, PATIENCE)
        .map_err(|error| format!("connect: {error}"))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    for _ in 0..50 {
        let request = b"GET /load HTTP/1.1\r\nHost: site.test\r\n\r\n";
        stream.write_all(request).map_err(|error| format!("write: {error}"))?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nhello") {
            let mut piece = [0; 1024];
            match stream.read(&mut piece) {
                Ok(0) => return Err(format!("an end after {} bytes", answer.len())),
                Ok(count) => answer.extend_from_slice(&piece[..count]),
                Err(error) => return Err(format!("read: {error}")),
            }
            if answer.len() > 4096 {
                return Err(String::from_utf8_lossy(&answer).into_owned());
            }
        }
        asked.fetch_add(1, Ordering::Relaxed);
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        if text.contains("connection: close") || stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(())
}
