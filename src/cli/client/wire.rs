//! Where an admin API is: an address in the clear, one under TLS, or a socket of this machine.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::cli::Fault;
use crate::cli::reach::Target;
use crate::tls;

/// What a request carries.
pub(super) type Body = Full<Bytes>;

/// How long a connection may take to stand.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

pub(super) enum Place {
    Plain { authority: String, address: String },
    Tls { authority: String, address: String, client: Box<tls::Client> },
    Socket(PathBuf),
}

impl Place {
    pub(super) fn of(target: &Target) -> Result<Self, Fault> {
        let url = target.url.trim_end_matches('/');
        if let Some(path) = url.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path.starts_with('/') {
                true => Ok(Self::Socket(PathBuf::from(path))),
                false => Err(wrong(&target.url)),
            };
        }
        let uri: Uri = url.parse().map_err(|_| wrong(&target.url))?;
        let authority = uri.authority().filter(|_| matches!(uri.path(), "" | "/"));
        let authority = authority.ok_or_else(|| wrong(&target.url))?;
        let at = |port| format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(port));
        let name = authority.to_string();
        match uri.scheme_str() {
            Some("http") => Ok(Self::Plain { authority: name, address: at(80) }),
            Some("https") => {
                let client = Box::new(trust(target)?);
                Ok(Self::Tls { authority: name, address: at(443), client })
            }
            Some(_) | None => Err(wrong(&target.url)),
        }
    }

    /// What `Host` says. That of a socket is this machine.
    pub(super) fn authority(&self) -> &str {
        match self {
            Self::Plain { authority, .. } | Self::Tls { authority, .. } => authority,
            Self::Socket(_) => "localhost",
        }
    }

    /// Sends one request over a connection of its own; its body follows.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, String> {
        match self {
            Self::Plain { address, .. } => talk(connect(address).await?, request).await,
            Self::Tls { address, client, .. } => {
                let stream = connect(address).await?;
                let secure = client.connect(address, tls::Alpn::Http1, stream);
                talk(soon(secure).await?, request).await
            }
            Self::Socket(path) => {
                let stream = soon(UnixStream::connect(path)).await;
                talk(stream.map_err(|why| format!("{}: {why}", path.display()))?, request).await
            }
        }
    }
}

fn wrong(url: &str) -> Fault {
    let wanted = "http://127.0.0.1:7070, https://proxy.example.com:7070 or unix:/run/im.sock";
    Fault::Usage(format!(
        "\"{url}\" is no address of an admin API: INTERMISSION_SERVER or --server wants a URL \
         such as {wanted}"
    ))
}

fn trust(target: &Target) -> Result<tls::Client, Fault> {
    let wrong = |error: tls::Fault| Fault::Usage(format!("no TLS: {error}"));
    let roots = match &target.ca {
        Some(file) => tls::Roots::read(file),
        None => tls::Roots::system(),
    };
    let identity = match &target.identity {
        Some((chain, key)) => Some(tls::Identity::read(chain, key).map_err(wrong)?),
        None => None,
    };
    let verify = tls::Verify::By(roots.map_err(wrong)?);
    tls::Client::new(&verify, identity.as_ref(), None).map_err(wrong)
}

async fn connect(address: &str) -> Result<TcpStream, String> {
    soon(TcpStream::connect(address)).await
}

async fn soon<T>(made: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    // CANCEL: an attempt that takes too long is given up with its socket.
    match tokio::time::timeout(CONNECT_WITHIN, made).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no connection within {} seconds", CONNECT_WITHIN.as_secs())),
    }
}

async fn talk<S>(stream: S, request: Request<Body>) -> Result<Response<Incoming>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends with the runtime at the latest, which is this command's.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|error| error.to_string())
}
