//! Origins and clients that the tests are told with: real sockets, port 0, every wait bounded.
#![allow(dead_code, reason = "a common stock: not every build of the tests uses all of it")]

pub(crate) mod http1;
pub(crate) mod origin;
pub(crate) mod raw;
pub(crate) mod tls;

use std::time::Duration;

use intermission::clock::{Clock, Tick};

/// No wait of a test is longer. Only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The time left until a deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Tick);

impl Deadline {
    /// A deadline this far ahead.
    pub(crate) fn after(span: Duration) -> Self {
        Self(Clock::System.tick().plus(span))
    }

    /// What is left; none if it has passed.
    pub(crate) fn left(self) -> Option<Duration> {
        let left = self.0.since(Clock::System.tick());
        (!left.is_zero()).then_some(left)
    }
}

/// Asks again and again until there is an answer, and fails the test after [`PATIENCE`]. For
/// conditions that nothing announces.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::after(PATIENCE);
    while deadline.left().is_some() {
        if let Some(answer) = ask() {
            return answer;
        }
        // SLEEP: the pause between two looks at something that cannot be awaited.
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("waited in vain for: {what}");
}
