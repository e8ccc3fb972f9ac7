//! Where a request belongs in a trace: `traceparent`, as the W3C's Trace Context says.

/// One request's place in a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
    /// The trace; never 0.
    pub trace: u128,
    /// The caller's part of it; never 0.
    pub parent: u64,
    /// Whether the caller records it.
    pub sampled: bool,
}

/// Bytes of a `traceparent` of version 0, and of what every later version begins with.
const BYTES: usize = 55;

impl Context {
    /// Reads a `traceparent`; none if it is malformed, which means that there is no trace.
    ///
    /// A later version is read as far as this one goes, and passed on as it is.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(BYTES)?;
        if known[2] != b'-' || known[35] != b'-' || known[52] != b'-' {
            return None;
        }
        let version = hex(&known[..2])?;
        let trace = hex(&known[3..35]).filter(|trace| *trace != 0)?;
        let parent = hex(&known[36..52]).filter(|parent| *parent != 0)?;
        let flags = hex(&known[53..])?;
        let fits = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.is_empty() || more[0] == b'-',
        };
        let parent = u64::try_from(parent).ok()?;
        fits.then_some(Self { trace, parent, sampled: flags & 1 != 0 })
    }

    /// The `traceparent` that says this.
    pub fn field(&self) -> String {
        let Self { trace, parent, sampled } = self;
        format!("00-{trace:032x}-{parent:016x}-{:02x}", u8::from(*sampled))
    }
}

/// Lower-case digits only, as the specification wants them.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_reads_as_it_is_written() {
        let context = Context::parse(GOOD.as_bytes()).expect("the specification's example");
        assert_eq!(context.field(), GOOD);
        assert!(context.sampled);
        let later = format!("cc{}-what-the-future-brings", &GOOD[2..]);
        assert_eq!(Context::parse(later.as_bytes()), Some(context));
        let unsampled = format!("{}fe", &GOOD[..53]);
        let parsed = Context::parse(unsampled.as_bytes()).expect("unknown flags are no fault");
        assert!(!parsed.sampled);
    }

    #[test]
    fn what_is_malformed_is_no_trace() {
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_parent = format!("{}-{}-01", &GOOD[..35], "0".repeat(16));
        for bad in [
            "",
            "00",
            &GOOD[..54],
            &GOOD.to_uppercase(),
            &format!("ff{}", &GOOD[2..]),
            &format!("{GOOD}-more"),
            &format!("01{}.more", &GOOD[2..]),
            &GOOD.replace('-', "_"),
            &format!(" {}", &GOOD[1..]),
            &format!("{}0g", &GOOD[..53]),
            &zero_trace,
            &zero_parent,
            "é0-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Context::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
