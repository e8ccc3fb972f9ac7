//! The storm itself: operators who switch as fast as they can, visitors who ask as fast as they
//! can, and what each answer must be. Shared with `benches/peers`, so it knows nothing of tests.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use intermission::clock::{Clock, Tick};
use serde_json::{Value, json};

/// The routes that one switch closes together.
const PAIR: [&str; 2] = ["claims", "quotes"];
/// Visitors of each route of the pair.
const VISITORS_PER_ROUTE: usize = 2;
/// What the application answers, always.
pub(crate) const HELLO: &str = "hello";
/// Longest wait for one answer. Only a failing storm waits so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests of one visitor, and switches of one operator: the storm's bound in count.
const COUNT_MAX: u64 = 2_000_000;
/// Faults that are told; more are counted.
const TOLD_MAX: usize = 10;
/// Begins the reason of each switch; the number of the switch follows.
const REASON: &str = "storm-";
const REASON_DIGITS: usize = 7;

/// A node, and how hard it is stormed.
pub(crate) struct Stage<'a> {
    /// Where it serves visitors.
    pub(crate) visitors: SocketAddr,
    /// Where it serves operators.
    pub(crate) admin: SocketAddr,
    /// A token of its admin API.
    pub(crate) token: &'a str,
    /// How long the storm lasts.
    pub(crate) span: Duration,
    /// Operators besides the one of the pair, each with a route of its own.
    pub(crate) bystanders: usize,
}

/// What a storm was like.
#[derive(Default)]
pub(crate) struct Report {
    /// Switches that were accepted, on and off.
    pub(crate) switches: u64,
    /// From each call of an operator to its answer.
    pub(crate) calls: Vec<Duration>,
    /// Answers to visitors, and how many of them were closed pages.
    pub(crate) answers: u64,
    pub(crate) pages: u64,
    /// Answers that came wholly within a time in which the pair was known to be closed, or open.
    pub(crate) settled: u64,
    /// What must not happen: how often, and the first of them in words.
    pub(crate) faults: u64,
    pub(crate) told: Vec<String>,
}

/// The part of a config that the storm needs: routes over the upstream `app`.
pub(crate) fn routes(bystanders: usize) -> String {
    let sides = (0..bystanders).map(|side| format!("side{side}"));
    let names = PAIR.iter().map(|name| (*name).to_owned()).chain(sides);
    let route = |name| {
        format!("[[route]]\nname = \"{name}\"\npaths = [\"/{name}/*\"]\nupstream = \"app\"\n")
    };
    names.map(route).collect()
}

impl Stage<'_> {
    /// Storms the node.
    pub(crate) fn storm(&self) -> Report {
        let ends = Clock::System.tick().plus(self.span);
        let truth = Truth::default();
        let report = std::thread::scope(|scope| {
            let visitors: Vec<_> = PAIR
                .iter()
                .flat_map(|route| std::iter::repeat_n(*route, VISITORS_PER_ROUTE))
                .map(|route| scope.spawn(|| self.visit(route, ends, &truth)))
                .collect();
            let sides: Vec<_> = (0..self.bystanders)
                .map(|side| scope.spawn(move || self.bystand(side, ends)))
                .collect();
            let mut report = self.operate(ends, &truth);
            for other in sides.into_iter().chain(visitors) {
                report.add(other.join().unwrap_or_else(|_| Report::of_fault("a panic".to_owned())));
            }
            report
        });
        truth.judge(report)
    }

    /// Closes and opens the pair, and looks at once whether it is so.
    fn operate(&self, ends: Tick, truth: &Truth) -> Report {
        let mut report = Report::default();
        let done = self.operate_until(ends, truth, &mut report);
        done.unwrap_or_else(|fault| report.fault(format!("the pair's operator: {fault}")));
        report
    }

    fn operate_until(&self, ends: Tick, truth: &Truth, report: &mut Report) -> Result<(), String> {
        let mut desk = Desk::sit(self)?;
        let mut own = Wire::connect(self.visitors)?;
        for number in (0..COUNT_MAX).take_while(|_| Clock::System.tick() < ends) {
            truth.enter(number, Stance::Changing);
            let on = desk.on(&PAIR, &reason(number), report)?;
            truth.enter(number, Stance::Closed);
            for route in PAIR {
                let answer = own.get(route)?;
                report.look(&answer, Stance::Closed, number);
                if answer.generation.is_some_and(|generation| generation < on) {
                    report
                        .fault(format!("a page of generation {:?} after {on}", answer.generation));
                }
            }
            truth.enter(number, Stance::Reopening);
            let off = desk.off(&PAIR, report)?;
            truth.shown(number, on, off);
            truth.enter(number + 1, Stance::Open);
            for route in PAIR {
                report.look(&own.get(route)?, Stance::Open, number);
            }
        }
        Ok(())
    }

    /// Closes and opens a route of its own: the generations in between.
    fn bystand(&self, side: usize, ends: Tick) -> Report {
        let mut report = Report::default();
        let mut switch = || {
            let mut desk = Desk::sit(self)?;
            let route = format!("side{side}");
            for number in (0..COUNT_MAX).take_while(|_| Clock::System.tick() < ends) {
                desk.on(&[&route], &reason(number), &mut report)?;
                desk.off(&[&route], &mut report)?;
            }
            Ok(())
        };
        let done: Result<(), String> = switch();
        done.unwrap_or_else(|fault| report.fault(format!("the operator of side{side}: {fault}")));
        report
    }

    /// Asks and asks, on one connection.
    fn visit(&self, route: &str, ends: Tick, truth: &Truth) -> Report {
        let mut report = Report::default();
        let mut ask = || {
            let mut wire = Wire::connect(self.visitors)?;
            let (mut last, mut told) = (0, None);
            for _ in (0..COUNT_MAX).take_while(|_| Clock::System.tick() < ends) {
                let before = truth.stance();
                let answer = wire.get(route)?;
                report.answers += 1;
                report.whole(&answer);
                if before == truth.stance() {
                    report.look(&answer, before.1, before.0);
                }
                let Some(generation) = answer.generation else { continue };
                report.pages += 1;
                if generation < last {
                    report.fault(format!("generation {generation} after {last} on one connection"));
                }
                last = generation;
                if told != Some((generation, answer.number())) {
                    told = Some((generation, answer.number()));
                    truth.seen(generation, answer.number());
                }
            }
            Ok(())
        };
        let done: Result<(), String> = ask();
        done.unwrap_or_else(|fault| report.fault(format!("a visitor of {route}: {fault}")));
        report
    }
}

