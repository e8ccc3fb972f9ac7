//! What a server was asked, without which its answer cannot be framed (RFC 9112 §6.3), and what was
//! wrong with what it said.

use std::cell::Cell;

use super::Fault;
use crate::limit;

/// The request that a server is to answer, shared by who sends it and who reads the answer.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Asked {
    pending: Cell<Option<Question>>,
    interim: Cell<u32>,
    fault: Cell<Option<Fault>>,
}

/// As much of a request as matters for its answer's framing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Question {
    Head,
    Other,
}

/// What comes behind a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Body {
    /// Nothing, whatever the fields say.
    None,
    /// What the fields say.
    Framed,
    /// No HTTP.
    Tunnel,
}

impl Asked {
    /// A request is about to be sent.
    pub(in crate::proxy) fn ask(&self, method: &http::Method) {
        let head = *method == http::Method::HEAD;
        self.pending.set(Some(if head { Question::Head } else { Question::Other }));
        self.interim.set(0);
    }

    /// What was wrong with the server's bytes, if anything.
    pub(in crate::proxy) fn fault(&self) -> Option<Fault> {
        self.fault.get()
    }

    /// Something is wrong with them.
    pub(in crate::proxy) fn set_fault(&self, fault: Fault) {
        self.fault.set(Some(fault));
    }

    /// Whether an answer is awaited.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.get().is_some()
    }

    /// A head has ended.
    pub(super) fn answered(&self, status: u16) -> Result<Body, Fault> {
        if status == 101 {
            self.pending.set(None);
            return Ok(Body::Tunnel);
        }
        if status < 200 {
            self.interim.set(self.interim.get() + 1);
            let many = self.interim.get() > limit::INTERIM_ANSWERS_MAX;
            return if many { Err(Fault::TooManyInterim) } else { Ok(Body::None) };
        }
        let question = self.pending.take();
        let bodiless = question == Some(Question::Head) || status == 204 || status == 304;
        Ok(if bodiless { Body::None } else { Body::Framed })
    }
}
