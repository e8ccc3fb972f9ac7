//! The node's keys: which one seals, which ones are still needed, and a new one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::asked::Asked;
use super::problem::Problem;
use super::rehearsal::Nothing;
use crate::vault::rekey::{KeyStanding, NotTurned};

type Answer = Result<Response, Problem>;

/// How the node's keys stand. Ids tell keys apart and nothing of them.
#[derive(Serialize, ToSchema)]
pub(super) struct KeysView {
    /// The id of the key that seals.
    key: String,
    /// Those that only open what they sealed before.
    former: Vec<String>,
    /// Wrapped keys that still need a former one; null before they were counted. A former key
    /// that nothing needs can be destroyed.
    left: Option<u64>,
    /// Wrapped keys that need a node key which is not here.
    lost: u64,
}

impl KeysView {
    fn of(standing: &KeyStanding) -> Self {
        Self {
            key: standing.first.to_string(),
            former: standing.former.iter().map(ToString::to_string).collect(),
            left: standing.left,
            lost: standing.lost,
        }
    }
}

/// Which keys there are, by id, and what still needs a former one.
#[utoipa::path(get, path = "/api/v1/store/keys", tag = "node",
    responses((status = 200, description = "As of the last look", body = KeysView)))]
pub(super) async fn show(State(admin): State<Arc<Admin>>, Asked(_): Asked<Nothing>) -> Answer {
    Ok(axum::Json(KeysView::of(&admin.vault.key_standing())).into_response())
}

/// Makes a new node key, which seals from now on. What the one before sealed is wrapped anew
/// while everything goes on, and then that one is destroyed.
#[utoipa::path(post, path = "/api/v1/store/keys", tag = "node",
    responses((status = 200, description = "It seals", body = KeysView)))]
pub(super) async fn turn(State(admin): State<Arc<Admin>>, Asked(_): Asked<Nothing>) -> Answer {
    let turned = admin.vault.turn_key().map_err(|error| {
        let (status, code) = match &error {
            NotTurned::Configured => (StatusCode::CONFLICT, "key_of_config"),
            NotTurned::Unfinished { .. } => (StatusCode::CONFLICT, "former_key_needed"),
            NotTurned::File(_) => (StatusCode::SERVICE_UNAVAILABLE, "key_not_written"),
        };
        Problem::new(status, code, error.to_string())
    })?;
    // A look that fails comes again with the next sweep.
    let standing = admin.vault.rewrap().await.unwrap_or(turned);
    Ok(axum::Json(KeysView::of(&standing)).into_response())
}
