//! Every MUST about frames, streams and fields that a client can break (RFC 9113, RFC 7541): on an
//! open route, and on a closed one, where nothing may reach the application.

use intermission::window::state::Mode;

use super::wire::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GET, GOAWAY, HEADERS, Outcome, PADDED,
    PING, POST, PREFACE, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, block,
    settings_payload,
};
use super::{Secured, before, h2c};
use crate::support::origin::Origin;
use crate::support::raw::exchange;

const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const COMPRESSION: u32 = 9;
/// The library has one name for what cannot be read: it says PROTOCOL_ERROR where RFC 9113 §4.3
/// asks for COMPRESSION_ERROR and §6.5.2 for FLOW_CONTROL_ERROR. The connection ends all the same.
const UNREADABLE: &[u32] = &[COMPRESSION, PROTOCOL];

/// What must come of a breach.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    /// The connection ends, for one of these reasons.
    Goaway(&'static [u32]),
    /// The stream, or the connection with it.
    Reset(&'static [u32]),
    /// It is none: the request on stream 1 is answered, here or there.
    Fine,
}

use Wanted::{Fine, Goaway, Reset};

fn f(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(kind, flags, stream, payload)
}

fn head(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Frame {
    f(HEADERS, flags | END_HEADERS, stream, block(fields))
}

fn get(stream: u32) -> Frame {
    head(stream, END_STREAM, &GET)
}

fn padded(kind: u8, length: u8, payload: &[u8]) -> Frame {
    f(kind, PADDED | END_HEADERS, 1, [&[length][..], payload].concat())
}

fn window(stream: u32, by: u32) -> Frame {
    f(WINDOW_UPDATE, 0, stream, by.to_be_bytes())
}

type Case = (&'static str, Vec<Frame>, Wanted);

fn frames() -> Vec<Case> {
    let priority = |on: u32| [&on.to_be_bytes()[..], &[16]].concat();
    vec![
        ("DATA on 0", vec![f(DATA, 0, 0, "a")], Goaway(&[PROTOCOL])),
        ("DATA on idle", vec![f(DATA, 0, 1, "a")], Goaway(&[PROTOCOL])),
        ("HEADERS on 0", vec![get(0)], Goaway(&[PROTOCOL])),
        ("an even stream", vec![get(2)], Goaway(&[PROTOCOL])),
        ("PRIORITY on 0", vec![f(PRIORITY, 0, 0, priority(3))], Goaway(&[PROTOCOL])),
        ("PRIORITY of 4 bytes", vec![f(PRIORITY, 0, 1, [0; 4]), get(1)], Reset(&[FRAME_SIZE])),
        ("PRIORITY on idle", vec![f(PRIORITY, 0, 3, priority(1)), get(1)], Fine),
        ("RST_STREAM on 0", vec![f(RST_STREAM, 0, 0, [0; 4])], Goaway(&[PROTOCOL])),
        ("RST_STREAM on idle", vec![f(RST_STREAM, 0, 1, [0; 4])], Goaway(&[PROTOCOL])),
        (
            "RST_STREAM of 3 bytes",
            vec![head(1, 0, &POST), f(RST_STREAM, 0, 1, [0; 3])],
            Goaway(&[FRAME_SIZE]),
        ),
        ("SETTINGS on 1", vec![f(SETTINGS, 0, 1, [])], Goaway(&[PROTOCOL])),
        ("SETTINGS of 5 bytes", vec![f(SETTINGS, 0, 0, [0; 5])], Goaway(&[FRAME_SIZE])),
        ("SETTINGS ACK with more", vec![f(SETTINGS, ACK, 0, [0; 6])], Goaway(&[FRAME_SIZE])),
        ("PUSH_PROMISE", vec![f(PUSH_PROMISE, 4, 1, [0, 0, 0, 2])], Goaway(&[PROTOCOL])),
        ("PING on 1", vec![f(PING, 0, 1, [0; 8])], Goaway(&[PROTOCOL])),
        ("PING of 7 bytes", vec![f(PING, 0, 0, [0; 7])], Goaway(&[FRAME_SIZE])),
        ("PING ACK of nothing", vec![f(PING, ACK, 0, [0; 8]), get(1)], Fine),
        ("GOAWAY on 1", vec![f(GOAWAY, 0, 1, [0; 8])], Goaway(&[PROTOCOL])),
        ("WINDOW_UPDATE of 3 bytes", vec![f(WINDOW_UPDATE, 0, 0, [1; 3])], Goaway(&[FRAME_SIZE])),
        ("WINDOW_UPDATE by 0", vec![window(0, 0)], Goaway(&[PROTOCOL])),
        ("WINDOW_UPDATE by too much", vec![window(0, 0x7fff_ffff)], Goaway(&[FLOW_CONTROL])),
        ("WINDOW_UPDATE on idle", vec![window(1, 1)], Goaway(&[PROTOCOL])),
        ("a window by 0", vec![head(1, 0, &POST), window(1, 0)], Reset(&[PROTOCOL])),
        (
            "a window by too much",
            vec![head(1, 0, &POST), window(1, 0x7fff_ffff)],
            Reset(&[FLOW_CONTROL]),
        ),
        ("a frame of 16,385 bytes", vec![f(DATA, 0, 1, [0; 16_385])], Goaway(&[FRAME_SIZE])),
        ("unknown frames", vec![f(0x16, 0xff, 0, "what"), f(0xff, 0, 7, "?"), get(1)], Fine),
        ("unknown flags", vec![f(HEADERS, 0xd2 & !PADDED | 5, 1, block(&GET))], Fine),
        ("all padding", vec![head(1, 0, &POST), padded(DATA, 6, b"hello")], Goaway(&[PROTOCOL])),
        ("a padded head", vec![padded(HEADERS, 200, &block(&GET))], Goaway(&[PROTOCOL])),
        (
            "a reserved bit",
            vec![f(HEADERS, END_STREAM | END_HEADERS, 0x8000_0001, block(&GET))],
            Fine,
        ),
    ]
}

fn heads() -> Vec<Case> {
    let all = block(&GET);
    let (first, second) = all.split_at(9);
    vec![
        ("CONTINUATION alone", vec![f(CONTINUATION, 4, 1, block(&GET))], Goaway(&[PROTOCOL])),
        (
            "CONTINUATION behind the end of a head",
            vec![head(1, 0, &POST), f(CONTINUATION, 4, 1, block(&[("a", "b")]))],
            Goaway(&[PROTOCOL]),
        ),
        (
            "PING within a head",
            vec![f(HEADERS, 0, 1, first), f(PING, 0, 0, [0; 8])],
            Goaway(&[PROTOCOL]),
        ),
        (
            "an unknown frame within a head",
            vec![f(HEADERS, 0, 1, first), f(0x16, 0, 1, [0; 8])],
            Goaway(&[PROTOCOL]),
        ),
        (
            "CONTINUATION of another stream",
            vec![f(HEADERS, END_STREAM, 1, first), f(CONTINUATION, END_HEADERS, 3, second)],
            Goaway(&[PROTOCOL]),
        ),
        (
            "a head in two frames",
            vec![f(HEADERS, END_STREAM, 1, first), f(CONTINUATION, END_HEADERS, 1, second)],
            Fine,
        ),
    ]
}

fn streams() -> Vec<Case> {
    let closed = [STREAM_CLOSED, PROTOCOL];
    let closed: &'static [u32] = Box::leak(Box::new(closed));
    let self_dependent = [&[0, 0, 0, 1, 16][..], &block(&GET)].concat();
    vec![
        ("DATA behind the end", vec![get(1), f(DATA, 0, 1, "late")], Reset(closed)),
        ("HEADERS behind the end", vec![get(1), get(1)], Reset(closed)),
        ("a stream below the last", vec![get(5), get(3)], Goaway(closed)),
        (
            "DATA behind a reset",
            vec![head(1, 0, &POST), f(RST_STREAM, 0, 1, [0; 4]), f(DATA, 0, 1, "late")],
            Reset(closed),
        ),
        (
            "a head that depends on itself",
            vec![f(HEADERS, 0x25, 1, self_dependent)],
            Reset(&[PROTOCOL]),
        ),
        (
            "a length that is short",
            vec![
                head(1, 0, &[&POST[..], &[("content-length", "3")]].concat()),
                f(DATA, END_STREAM, 1, "abcd"),
            ],
            Reset(&[PROTOCOL]),
        ),
        (
            "a length that is long",
            vec![
                head(1, 0, &[&POST[..], &[("content-length", "5")]].concat()),
                f(DATA, END_STREAM, 1, "abcd"),
            ],
            Reset(&[PROTOCOL]),
        ),
        (
            "a length and no body",
            vec![head(1, END_STREAM, &[&POST[..], &[("content-length", "5")]].concat())],
            Reset(&[PROTOCOL]),
        ),
        (
            "trailers that do not end",
            vec![head(1, 0, &POST), f(DATA, 0, 1, "a"), head(1, 0, &[("a", "b")])],
            Reset(&[PROTOCOL]),
        ),
        (
            "trailers with a pseudo-field",
            vec![head(1, 0, &POST), f(DATA, 0, 1, "a"), head(1, END_STREAM, &[(":path", "/b")])],
            Reset(&[PROTOCOL]),
        ),
        (
            "trailers with an upper case name",
            vec![head(1, 0, &POST), f(DATA, 0, 1, "a"), head(1, END_STREAM, &[("A", "b")])],
            Reset(&[PROTOCOL]),
        ),
        (
            "a body and trailers",
            vec![head(1, 0, &POST), f(DATA, 0, 1, "a"), head(1, END_STREAM, &[("a", "b")])],
            Fine,
        ),
        (
            "an empty DATA for an end",
            vec![head(1, 0, &POST), f(DATA, 0, 1, "a"), f(DATA, END_STREAM, 1, [])],
            Fine,
        ),
    ]
}

fn settings() -> Vec<Case> {
    let one = |id, value| f(SETTINGS, 0, 0, settings_payload([(id, value)]));
    vec![
        ("ENABLE_PUSH 2", vec![one(2, 2)], Goaway(&[PROTOCOL])),
        ("INITIAL_WINDOW_SIZE", vec![one(4, 0x8000_0000)], Goaway(&[FLOW_CONTROL, PROTOCOL])),
        ("MAX_FRAME_SIZE 16,383", vec![one(5, 16_383)], Goaway(&[PROTOCOL])),
        ("MAX_FRAME_SIZE 2^24", vec![one(5, 1 << 24)], Goaway(&[PROTOCOL])),
        ("an unknown setting", vec![one(0xff, 7), get(1)], Fine),
        (
            "a window that overflows by a setting",
            vec![head(1, 0, &POST), window(1, 0x7fff_0000 - 1), one(4, 0x7fff_ffff)],
            Goaway(&[FLOW_CONTROL]),
        ),
    ]
}

fn fields() -> Vec<Case> {
    let request = |fields: &[(&str, &str)]| vec![head(1, END_STREAM, fields)];
    let with = |name: &str, value: &str| {
        let more = [(name, value)];
        vec![head(1, END_STREAM, &[&GET[..], &more[..]].concat())]
    };
    let without = |name: &str| {
        let left: Vec<_> = GET.into_iter().filter(|(known, _)| *known != name).collect();
        vec![head(1, END_STREAM, &left)]
    };
    let late = [("a", "b"), GET[0], GET[1], GET[2], GET[3]];
    let empty = [GET[0], GET[1], GET[2], (":path", "")];
    let malformed = Reset(&[PROTOCOL]);
    let coded = |bytes: &[u8]| {
        let block = [&block(&GET)[..], bytes].concat();
        vec![f(HEADERS, END_STREAM | END_HEADERS, 1, block)]
    };
    let broken = Goaway(UNREADABLE);
    vec![
        ("no method", without(":method"), malformed),
        ("no scheme", without(":scheme"), malformed),
        ("no path", without(":path"), malformed),
        ("an empty path", request(&empty), malformed),
        ("two methods", with(":method", "GET"), malformed),
        ("two paths", with(":path", "/b"), malformed),
        ("two authorities", with(":authority", "b.test"), malformed),
        ("an unknown pseudo-field", with(":what", "a"), malformed),
        ("a status", with(":status", "200"), malformed),
        ("a pseudo-field behind a field", request(&late), malformed),
        ("an upper case name", with("X-Upper", "a"), malformed),
        ("a blank in a name", with("a b", "c"), malformed),
        ("a colon in a name", with("a:b", "c"), malformed),
        ("a NUL in a value", with("a", "b\0c"), malformed),
        ("a line feed in a value", with("a", "b\nc: d"), malformed),
        ("a carriage return in a value", with("a", "b\rc"), malformed),
        ("a blank before a value", with("a", " b"), malformed),
        ("a tab behind a value", with("a", "b\t"), malformed),
        ("connection", with("connection", "close"), malformed),
        ("keep-alive", with("keep-alive", "a"), malformed),
        ("proxy-connection", with("proxy-connection", "a"), malformed),
        ("transfer-encoding", with("transfer-encoding", "chunked"), malformed),
        ("upgrade", with("upgrade", "h2c"), malformed),
        ("te: gzip", with("te", "gzip"), malformed),
        ("te: trailers", with("te", "trailers"), Fine),
        ("two lengths", with("content-length", "1, 2"), malformed),
        ("a protocol without CONNECT", with(":protocol", "websocket"), malformed),
        ("index 0", coded(&[0x80]), broken),
        ("an index beyond the tables", coded(&[0xff, 0x7f]), broken),
        ("a table of 5,000 bytes", coded(&[0x3f, 0xe9, 0x26]), broken),
        ("a table that changes late", coded(&[0x3e]), broken),
        ("eight bits of padding", coded(&[0, 1, b'a', 0x82, 0xf8, 0xff]), broken),
        ("an end of string within one", coded(&[0, 1, b'a', 0x84, 255, 255, 255, 255]), broken),
        ("a string that is cut", coded(&[0, 1, b'a', 5, b'b']), broken),
    ]
}

fn hold(case: &Case, wire: &mut Wire) -> Result<(), String> {
    let (_, frames, wanted) = case;
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    wire.raw(&bytes);
    let stream = frames.last().map_or(1, |frame| frame.stream & 0x7fff_ffff).max(1);
    let outcome = wire.outcome(stream);
    match (*wanted, &outcome) {
        (Goaway(codes) | Reset(codes), Outcome::Goaway(code)) if codes.contains(code) => Ok(()),
        (Reset(codes), Outcome::Reset(code)) if codes.contains(code) => Ok(()),
        // It was answered before the breach came in, which is told all the same.
        (Reset(codes), Outcome::Answered(..)) => match wire.told_off() {
            Some(code) if codes.contains(&code) => Ok(()),
            then => Err(format!("{outcome:?}, then {then:?}")),
        },
        (Fine, Outcome::Answered(status, _)) if *status == 200 || *status == 503 => Ok(()),
        _ => Err(format!("{outcome:?}")),
    }
}

fn all() -> Vec<Case> {
    [frames(), heads(), streams(), settings(), fields()].concat()
}

#[test]
fn every_breach_ends_what_it_must_and_what_is_none_is_served() {
    let node = before(Origin::replying("hello"));
    let found = all().into_iter().filter_map(|case| {
        let found = hold(&case, &mut Wire::connect(h2c(&node))).err()?;
        Some(format!("{}: wanted {:?}, got {found}", case.0, case.2))
    });
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    let told = node.metric("intermission_h2_goaways_total{reason=\"error\"}");
    assert!(told > 20, "{told}");
}

#[test]
fn the_same_holds_where_it_is_closed() {
    let node = before(Origin::untouched());
    node.close(Mode::Page);
    let found = all().into_iter().filter_map(|case| {
        let found = hold(&case, &mut Wire::connect(h2c(&node))).err()?;
        Some(format!("{}: wanted {:?}, got {found}", case.0, case.2))
    });
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_same_holds_under_tls() {
    let secured = Secured::before(Origin::replying("hello"));
    let found = all().into_iter().filter_map(|case| {
        let found = hold(&case, &mut secured.connect()).err()?;
        Some(format!("{}: wanted {:?}, got {found}", case.0, case.2))
    });
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_stream_that_breaks_a_rule_leaves_the_others_alone() {
    let node = before(Origin::replying("hello"));
    let mut wire = Wire::connect(h2c(&node));
    let breaches = [("a", " b"), ("te", "gzip"), ("connection", "close")];
    for (at, fields) in breaches.iter().enumerate() {
        let stream = u32::try_from(at).expect("a few") * 4 + 1;
        wire.request(stream, END_STREAM, &[&GET[..], &[*fields]].concat());
        assert_eq!(wire.outcome(stream), Outcome::Reset(PROTOCOL));
        wire.request(stream + 2, END_STREAM, &GET);
        assert_eq!(wire.outcome(stream + 2), Outcome::Answered(200, b"hello".to_vec()));
    }
    assert!(wire.is_alive());
}

#[test]
fn what_does_not_begin_as_http2_is_not_served_as_such() {
    let node = before(Origin::untouched());
    let other = String::from_utf8_lossy(PREFACE).replace("2.0", "2.1");
    assert_eq!(exchange(h2c(&node), other).status(), 505, "it is HTTP/1.1, of no version we know");
    let mut wire = Wire::silent(h2c(&node));
    wire.raw(PREFACE);
    wire.raw(&f(PING, 0, 0, [0; 8]).bytes());
    assert_eq!(wire.outcome(1), Outcome::Goaway(PROTOCOL), "SETTINGS come first");
}
