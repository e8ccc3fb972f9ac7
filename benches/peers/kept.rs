//! What keeping forms costs besides the capture itself: the copy of a form that passes, the memory
//! of an upload, and the time from a press of Send to the application's answer.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use intermission::clock::Clock;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::compare::{FORM_BYTES, Spread};
use super::load::{self, Load, Manner, Request, Whole};
use super::options::Options;
use super::proxy::Ours;

/// Bytes of the forms that are copied on their way.
const TEED_BYTES: [usize; 2] = [FORM_BYTES, 64 * 1024];
/// Bytes of an upload: the most that a route keeps unless it says otherwise.
const UPLOAD_BYTES: usize = 25 * 1024 * 1024;
/// Uploads that arrive at once.
const UPLOADS: [usize; 2] = [1, 8];
/// Forms that are sent on, one after the other.
const SENDS: usize = 300;
const BOUNDARY: &str = "----bench";
const PATIENCE: Duration = Duration::from_secs(60);

/// The CPU time of a form that passes, copied and not. Tells whether every answer was right.
pub(crate) fn tee(ours: &Ours, options: &Options, runtime: &Runtime) -> bool {
    let to = ours.proxy.open;
    println!("\nforms that pass, copied in case the application fails: CPU time of each, µs");
    let mut clean = true;
    for bytes in TEED_BYTES {
        let load = |path| {
            let request = Request::form(to, path, bytes);
            let (connections, span) = (options.connections, options.span);
            Load { to, request, expected: 200, connections, span, manner: Manner::Kept }
        };
        let loads = [load("/teed/1"), load("/post")];
        let (mut figures, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
        for round in 0..options.rounds {
            let mut micros = [0.0; 2];
            // Neighbours in time, and each first in half of the rounds.
            for which in [round % 2, 1 - round % 2] {
                let before = ours.proxy.cpu();
                let tally = loads[which].run(runtime);
                let used = ours.proxy.cpu().since(before).total();
                clean &= tally.is_clean();
                micros[which] = used.as_secs_f64() * 1e6 / tally.answers.max(1) as f64;
                figures[which].push(micros[which]);
            }
            ratios.push(micros[0] / micros[1]);
        }
        let [teed, plain] = figures.map(|figures| Spread::of(figures).median);
        let Spread { median, min, max } = Spread::of(ratios);
        println!(
            "  {bytes:>6} bytes: {teed:>6.1} copied, {plain:>6.1} not: {median:.2} ({min:.2} – {max:.2})"
        );
    }
    clean
}

/// The memory of uploads that are kept. Tells whether they were.
pub(crate) fn upload(ours: &Ours, runtime: &Runtime) -> io::Result<bool> {
    let to = ours.proxy.open;
    let request = Request::raw(upload_to(to));
    println!("\nuploads of 25 MiB that are kept: resident memory at its most");
    let mut kept = true;
    for at_once in UPLOADS {
        let pid = ours.proxy.pid();
        // Forgets the peak so far; see proc_pid_clear_refs(5).
        fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
        let before = resident(pid, "VmRSS:")?;
        let began = Clock::System.tick();
        let statuses = runtime.block_on(async {
            let sends = (0..at_once).map(|_| {
                let request = request.clone();
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(to).await?;
                    let sent = load::whole(&mut stream, &request);
                    tokio::time::timeout(PATIENCE, sent).await?
                })
            });
            let mut statuses = Vec::new();
            for sent in sends.collect::<Vec<_>>() {
                let answer: io::Result<Whole> = sent.await.map_err(io::Error::other)?;
                statuses.push(answer?.status);
            }
            io::Result::Ok(statuses)
        })?;
        let took = Clock::System.tick().since(began).as_secs_f64();
        kept &= statuses.iter().all(|status| *status == 303);
        let most = resident(pid, "VmHWM:")?;
        let (mib, rate) = (1024.0, (at_once * UPLOAD_BYTES) as f64 / 1e6 / took);
        println!(
            "  {at_once} at once: {:.1} MiB before, {:.1} MiB more at most; {rate:.0} MB/s",
            before / mib,
            (most - before) / mib
        );
    }
    Ok(kept)
}

