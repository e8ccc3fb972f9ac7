//! The PROXY protocol, byte by byte.

use std::net::SocketAddr;

use intermission::addr::proxy_protocol::{
    Ends, Fault, Header, Parsed, V1_BYTES_MAX, Version, encode, encode_local, parse,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn ends(source: &str, destination: &str) -> Ends {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    Ends { source: address(source), destination: address(destination) }
}

/// A binary header of this kind, with these bytes behind its length.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("a length").to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

fn whole(bytes: &[u8]) -> Header {
    match parse(bytes) {
        Ok(Parsed::Whole(header)) => header,
        other => panic!("{other:?} of {bytes:?}"),
    }
}

const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0xc0, 0, 1, 0xbb];

#[test]
fn what_is_written_is_read_again_and_not_a_byte_more() {
    let pairs = [
        ("192.0.2.7:49152", "198.51.100.1:443"),
        ("[2001:db8::7]:1", "[2001:db8::1]:65535"),
        ("255.255.255.255:65535", "255.255.255.255:65535"),
    ];
    for (source, destination) in pairs {
        let ends = ends(source, destination);
        for version in [Version::V1, Version::V2] {
            let mut bytes = encode(version, ends.source, ends.destination);
            let length = bytes.len();
            bytes.extend_from_slice(b"\x16\x03\x01 and so on");
            assert_eq!(whole(&bytes), Header { ends: Some(ends), length }, "{version:?}");
            for short in 0..length {
                assert_eq!(parse(&bytes[..short]), Ok(Parsed::Partial), "{short} of {bytes:?}");
            }
        }
    }
    for version in [Version::V1, Version::V2] {
        let bytes = encode_local(version);
        assert_eq!(whole(&bytes), Header { ends: None, length: bytes.len() });
    }
}

#[test]
fn ends_of_two_families_are_told_as_ipv6() {
    let ends = ends("192.0.2.7:1", "[2001:db8::1]:2");
    let line = encode(Version::V1, ends.source, ends.destination);
    assert_eq!(line, b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2\r\n");
    let binary = whole(&encode(Version::V2, ends.source, ends.destination)).ends.expect("ends");
    assert_eq!(binary.source.ip().to_canonical(), ends.source.ip());
    assert_eq!(binary.destination, ends.destination);
}

#[test]
fn a_known_header_is_written_as_the_specification_has_it() {
    let ends = ends("192.0.2.7:49152", "198.51.100.1:443");
    let line = encode(Version::V1, ends.source, ends.destination);
    assert_eq!(line, b"PROXY TCP4 192.0.2.7 198.51.100.1 49152 443\r\n");
    assert_eq!(encode(Version::V2, ends.source, ends.destination), v2(0x21, 0x11, &V4));
    assert_eq!(encode_local(Version::V2), v2(0x20, 0, &[]));
}

#[test]
fn a_balancer_that_does_not_say_whose_it_is_keeps_its_own_address() {
    let unknown = |bytes: &[u8]| {
        assert_eq!(whole(bytes), Header { ends: None, length: bytes.len() }, "{bytes:?}");
    };
    unknown(b"PROXY UNKNOWN\r\n");
    unknown(b"PROXY UNKNOWN ffff:: 1 whatever it is\r\n");
    unknown(&v2(0x20, 0x11, &V4));
    unknown(&v2(0x20, 0xff, b"anything"));
    unknown(&v2(0x21, 0x00, b""));
    unknown(&v2(0x21, 0x12, &V4));
    unknown(&v2(0x21, 0x31, &[0; 216]));
}

#[test]
fn lines_that_version_1_does_not_know_are_faults() {
    for line in [
        "PROXY TCP4 192.0.2.7 198.51.100.1 49152 443\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 49152\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 49152 443 1\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 49152 443 \r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 49152 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 01 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1  443\r\n",
        "PROXY TCP4 192.0.2.300 198.51.100.1 1 443\r\n",
        "PROXY TCP4 192.0.2.07 198.51.100.1 1 443\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 443\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 443\r\n",
        "PROXY TCP6 fe80::1%eth0 2001:db8::1 1 443\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 1 443\r\n",
        "PROXY tcp4 192.0.2.7 198.51.100.1 1 443\r\n",
        "PROXY \r\n",
        "PROXY UNKNOWN\rX\n",
    ] {
        assert_eq!(parse(line.as_bytes()), Err(Fault::Line), "{line}");
    }
    assert_eq!(parse(b"PROXY TCP4 \xff\r\n"), Err(Fault::Line));
    let long = format!("PROXY UNKNOWN {}", "x".repeat(V1_BYTES_MAX));
    assert_eq!(parse(long.as_bytes()), Err(Fault::Length));
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_BYTES_MAX - 16));
    assert_eq!(whole(longest.as_bytes()).length, V1_BYTES_MAX);
}

