//! Single lines of a head.

use super::Fault;

/// A request line: whether it is of HTTP/1.0. Method and target are hyper's to parse; what it lets
/// through is refused here: a fragment, which it drops, and bytes beyond ASCII.
pub(super) fn request_line(line: &[u8]) -> Result<bool, Fault> {
    let Some((rest, version)) = line.split_at_checked(line.len().saturating_sub(9)) else {
        return Err(Fault::NotHttp);
    };
    let old = match version {
        b" HTTP/1.1" => false,
        b" HTTP/1.0" => true,
        [b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Fault::OtherVersion);
        }
        _ => return Err(Fault::NotHttp),
    };
    let target = rest.iter().skip_while(|byte| **byte != b' ').skip(1);
    let wrong = |byte: &u8| *byte <= b' ' || *byte >= 0x7f || *byte == b'#';
    if target.clone().any(wrong) { Err(Fault::BadTarget) } else { Ok(old) }
}

/// A status line: whether it is of HTTP/1.0, and the status.
pub(super) fn status_line(line: &[u8]) -> Result<(bool, u16), Fault> {
    let Some((version, rest)) = line.split_at_checked(9) else { return Err(Fault::NotHttp) };
    let old = match version {
        b"HTTP/1.1 " => false,
        b"HTTP/1.0 " => true,
        _ => return Err(Fault::NotHttp),
    };
    let Some((digits, reason)) = rest.split_at_checked(3) else { return Err(Fault::NotHttp) };
    // Some servers leave out the blank where there is no reason.
    if !(reason.is_empty() || reason[0] == b' ') {
        return Err(Fault::NotHttp);
    }
    match decimal(digits).and_then(|status| u16::try_from(status).ok()) {
        Some(status) if status >= 100 => Ok((old, status)),
        _ => Err(Fault::NotHttp),
    }
}

/// Refuses a folded line.
pub(super) fn refuse_fold(line: &[u8]) -> Result<(), Fault> {
    match line[0] {
        b' ' | b'\t' => Err(Fault::FoldedLine),
        _ => Ok(()),
    }
}

/// The value of `line` if its name is `name` (lower case). A blank before the colon is no part of
/// a name; hyper refuses such a line by itself.
pub(super) fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":").filter(|_| found.eq_ignore_ascii_case(name))?;
    Some(value.trim_ascii())
}

/// A number of digits alone.
pub(super) fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit) && !value.is_empty();
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok())?
}
