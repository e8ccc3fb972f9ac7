//! The life of a request: every branch it can take is in [`act`].

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};

use super::answer::{self, Asker, Reply};
use super::body::Body;
use super::caller::Caller;
use super::ending::Story;
use super::head::Judged;
use super::inbound::Inbound;
use super::lane::Lane;
use super::ticket::Looked;
use super::{
    capture, forward, head, hold, own, programs, proof, refill, resume, rewrite, target, ticket,
};
use crate::decide::{TICKET, Verdict};

/// An act on a request that is under way. It is boxed once, where it begins: a future is moved
/// whenever it is handed on, as a whole, and each that awaits another is twice its size.
pub(super) type Acting = Pin<Box<dyn Future<Output = Response<Body>>>>;

/// Carries one request from its head to an answer whose body tells the end.
///
/// | # | stage  | does                                              | may end as            |
/// |---|--------|---------------------------------------------------|-----------------------|
/// | 1 | view   | takes one snapshot                                | -                     |
/// | 2 | head   | `head::judge`: shape, host, path, route, region   | client/head, proxy/route |
/// | 3 | decide | `decide::decide`, pure                            | -                     |
/// | 4 | act    | own, forward, resume, capture, page, refuse       | any                   |
/// | 5 | end    | the answer's body drops the [`Story`]             | -                     |
pub(super) fn serve(
    lane: &Rc<Lane>,
    request: Request<Inbound>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
    let act = act(lane, request);
    let lane = Rc::clone(lane);
    async move {
        let mut response = act.await;
        if lane.is_last() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

fn act(lane: &Rc<Lane>, mut request: Request<Inbound>) -> Acting {
    lane.begin();
    let current = lane.link.worker.current();
    let settled = target::settle(lane, &mut request);
    let caller = Caller::of(lane, &current, &request);
    let mut story = Story::begin(lane, caller.client, &request);
    let judge = |()| head::judge(lane, Rc::clone(&current), caller, &request);
    let judged = match settled.and_then(judge) {
        Ok(judged) => judged,
        Err(bad) => {
            lane.close_after_answer();
            let reply = answer::bad(&current.snapshot, bad, &Asker::of(request.headers()));
            return reply.finish(lane, story, request.into_body());
        }
    };
    story.judged(&judged);
    if let Some(proof) = proof::answer(&judged, &request) {
        return proof.finish(lane, story, request.into_body());
    }
    if lane.link.worker.is_overloaded() && head::is_costly(&judged, &request) {
        lane.close_after_answer();
        return answer::busy().finish(lane, story, request.into_body());
    }
    branch(lane, judged, story, request)
}

/// Every branch that a request which was judged can take.
fn branch(lane: &Rc<Lane>, judged: Judged, story: Box<Story>, request: Request<Inbound>) -> Acting {
    let mut story = story;
    let reply = match judged.verdict {
        Verdict::Forward => {
            if let Some(wish) = refill::wanted(&judged, &request) {
                let lane = Rc::clone(lane);
                return Box::pin(refill::run(lane, judged, story, request, wish));
            }
            return forward::start(lane, judged, story, request);
        }
        Verdict::Page(wants, not_kept) => {
            answer::closed(&judged, lane, wants, not_kept, &Asker::of(request.headers()))
        }
        Verdict::Hold => {
            return Box::pin(held(Rc::clone(lane), judged, story, request));
        }
        Verdict::Own => {
            return Box::pin(own::run(Rc::clone(lane), judged, story, request));
        }
        Verdict::Resume => {
            return Box::pin(look(Rc::clone(lane), judged, story, request));
        }
        Verdict::Capture(kind) => {
            let (parts, incoming) = request.into_parts();
            let upload = forward::upload(lane, &judged, incoming, &mut story);
            let lane = Rc::clone(lane);
            return Box::pin(capture::run(lane, judged, story, parts, upload, kind));
        }
        Verdict::Accept(kind) => {
            let (parts, incoming) = request.into_parts();
            let upload = forward::upload(lane, &judged, incoming, &mut story);
            let lane = Rc::clone(lane);
            let accepting = programs::accept(lane, judged, story, parts, upload, kind);
            return Box::pin(accepting);
        }
        Verdict::Probe => Reply::probe(),
        Verdict::Redirect(leads) => {
            rewrite::redirect(&judged, leads, &story, request.method(), request.uri())
        }
        Verdict::Refuse(refusal) => {
            answer::refused(&judged, refusal, &Asker::of(request.headers()))
        }
    };
    reply.finish(lane, story, request.into_body())
}

/// Waits with a request for a window to end, then takes the branch that it is judged to by then.
async fn held(
    lane: Rc<Lane>,
    judged: Judged,
    mut story: Box<Story>,
    request: Request<Inbound>,
) -> Response<Body> {
    let current = Rc::clone(&judged.current);
    match hold::wait(&lane, judged, &mut story, &request, hold::Looked::Not).await {
        Ok(judged) => branch(&lane, judged, story, request).await,
        Err(bad) => {
            lane.close_after_answer();
            let reply = answer::bad(&current.snapshot, bad, &Asker::of(request.headers()));
            reply.finish(&lane, story, request.into_body()).await
        }
    }
}

/// Looks into a post: a ticket is acted on or refused here, whoever sends it; anything else is
/// judged on as if it had not been looked into.
async fn look(
    lane: Rc<Lane>,
    judged: Judged,
    mut story: Box<Story>,
    request: Request<Inbound>,
) -> Response<Body> {
    let (parts, incoming) = request.into_parts();
    if judged.otherwise == Verdict::Forward {
        // It was judged open now: if its place closes while its body arrives, nobody may be told
        // that nothing is under way there any more.
        story.in_flight();
    }
    let upload = forward::upload(&lane, &judged, incoming, &mut story);
    if parts.headers.contains_key(&TICKET) {
        return programs::redeem(lane, judged, story, parts, upload).await;
    }
    let upload = match ticket::look(&lane, upload).await {
        Looked::Ticket(form) => return resume::run(lane, judged, story, parts, form).await,
        Looked::Broken(end) => return ticket::broken(&lane, &judged, story, &parts, end),
        Looked::TooLong(rest) => {
            return ticket::gone(&judged, &parts).finish_upload(&lane, story, rest).await;
        }
        Looked::Other(upload) => upload,
    };
    let mut judged = Judged { verdict: judged.otherwise, ..judged };
    story.judged(&judged);
    let (asker, mut parts) = (Asker::of(&parts.headers), parts);
    if judged.verdict == Verdict::Hold {
        let current = Rc::clone(&judged.current);
        let request = Request::from_parts(parts, ());
        judged = match hold::wait(&lane, judged, &mut story, &request, hold::Looked::Into).await {
            Ok(judged) => judged,
            Err(bad) => return answer::bad(&current.snapshot, bad, &asker).send(&lane, story),
        };
        parts = request.into_parts().0;
    }
    let reply = match judged.verdict {
        Verdict::Forward => {
            return forward::looked_into(&lane, &judged, story, parts, upload).await;
        }
        Verdict::Capture(kind) => {
            return capture::run(lane, judged, story, parts, upload, kind).await;
        }
        Verdict::Accept(kind) => {
            return programs::accept(lane, judged, story, parts, upload, kind).await;
        }
        Verdict::Page(wants, not_kept) => answer::closed(&judged, &lane, wants, not_kept, &asker),
        Verdict::Refuse(refusal) => answer::refused(&judged, refusal, &asker),
        Verdict::Redirect(leads) => {
            rewrite::redirect(&judged, leads, &story, &parts.method, &parts.uri)
        }
        Verdict::Own | Verdict::Probe | Verdict::Resume | Verdict::Hold => {
            answer::fault(&judged.current.snapshot, &asker)
        }
    };
    reply.finish_upload(&lane, story, upload).await
}