impl Report {
    fn of_fault(what: String) -> Self {
        let mut report = Self::default();
        report.fault(what);
        report
    }

    fn fault(&mut self, what: String) {
        self.faults += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(what);
        }
    }

    fn add(&mut self, other: Self) {
        self.switches += other.switches;
        self.calls.extend(other.calls);
        self.answers += other.answers;
        self.pages += other.pages;
        self.settled += other.settled;
        self.faults += other.faults;
        let room = TOLD_MAX - self.told.len();
        self.told.extend(other.told.into_iter().take(room));
    }

    /// Every answer is the application's, or a whole page with one reason.
    fn whole(&mut self, answer: &Answer) {
        let fine = match answer.status {
            200 => answer.body == HELLO.as_bytes() && answer.generation.is_none(),
            503 => {
                let numbers = answer.numbers();
                let one = numbers.first().is_some_and(|first| numbers.iter().all(|n| n == first));
                one && answer.generation.is_some()
                    && answer.body.trim_ascii_end().ends_with(b"</html>")
            }
            _ => false,
        };
        if !fine {
            self.fault(format!("neither the application nor a whole page: {answer:?}"));
        }
    }

    /// What is known at the time must show in the answer.
    fn look(&mut self, answer: &Answer, stance: Stance, number: u64) {
        let fine = match stance {
            Stance::Open => answer.status == 200,
            Stance::Closed => answer.status == 503 && answer.number() == Some(number),
            Stance::Changing | Stance::Reopening => return,
        };
        self.settled += 1;
        if !fine {
            self.fault(format!("{stance:?} at switch {number}, but {answer:?}"));
        }
    }
}

/// What the pair's operator knows for certain between two calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stance {
    Open,
    Changing,
    Closed,
    Reopening,
}

/// What is true at this moment, and what was shown when.
#[derive(Default)]
pub(crate) struct Truth {
    /// Four times the switch's number, and the stance.
    now: AtomicU64,
    /// Of each switch: the generation that showed it, and the first without it.
    shown: Mutex<Vec<(u64, u64)>>,
    /// Generations with the switch whose reason stood on their pages.
    seen: Mutex<Vec<(u64, Option<u64>)>>,
}

impl Truth {
    fn enter(&self, number: u64, stance: Stance) {
        self.now.store(number * 4 + stance as u64, Ordering::SeqCst);
    }

    fn stance(&self) -> (u64, Stance) {
        let now = self.now.load(Ordering::SeqCst);
        let stances = [Stance::Open, Stance::Changing, Stance::Closed, Stance::Reopening];
        (now / 4, stances[(now % 4) as usize])
    }

    pub(crate) fn shown(&self, number: u64, on: u64, off: u64) {
        let mut shown = self.shown.lock().expect("no panic under the lock");
        assert_eq!(shown.len() as u64, number, "switches are numbered in order");
        shown.push((on, off));
    }

    pub(crate) fn seen(&self, generation: u64, number: Option<u64>) {
        self.seen.lock().expect("no panic under the lock").push((generation, number));
    }

    /// A page belongs to the generation that it names: on both routes, the window in force then.
    pub(crate) fn judge(self, mut report: Report) -> Report {
        let shown = self.shown.into_inner().expect("no panic under the lock");
        for (generation, number) in self.seen.into_inner().expect("no panic under the lock") {
            let of = number.and_then(|number| shown.get(usize::try_from(number).ok()?));
            // The last switch may have been cut off by the end of its operator, who said so.
            let Some((on, off)) = of else { continue };
            if !(*on..*off).contains(&generation) {
                report.fault(format!("switch {number:?} ({on}..{off}) on a page of {generation}"));
            }
        }
        report
    }
}

