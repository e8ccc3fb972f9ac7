//! gRPC as far as the bench needs it: an origin that answers every call with one short message.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use tokio::net::TcpListener;

/// What is called.
pub(crate) const PATH: &str = "/bench.Service/Say";
/// Not compressed, seven bytes: "hello" as the first field of a message.
const MESSAGE: &[u8] = b"\0\0\0\0\x07\x0a\x05hello";

/// Answers until the process ends.
pub(crate) async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(Ok((request, respond))) = connection.accept().await {
                tokio::spawn(answer(request.into_body(), respond));
            }
        });
    }
}

async fn answer(
    mut body: h2::RecvStream,
    mut respond: h2::server::SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    while let Some(piece) = body.data().await {
        body.flow_control().release_capacity(piece?.len())?;
    }
    let mut head = Response::new(());
    let kind = HeaderValue::from_static("application/grpc");
    head.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    let mut stream = respond.send_response(head, false)?;
    stream.send_data(Bytes::from_static(MESSAGE), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

/// A file with the message that each call sends.
pub(crate) fn message(folder: &Path) -> io::Result<PathBuf> {
    let file = folder.join("message");
    std::fs::write(&file, MESSAGE)?;
    Ok(file)
}