#[test]
fn what_is_not_a_header_is_known_from_its_first_byte_on() {
    for bytes in
        [&b"G"[..], b"GET / HTTP/1.1\r\n", b"PROXZ", b"\x16\x03\x01", b"\r\n\r\n\0\r\nQUIX"]
    {
        assert_eq!(parse(bytes), Err(Fault::None), "{bytes:?}");
    }
    assert_eq!(parse(b""), Ok(Parsed::Partial));
}

#[test]
fn binary_headers_of_a_wrong_kind_or_length_are_faults() {
    let header = |command, family, rest: &[u8]| parse(&v2(command, family, rest));
    assert_eq!(header(0x11, 0x11, &V4), Err(Fault::Unknown), "version 1");
    assert_eq!(header(0x22, 0x11, &V4), Err(Fault::Unknown), "a third command");
    assert_eq!(header(0x21, 0x41, &V4), Err(Fault::Unknown), "a fifth family");
    assert_eq!(header(0x21, 0x13, &V4), Err(Fault::Unknown), "a fourth protocol");
    assert_eq!(header(0x21, 0x11, &V4[..11]), Err(Fault::Length));
    assert_eq!(header(0x21, 0x21, &[0; 35]), Err(Fault::Length));
    assert_eq!(header(0x21, 0x31, &[0; 215]), Err(Fault::Length));
    let endless = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    assert_eq!(parse(&endless), Err(Fault::Length));
    assert_eq!(parse(&endless[..13]), Ok(Parsed::Partial));
    assert_eq!(parse(&[SIGNATURE, &[0x31]].concat()), Err(Fault::Unknown), "told at once");
}

#[test]
fn values_behind_the_addresses_are_skipped_if_they_fit() {
    let with = |values: &[u8]| parse(&v2(0x21, 0x11, &[&V4[..], values].concat()));
    let fits = |length| {
        let ends = Some(ends("192.0.2.7:49152", "198.51.100.1:443"));
        Ok(Parsed::Whole(Header { ends, length }))
    };
    assert_eq!(with(b"\x01\0\x02h2\x04\0\0"), fits(36));
    for broken in [&b"\x01"[..], b"\x01\0", b"\x01\0\x02h", b"\x04\0\0\x01\xff\xff"] {
        assert_eq!(with(broken), Err(Fault::Length), "{broken:?}");
    }
}

#[test]
fn a_checksum_is_believed_only_if_it_is_right() {
    // Taken with its own four bytes zeroed, over the header and nothing behind it.
    let mut bytes = v2(0x21, 0x11, &[&V4[..], b"\x03\0\x04\0\0\0\0\x04\0\x01x"].concat());
    let sum = slow_crc32c(&bytes);
    bytes[31..35].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(slow_crc32c(b"123456789"), 0xe306_9283, "as RFC 3720 has it");
    let length = bytes.len();
    assert_eq!(whole(&[&bytes[..], b"GET"].concat()).length, length);
    for at in (V4.len()..length).filter(|at| !(12..16).contains(at) && !(28..31).contains(at)) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(parse(&changed).is_err(), "byte {at}");
    }
    let short = v2(0x21, 0x11, &[&V4[..], b"\x03\0\x03\0\0\0"].concat());
    assert_eq!(parse(&short), Err(Fault::Length));
}

fn slow_crc32c(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
        }
    }
    !sum
}
