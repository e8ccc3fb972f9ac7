//! What happened: the history of all windows, and what the vault holds.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::asked::{self, Asked, Items, Paging};
use super::problem::Problem;
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
