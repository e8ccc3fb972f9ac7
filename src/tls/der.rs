//! As much of a certificate (RFC 5280) as is not told by rustls: the names it is for, and when it
//! ends. It reads certificates that rustls has parsed before, of the operator's own choice.

use crate::clock::Wall;

/// What a certificate says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Facts {
    /// DNS names of `subjectAltName` in lower case, wildcards as they are written.
    pub(super) names: Vec<String>,
    /// When it begins to be valid.
    pub(super) not_before: Wall,
    /// When it ends to be.
    pub(super) not_after: Wall,
}

const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]` of a `TBSCertificate`: its version.
const VERSION: u8 = 0xa0;
/// `[3]` of a `TBSCertificate`: its extensions.
const EXTENSIONS: u8 = 0xa3;
/// `[2]` of a `GeneralName`: a DNS name.
const DNS_NAME: u8 = 0x82;
/// 2.5.29.17.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

/// Reads a certificate. None if it is not one.
pub(super) fn facts(certificate: &[u8]) -> Option<Facts> {
    let mut whole = Der(certificate).inside(SEQUENCE)?;
    let mut body = whole.inside(SEQUENCE)?;
    if body.next_is(VERSION) {
        body.any()?;
    }
    let (_serial, _algorithm, _issuer) = (body.any()?, body.any()?, body.any()?);
    let mut validity = body.inside(SEQUENCE)?;
    let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
    let mut names = Vec::new();
    while let Some((tag, content)) = body.any() {
        if tag == EXTENSIONS {
            names = alternative_names(content).unwrap_or_default();
        }
    }
    Some(Facts { names, not_before, not_after })
}

fn time(of: &mut Der<'_>) -> Option<Wall> {
    match of.any()? {
        // Years of two digits are those from 1950 to 2049 (RFC 5280 §4.1.2.5.1).
        (UTC_TIME, text) if text.first()? < &b'5' => instant("20", text),
        (UTC_TIME, text) => instant("19", text),
        (GENERALIZED_TIME, text) => instant("", text),
        _ => None,
    }
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Der(extensions).inside(SEQUENCE)?;
    while !extensions.0.is_empty() {
        let mut extension = extensions.inside(SEQUENCE)?;
        let is_it = extension.take(OBJECT_ID)? == SUBJECT_ALT_NAME;
        if !is_it {
            continue;
        }
        if !extension.next_is(OCTETS) {
            // Whether it is critical.
            extension.any()?;
        }
        let mut listed = Der(extension.take(OCTETS)?).inside(SEQUENCE)?;
        let mut names = Vec::new();
        while let Some((tag, content)) = listed.any() {
            if tag == DNS_NAME {
                names.push(std::str::from_utf8(content).ok()?.to_ascii_lowercase());
            }
        }
        return Some(names);
    }
    None
}

/// `YYMMDDHHMMSSZ` behind the digits of its century.
fn instant(century: &str, text: &[u8]) -> Option<Wall> {
    let text = format!("{century}{}", std::str::from_utf8(text).ok()?);
    let (year, rest) = text.split_at_checked(4)?;
    let (date, time) = rest.split_at_checked(4)?;
    let (month, day) = date.split_at_checked(2)?;
    let (hour, rest) = time.split_at_checked(2)?;
    let (minute, second) = rest.split_at_checked(2)?;
    Wall::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}")).ok()
}

/// Elements one after another.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag and content of the next element.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            short @ 0..=0x7f => (usize::from(short), rest),
            long => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                if digits.len() > 4 {
                    return None;
                }
                let length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
                (length, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let (tag, content) = self.any()?;
        (tag == wanted).then_some(content)
    }

    fn inside(&mut self, wanted: u8) -> Option<Der<'a>> {
        self.take(wanted).map(Der)
    }

    fn next_is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }
}
