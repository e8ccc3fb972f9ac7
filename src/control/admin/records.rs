//! What happened: the history of all windows, and what the vault holds.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::asked::{self, Asked, Items, Key, Paging};
use super::problem::Problem;
use crate::clock::Wall;
use crate::id::Id;
use crate::vault::item::Item;
use crate::window::history::Entry;

type Answer = Result<Response, Problem>;

/// One change of one window.
#[derive(Serialize, ToSchema)]
pub(super) struct EntryView {
    /// Counts all changes of all windows; the `id` of the event that tells of it.
    seq: u64,
    #[serde(flatten)]
    entry: Entry,
}

impl EntryView {
    pub(super) fn of((seq, entry): (u64, Entry)) -> Self {
        Self { seq, entry }
    }
}

/// Who changed what, when and why, newest first.
#[utoipa::path(get, path = "/api/v1/history", tag = "records", params(Paging),
    responses((status = 200, description = "One page", body = Items<EntryView>)))]
pub(super) async fn history(
    State(admin): State<Arc<Admin>>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let count = asked::count(paging.limit)?;
    let before = asked::number(paging.after.as_deref())?;
    let entries = admin.store.history_before(before, count + 1).await?;
    let views = entries.into_iter().map(EntryView::of).collect();
    let page = Items::page(views, count, |view: &EntryView| view.seq.to_string());
    Ok(axum::Json(page).into_response())
}

/// Submissions of one route in one state.
#[derive(Serialize, ToSchema)]
pub(super) struct Heap {
    route: String,
    state: String,
    count: u64,
    /// Of their sealed content.
    bytes: u64,
}

/// What is known of a submission to who may not read it. What was typed, and by whom, is sealed.
#[derive(Serialize, ToSchema)]
pub(super) struct SubmissionView {
    id: Id,
    /// What stands on the visitor's receipt.
    reference: String,
    state: String,
    route: String,
    region: String,
    /// The window during which it was captured; null if its place was open and the application
    /// failed.
    window: Option<Id>,
    captured: Wall,
    /// When its content is erased if nobody comes.
    expires: Wall,
    /// Bytes of the body.
    size: u64,
    /// How often it was sent.
    sends: u32,
    /// The status that the application answered with last; null if it was not sent.
    answer: Option<u16>,
}

impl SubmissionView {
    fn of(item: &Item) -> Self {
        Self {
            id: item.id,
            reference: reference(item.id),
            state: item.state.name().to_owned(),
            route: item.route.clone(),
            region: item.region.clone(),
            window: item.window,
            captured: item.captured,
            expires: item.expires,
            size: item.size,
            sends: item.sends,
            answer: item.answer,
        }
    }
}

/// How many submissions are kept, by route and state; never what is in them.
#[utoipa::path(get, path = "/api/v1/submissions", tag = "records",
    responses((status = 200, description = "All of them", body = Items<Heap>)))]
pub(super) async fn submissions(
    State(admin): State<Arc<Admin>>,
    Asked(_): Asked<super::rehearsal::Nothing>,
) -> Answer {
    let heaps = admin.store.heaps().await?;
    let heaps = heaps.into_iter().map(|heap| Heap {
        route: heap.route,
        state: heap.state,
        count: heap.count,
        bytes: heap.bytes,
    });
    Ok(axum::Json(Items::whole(heaps.collect())).into_response())
}

/// What is known of one submission, by its id or by the reference on its receipt.
#[utoipa::path(get, path = "/api/v1/submissions/{id}", tag = "records",
    params(("id" = String, Path, description = "Its id, or the reference on its receipt")),
    responses((status = 200, description = "What is known of it", body = SubmissionView)))]
pub(super) async fn submission(
    State(admin): State<Arc<Admin>>,
    Key(name): Key<String>,
    Asked(_): Asked<super::rehearsal::Nothing>,
) -> Answer {
    let found = match (name.parse::<Id>(), tail(&name)) {
        (Ok(id), _) => admin.store.item(id).await?,
        (Err(_), Some(tail)) => admin.store.items_ending(tail).await?.into_iter().next(),
        (Err(_), None) => None,
    };
    let Some(item) = found else {
        let detail = format!("no submission is called \"{name}\"");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_submission", detail));
    };
    Ok(axum::Json(SubmissionView::of(&item)).into_response())
}

/// What stands on the receipt: the last eight digits of the id, in capitals.
fn reference(id: Id) -> String {
    let text = id.to_string().to_ascii_uppercase();
    format!("{}-{}", &text[24..28], &text[28..])
}

/// The end of the id that a reference tells.
fn tail(reference: &str) -> Option<[u8; 5]> {
    let digits = reference.trim().replace('-', "").to_ascii_lowercase();
    let id: Id = format!("{:0>24}{digits}", "").parse().ok()?;
    id.bytes()[15..].try_into().ok()
}
