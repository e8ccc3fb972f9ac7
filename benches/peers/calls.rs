//! System calls per request, counted by `strace` where it is there: they explain the CPU time.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::compare::Work;
use super::machine;
use super::proxy::Proxy;

/// Under `strace` everything is slower: a short look is enough.
const LOOK: Duration = Duration::from_secs(1);
/// For `strace` to attach to every thread.
const ATTACHING: Duration = Duration::from_millis(300);

/// How many system calls one request of this load takes; none without `strace`, or the right.
pub(crate) fn per_request(
    proxy: &Proxy,
    load: &mut Work,
    folder: &Path,
    runtime: &Runtime,
) -> Option<f64> {
    let counted = folder.join("strace");
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-o"]).arg(&counted);
    for pid in machine::family(proxy.pid()) {
        command.args(["-p", &pid.to_string()]);
    }
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut strace = command.spawn().ok()?;
    std::thread::sleep(ATTACHING);
    let tally = load.run_for(LOOK, runtime);
    machine::interrupt(&mut strace);
    let text = fs::read_to_string(&counted).ok()?;
    let total = text.lines().find(|line| line.trim_end().ends_with(" total"))?;
    let calls: f64 = total.split_ascii_whitespace().nth(3)?.parse().ok()?;
    Some(calls / tally.answers.max(1) as f64)
}
