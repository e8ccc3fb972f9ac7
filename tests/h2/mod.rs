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
/// What a route changes in heads and bodies.
mod rules;
/// WebSocket over a stream.
mod tunnel;
/// A client that sends the frames it is told to.
mod wire;

use intermission::proxy::Pace;
use tempfile::TempDir;

use crate::proxy::node::{Node, Setup};
use crate::support::origin::Origin;
use crate::support::tls::{Ca, Visitor};
use wire::{Channel, Wire};

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

/// A node that speaks HTTP/2 under TLS.
struct Secured {
    node: Node,
    visitor: Visitor,
    _folder: TempDir,
}

impl Secured {
    fn before(origin: Origin) -> Self {
        let (folder, ca) = (tempfile::tempdir().expect("a folder"), Ca::new("of the tests"));
        ca.issue(&["site.test"]).write(folder.path(), "site");
        let path = |end| folder.path().join(format!("site.{end}")).display().to_string();
        let more =
            format!("[[tls.certificate]]\nchain = {:?}\nkey = {:?}\n", path("pem"), path("key"));
        let listen = "https = [\"127.0.0.1:0\"]";
        let node = Node::start(origin, &Setup { listen, more, ..Setup::default() });
        let visitor = Visitor::trusting(&ca).offering(&["h2", "http/1.1"]);
        Self { node, visitor, _folder: folder }
    }

    fn connect(&self) -> Wire {
        Wire::over(self.channel(), [])
    }

    /// Connected, and nothing said over it yet.
    fn shaken(&self) -> Wire {
        Wire::quiet(self.channel())
    }

    fn channel(&self) -> Channel {
        let secure = self.visitor.connect(self.node.addresses()[1], "site.test");
        assert_eq!(secure.connection().alpn_protocol(), Some(&b"h2"[..]));
        Channel::Tls(Box::new(secure.into_stream()))
    }
}

/// Where it speaks HTTP/2.
fn h2c(node: &Node) -> std::net::SocketAddr {
    node.addresses()[1]
}
