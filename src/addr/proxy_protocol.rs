//! The PROXY protocol, versions 1 and 2: how a balancer that passes on a connection says whose it
//! is (the specification that comes with HAProxy, `proxy-protocol.txt`).
//!
//! Reading and writing are pure: bytes in, a value out. Who may send such a header, and for how
//! long it is waited for, is decided where connections are accepted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Bytes of a version 1 header, its line end included.
pub const V1_BYTES_MAX: usize = 107;
/// Bytes of a version 2 header: its largest addresses, and four kilobytes of what else a balancer
/// says, such as a client's certificate.
pub const V2_BYTES_MAX: usize = V2_FIXED + 216 + 4096;

/// How version 2 begins.
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// How version 1 begins.
const V1_SIGNATURE: &[u8; 6] = b"PROXY ";
/// Signature, version and command, family and protocol, length.
const V2_FIXED: usize = 16;
/// The type of the checksum among the values behind the addresses.
const CRC32C: u8 = 3;

/// Which form a header has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// A whole header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Source and destination of the connection that is passed on. None if the balancer speaks for
    /// itself (`LOCAL`), or does not know, or it was no TCP connection: then the connection is its
    /// own.
    pub ends: Option<Ends>,
    /// Bytes of the header. What follows belongs to the connection.
    pub length: usize,
}

/// The two ends of a connection that is passed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// What it connected to.
    pub destination: SocketAddr,
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parsed {
    /// A header.
    Whole(Header),
    /// The beginning of a header: every byte so far is part of it.
    Partial,
}

/// Why bytes are no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// They begin as neither version does.
    #[error("no PROXY header")]
    None,
    /// A line that version 1 does not know.
    #[error("a malformed PROXY line")]
    Line,
    /// A version, command, family or protocol that the specification reserves.
    #[error("a PROXY header of an unknown kind")]
    Unknown,
    /// Its length does not fit its addresses or its values, or there is too much of it.
    #[error("a PROXY header of a wrong length")]
    Length,
    /// Its checksum is another.
    #[error("a PROXY header with a wrong checksum")]
    Checksum,
}

/// Reads the header that a connection begins with.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Fault> {
    if starts(bytes, V2_SIGNATURE) {
        return v2(bytes);
    }
    if starts(bytes, V1_SIGNATURE) {
        return v1(bytes);
    }
    Err(Fault::None)
}

/// Whether what is there of `bytes` is how `signature` begins.
fn starts(bytes: &[u8], signature: &[u8]) -> bool {
    let common = bytes.len().min(signature.len());
    bytes[..common] == signature[..common]
}

fn v1(bytes: &[u8]) -> Result<Parsed, Fault> {
    let seen = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', seen) else {
        let full = seen.len() == V1_BYTES_MAX;
        return if full { Err(Fault::Length) } else { Ok(Parsed::Partial) };
    };
    let line = seen[..end].strip_suffix(b"\r").ok_or(Fault::Line)?;
    let line = line.strip_prefix(V1_SIGNATURE).ok_or(Fault::Line)?;
    let line = std::str::from_utf8(line).map_err(|_| Fault::Line)?;
    let mut words = line.split(' ');
    let ends = match words.next() {
        // Whatever else is on the line is to be ignored.
        Some("UNKNOWN") => None,
        Some("TCP4") => Some(line_ends::<Ipv4Addr>(words)?),
        Some("TCP6") => Some(line_ends::<Ipv6Addr>(words)?),
        Some(_) | None => return Err(Fault::Line),
    };
    Ok(Parsed::Whole(Header { ends, length: end + 1 }))
}

fn line_ends<'a, A: FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'a str>,
) -> Result<Ends, Fault> {
    let mut address = || words.next().and_then(|word| word.parse::<A>().ok()).ok_or(Fault::Line);
    let (source, destination) = (address()?, address()?);
    let mut port = || words.next().and_then(port).ok_or(Fault::Line);
    let (source_port, destination_port) = (port()?, port()?);
    if words.next().is_some() {
        return Err(Fault::Line);
    }
    Ok(Ends {
        source: SocketAddr::new(source.into(), source_port),
        destination: SocketAddr::new(destination.into(), destination_port),
    })
}

/// Digits without a sign and without leading zeros.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let leads = word.len() > 1 && word.starts_with('0');
    if plain && !leads { word.parse().ok() } else { None }
}