/// From the press of Send to the application's answer. Tells whether it answered each.
pub(crate) fn resume(ours: &Ours, runtime: &Runtime) -> io::Result<bool> {
    let to = ours.proxy.open;
    let mut saved = Vec::with_capacity(SENDS);
    for number in 0..SENDS {
        let mut form = Request::form(to, "/replay/1", FORM_BYTES);
        form.begin_at(number as u64);
        let answer = load::ask(runtime, to, &form)?;
        let cookie = answer.field("set-cookie").and_then(|cookie| cookie.split(';').next());
        let (Some(receipt), Some(cookie)) = (answer.field("location"), cookie) else {
            return Err(io::Error::other(format!("not kept: status {}", answer.status)));
        };
        saved.push((receipt.to_owned(), cookie.to_owned()));
    }
    ours.reopen("replay")?;
    let (mut spans, mut right) = (Vec::with_capacity(SENDS), true);
    for (receipt, cookie) in saved {
        let span = runtime.block_on(async {
            let mut stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            let page =
                load::whole(&mut stream, &navigate(to, "GET", &receipt, &cookie, "")).await?;
            let form = send_form(&String::from_utf8_lossy(&page.body))?;
            let press = navigate(to, "POST", &format!("{receipt}/resume"), &cookie, &form);
            let ticket = navigate(to, "POST", "/replay/1", &cookie, &form);
            let began = Clock::System.tick();
            let pressed = load::whole(&mut stream, &press).await?;
            let answered = load::whole(&mut stream, &ticket).await?;
            right &= (pressed.status, answered.status) == (307, 200);
            io::Result::Ok(Clock::System.tick().since(began))
        })?;
        spans.push(span);
    }
    spans.sort_unstable();
    let within = |part: usize| spans[(SENDS * part / 100).min(SENDS - 1)].as_secs_f64() * 1e3;
    println!("\nforms of 2 KiB sent on: from the press of Send to the application's answer, ms");
    println!("  half within {:.2}, 99 of 100 within {:.2}", within(50), within(99));
    Ok(right)
}

fn navigate(to: SocketAddr, method: &str, path: &str, cookie: &str, form: &str) -> Request {
    Request::raw(
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {to}\r\nAccept: text/html\r\nCookie: {cookie}\r\n\
             Origin: http://{to}\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        )
        .into_bytes(),
    )
}

/// The Send form of a receipt, as the browser posts it.
fn send_form(page: &str) -> io::Result<String> {
    let value = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
        Some(format!("{name}={}&", rest.split_once('"')?.0))
    };
    let fields = ["intermission_ticket", "im_csrf", "mode"].map(value);
    let fields: Option<String> = fields.into_iter().collect();
    let fields = fields.ok_or_else(|| io::Error::other("the receipt has no Send form"))?;
    Ok(fields + "checked=yes")
}

fn upload_to(to: SocketAddr) -> Vec<u8> {
    let open = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.jpg\"\r\n\r\n"
    );
    let close = format!("\r\n--{BOUNDARY}--\r\n");
    let head = format!(
        "POST /forms/upload HTTP/1.1\r\nHost: {to}\r\nAccept: text/html\r\nOrigin: http://{to}\r\n\
         Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
         Content-Length: {UPLOAD_BYTES}\r\n\r\n"
    );
    let fill = UPLOAD_BYTES - open.len() - close.len();
    let photo = (0..=u8::MAX).cycle().take(fill).collect::<Vec<_>>();
    [head.as_bytes(), open.as_bytes(), &photo, close.as_bytes()].concat()
}

/// KiB of a process's memory, by the name of the line in its status.
fn resident(pid: u32, name: &str) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let figure = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
    figure.ok_or_else(|| io::Error::other(format!("no {name} of process {pid}")))
}
