//! What the scanner lets through and what it stops, piece by piece and as a whole.

use super::*;

fn requests() -> Scanner {
    Scanner::of_requests(limit::HEAD_BYTES_MAX)
}

fn scan(bytes: &[u8]) -> Scan {
    let whole = requests().scan(bytes);
    let mut scanner = requests();
    let mut offset = 0;
    for byte in bytes.chunks(1) {
        match (scanner.scan(byte), whole) {
            (Scan::Clean, _) => offset += 1,
            (Scan::FaultInHead(_, fault), Scan::FaultInHead(_, expected))
            | (Scan::FaultInBody(_, fault), Scan::FaultInBody(_, expected)) => {
                assert_eq!(fault, expected, "byte by byte");
                return whole;
            }
            (other, _) => panic!("at {offset}: {other:?}, but as a whole {whole:?}"),
        }
    }
    assert_eq!(whole, Scan::Clean);
    whole
}

#[test]
fn plain_requests_in_a_row_are_clean() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na\nb";
    let chunks = "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n\
                  3;x=y\r\na\rb\r\n0\r\nA: b\r\n\r\n";
    assert_eq!(scan(format!("{get}{post}{chunks}\r\n{get}").as_bytes()), Scan::Clean);
}

#[test]
fn a_faulty_head_is_found_where_it_begins() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (head, fault) in [
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", Fault::BareLineEnd),
        ("PRI * HTTP/2.0\r\n\r\n", Fault::OtherVersion),
        ("GET / http/1.1\r\n\r\n", Fault::NotHttp),
        ("GET /a#b HTTP/1.1\r\n\r\n", Fault::BadTarget),
        ("GET /\u{e4} HTTP/1.1\r\n\r\n", Fault::BadTarget),
        ("P / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Fault::BadEncoding),
        ("GET / HTTP/1.1\r\nA: b\n\r\n", Fault::BareLineEnd),
        ("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", Fault::BareLineEnd),
        ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", Fault::FoldedLine),
        (
            "P / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Fault::LengthAndEncoding,
        ),
        ("P / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", Fault::BadLength),
        ("P / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", Fault::BadLength),
        ("P / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", Fault::BadLength),
        ("P / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Fault::BadEncoding),
        (
            "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            Fault::BadEncoding,
        ),
    ] {
        assert_eq!(scan(head.as_bytes()), Scan::FaultInHead(0, fault), "{head:?}");
        let second = format!("{get}{head}");
        let at = Scan::FaultInHead(get.len(), fault);
        assert_eq!(requests().scan(second.as_bytes()), at);
    }
}

#[test]
fn a_faulty_body_is_found() {
    let head = "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "3 \r\nabc\r\n",
        "\r\n",
        "3;\r\n",
        "x\r\n",
        "3\nabc\r\n",
        "3\r\nabcd\r\n",
        "0x3\r\n",
        "fffffffffffffffff\r\n",
        "3\r\nabc\n",
    ] {
        let found = scan(format!("{head}{body}").as_bytes());
        assert!(matches!(found, Scan::FaultInBody(..)), "{body:?}: {found:?}");
    }
}

#[test]
fn heads_and_extensions_are_bounded() {
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(40_000));
    assert_eq!(scan(long.as_bytes()), Scan::FaultInHead(0, Fault::HeadTooLarge));
    let chunk = format!("P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;{}", "x".repeat(300));
    let line = chunk.len() - 302;
    assert_eq!(scan(chunk.as_bytes()), Scan::FaultInBody(line, Fault::BadChunk));
}
fn answer(method: http::Method, bytes: &str) -> (Scan, Rc<Asked>) {
    let asked = Rc::<Asked>::default();
    asked.ask(&method);
    let whole = Scanner::of_answers(Rc::clone(&asked)).scan(bytes.as_bytes());
    let again = Rc::<Asked>::default();
    again.ask(&method);
    let mut scanner = Scanner::of_answers(again);
    let pieces = bytes.as_bytes().chunks(1).map(|byte| scanner.scan(byte));
    let stopped = pieces.filter(|scan| *scan != Scan::Clean).count() > 0;
    assert_eq!(stopped, whole != Scan::Clean, "byte by byte: {bytes:?}");
    (whole, asked)
}

#[test]
fn plain_answers_are_clean_and_whole() {
    for (method, bytes) in [
        (http::Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"),
        (http::Method::GET, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
        (http::Method::GET, "HTTP/1.0 200 OK\r\n\r\nuntil the end\r\n\r\nof it"),
        (http::Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        (http::Method::HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (http::Method::GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"),
        (http::Method::GET, "HTTP/1.1 204 No Content\r\n\r\n"),
        (http::Method::GET, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
        (
            http::Method::GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n",
        ),
        (http::Method::GET, "HTTP/1.1 101 Switching Protocols\r\n\r\nno\nHTTP"),
    ] {
        let (scan, asked) = answer(method, bytes);
        assert_eq!(scan, Scan::Clean, "{bytes:?}");
        assert!(!asked.is_pending(), "{bytes:?} is an answer");
    }
}

#[test]
fn what_no_answer_is_or_what_nobody_asked_for_is_found() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
    for (bytes, fault) in [
        ("\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned(), Fault::NotHttp),
        ("HTTP/1.1 2000 OK\r\n\r\n".to_owned(), Fault::NotHttp),
        ("HTTP/1.1 099 OK\r\n\r\n".to_owned(), Fault::NotHttp),
        ("HTTP/1.1  200 OK\r\n\r\n".to_owned(), Fault::NotHttp),
        ("HTTP/2 200 OK\r\n\r\n".to_owned(), Fault::NotHttp),
        ("ICY 200 OK\r\n\r\n".to_owned(), Fault::NotHttp),
        ("HTTP/1.1 200 OK\n\n".to_owned(), Fault::BareLineEnd),
        ("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n".to_owned(), Fault::BareLineEnd),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab".to_owned(), Fault::Surplus),
        (format!("{ok}{ok}"), Fault::Surplus),
        (interim, Fault::TooManyInterim),
    ] {
        let (scan, _) = answer(http::Method::GET, &bytes);
        let Scan::FaultInHead(_, found) = scan else { panic!("{bytes:?}: {scan:?}") };
        assert_eq!(found, fault, "{bytes:?}");
    }
}
