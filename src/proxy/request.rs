//! The life of a request: every branch it can take is in [`serve`].

use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;

use super::answer::{self, Asker, Reply};
use super::body::Body;
use super::conn::Conn;
use super::ending::Story;
use super::{forward, head};
use crate::decide::Verdict;

/// Carries one request from its head to an answer whose body tells the end.
///
/// | # | stage  | does                                              | may end as            |
/// |---|--------|---------------------------------------------------|-----------------------|
/// | 1 | view   | takes one snapshot                                | -                     |
/// | 2 | head   | `head::judge`: shape, host, path, route, region   | client/head, proxy/route |
/// | 3 | decide | `decide::decide`, pure                            | -                     |
/// | 4 | act    | own, forward, resume, capture, page, refuse       | any                   |
/// | 5 | end    | the answer's body drops the [`Story`]             | -                     |
pub(super) async fn serve(conn: &Rc<Conn>, request: Request<Incoming>) -> Response<Body> {
    conn.begin();
    let current = conn.worker.current();
    let from = head::client(conn, &current, &request);
    let mut story = Story::begin(conn, from.0, &request);
    let judged = match head::judge(conn, Rc::clone(&current), from, &request) {
        Ok(judged) => judged,
        Err(bad) => {
            conn.close_after_answer();
            let reply = answer::bad(&current.snapshot, bad, &Asker::of(request.headers()));
            return reply.finish(conn, story, request.into_body()).await;
        }
    };
    story.judged(&judged);
    match judged.verdict {
        Verdict::Forward => forward::run(conn, &judged, story, request).await,
        Verdict::Own | Verdict::Resume => forward::run(conn, &judged, story, request).await,
        Verdict::Capture(_) => {
            let asker = Asker::of(request.headers());
            let wants = crate::decide::Wants::Html;
            let why = Some(crate::decide::NotKept::Policy);
            let reply = answer::closed(&judged, conn, wants, why, &asker);
            reply.finish(conn, story, request.into_body()).await
        }
        Verdict::Page(wants, not_kept) => {
            let reply =
                answer::closed(&judged, conn, wants, not_kept, &Asker::of(request.headers()));
            reply.finish(conn, story, request.into_body()).await
        }
        Verdict::Probe => Reply::probe().finish(conn, story, request.into_body()).await,
        Verdict::Refuse(refusal) => {
            let reply = answer::refused(&judged, refusal, &Asker::of(request.headers()));
            reply.finish(conn, story, request.into_body()).await
        }
    }
}
