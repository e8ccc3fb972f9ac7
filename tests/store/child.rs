//! This test binary run again as another process: one that can be killed, preloaded or mounted.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use intermission::clock::Clock;
use intermission::id::Id;
use intermission::store::{Quota, Store, StoreError, open};

use super::{NOON, disk, item, quota, sealed};

const ROLE: &str = "INTERMISSION_TEST_ROLE";
const PLACE: &str = "INTERMISSION_TEST_PLACE";

/// What the child does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Keeps submissions and tells each one's id once it was acknowledged.
    Keep,
    /// Tells the id before the answer: a store that lies, to see that a test can tell.
    Boast,
    /// Keeps until a first failure, waits until the store has mended itself, and does no more.
    Rest,
    /// Fills its small disk, see [`disk`].
    FillDisk,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Boast => "boast",
            Self::Rest => "rest",
            Self::FillDisk => "fill-disk",
        }
    }
}

/// The arguments and environment that make `command` run this binary in a role.
pub(super) fn play(command: &mut Command, role: Role, place: &Path) {
    command.args(["--exact", "store::child::plays_its_role", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role.name()).env(PLACE, place);
}

/// A child that keeps submissions until it is killed, and what it says.
pub(super) struct Keeper {
    process: Child,
    says: std::io::Lines<BufReader<ChildStdout>>,
}

/// What a [`Keeper`] says of one submission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Said {
    Kept(Id),
    NotKept(Id, String),
    Mended,
}

impl Keeper {
    pub(super) fn start(role: Role, place: &Path, env: &[(&str, &Path)]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        play(&mut command, role, place);
        command.envs(env.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().expect("the child starts");
        let says = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, says }
    }

    /// The next thing it says; none once it is gone.
    pub(super) fn hear(&mut self) -> Option<Said> {
        self.says.by_ref().map_while(Result::ok).find_map(|line| {
            let mut words = line.splitn(3, ' ');
            let word = words.next()?;
            if word == "mended" {
                return Some(Said::Mended);
            }
            let id = words.next()?.parse().ok()?;
            match word {
                "kept" => Some(Said::Kept(id)),
                "not-kept" => Some(Said::NotKept(id, words.next().unwrap_or("").to_owned())),
                _ => None,
            }
        })
    }

    /// Kills it (SIGKILL) and gives the rest of what it had said.
    pub(super) fn kill(mut self) -> Vec<Said> {
        self.process.kill().expect("it runs until it is killed");
        let rest = std::iter::from_fn(|| self.hear()).collect();
        self.process.wait().expect("it is gone");
        rest
    }
}

/// Not a test of its own: does nothing unless this process was started as a child.
#[test]
fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let place = PathBuf::from(std::env::var_os(PLACE).expect("a place"));
    match role.as_str() {
        "keep" => keep_for_ever(&place, Role::Keep),
        "boast" => keep_for_ever(&place, Role::Boast),
        "rest" => keep_then_rest(&place),
        "fill-disk" => disk::fill(&place),
        other => panic!("no role {other}"),
    }
}

fn keep_for_ever(place: &Path, role: Role) {
    let store: Arc<dyn Store> = Arc::new(open(place, Clock::System).expect("it opens"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let clients: Vec<_> =
            (0..8).map(|client| tokio::spawn(keep_as(client, role, Arc::clone(&store)))).collect();
        for client in clients {
            client.await.expect("no panic");
        }
    });
}

fn keep_then_rest(place: &Path) {
    let store = open(place, Clock::System).expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for round in 0..100_000 {
        let kept = item(&format!("client {round}"), NOON, 1);
        let id = kept.id;
        match runtime.block_on(store.keep(kept, sealed(1, 1_500), quota())) {
            Ok(_) => say(&format!("kept {id}")),
            Err(error) => {
                say(&format!("not-kept {id} {error}"));
                break;
            }
        }
    }
    for _ in 0..3_000 {
        if store.latency().repairs > 0 {
            say("mended now");
            std::thread::park_timeout(Duration::from_secs(60));
        }
        // SLEEP: a gauge cannot be awaited; 30 s at most.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Small forms in one piece, and uploads whose frames come first. Bounded, should nobody kill it.
async fn keep_as(client: u32, role: Role, store: Arc<dyn Store>) {
    let many = Quota { per_browser: u32::MAX, bytes_per_browser: u64::MAX, ..quota() };
    for round in 0..100_000 {
        let kept = item(&format!("client {client}"), NOON, 1 + (round + client) % 3);
        let mut frames = sealed(kept.frames, 1_500);
        let id = kept.id;
        if role == Role::Boast {
            say(&format!("kept {id}"));
        }
        let answer = async {
            while frames.len() > 1 {
                let (frame, bytes) = frames.remove(0);
                store.append(id, frame, bytes).await?;
            }
            store.keep(kept, frames, many).await
        };
        let answer: Result<_, StoreError> = answer.await;
        match answer {
            Ok(_) if role == Role::Boast => {}
            Ok(_) => say(&format!("kept {id}")),
            Err(error) => say(&format!("not-kept {id} {error}")),
        }
    }
}

/// One write, so that a kill cannot tear a line in the middle and pass it for another.
fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stdout().write_all(line.as_bytes()).expect("somebody listens");
}
