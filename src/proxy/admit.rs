//! Who is let into a closed place all the same: by a bypass, or by the ramp of a window that
//! reopens. Asked only for a request that would else be answered as closed: an open place costs
//! nothing here.
//!
//! # The ramp
//!
//! Holders of receipts come first: they are let in where their submission is opened for them, so
//! that nobody gets ahead who only says so. By share, each client address has a place in line that
//! a keyed hash gives it, stable for the window; its turn is known to the millisecond, and that
//! is what `Retry-After` tells. By number, so many new ones a minute are let in
//! ([`super::turnstile`]). A browser that is in gets a cookie that says so, under a MAC that only
//! this node can make and that is good for one window: it stays in when its address changes.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::bypass;
use super::head::Scheme;
use super::lane::Lane;
use super::worker::Worker;
use crate::addr::ClientAddr;
use crate::clock::Wall;
use crate::decide::Verdict;
use crate::digest::{self, Hash};
use crate::id::Id;
use crate::limit;
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::snapshot::{Closure, Knock, Pass, Ramp, Snapshot};
use crate::window::plan::RampBy;

/// What a request for a closed place meets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Door {
    /// It is let in.
    In(LetIn),
    /// It will be, at this instant or about then.
    Later(Wall),
    /// It is not.
    Shut,
}

/// How a request came into a closed place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum LetIn {
    /// By a bypass, or as a probe of our own.
    Pass(Pass),
    /// By the ramp; with the cookie that its browser is given.
    Ramp(Option<HeaderValue>),
}

/// Who knocks.
pub(super) struct Knocking<'a> {
    pub client: ClientAddr,
    pub scheme: Scheme,
    pub method: &'a str,
    pub headers: &'a HeaderMap,
}

/// Whether what was decided depends on the place being closed.
pub(super) fn matters(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Resume
        | Verdict::Hold
        | Verdict::Capture(_)
        | Verdict::Accept(_)
        | Verdict::Page(..) => true,
        Verdict::Own
        | Verdict::Probe
        | Verdict::Forward
        | Verdict::Refuse(_)
        | Verdict::Redirect(_) => false,
    }
}

/// The region that a probe of our own asks for. To it everything is open, also what is answered
/// to load balancers while it is closed; nobody else can say where it comes from.
pub(super) fn asked(snapshot: &Snapshot, headers: &HeaderMap) -> Option<RegionIx> {
    let region = headers.get(crate::grant::bypass::REGION)?.to_str().ok()?;
    let shown = headers.get(crate::grant::bypass::FIELD)?.to_str().ok()?;
    let own = snapshot.beside.grants.is_own(shown);
    own.then(|| snapshot.site.regions.named(region)).flatten()
}

/// A place, and what closes it.
pub(super) type Closed<'a> = ((RouteIx, RegionIx), &'a Arc<Closure>);

/// How a request comes in that was judged so, or when it will; a probe of our own always does.
pub(super) fn open(
    lane: &Lane,
    snapshot: &Snapshot,
    closed: Option<Closed<'_>>,
    (probes, verdict): (Option<RegionIx>, Verdict),
    who: &Knocking<'_>,
) -> (Option<LetIn>, Option<Wall>) {
    let door = match closed {
        Some(_) if probes.is_some() => Door::In(LetIn::Pass(Pass::Verification)),
        Some((at, closure)) if matters(verdict) => look(lane, snapshot, at, closure, who),
        Some(_) | None => Door::Shut,
    };
    match door {
        Door::In(let_in) => (Some(let_in), None),
        Door::Later(turn) => (None, Some(turn)),
        Door::Shut => (None, None),
    }
}

/// Whether who knocks is let in.
pub(super) fn look(
    lane: &Lane,
    snapshot: &Snapshot,
    (route, region): (RouteIx, RegionIx),
    closure: &Closure,
    who: &Knocking<'_>,
) -> Door {
    let worker = &lane.link.worker;
    let now = worker.time.now();
    let knock = Knock {
        client: who.client.0,
        route: &snapshot.site.rules(route).name,
        region: snapshot.site.regions.name(region),
        method: who.method,
        windows: &closure.windows,
        now,
    };
    let shown = bypass::shown(who.headers, who.scheme);
    if let Some(pass) = snapshot.beside.grants.pass(&knock, shown) {
        return Door::In(LetIn::Pass(pass));
    }
    match &closure.course.ramp {
        Some(ramp) => up(worker, ramp, who, now),
        None => Door::Shut,
    }
}

/// Whether who knocks is let in by the ramp.
fn up(worker: &Worker, ramp: &Ramp, who: &Knocking<'_>, now: Wall) -> Door {
    let key = &worker.admission_key;
    let mut cookies = bypass::cookies(who.headers, who.scheme.admission_cookie());
    if cookies.any(|cookie| is_admission(key, ramp.window, cookie)) {
        return Door::In(LetIn::Ramp(None));
    }
    let place = place(key, ramp.window, who.client.0);
    let turn = match ramp.by {
        RampBy::Share => ramp.turn(place),
        RampBy::PerMinute(_) if ramp.until <= now => ramp.until,
        RampBy::PerMinute(most) if worker.turnstile().admit(ramp, most, place, now) => now,
        // Nobody knows who comes before: a time to try again that is another for each.
        RampBy::PerMinute(_) => {
            let (least, spread) = (limit::RAMP_AGAIN_AFTER, limit::RAMP_AGAIN_SPREAD);
            let spread = worker.jitter() % (spread.as_millis() as u64).max(1);
            now.plus(least + Duration::from_millis(spread)).min(ramp.until)
        }
    };
    if turn > now {
        return Door::Later(turn);
    }
    // Scripts, pictures and API clients are let in by their address as long as it takes.
    let html = |value: &HeaderValue| memchr::memmem::find(value.as_bytes(), b"text/html").is_some();
    let navigates = who.headers.get_all(ACCEPT).iter().any(html);
    Door::In(LetIn::Ramp(navigates.then(|| admission(worker, ramp, who.scheme, now))))
}

