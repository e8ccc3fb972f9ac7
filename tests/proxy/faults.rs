//! What goes wrong between the proxy, the application and the client: who is told what, and whose
//! fault it is said to be.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::node::{Node, Setup, end_of, get, post};
use crate::support::origin::{Act, Origin, answer, ok};
use crate::support::{eventually, raw};

/// Where nobody listens.
pub(super) fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

/// A server whose queue of connections is full, so that nobody is answered.
pub(super) struct Deaf {
    pub(super) address: SocketAddr,
    _held: (TcpListener, Vec<TcpStream>),
}

impl Deaf {
    pub(super) fn start() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.expect("a socket");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        socket.bind(&any.into()).expect("a port");
        socket.listen(0).expect("a listener");
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().expect("bound");
        let mut held = Vec::new();
        // Full when a connection is not made at once.
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            held.push(stream);
            assert!(held.len() < 100, "the queue has no end");
        }
        Self { address, _held: (listener, held) }
    }
}

/// A node with this `[[route]]` line.
pub(super) fn routed(origin: Origin, route: &'static str) -> Node {
    Node::start(origin, &Setup { route, ..Setup::default() })
}

#[test]
fn a_server_that_refuses_is_a_bad_gateway() {
    let setup = Setup { server: Some(nowhere()), ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    assert_eq!(node.ask(get("/")).status(), 502);
    assert_eq!(node.end(), "upstream/connect/refused");
}

#[test]
fn a_server_that_does_not_take_the_connection_in_time_is_a_gateway_timeout() {
    let deaf = Deaf::start();
    let upstream = "connect_timeout = \"100ms\"";
    let setup = Setup { server: Some(deaf.address), upstream, ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    assert_eq!(node.ask(post("/", "body")).status(), 504);
    assert_eq!(node.end(), "upstream/connect/timeout");
}

#[test]
fn a_server_that_closes_before_its_answer_is_asked_once() {
    let acts = [Act::SendAndReset(Vec::new()), Act::SendAndClose(Vec::new())];
    let half = b"HTTP/1.1 200 OK\r\nContent-Le".to_vec();
    for act in acts.into_iter().chain([Act::SendAndClose(half.clone()), Act::SendAndReset(half)]) {
        for request in [get("/"), post("/", "body")] {
            let told = format!("{act:?}");
            let act = act.clone();
            let node = Node::before(Origin::acting(move |_| act.clone()));
            assert_eq!(node.ask(request).status(), 502, "{told}");
            assert_eq!(node.end(), "upstream/wait/reset", "{told}");
            assert_eq!((node.origin.requests().len(), node.origin.connections()), (1, 1));
        }
    }
}

#[test]
fn a_server_that_never_answers_is_a_gateway_timeout() {
    let origin = Origin::acting(|_| Act::Stall(Vec::new()));
    let node = routed(origin, "answer_timeout = \"300ms\"");
    assert_eq!(node.ask(post("/", "body")).status(), 504);
    assert_eq!(node.end(), "upstream/wait/timeout");
    assert_eq!(node.origin.requests().len(), 1);
}

#[test]
fn an_answer_that_is_none_or_could_be_two_is_a_bad_gateway_and_ends_its_connection() {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhello");
    let long = format!("A: {}", "b".repeat(40_000));
    let many: Vec<String> = (0..101).map(|number| format!("X-{number}: a")).collect();
    let answers = [
        "hello, this is no HTTP\r\n\r\n".to_owned(),
        head("Content-Length: 5").replace("HTTP/1.1", "HTTP/3.0"),
        head("Content-Length: 5").replace("200", "2x0"),
        head("Content-Length: 5\r\nno colon"),
        head("Content-Length: 5\r\nA: b\0c"),
        head("Content-Length: 5\r\nA: b\r\n c"),
        head("Content-Length: 5\r\nA : b"),
        head("Content-Length: five"),
        head("Content-Length: +5"),
        head("Content-Length: 5\r\nContent-Length: 5"),
        head("Content-Length: 5\r\nContent-Length: 4"),
        head("Content-Length: 5, 5"),
        head("Content-Length: 5\r\nTransfer-Encoding: chunked"),
        head("Transfer-Encoding: chunked\r\nContent-Length: 5"),
        head("Transfer-Encoding: gzip"),
        head("Transfer-Encoding: gzip, chunked"),
        head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        head("Transfer-Encoding: chunked").replace("/1.1", "/1.0"),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_owned(),
        head(&long),
        head(&many.join("\r\n")),
    ];
    let mut wrong = Vec::new();
    for bytes in answers {
        let sent = bytes.clone().into_bytes();
        let node = Node::before(Origin::acting(move |request| match request.target() {
            "/bad" => Act::Send(sent.clone()),
            _ => Act::Send(ok("good")),
        }));
        let mut client = node.connect();
        client.send(get("/bad"));
        let got = client.response();
        let end = node.end();
        if (got.status(), end.as_str()) != (502, "upstream/wait/malformed") {
            wrong.push(format!("{bytes:.60?}: {} {end}", got.status()));
        }
        assert_eq!(node.ask(get("/good")).text(), "good");
        if node.origin.connections() != 2 {
            wrong.push(format!("{bytes:.60?}: the connection was used again"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bytes_behind_an_answer_are_nobodys_answer() {
    let surplus = [ok("hello"), ok("evil")].concat();
    let node = Node::before(Origin::acting(move |_| Act::Send(surplus.clone())));
    let mut client = node.connect();
    for _ in 0..10 {
        client.send(get("/"));
        assert_eq!(client.response().text(), "hello");
        assert_eq!(node.ask(get("/")).text(), "hello");
    }
}

#[test]
fn an_answer_that_breaks_off_is_never_whole_for_the_client() {
    let length = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello".to_vec();
    let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec();
    let bad = [&chunks[..], b"zz\r\n"].concat();
    let acts = [
        Act::SendAndReset(length.clone()),
        Act::SendAndClose(length),
        Act::SendAndReset(chunks.clone()),
        Act::SendAndClose(chunks),
    ];
    let acts = acts.map(|act| (act, "upstream/answer/reset")).into_iter();
    for (act, end) in acts.chain([(Act::Send(bad), "upstream/answer/malformed")]) {
        let told = format!("{act:?}");
        let node = Node::before(Origin::acting(move |_| act.clone()));
        let mut client = node.connect();
        client.send(get("/"));
        let said = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(!said.ends_with("0\r\n\r\n") && !said.contains("502"), "{told}: {said}");
        assert_eq!(node.end(), end, "{told}");
        assert_eq!(node.origin.requests().len(), 1, "{told}");
    }
}

#[test]
fn an_answer_cut_at_any_byte_is_never_whole_for_the_client() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                  2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nT: u\r\n\r\n";
    for bytes in [length, chunks] {
        let node = Node::before(Origin::acting(move |request| {
            let cut = request.target()[1..].parse().expect("where to cut");
            Act::SendAndClose(bytes.as_bytes()[..cut].to_vec())
        }));
        let head = bytes.find("\r\n\r\n").expect("a head") + 4;
        for cut in 0..bytes.len() {
            let mut client = node.connect();
            client
                .send(get(&format!("/{cut}")).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
            let said = String::from_utf8_lossy(&client.rest()).into_owned();
            if cut < head {
                assert!(said.starts_with("HTTP/1.1 502 "), "cut at {cut}: {said}");
            } else {
                let whole =
                    said.ends_with("0\r\n\r\n") || said.ends_with("hello") && bytes == length;
                assert!(!whole && !said.contains(" 502 "), "cut at {cut}: {said}");
            }
        }
        assert_eq!(node.origin.requests().len(), bytes.len(), "each was sent once");
    }
}

#[test]
fn a_request_cut_at_any_byte_is_never_whole_for_the_application() {
    let chunks = "POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                  2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nT: u\r\n\r\n";
    for request in [post("/", "hello").as_str(), chunks] {
        let node = Node::before(Origin::replying("hello"));
        for cut in 0..request.len() {
            let mut client = node.connect();
            client.send(&request[..cut]);
            client.finish();
            client.rest();
        }
        // What was left of them has arrived by then, if anything has.
        assert_eq!(node.ask(request).text(), "hello");
        assert_eq!(node.origin.requests().len(), 1);
    }
}

#[test]
fn an_answer_that_pauses_for_too_long_is_cut() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello".to_vec();
    let origin = Origin::acting(move |_| Act::Stall(head.clone()));
    let node = routed(origin, "idle_timeout = \"300ms\"");
    let mut client = node.connect();
    client.send(get("/"));
    let said = client.rest();
    assert!(said.ends_with(b"hello") || said.is_empty(), "{:?}", String::from_utf8_lossy(&said));
    assert_eq!(node.end(), "upstream/answer/timeout");
}

/// The connection that a client left behind is not the next one's.
#[track_caller]
fn next_is_served_on_another(node: &Node) {
    node.origin.release();
    assert_eq!(node.ask(get("/next")).text(), "next");
    assert_eq!(node.origin.connections(), 2, "the pool was poisoned");
}

#[test]
fn a_client_that_leaves_while_it_waits_takes_the_servers_connection_with_it() {
    let node = Node::before(Origin::acting(|request| match request.target() {
        "/next" => Act::Send(ok("next")),
        _ => Act::Hold(Vec::new(), ok("late")),
    }));
    let mut client = node.connect();
    client.send(get("/"));
    node.origin.wait_for(1);
    client.reset();
    assert_eq!(node.end(), "client/wait/abort");
    next_is_served_on_another(&node);
}

#[test]
fn a_client_that_leaves_in_the_answer_takes_the_servers_connection_with_it() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello".to_vec();
    let node = Node::before(Origin::acting(move |request| match request.target() {
        "/next" => Act::Send(ok("next")),
        _ => Act::Hold(head.clone(), b"late".to_vec()),
    }));
    let mut client = node.connect();
    client.send(get("/"));
    assert!(client.bytes(30).starts_with(b"HTTP/1.1 200 OK"));
    client.reset();
    assert_eq!(node.end(), "client/answer/abort");
    next_is_served_on_another(&node);
}

#[test]
fn a_client_that_leaves_in_its_body_leaves_no_request_behind() {
    let framings =
        [("Content-Length: 9", "hello"), ("Transfer-Encoding: chunked", "5\r\nhello\r\n")];
    for (framing, part) in framings {
        let node = Node::before(Origin::replying("next"));
        let mut client = node.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n{part}"));
        node.origin.wait_for_bytes("hello");
        client.reset();
        assert_eq!(node.end(), "client/body/abort");
        assert_eq!(node.origin.requests(), []);
        next_is_served_on_another(&node);
    }
}

#[test]
fn an_early_answer_does_not_lend_its_connection_while_the_body_is_still_on_its_way() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let setup = Setup { server: listener.local_addr().ok(), ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    let (tell, told) = std::sync::mpsc::sync_channel(8);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate().take(2) {
            let (tell, mut stream) = (tell.clone(), stream.expect("a connection"));
            std::thread::spawn(move || {
                let mut piece = [0; 4096];
                let mut answered = false;
                while let Ok(count @ 1..) = stream.read(&mut piece) {
                    let _ = tell.send((number, piece[..count].to_vec()));
                    if !std::mem::replace(&mut answered, true) {
                        stream.write_all(&ok("early")).expect("it is read");
                    }
                }
            });
        }
    });
    let mut client = node.connect();
    client.send("POST /up HTTP/1.1\r\nHost: site.test\r\nContent-Length: 9\r\n\r\nhello");
    assert_eq!(client.response().text(), "early");
    assert_eq!(node.ask(get("/next")).text(), "early");
    let next =
        |(number, bytes): &(usize, Vec<u8>)| *number == 1 && bytes.starts_with(b"GET /next ");
    assert!(told.try_iter().any(|said| next(&said)), "the second request came on the first's");
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_costs_no_request() {
    let origin = Origin::acting(|request| Act::SendAndClose(ok(request.target())));
    let node = Node::before(origin);
    let mut client = node.connect();
    let mut served = 0;
    for number in 0..50 {
        let target = format!("/{number}");
        client.send(post(&target, "body"));
        let got = client.response();
        let seen = node.origin.requests();
        let times = seen.iter().filter(|seen| seen.target() == target).count();
        match got.status() {
            200 => {
                served += 1;
                assert_eq!((got.text(), times), (target, 1));
            }
            // It was closed while the request was on its way: whether it arrived, nobody knows.
            502 => {
                assert!(times <= 1, "sent again after a byte was written");
                client = node.connect();
            }
            other => panic!("{other}"),
        }
    }
    assert!(served > 25, "only {served} of 50 were served");
}

#[test]
fn where_one_server_refuses_the_next_is_asked() {
    let origin = Origin::replying("hello");
    let server = origin.address();
    let dead = nowhere();
    let more = format!(
        "[[upstream]]\nname = \"two\"\nservers = [\"{dead}\", \"{server}\"]\n\
         [[route]]\nname = \"two\"\ntitle = \"Two\"\nhosts = [\"two.test\"]\n\
         paths = [\"/*\"]\nupstream = \"two\""
    );
    let node = Node::start(origin, &Setup { more, ..Setup::default() });
    for number in 1..=6 {
        let body = format!("body {number}");
        let request = post("/", &body).replace("site.test", "two.test");
        assert_eq!(node.ask(request).text(), "hello");
        assert_eq!(node.origin.requests().len(), number, "each once");
    }
}

#[test]
fn a_client_is_told_of_a_fault_in_the_form_it_reads() {
    let setup = Setup { server: Some(nowhere()), ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    let ask = |accept: &str| {
        node.ask(format!("GET / HTTP/1.1\r\nHost: site.test\r\nAccept: {accept}\r\n\r\n"))
    };
    let page = ask("text/html\r\nAccept-Language: de");
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.field("content-language"), Some("de"));
    assert_eq!(page.field("cache-control"), Some("no-store"));
    assert!(!page.text().contains("127.0.0.1"), "servers are nobody's business");
    assert_eq!(ask("*/*").text(), "502 Bad Gateway\n");
}

#[test]
fn the_story_of_a_fault_names_the_server_and_the_times() {
    let node = Node::before(Origin::acting(|_| Act::Send(answer("500 Oops", &[], "sorry"))));
    let got = raw::exchange(node.address(), get("/"));
    assert_eq!((got.status(), got.text().as_str()), (500, "sorry"), "the application's own words");
    let line = eventually("a line", || node.lines(1).pop());
    assert_eq!((end_of(&line).as_str(), &line["status"]), ("done", &500.into()));
    assert_eq!(line["upstream"], node.origin.address().to_string());
    assert!(line["connect_us"].is_u64() && line["first_byte_us"].is_u64(), "{line}");
}
