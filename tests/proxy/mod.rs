//! Requests over the wire: forwarding, refusing, faults, end codes.

/// What is told of a place, ahead and at any time.
mod announced;
/// Who is let through what is closed.
mod bypass;
/// Answers while a place is closed, for each who asks.
mod closed;
/// Every end code, and what leads to it.
mod ends;
/// What goes wrong between the proxy, the application and the client.
mod faults;
/// Requests and answers carried whole.
mod forward;
/// Heads and bodies that two parsers could read in two ways.
mod head;
/// Requests that wait for a window to end.
mod hold;
/// What belongs to one hop, and what this hop adds.
mod hop;
/// What does not end by itself, in maintenance.
mod lasting;
/// How long clients may take, and how much they may send.
mod limits;
/// A node's data plane in front of an origin.
pub(crate) mod node;
/// Letting visitors in little by little.
mod ramp;
/// Stopping: what finishes, what closes at once, what is cut.
mod stop;
/// What a handshake may take.
mod tls;
/// Traces, passed on and begun.
mod trace;
/// WebSocket.
mod tunnel;
