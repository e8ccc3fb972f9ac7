//! The `Date` of answers, written once a second (RFC 9110 §6.6.1).

use std::cell::{Cell, RefCell};

use http::HeaderValue;

use crate::clock::Wall;

/// The last value that was written.
pub(super) struct DateLine {
    second: Cell<i64>,
    value: RefCell<HeaderValue>,
}

impl Default for DateLine {
    fn default() -> Self {
        Self { second: Cell::new(i64::MIN), value: RefCell::new(HeaderValue::from_static("")) }
    }
}

impl DateLine {
    /// The value at `now`.
    pub(super) fn at(&self, now: Wall) -> HeaderValue {
        if self.second.replace(now.secs()) != now.secs() {
            let text = now.timestamp().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            *self.value.borrow_mut() =
                HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        }
        self.value.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_an_imf_fixdate_and_follows_the_clock() {
        let line = DateLine::default();
        assert_eq!(line.at(Wall::from_millis(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(line.at(Wall::from_millis(784_111_778_999)), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
