//! What happened: the history of all windows, and what the vault holds.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::asked::{self, Asked, Items, Key, Paging};
use super::operator::Operator;
use super::problem::Problem;
use crate::clock::Wall;
use crate::grant::Role;
use crate::id::{Id, Reference};
use crate::store::StoreError;
use crate::vault::item::{Event, Item};
use crate::window::history::Entry;
use crate::window::scope::{Scope, Selection};

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
            reference: item.reference.to_string(),
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
#[utoipa::path(get, path = "/api/v1/submissions", tag = "records", params(Paging),
    responses((status = 200, description = "One page", body = Items<Heap>)))]
pub(super) async fn submissions(
    State(admin): State<Arc<Admin>>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let count = asked::count(paging.limit)?;
    let after = asked::pair(paging.after.as_deref())?;
    let heaps = admin.store.heaps().await?;
    let heaps = heaps.into_iter().map(|heap| {
        let key = (heap.route.clone(), heap.state.clone());
        (key, Heap { route: heap.route, state: heap.state, count: heap.count, bytes: heap.bytes })
    });
    Ok(axum::Json(Items::after(heaps, after.as_ref(), count, asked::written)).into_response())
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
    let item = called(&admin, &name).await?;
    Ok(axum::Json(SubmissionView::of(&item)).into_response())
}

/// Erases what a visitor sent in, as the visitor could: for the one who asks at the help desk and
/// has neither browser nor code. Nobody reads it before.
#[utoipa::path(delete, path = "/api/v1/submissions/{id}", tag = "records",
    params(("id" = String, Path, description = "Its id, or the reference on its receipt")),
    responses((status = 200, description = "What is left of it", body = SubmissionView)))]
pub(super) async fn erase(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key(name): Key<String>,
    Asked(_): Asked<super::rehearsal::Nothing>,
) -> Answer {
    let item = called(&admin, &name).await?;
    let scope = Scope {
        routes: Selection::of([item.route.clone()]),
        regions: Selection::of([item.region.clone()]),
        ..Scope::default()
    };
    operator.may(Role::Operator, &scope)?;
    let conflict = |code, detail: String| Problem::new(StatusCode::CONFLICT, code, detail);
    let state = item.state;
    let erased = item.step(Event::Discard, admin.clock.now()).map_err(|_| {
        let detail = format!("it is {}: there is nothing to erase, or not now", state.name());
        conflict("not_now", detail)
    })?;
    match admin.store.update(erased.clone()).await {
        Ok(()) => Ok(axum::Json(SubmissionView::of(&erased)).into_response()),
        Err(StoreError::Conflict) => {
            let detail = "it changed just now; look at it again".to_owned();
            Err(conflict("changed_meanwhile", detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// The submission of this id or reference.
async fn called(admin: &Admin, name: &str) -> Result<Item, Problem> {
    let found = match (name.parse::<Id>(), name.parse::<Reference>()) {
        (Ok(id), _) => admin.store.item(id).await?,
        (Err(_), Ok(reference)) => admin.store.referred(reference).await?.map(|found| found.item),
        (Err(_), Err(_)) => None,
    };
    found.ok_or_else(|| {
        let detail = format!("no submission is called \"{name}\"");
        Problem::new(StatusCode::NOT_FOUND, "no_such_submission", detail)
    })
}