/// An operator's connection.
struct Desk<'a> {
    wire: Wire,
    stage: &'a Stage<'a>,
}

impl<'a> Desk<'a> {
    fn sit(stage: &'a Stage<'a>) -> Result<Self, String> {
        Ok(Self { wire: Wire::connect(stage.admin)?, stage })
    }

    fn on(&mut self, routes: &[&str], why: &str, report: &mut Report) -> Result<u64, String> {
        let order = json!({ "regions": "all", "routes": routes, "reason": why, "drain": "0s" });
        self.call("/api/v1/switches", &order, 201, report)
    }

    fn off(&mut self, routes: &[&str], report: &mut Report) -> Result<u64, String> {
        let order = json!({ "regions": "all", "routes": routes });
        self.call("/api/v1/switches/off", &order, 200, report)
    }

    /// The generation from which it is so.
    fn call(
        &mut self,
        path: &str,
        order: &Value,
        expected: u16,
        report: &mut Report,
    ) -> Result<u64, String> {
        let (body, Stage { admin, token, .. }) = (order.to_string(), self.stage);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let began = Clock::System.tick();
        let answer = self.wire.exchange(head.as_bytes())?;
        report.calls.push(Clock::System.tick().since(began));
        let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let generation = json.and_then(|json| json["generation"].as_u64());
        match generation {
            Some(generation) if answer.status == expected => {
                report.switches += 1;
                Ok(generation)
            }
            _ => Err(format!("{path} was answered {answer:?}")),
        }
    }
}

/// One connection, kept alive, and another one when the node says that it closes it; any other end
/// of it is a fault of the node.
struct Wire {
    stream: TcpStream,
    to: SocketAddr,
    ahead: Vec<u8>,
}

/// A whole response.
struct Answer {
    status: u16,
    generation: Option<u64>,
    /// The connection ends behind it.
    closes: bool,
    body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self { status, generation, body, .. }, shown) = (self, self.body.len().min(160));
        let text = String::from_utf8_lossy(&body[..shown]);
        write!(f, "{status}, generation {generation:?}, switches {:?}: {text}", self.numbers())
    }
}

impl Answer {
    /// The switches whose reasons it names, as often as it does.
    fn numbers(&self) -> Vec<u64> {
        let text = String::from_utf8_lossy(&self.body);
        let number = |(at, _): (usize, &str)| {
            text[at + REASON.len()..].get(..REASON_DIGITS).and_then(|digits| digits.parse().ok())
        };
        text.match_indices(REASON).filter_map(number).collect()
    }

    fn number(&self) -> Option<u64> {
        self.numbers().first().copied()
    }
}

impl Wire {
    fn connect(to: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE);
        let stream = stream.map_err(|fault| format!("connecting to {to}: {fault}"))?;
        let set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        set.map_err(|fault| format!("options of a socket: {fault}"))?;
        Ok(Self { stream, to, ahead: Vec::new() })
    }

    fn get(&mut self, route: &str) -> Result<Answer, String> {
        let host = self.to;
        let head = format!("GET /{route}/1 HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n");
        self.exchange(head.as_bytes())
    }

    fn exchange(&mut self, request: &[u8]) -> Result<Answer, String> {
        self.stream.write_all(request).map_err(|fault| format!("sending: {fault}"))?;
        let mut piece = [0; 16 * 1024];
        loop {
            if let Some((answer, length)) = read(&self.ahead)? {
                self.ahead.drain(..length);
                if answer.closes {
                    *self = Self::connect(self.to)?;
                }
                return Ok(answer);
            }
            match self.stream.read(&mut piece) {
                Ok(0) => return Err("the connection ended before the answer did".to_owned()),
                Ok(count) => self.ahead.extend_from_slice(&piece[..count]),
                Err(fault) => return Err(format!("receiving: {fault}")),
            }
        }
    }
}

/// The response at the beginning of the bytes, and its length, once it is whole.
fn read(bytes: &[u8]) -> Result<Option<(Answer, usize)>, String> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let parsed = head.parse(bytes).map_err(|fault| format!("no HTTP: {fault}"))?;
    let httparse::Status::Complete(begins) = parsed else { return Ok(None) };
    let value = |name: &str| {
        let field = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        str::from_utf8(field.value).ok()
    };
    let number = |name: &str| value(name)?.parse::<u64>().ok();
    let length = number("content-length").ok_or("an answer without a length")?;
    let ends = begins + usize::try_from(length).map_err(|_| "an endless answer")?;
    let Some(body) = bytes.get(begins..ends) else { return Ok(None) };
    let generation = number("intermission-generation");
    let closes = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let status = head.code.unwrap_or_default();
    Ok(Some((Answer { status, generation, closes, body: body.to_vec() }, ends)))
}

fn reason(number: u64) -> String {
    format!("{REASON}{number:0REASON_DIGITS$}")
}
