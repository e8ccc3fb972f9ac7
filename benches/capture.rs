//! What keeping one form costs, without the network: CPU time of the thread that seals and of the
//! thread that writes, for forms of 2 KiB that are durable before they count.

use std::fs;
use std::hint::black_box;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use intermission::clock::Clock;
use intermission::id::NodeTag;
use intermission::store::embedded::{self, Embedded};
use intermission::vault::form::Kind;
use intermission::vault::{Head, NodeKey, Terms, Vault};
use intermission::{digest, limit};
use tokio::task::{JoinSet, LocalSet};

const FORM_BYTES: usize = 2 * 1024;
/// Forms that are kept for each figure, unless `--forms` says otherwise.
const FORMS: usize = 40_000;
/// Forms under way at once.
const AT_ONCE: [usize; 3] = [1, 16, 128];
const TYPE: &str = "application/x-www-form-urlencoded";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("nothing is measured without --bench");
        return;
    }
    let asked = arguments.iter().skip_while(|argument| *argument != "--forms").nth(1);
    let forms = asked.and_then(|count| count.parse().ok()).unwrap_or(FORMS);
    pieces();
    for at_once in AT_ONCE {
        keep(forms, at_once);
    }
}

/// What a worker does for each form, piece by piece.
fn pieces() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = Arc::new(embedded::open(directory.path(), Clock::System).expect("a store"));
    let vault = Vault::new(store, NodeKey::from_bytes([7; 32]), Clock::System, NodeTag(1));
    let form = Bytes::from(form(1));
    let owner = vault.new_owner();
    println!("µs of CPU, one after the other");
    each("32 random bytes", digest::random::<32>);
    each("HKDF", || digest::derive(&[1; 32], b"salt", &[b"info"]));
    each("HMAC of 2 KiB", || digest::mac(&[1; 32], &[&form]));
    each("a new browser", || vault.new_owner());
    each("receive, nothing of it yet", || vault.receive(&owner, head(), terms()).is_ok());
    each("receive and read it", || {
        let mut receiving = vault.receive(&owner, head(), terms()).expect("a form");
        let push = std::pin::pin!(receiving.push(form.clone()));
        let ready = push.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        assert!(ready.is_ready(), "one frame waits for nobody");
    });
}

fn each<T>(what: &str, mut once: impl FnMut() -> T) {
    const TIMES: u32 = 5_000;
    let before = own_time();
    for _ in 0..TIMES {
        black_box(once());
    }
    println!("  {what:<28} {:>7.2}", micros(own_time() - before) / f64::from(TIMES));
}

/// Keeps forms, so many at once, and tells what each cost.
fn keep(forms: usize, at_once: usize) {
    let directory = tempfile::tempdir().expect("a folder");
    let store = Arc::new(embedded::open(directory.path(), Clock::System).expect("a store"));
    let shared: Arc<Embedded> = Arc::clone(&store);
    let vault =
        Rc::new(Vault::new(shared, NodeKey::from_bytes([7; 32]), Clock::System, NodeTag(1)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (began, sealing) = (Clock::System.tick(), own_time());
    let writing = time_of("store-writer").unwrap_or_default();
    runtime.block_on(LocalSet::new().run_until(async {
        let mut visitors = JoinSet::new();
        for visitor in 0..at_once {
            let vault = Rc::clone(&vault);
            visitors.spawn_local(async move {
                for number in (visitor..forms).step_by(at_once) {
                    let owner = vault.new_owner();
                    let mut receiving = vault.receive(&owner, head(), terms()).expect("a form");
                    receiving.push(Bytes::from(form(number))).await.expect("a whole form");
                    receiving.finish().await.expect("room");
                }
            });
        }
        while let Some(ended) = visitors.join_next().await {
            ended.expect("no panic");
        }
    }));
    let sealing = micros(own_time() - sealing) / forms as f64;
    let writing = time_of("store-writer").unwrap_or_default() - writing;
    let writing = micros(writing) / forms as f64;
    let rate = forms as f64 / Clock::System.tick().since(began).as_secs_f64();
    let gauges = store.latency();
    println!("{at_once} at once: {rate:.0} forms/s, {:.1} in a commit", per(&gauges));
    println!("  µs of CPU for each: {sealing:.1} sealing, {writing:.1} writing");
    println!("  {:.0} forms per second of CPU", 1e6 / (sealing + writing));
}

fn per(gauges: &embedded::StoreGauges) -> f64 {
    gauges.jobs as f64 / gauges.batches.max(1) as f64
}

fn form(number: usize) -> Vec<u8> {
    let mut body = format!("claim={number:015}");
    for field in 0.. {
        body += &format!("&field{field}=value+of+the+field+number+{field}");
        if body.len() >= FORM_BYTES {
            break;
        }
    }
    body.truncate(FORM_BYTES);
    body.into_bytes()
}

fn head() -> Head {
    Head {
        method: "POST".to_owned(),
        scheme: "http".to_owned(),
        authority: "site.test".to_owned(),
        target: "/forms/1".to_owned(),
        content_type: TYPE.to_owned(),
        referer: None,
        route: "forms".to_owned(),
        region: "eu".to_owned(),
        window: None,
        idempotency_key: None,
    }
}

fn terms() -> Terms {
    Terms {
        kind: Kind::Urlencoded,
        bytes_max: limit::FORM_BYTES_MAX,
        life: limit::SUBMISSION_LIFE,
        never_kept: Arc::new([]),
        csrf_fields: Arc::new(["csrf_token".to_owned()]),
        name: None,
        refill_only: false,
    }
}

/// CPU time of this thread.
fn own_time() -> Duration {
    ran(PathBuf::from("/proc/thread-self")).unwrap_or_default()
}

/// CPU time of the youngest thread of this name.
fn time_of(name: &str) -> io::Result<Duration> {
    let mut found = Duration::ZERO;
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        if fs::read_to_string(thread.join("comm"))?.trim() == name {
            found = ran(thread)?;
        }
    }
    Ok(found)
}

/// Nanoseconds on a core: the first figure of `schedstat`.
fn ran(thread: PathBuf) -> io::Result<Duration> {
    let text = fs::read_to_string(thread.join("schedstat"))?;
    let nanos = text.split_ascii_whitespace().next().and_then(|figure| figure.parse().ok());
    Ok(Duration::from_nanos(nanos.unwrap_or_default()))
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