fn v2(bytes: &[u8]) -> Result<Parsed, Fault> {
    // What is wrong is told as early as it is seen.
    if bytes.get(12).is_some_and(|byte| *byte != 0x20 && *byte != 0x21) {
        return Err(Fault::Unknown);
    }
    let Some(fixed) = bytes.get(..V2_FIXED) else { return Ok(Parsed::Partial) };
    let length = V2_FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > V2_BYTES_MAX {
        return Err(Fault::Length);
    }
    let Some(whole) = bytes.get(..length) else { return Ok(Parsed::Partial) };
    let local = fixed[12] == 0x20;
    let (ends, rest) = match (local, fixed[13]) {
        // What a balancer says of itself is to be skipped, whatever it is.
        (true, _) | (false, 0x00) => return Ok(Parsed::Whole(Header { ends: None, length })),
        (false, 0x11) => {
            let (ends, rest) = binary_ends::<4>(&whole[V2_FIXED..])?;
            (Some(ends), rest)
        }
        (false, 0x21) => {
            let (ends, rest) = binary_ends::<16>(&whole[V2_FIXED..])?;
            (Some(ends), rest)
        }
        // Datagrams and Unix sockets have no address that means anything to HTTP.
        (false, 0x12) => (None, whole.get(V2_FIXED + 12..).ok_or(Fault::Length)?),
        (false, 0x22) => (None, whole.get(V2_FIXED + 36..).ok_or(Fault::Length)?),
        (false, 0x31 | 0x32) => (None, whole.get(V2_FIXED + 216..).ok_or(Fault::Length)?),
        (false, _) => return Err(Fault::Unknown),
    };
    check_values(whole, length - rest.len())?;
    Ok(Parsed::Whole(Header { ends, length }))
}

/// Two addresses of `N` bytes, two ports, and what follows them.
fn binary_ends<const N: usize>(bytes: &[u8]) -> Result<(Ends, &[u8]), Fault>
where
    [u8; N]: Into<IpAddr>,
{
    let (source, bytes) = bytes.split_first_chunk::<N>().ok_or(Fault::Length)?;
    let (destination, bytes) = bytes.split_first_chunk::<N>().ok_or(Fault::Length)?;
    let (source_port, bytes) = bytes.split_first_chunk::<2>().ok_or(Fault::Length)?;
    let (destination_port, bytes) = bytes.split_first_chunk::<2>().ok_or(Fault::Length)?;
    let ends = Ends {
        source: SocketAddr::new((*source).into(), u16::from_be_bytes(*source_port)),
        destination: SocketAddr::new((*destination).into(), u16::from_be_bytes(*destination_port)),
    };
    Ok((ends, bytes))
}

/// Looks through the values behind the addresses, from `at`: each has a type, a length and bytes.
/// All but the checksum are skipped.
fn check_values(header: &[u8], mut at: usize) -> Result<(), Fault> {
    while at < header.len() {
        let head = header.get(at..at + 3).ok_or(Fault::Length)?;
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let value = header.get(at + 3..at + 3 + length).ok_or(Fault::Length)?;
        if head[0] == CRC32C {
            let told: [u8; 4] = value.try_into().map_err(|_| Fault::Length)?;
            // The sum is taken with its own place zeroed.
            let sum = crc32c(0, &header[..at + 3]);
            let sum = crc32c(crc32c(sum, &[0; 4]), &header[at + 7..]);
            if sum != u32::from_be_bytes(told) {
                return Err(Fault::Checksum);
            }
        }
        at += 3 + length;
    }
    Ok(())
}

/// The checksum of RFC 3720 appendix B.4, continued from the bytes before.
fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut rest = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                rest = if rest & 1 == 1 { rest >> 1 ^ 0x82f6_3b78 } else { rest >> 1 };
                bit += 1;
            }
            table[byte] = rest;
            byte += 1;
        }
        table
    };
    let step = |sum: u32, byte: &u8| TABLE[usize::from(sum as u8 ^ byte)] ^ sum >> 8;
    !bytes.iter().fold(!before, step)
}

/// The header that passes on a connection from `source` to `destination`. Where only one of them
/// is IPv4, it is told as IPv6.
pub fn encode(version: Version, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (from, to) = (source.ip().to_canonical(), destination.ip().to_canonical());
    let ports = (source.port(), destination.port());
    match (version, from, to) {
        (Version::V1, IpAddr::V4(from), IpAddr::V4(to)) => {
            format!("PROXY TCP4 {from} {to} {} {}\r\n", ports.0, ports.1).into_bytes()
        }
        (Version::V1, from, to) => {
            let (from, to) = (as_v6(from), as_v6(to));
            format!("PROXY TCP6 {from} {to} {} {}\r\n", ports.0, ports.1).into_bytes()
        }
        (Version::V2, IpAddr::V4(from), IpAddr::V4(to)) => {
            binary(0x11, &from.octets(), &to.octets(), ports)
        }
        (Version::V2, from, to) => binary(0x21, &as_v6(from).octets(), &as_v6(to).octets(), ports),
    }
}

/// The header of a connection that we make for ourselves, such as a health check.
pub fn encode_local(version: Version) -> Vec<u8> {
    match version {
        Version::V1 => b"PROXY UNKNOWN\r\n".to_vec(),
        Version::V2 => [&V2_SIGNATURE[..], &[0x20, 0, 0, 0]].concat(),
    }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn binary(family: u8, from: &[u8], to: &[u8], (source, destination): (u16, u16)) -> Vec<u8> {
    let length = if family == 0x11 { 12_u16 } else { 36 };
    [
        &V2_SIGNATURE[..],
        &[0x21, family],
        &length.to_be_bytes(),
        from,
        to,
        &source.to_be_bytes(),
        &destination.to_be_bytes(),
    ]
    .concat()
}
