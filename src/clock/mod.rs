//! The only reader of the system's clocks: wall time for promises to people, ticks for durations.
//!
//! Everything else takes time as an argument, so that windows, tickets and retention can be
//! tested at any instant, and so that a jump of the wall clock moves no timeout.

pub mod steady;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// An instant people agree on: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(i64);

impl Wall {
    /// The instant `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved forward; saturates at the end of time.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant moved back; saturates at the beginning of time.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this instant is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// RFC 3339 with second precision, such as `2026-11-21T16:00:00Z`.
    pub fn rfc3339(self) -> String {
        self.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// RFC 3339 with millisecond precision, for logs.
    pub fn rfc3339_millis(self) -> String {
        format!("{:.3}", self.timestamp())
    }

    /// The same instant for calendar arithmetic and formatting.
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }

    /// Reads an RFC 3339 instant.
    pub fn parse(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|stamp| Self(stamp.as_millisecond()))
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339_millis())
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// On the wire and in the store a wall instant is an RFC 3339 string.
impl Serialize for Wall {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.rfc3339_millis())
    }
}

impl<'de> Deserialize<'de> for Wall {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A point on the monotonic clock: for measuring and for deadlines, never for people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tick(Instant);

impl Tick {
    /// How long after `earlier` this tick is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// This tick moved forward.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0 + span)
    }

    /// This tick moved back, as far as ticks go.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.checked_sub(span).unwrap_or(self.0))
    }

    /// The same point for tokio's timers.
    pub fn instant(self) -> tokio::time::Instant {
        self.0.into()
    }
}

/// Where time comes from: the system, or a hand that a test turns.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clocks.
    #[default]
    System,
    /// A wall clock in milliseconds that only moves when told to. Ticks stay the machine's.
    Manual(Arc<Hand>),
}

/// What a manual clock shows.
#[derive(Debug)]
pub struct Hand {
    wall: AtomicI64,
    /// How far it was turned forward, in milliseconds.
    turned: AtomicI64,
}

impl Clock {
    /// A clock that stands at `start` until [`Clock::set`] is called.
    pub fn manual(start: Wall) -> Self {
        let wall = AtomicI64::new(start.millis());
        Self::Manual(Arc::new(Hand { wall, turned: AtomicI64::new(0) }))
    }

    /// Moves a manual clock; a system clock cannot be moved and ignores this.
    pub fn set(&self, now: Wall) {
        if let Self::Manual(hand) = self {
            let before = hand.wall.swap(now.millis(), Ordering::SeqCst);
            hand.turned.fetch_add((now.millis() - before).max(0), Ordering::SeqCst);
        }
    }

    /// Moves a manual clock without time having passed, as a machine's clock is set wrong or right.
    pub fn jump(&self, to: Wall) {
        if let Self::Manual(hand) = self {
            hand.wall.store(to.millis(), Ordering::SeqCst);
        }
    }

    /// Both clocks at once, for who holds one against the other: the ticks of a manual clock that
    /// was turned forward went on by as much.
    pub fn hands(&self) -> (Wall, Tick) {
        match self {
            Self::System => (self.now(), self.tick()),
            Self::Manual(hand) => {
                let turned = hand.turned.load(Ordering::SeqCst).unsigned_abs();
                (self.now(), self.tick().plus(Duration::from_millis(turned)))
            }
        }
    }

    /// The wall time now.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
    pub fn now(&self) -> Wall {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Manual(hand) => Wall(hand.wall.load(Ordering::SeqCst)),
        }
    }

    /// The monotonic clock now.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the monotonic clock")]
    pub fn tick(&self) -> Tick {
        Tick(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_text_round_trips_to_the_millisecond() {
        let noon = Wall::from_millis(1_795_262_400_123);
        assert_eq!(Wall::parse(&noon.rfc3339_millis()).expect("our own text"), noon);
        assert_eq!(noon.rfc3339(), "2026-11-21T12:00:00Z");
    }

    #[test]
    fn time_before_is_zero_not_negative() {
        assert_eq!(Wall::from_millis(5).since(Wall::from_millis(9)), Duration::ZERO);
    }
}
