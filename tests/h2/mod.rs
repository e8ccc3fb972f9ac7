//! HTTP/2 as clients speak it: well, badly, and with intent.

/// Floods, broken windows, deadlines.
mod attack;
/// What a request and an answer become on their way.
mod exchange;
/// A client that keeps the protocol.
mod good;
/// gRPC.
mod grpc;
/// How a connection ends.
mod life;
/// Every MUST about frames, streams and fields.
mod musts;
/// WebSocket over a stream.
mod tunnel;
/// A client that sends the frames it is told to.
mod wire;

use intermission::proxy::Pace;

use crate::proxy::node::{Node, Setup};
use crate::support::origin::Origin;

const LISTEN: &str = "h2c = [\"127.0.0.1:0\"]";

/// A node that speaks HTTP/2 in the clear, in front of this origin.
fn before(origin: Origin) -> Node {
    Node::start(origin, &Setup { listen: LISTEN, ..Setup::default() })
}

/// One whose clients may take this long.
fn paced(origin: Origin, pace: Pace) -> Node {
    Node::start(origin, &Setup { listen: LISTEN, pace, ..Setup::default() })
}

/// One whose route has these lines.
fn routed(origin: Origin, route: &'static str) -> Node {
    Node::start(origin, &Setup { listen: LISTEN, route, ..Setup::default() })
}

/// Where it speaks HTTP/2.
fn h2c(node: &Node) -> std::net::SocketAddr {
    node.addresses()[1]
}
