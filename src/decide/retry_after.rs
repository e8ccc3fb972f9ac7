//! When to come back: the value of `Retry-After`.

use crate::clock::Wall;

/// Whole seconds from `now` to the live end of the window, and up to a tenth more, taken from the
/// random number `jitter`, so that clients do not return all at once; at least one. None if the
/// end is unknown or has passed: a made-up number would be a promise.
pub fn retry_after(until: Option<Wall>, now: Wall, jitter: u64) -> Option<u64> {
    let left = u64::try_from(until?.millis().saturating_sub(now.millis())).ok()?;
    let seconds = left.div_ceil(1000);
    (seconds > 0).then(|| seconds + jitter % (seconds / 10 + 1))
}
