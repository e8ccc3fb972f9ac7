//! One probe: a request to one of our own listeners, and a look at the answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::places::{self, Place};
use crate::addr::{Networks, proxy_protocol};
use crate::grant::bypass;
use crate::limit;
use crate::snapshot::Protocol;
use crate::tls::{self, Alpn};
use crate::window::plan::Probe;

/// What probes call themselves.
const AGENT: HeaderValue = HeaderValue::from_static("intermission-verify");

/// Where this node listens, and what is spoken there.
#[derive(Clone, Debug, Default)]
pub struct Doors(Vec<(SocketAddr, Protocol)>);

/// A connection, with TLS or without.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Any certificate is believed: it is ourselves who are asked, at a socket that this process
/// holds, by whatever names the visitors' certificates have.
static OURSELVES: LazyLock<Result<tls::Client, tls::Fault>> =
    LazyLock::new(|| tls::Client::new(&tls::Verify::Nothing, None, None));

impl Doors {
    /// These, with the ports that they have.
    pub fn new(listeners: Vec<(SocketAddr, Protocol)>) -> Self {
        let visitors = |(_, protocol): &(_, Protocol)| *protocol != Protocol::Probe;
        Self(listeners.into_iter().filter(visitors).collect())
    }

    /// The door for a place: `https` where the route wants it, else in the clear if that is there.
    fn to(&self, place: &Place) -> Option<(SocketAddr, Protocol)> {
        let secured = |door: &&(SocketAddr, Protocol)| door.1 == Protocol::Https;
        let wanted = self.0.iter().find(|door| secured(door) == place.secured);
        wanted.or(self.0.first()).map(|(at, protocol)| (reachable(*at), *protocol))
    }
}

/// An address of this machine, for one that means all of them.
fn reachable(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) => IpAddr::V4(if ip.is_unspecified() { Ipv4Addr::LOCALHOST } else { ip }),
        IpAddr::V6(ip) => IpAddr::V6(if ip.is_unspecified() { Ipv6Addr::LOCALHOST } else { ip }),
    };
    SocketAddr::new(ip, at.port())
}

/// Asks once, within the probe's time. An error says what was expected and what came.
///
/// CANCEL: dropping it closes the connection.
pub(super) async fn ask(
    doors: &Doors,
    (passing_on, secret): (&Networks, &str),
    probe: &Probe,
    place: &Place,
) -> Result<(), String> {
    let asked = async {
        let wire = connect(doors, passing_on, place).await?;
        let answer = exchange(wire, request(probe, place, secret)?);
        look(answer.await?, probe)
    };
    let late = |_| Err(format!("no whole answer within {}", span(probe.within)));
    let told = tokio::time::timeout(probe.within, asked).await.unwrap_or_else(late);
    told.map_err(|why| format!("GET {} of {} in {}: {why}", probe.path, place.host, place.region))
}

async fn connect(
    doors: &Doors,
    passing_on: &Networks,
    place: &Place,
) -> Result<Box<dyn Wire>, String> {
    let (at, protocol) = doors.to(place).ok_or("this node listens nowhere")?;
    let stream = TcpStream::connect(at).await;
    let mut stream = stream.map_err(|error| format!("our own listener {at}: {error}"))?;
    let from = stream.local_addr().map_err(|error| error.to_string())?;
    if passing_on.contains(from.ip()) {
        let local = proxy_protocol::encode_local(proxy_protocol::Version::V2);
        stream.write_all(&local).await.map_err(|error| error.to_string())?;
    }
    match protocol {
        // Nobody is let in by a listener for balancers; `Doors` holds none.
        Protocol::Probe => Err("this listener is for probes of load balancers alone".to_owned()),
        Protocol::Http | Protocol::H2c => Ok(Box::new(stream)),
        Protocol::Https => {
            let client = OURSELVES.as_ref().map_err(|fault| fault.to_string())?;
            let named = format!("{}:443", host_alone(&place.host));
            let shaken = client.connect(&named, Alpn::Http1, stream).await;
            Ok(Box::new(
                shaken.map_err(|error| format!("TLS with our own listener {at}: {error}"))?,
            ))
        }
    }
}

/// A host without its port.
fn host_alone(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

fn request(probe: &Probe, place: &Place, secret: &str) -> Result<Request<Empty<Bytes>>, String> {
    let mut request = Request::get(probe.path.as_str())
        .body(Empty::new())
        .map_err(|error| format!("not a request: {error}"))?;
    let headers = request.headers_mut();
    *headers = places::fields(probe);
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
    headers.insert(HOST, value(&place.host)?);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.entry(USER_AGENT).or_insert(AGENT);
    let mut secret = value(secret)?;
    secret.set_sensitive(true);
    headers.insert(bypass::FIELD, secret);
    headers.insert(bypass::REGION, value(&place.region)?);
    Ok(request)
}

/// A status and the beginning of a body, after its last byte.
type Answer = (u16, Vec<u8>);

async fn exchange(wire: Box<dyn Wire>, request: Request<Empty<Bytes>>) -> Result<Answer, String> {
    let shaken = http1::handshake(TokioIo::new(wire)).await.map_err(|error| error.to_string())?;
    let (mut requests, connection) = shaken;
    let answer = async {
        let answer = requests.send_request(request).await.map_err(|error| error.to_string())?;
        whole(answer).await
    };
    let (mut answer, mut connection) = (std::pin::pin!(answer), std::pin::pin!(connection));
    let mut open = true;
    loop {
        // CANCEL: both are pinned outside the loop; the one that loses goes on in the next round.
        tokio::select! {
            answer = answer.as_mut() => return answer,
            _ = connection.as_mut(), if open => open = false,
        }
    }
}

async fn whole(answer: Response<Incoming>) -> Result<Answer, String> {
    let (head, mut body) = answer.into_parts();
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
        if let Ok(data) = frame.into_data() {
            let room = limit::PROBE_BODY_BYTES_MAX - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok((head.status.as_u16(), kept))
}

fn look((status, body): Answer, probe: &Probe) -> Result<(), String> {
    if status != probe.status {
        return Err(format!("{} was expected, {status} came", probe.status));
    }
    let wanted = probe.contains.as_bytes();
    if !wanted.is_empty() && memchr::memmem::find(&body, wanted).is_none() {
        let read = body.len();
        return Err(format!(
            "{:?} was expected in the body, whose first {read} bytes do not have it",
            probe.contains
        ));
    }
    Ok(())
}

/// A time for people.
pub(super) fn span(time: Duration) -> String {
    match time.as_millis() {
        millis if millis.is_multiple_of(1000) => format!("{} s", time.as_secs()),
        millis => format!("{millis} ms"),
    }
}
