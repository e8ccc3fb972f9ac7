//! What a program is told of what it sent to a closed place, and how it takes it back.

use http::StatusCode;

use super::Asked;
use crate::proxy::answer::{self, Reply};
use crate::proxy::body::Body;
use crate::proxy::programs::{self, ADDRESS, Place};
use crate::vault::Owner;
use crate::vault::item::State;
use crate::vault::receipt::{Denied, Opened};

/// What became of it. To who does not know its address there is nothing here.
pub(super) async fn status(asked: &Asked<'_>) -> Reply {
    let (owner, opened) = match open(asked).await {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let Opened { item, record } = opened;
    let Some(record) = record else { return programs::gone(&item) };
    let place = Place { lane: asked.lane, judged: asked.judged, parts: asked.parts };
    place.status(&owner, &item, &record.head, StatusCode::OK)
}

/// Erases what was kept.
pub(super) async fn erase(asked: &Asked<'_>) -> Reply {
    let (owner, Opened { item, .. }) = match open(asked).await {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let vault = &asked.lane.link.worker.vault;
    let token = owner.page_token(item.id, item.version);
    match vault.discard(&owner, item.id, &token).await {
        Ok(()) => Reply::new(StatusCode::NO_CONTENT, Body::empty()),
        Err(Denied::Gone(_)) => programs::gone(&item),
        Err(Denied::Store(error)) => {
            tracing::error!(%error, "what a program sent cannot be erased");
            answer::fault(&asked.judged.current.snapshot, &asked.asker)
        }
        Err(_) => programs::problem(StatusCode::CONFLICT, "under-way", "it is being sent"),
    }
}

async fn open(asked: &Asked<'_>) -> Result<(Owner, Opened), Reply> {
    let unknown = || programs::problem(StatusCode::NOT_FOUND, "submission", "nothing is here");
    let text = asked.parts.uri.path().strip_prefix(ADDRESS).unwrap_or_default();
    let text = text.strip_suffix('/').unwrap_or(text);
    let Some((id, owner)) = Owner::from_capability(text) else { return Err(unknown()) };
    match asked.lane.link.worker.vault.open(&owner, id).await {
        Ok(opened) if opened.item.state == State::Receiving => Err(unknown()),
        Ok(opened) => Ok((owner, opened)),
        Err(Denied::Store(error)) => {
            tracing::error!(%error, "what a program sent cannot be looked at");
            Err(answer::fault(&asked.judged.current.snapshot, &asked.asker))
        }
        Err(_) => Err(unknown()),
    }
}