/// Where in line an address stands. Addresses of one IPv6 network are one visitor's.
fn place(key: &Hash, window: Id, client: IpAddr) -> u64 {
    let address = match client.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)),
    };
    let [a, b, c, d, e, f, g, h, ..] =
        digest::mac(key, &[b"place", window.bytes(), &address.octets()]);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn proof(key: &Hash, window: Id) -> String {
    digest::base64url(&digest::mac(key, &[b"admitted", window.bytes()]))
}

fn is_admission(key: &Hash, window: Id, cookie: &str) -> bool {
    let Some((of, shown)) = cookie.split_once('.') else { return false };
    of.parse() == Ok(window) && digest::same(shown.as_bytes(), proof(key, window).as_bytes())
}

/// The `Set-Cookie` by which a browser stays in while the window reopens.
pub(super) fn admission(worker: &Worker, ramp: &Ramp, scheme: Scheme, now: Wall) -> HeaderValue {
    let secure = match scheme {
        Scheme::Https => "; Secure",
        Scheme::Http => "",
    };
    let (name, window) = (scheme.admission_cookie(), ramp.window);
    let proof = proof(&worker.admission_key, window);
    let life = ramp.until.since(now).as_secs() + limit::ADMISSION_OUTLASTS.as_secs();
    let text =
        format!("{name}={window}.{proof}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("base64url and digits are visible ASCII")
}

/// Says of an answer how it was got.
pub(super) fn mark(let_in: &LetIn, headers: &mut HeaderMap) {
    match let_in {
        LetIn::Pass(_) => bypass::mark(headers),
        LetIn::Ramp(None) => {}
        LetIn::Ramp(Some(cookie)) => {
            // A cache that many share would let them all in by one's cookie.
            bypass::keep_private(headers);
            headers.append(SET_COOKIE, cookie.clone());
        }
    }
}

/// The pass by which a request was let in.
pub(super) fn pass(let_in: Option<&LetIn>) -> Option<Pass> {
    match let_in? {
        LetIn::Pass(pass) => Some(*pass),
        LetIn::Ramp(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeTag;

    const KEY: Hash = [7; 32];
    const START: Wall = Wall::from_millis(1_795_262_400_000);

    fn addresses() -> impl Iterator<Item = IpAddr> {
        (0..10_000u32).map(|number| IpAddr::V4((0x0a00_0000 + number).into()))
    }

    #[test]
    fn turns_fall_evenly_over_the_ramp() {
        let window = Id::new(START, NodeTag(1));
        let (from, until) = (START, START.plus(Duration::from_secs(100)));
        let ramp = Ramp { window, from, until, by: RampBy::Share };
        for percent in [10, 25, 50, 90] {
            let now = START.plus(Duration::from_secs(percent));
            let inside =
                addresses().filter(|at| ramp.turn(place(&KEY, window, *at)) <= now).count() as u64;
            assert!(inside.abs_diff(percent * 100) < 200, "{percent} %: {inside} of 10000");
        }
        assert!(addresses().all(|at| ramp.turn(place(&KEY, window, at)) <= until));
    }

    #[test]
    fn a_place_is_one_networks_one_windows_and_one_keys() {
        let window = Id::new(START, NodeTag(1));
        let at = |text: &str| text.parse::<IpAddr>().expect("an address");
        let here = place(&KEY, window, at("2001:db8::1"));
        assert_eq!(here, place(&KEY, window, at("2001:db8::ffff")));
        assert_ne!(here, place(&KEY, window, at("2001:db8:0:1::1")));
        assert_ne!(here, place(&KEY, Id::new(START, NodeTag(1)), at("2001:db8::1")));
        assert_ne!(here, place(&[8; 32], window, at("2001:db8::1")));
        let four = place(&KEY, window, at("192.0.2.1"));
        assert_eq!(four, place(&KEY, window, at("::ffff:192.0.2.1")));
        assert_ne!(four, place(&KEY, window, at("192.0.2.2")));
    }

    #[test]
    fn an_admission_is_good_for_one_window_under_one_key() {
        let (window, other) = (Id::new(START, NodeTag(1)), Id::new(START, NodeTag(1)));
        let cookie = format!("{window}.{}", proof(&KEY, window));
        assert!(is_admission(&KEY, window, &cookie), "the control");
        assert!(!is_admission(&KEY, other, &cookie), "another window");
        assert!(!is_admission(&[8; 32], window, &cookie), "another key");
        let renamed = cookie.replace(&window.to_string(), &other.to_string());
        assert!(!is_admission(&KEY, other, &renamed), "a window that was written over");
        for broken in ["", ".", &cookie[..cookie.len() - 1], &cookie.replace('.', "")] {
            assert!(!is_admission(&KEY, window, broken), "{broken}");
        }
    }
}
