//! Who asks, as far as the form of the answer goes.

use http::{HeaderMap, header};

use super::Ask;
use super::field::{self, HX_REQUEST, SEC_FETCH_MODE, X_REQUESTED_WITH};
use super::verdict::Wants;

/// Who asks: what the protocol fixes first (gRPC, WebSocket, event streams), then what a browser
/// says about the request, then what `Accept` and `Content-Type` say.
pub fn wants(ask: &Ask) -> Wants {
    let headers = ask.headers;
    if content_types(headers).any(|media| starts_with(media, "application/grpc")) {
        return Wants::Grpc;
    }
    if is_websocket(headers) {
        return Wants::WebSocket;
    }
    let accepted = Accepted::of(headers);
    if accepted.events > 0 {
        return Wants::EventStream;
    }
    let mode = field::values(headers, &SEC_FETCH_MODE).next();
    let mode_is = |wanted: &str| mode.is_some_and(|mode| mode.eq_ignore_ascii_case(wanted));
    if is_script(headers) || mode_is("cors") || mode_is("same-origin") {
        return Wants::Problem;
    }
    if mode_is("navigate") || accepted.html > 0 && accepted.html >= accepted.json {
        return Wants::Html;
    }
    if accepted.json > 0 || content_types(headers).any(is_json) {
        return Wants::Problem;
    }
    Wants::Text
}

/// Whether the request would leave HTTP for a WebSocket.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    field::members(headers, &header::UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket"))
}

/// Whether a library has marked the request as a script's.
pub(super) fn is_script(headers: &HeaderMap) -> bool {
    headers.contains_key(&X_REQUESTED_WITH) || headers.contains_key(&HX_REQUEST)
}

/// Whether HTML is named among what is accepted.
pub(super) fn accepts_html(headers: &HeaderMap) -> bool {
    Accepted::of(headers).html > 0
}

/// How much each kind of answer is wanted, in thousandths; 0 if it is not named. Wildcards count
/// for nothing: every program sends `*/*`.
#[derive(Default)]
struct Accepted {
    html: u16,
    json: u16,
    events: u16,
}

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        for range in field::members(headers, &header::ACCEPT) {
            let media = field::essence(range);
            let html = ["text/html", "application/xhtml+xml"];
            let wanted = if html.iter().any(|name| media.eq_ignore_ascii_case(name)) {
                &mut accepted.html
            } else if media.eq_ignore_ascii_case("text/event-stream") {
                &mut accepted.events
            } else if is_json(media) {
                &mut accepted.json
            } else {
                continue;
            };
            *wanted = (*wanted).max(weight(range));
        }
        accepted
    }
}

/// The weight of a media range in thousandths: 1000 unless `q` says otherwise.
fn weight(range: &str) -> u16 {
    let mut parameters = range.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let q = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let told = q.and_then(|(_, value)| value.trim().parse::<f32>().ok());
    // The cast saturates, and makes nothing of what is no number.
    told.map_or(1000, |q| (q.clamp(0.0, 1.0) * 1000.0) as u16)
}

fn content_types(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    field::values(headers, &header::CONTENT_TYPE).map(field::essence)
}

/// `application/json` and everything that ends in `+json`.
pub(super) fn is_json(media: &str) -> bool {
    let suffix = media.len().checked_sub("+json".len()).and_then(|at| media.get(at..));
    media.eq_ignore_ascii_case("application/json")
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json"))
}

fn starts_with(text: &str, beginning: &str) -> bool {
    text.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}
