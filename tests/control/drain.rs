//! Requests that were under way when their scope closed: counted, waited for, and finished.

use super::cli::run;
use super::node::Node;
use crate::support::eventually;
use crate::support::origin::{Act, Origin, ok};
use crate::support::raw::Raw;

const ON: [&str; 9] =
    ["on", "--region", "apac", "--route", "claims", "--reason", "upgrade", "--drain", "1h"];

#[test]
fn the_operator_learns_how_many_are_left_and_when_none_is() {
    let held = ok("done at last");
    let node =
        Node::before(Origin::acting(move |_| Act::Hold(held[..10].into(), held[10..].into())));
    let mut visitors: Vec<_> = (0..3).map(|_| Raw::connect(node.visitors())).collect();
    for visitor in &mut visitors {
        visitor.send("GET /claims/1 HTTP/1.1\r\nHost: apac.localhost\r\n\r\n");
    }
    node.origin.wait_for(3);
    let (code, said) = run(&node, &[&ON[..], &["--wait-drained", "--timeout", "0"]].concat());
    assert_eq!(code, 75, "{said}");
    assert!(said.contains("3 requests are still in flight"), "{said}");
    assert_eq!(node.visit("apac.localhost", "/claims/2"), 503, "new ones are judged closed");
    let (_, status) = node.operator("GET /api/v1/status", "");
    let window = &status["windows"][0];
    assert_eq!(
        (window["state"].as_str(), window["in_flight_total"].as_u64()),
        (Some("draining"), Some(3))
    );
    assert_eq!(window["in_flight"][0]["route"], "claims");
    let (_, table) = run(&node, &["status"]);
    assert!(table.contains("claims in apac: 3"), "{table}");
    node.origin.release();
    for visitor in &mut visitors {
        assert_eq!(visitor.response().text(), "done at last", "nobody was cut");
    }
    let id = window["id"].as_str().expect("an id");
    let history = eventually("the window is closed", || {
        let (_, shown) = node.operator(&format!("GET /api/v1/windows/{id}"), "");
        (shown["window"]["state"] == "closed").then(|| shown["history"].clone())
    });
    assert_eq!(history[1]["why"], "nothing is in flight");
    assert_eq!(history[1]["by"], "intermission");
}

#[test]
fn waiting_ends_when_the_last_request_does() {
    let held = ok("done at last");
    let node =
        Node::before(Origin::acting(move |_| Act::Hold(held[..10].into(), held[10..].into())));
    let mut visitor = Raw::connect(node.visitors());
    visitor.send("GET /claims/1 HTTP/1.1\r\nHost: apac.localhost\r\n\r\n");
    node.origin.wait_for(1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run(&node, &[&ON[..], &["--wait-drained"]].concat()));
        eventually("the scope is closed", || {
            let (_, windows) = node.operator("GET /api/v1/windows", "");
            (windows["items"][0]["state"] == "draining").then_some(())
        });
        assert!(!waiting.is_finished(), "a request is under way");
        node.origin.release();
        assert_eq!(visitor.response().text(), "done at last");
        let (code, said) = waiting.join().expect("no panic");
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("drained: nothing is in flight there"), "{said}");
    });
}
