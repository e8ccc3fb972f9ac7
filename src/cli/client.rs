//! A client of the admin API: one request, one connection, one answer.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::{Fault, Reach};

/// Speaks to one admin API.
pub(super) struct Client {
    url: String,
    authority: String,
    address: String,
    token: Option<String>,
    runtime: Runtime,
}

/// A whole exchange. A switch takes milliseconds; reading a large config may take seconds.
const DEADLINE: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

impl Client {
    /// A client of the API that the command line names.
    pub(super) fn new(reach: &Reach) -> Result<Self, Fault> {
        let url = reach.admin.trim_end_matches('/').to_owned();
        let wrong = || {
            let wanted = "INTERMISSION_ADMIN or --admin wants a URL such as http://127.0.0.1:7070";
            Fault::Usage(format!("\"{}\" is no address of an admin API: {wanted}", reach.admin))
        };
        let uri: http::Uri = url.parse().map_err(|_| wrong())?;
        let plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/");
        let authority = uri.authority().filter(|_| plain).ok_or_else(wrong)?;
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Fault::Failed(format!("no runtime: {error}")))?;
        let (authority, token) = (authority.to_string(), reach.token.clone());
        Ok(Self { url, authority, address, token, runtime })
    }

    /// Reads.
    pub(super) fn get(&self, path: &str) -> Result<Value, Fault> {
        self.ask(Method::GET, path, None)
    }

    /// Acts.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        self.ask(Method::POST, path, Some(body))
    }

    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Fault> {
        let request = self.request(method, path, body)?;
        let exchange = async { tokio::time::timeout(DEADLINE, self.exchange(request)).await };
        let answer = self.runtime.block_on(exchange);
        let (status, bytes) = answer
            .unwrap_or_else(|_| Err(format!("no answer within {} seconds", DEADLINE.as_secs())))
            .map_err(|why| self.unreachable(&why))?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() { Ok(body) } else { Err(self.refused(status, &body)) }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, Fault> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.trim()));
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                body.to_string()
            }
            None => String::new(),
        };
        let unusable =
            |_| Fault::Usage("INTERMISSION_TOKEN has a character no token has".to_owned());
        request.body(Full::from(body)).map_err(unusable)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| error.to_string())?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
        let answer = async {
            let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
        };
        let answer = std::pin::pin!(answer);
        let mut connection = std::pin::pin!(connection);
        let mut open = true;
        let mut answer = answer;
        loop {
            // CANCEL: both futures are pinned outside the loop; the one that loses goes on in the
            // next round.
            tokio::select! {
                answer = answer.as_mut() => return answer,
                _ = connection.as_mut(), if open => open = false,
            }
        }
    }

    fn unreachable(&self, why: &str) -> Fault {
        let Self { url, .. } = self;
        Fault::Unreachable(format!(
            "the admin API at {url} cannot be reached: {why}. Is `intermission serve` running? \
             INTERMISSION_ADMIN or --admin says where"
        ))
    }

    fn refused(&self, status: StatusCode, problem: &Value) -> Fault {
        if status == StatusCode::UNAUTHORIZED {
            let given = if self.token.is_some() { "was not accepted" } else { "is missing" };
            return Fault::Failed(format!(
                "the token {given}: set INTERMISSION_TOKEN to one whose hash is in the config's \
                 [[admin.token]] (`intermission token --name you` makes one)"
            ));
        }
        let detail = problem.get("detail").and_then(Value::as_str);
        let mut message = detail.map_or_else(|| format!("answered {status}"), str::to_owned);
        for one in problem.get("problems").and_then(Value::as_array).into_iter().flatten() {
            let text = |name| one.get(name).and_then(Value::as_str).unwrap_or_default();
            let line = one.get("line").and_then(Value::as_u64).unwrap_or_default();
            let _ = write!(message, "\n  line {line}: {}; {}", text("what"), text("help"));
        }
        Fault::Failed(message)
    }
}

/// What the API answered, as the type that a command wants.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Fault> {
    serde_json::from_value(answer).map_err(|error| {
        Fault::Failed(format!("the admin API answered what this command cannot read: {error}"))
    })
}
