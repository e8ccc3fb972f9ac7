//! The life of a request: every branch it can take is in [`serve`].

use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;

use super::answer::{self, Asker, Reply};
use super::body::{Body, Upload};
use super::conn::Conn;
use super::ending::Story;
use super::resume::Looked;
use super::{capture, forward, head, own, resume};
use crate::decide::Verdict;
use crate::limit;

/// Carries one request from its head to an answer whose body tells the end.
///
/// | # | stage  | does                                              | may end as            |
/// |---|--------|---------------------------------------------------|-----------------------|
/// | 1 | view   | takes one snapshot                                | -                     |
/// | 2 | head   | `head::judge`: shape, host, path, route, region   | client/head, proxy/route |
/// | 3 | decide | `decide::decide`, pure                            | -                     |
/// | 4 | look   | `resume::look`: a ticket, or judged on            | client/body           |
/// | 5 | act    | own, forward, capture, page, probe, refuse        | any                   |
/// | 6 | end    | the answer's body drops the [`Story`]             | -                     |
pub(super) async fn serve(conn: &Rc<Conn>, request: Request<Incoming>) -> Response<Body> {
    conn.begin();
    let current = conn.worker.current();
    let from = head::client(conn, &current, &request);
    let mut story = Story::begin(conn, from.0, &request);
    let judged = head::judge(conn, Rc::clone(&current), from, &request);
    let (parts, incoming) = request.into_parts();
    let mut judged = match judged {
        Ok(judged) => judged,
        Err(bad) => {
            conn.close_after_answer();
            let reply = answer::bad(&current.snapshot, bad, &Asker::of(&parts.headers));
            let unread = forward::upload(conn, limit::ANSWER_TIMEOUT, incoming, &mut story);
            return reply.finish(conn, story, unread).await;
        }
    };
    story.judged(&judged);
    let answer_timeout = judged.answer_timeout();
    let mut upload = forward::upload(conn, answer_timeout, incoming, &mut story);
    if judged.verdict == Verdict::Resume {
        match resume::look(conn, upload).await {
            Looked::Ticket(form) => return resume::run(conn, judged, story, parts, form).await,
            Looked::Other(bytes) => upload = Upload::Bytes(bytes),
            Looked::Broken(end) => return resume::broken(conn, &judged, story, &parts, end),
        }
        judged.verdict = judged.otherwise;
        story.judged(&judged);
    }
    let asker = Asker::of(&parts.headers);
    match judged.verdict {
        Verdict::Forward => forward::run(conn, &judged, story, parts, upload).await,
        Verdict::Capture(kind) => capture::run(conn, &judged, story, parts, upload, kind).await,
        Verdict::Page(wants, not_kept) => {
            let reply = answer::closed(&judged, conn, wants, not_kept, &asker);
            reply.finish(conn, story, upload).await
        }
        Verdict::Own => own::run(conn, &judged, story, &parts, upload).await,
        Verdict::Probe => Reply::probe().finish(conn, story, upload).await,
        Verdict::Resume => answer::fault(&current.snapshot, &asker).send(conn, story),
        Verdict::Refuse(refusal) => {
            let reply = answer::refused(&judged, refusal, &asker);
            reply.finish(conn, story, upload).await
        }
    }
}
