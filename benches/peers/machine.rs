//! The machine under the comparison: cores, CPU time of a process tree, the disk, free ports.

use std::fs;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use intermission::clock::Clock;

/// Ticks per second in `/proc/<pid>/stat`: fixed in Linux's interface to programs.
const TICKS_PER_SECOND: u64 = 100;
/// Longest wait for a process to end by itself.
const ENDING: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Bytes of the write by which the disk is known.
const FSYNC_BYTES: usize = 4096;
/// Processes below one: more is a fault of the walk.
const FAMILY_MAX: usize = 1_000;

/// Which core the proxies run on, and which one everything else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) proxy: Option<usize>,
    pub(crate) rest: Option<usize>,
}

impl Cores {
    /// The first two that this process may use; none if there are not two, or no `taskset`.
    pub(crate) fn take() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let allowed = cores_of(list.unwrap_or_default().trim());
        match (allowed.as_slice(), version("taskset", "--version")) {
            ([proxy, rest, ..], Some(_)) => Self { proxy: Some(*proxy), rest: Some(*rest) },
            _ => Self { proxy: None, rest: None },
        }
    }

    /// Moves this process, and with it whatever it starts from now on, off the proxies' core.
    pub(crate) fn settle(self) {
        let Some(rest) = self.rest else { return };
        let pid = std::process::id().to_string();
        let moved = Command::new("taskset")
            .args(["-a", "-p", "-c", &rest.to_string(), &pid])
            .stdout(Stdio::null())
            .status();
        if !moved.is_ok_and(|status| status.success()) {
            println!("the load generator could not be moved to core {rest}");
        }
    }

    /// A command on the proxies' core.
    pub(crate) fn proxy_command(self, program: &Path) -> Command {
        let Some(core) = self.proxy else { return Command::new(program) };
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string()]).arg(program);
        command
    }
}

/// `0-1,4` and the like.
fn cores_of(list: &str) -> Vec<usize> {
    let span = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    list.split(',').filter_map(span).flatten().collect()
}

/// CPU time of a process, its threads and its descendants.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct CpuTime {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl CpuTime {
    /// Since the process began.
    pub(crate) fn of(pid: u32) -> Self {
        let ticks = |n: u64| Duration::from_millis(n * 1_000 / TICKS_PER_SECOND);
        let (user, system) = family(pid)
            .into_iter()
            .filter_map(ticks_of)
            .fold((0, 0), |(user, system), (more_user, more_system)| {
                (user + more_user, system + more_system)
            });
        Self { user: ticks(user), system: ticks(system) }
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        let user = self.user.saturating_sub(earlier.user);
        Self { user, system: self.system.saturating_sub(earlier.system) }
    }

    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

fn ticks_of(pid: u32) -> Option<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name may hold spaces and parentheses; the figures follow the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// A process and its descendants.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut at = 0;
    while at < all.len() && all.len() < FAMILY_MAX {
        let threads = fs::read_dir(format!("/proc/{}/task", all[at]));
        for thread in threads.into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            all.extend(children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        at += 1;
    }
    all
}

/// Asks a process that was started here to end, and ends it and its children if it does not.
pub(crate) fn end(child: &mut Child) {
    end_by("TERM", child);
}

/// As [`end`], for a program that tells what it found when it is interrupted.
pub(crate) fn interrupt(child: &mut Child) {
    end_by("INT", child);
}

fn end_by(name: &str, child: &mut Child) {
    let all = family(child.id());
    signal(name, &all[..1]);
    let began = Clock::System.tick();
    while Clock::System.tick().since(began) < ENDING {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    signal("KILL", &all);
    let _ = child.wait();
}

/// By the shell's own `kill`, which is there where the program is not.
fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(ToString::to_string);
    let script = format!("kill -{name} \"$@\"");
    let _ =
        Command::new("sh").args(["-c", &script, "sh"]).args(pids).stderr(Stdio::null()).status();
}

/// A port of loopback that was free a moment ago.
pub(crate) fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// What a program says its version is; none if it cannot be run.
pub(crate) fn version(program: &str, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&text);
    text.lines().next().map(|line| line.trim().to_owned())
}

/// Processor, cores, kernel and load, in one line.
pub(crate) fn described() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("unknown");
    format!("{cores} cores of {model}, Linux {}, load average {load} before", kernel.trim())
}

/// How long one small durable write takes in this directory: median and 99th percentile. The file
/// has its size already, as a log that is written again and again has: nothing else is to be done.
pub(crate) fn fsync(folder: &Path, times: usize) -> io::Result<(Duration, Duration)> {
    let file = fs::File::create(folder.join("fsync"))?;
    file.write_all_at(&vec![1; times * FSYNC_BYTES], 0)?;
    file.sync_all()?;
    let mut spans = Vec::with_capacity(times);
    for at in 0..times {
        file.write_all_at(&[2; FSYNC_BYTES], (at * FSYNC_BYTES) as u64)?;
        let began = Clock::System.tick();
        file.sync_data()?;
        spans.push(Clock::System.tick().since(began));
    }
    spans.sort_unstable();
    Ok((spans[times / 2], spans[times * 99 / 100]))
}

/// The end of a file, to show why something did not start.
pub(crate) fn tail(path: &Path) -> String {
    let mut text = String::new();
    let _ = fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    let lines: Vec<&str> = text.lines().rev().take(10).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
