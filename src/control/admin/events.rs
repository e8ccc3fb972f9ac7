//! `GET /api/v1/events`: every change as it happens, as server-sent events.
//!
//! Changes of windows carry the number of their entry in the history as `id`, so that whoever was
//! cut off goes on where they were. What else changes is told as it is now; of that, a subscriber
//! who was away has missed nothing that a look at the API does not tell.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{MissedTickBehavior, interval, timeout};
use utoipa::IntoParams;

use super::Admin;
use super::asked::{self, Asked};
use super::problem::Problem;
use crate::clock::Wall;
use crate::control::command::Standing;
use crate::control::phase::stopped;
use crate::duty::Duty;
use crate::id::Id;
use crate::limit;
use crate::store::StoreError;

/// From where on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// The `id` of the last event that was seen, as in the field `Last-Event-ID`, which counts
    /// more; from now on if both are left out.
    after: Option<String>,
}

/// Every change as it happens: of windows, maintenances, servers, bypasses and the config.
#[utoipa::path(get, path = "/api/v1/events", tag = "records",
    params(From, ("Last-Event-ID" = Option<String>, Header, description = "Go on after this one")),
    responses((status = 200, description = "Events until the connection ends, after five minutes \
            at the latest", body = String, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(admin): State<Arc<Admin>>,
    Asked(from): Asked<From>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("?").to_owned());
    let after = match asked::number(last.or(from.after).as_deref())? {
        Some(after) => after,
        None => admin.store.history_before(None, 1).await?.first().map_or(0, |(seq, _)| *seq),
    };
    let Ok(place) = Arc::clone(&admin.door.subscribers).try_acquire_owned() else {
        let most = limit::EVENT_SUBSCRIBERS_MAX;
        let detail = format!("{most} listen to events already, which is the bound");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_subscribers", detail)
            .header(RETRY_AFTER, HeaderValue::from_static("5")));
    };
    let (frames, body) = mpsc::channel(limit::EVENTS_AHEAD_MAX);
    let feed = Feed { admin, frames, after, _place: place };
    tokio::spawn(feed.run());
    let mut response = Body::new(Frames(body)).into_response();
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The body: ends when the feed does.
struct Frames(mpsc::Receiver<Bytes>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Why a feed ends.
enum Over {
    /// The subscriber went, or does not take what is told in time.
    Gone,
    /// The store cannot be read: whoever comes back goes on where they were.
    Store,
}

impl std::convert::From<StoreError> for Over {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

/// Tells one subscriber.
struct Feed {
    admin: Arc<Admin>,
    frames: mpsc::Sender<Bytes>,
    /// The last entry of the history that was told.
    after: u64,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    async fn run(mut self) {
        let (mut phase, gone) = (self.admin.phase.clone(), self.frames.clone());
        // CANCEL: what was not told is told to whoever comes back with the last id.
        let over = tokio::select! {
            over = self.tell_all() => over,
            () = stopped(&mut phase) => return,
            () = gone.closed() => return,
        };
        if let Err(Over::Store) = over {
            tracing::debug!("a subscriber to events was let go: the store cannot be read");
        }
    }

    async fn tell_all(&mut self) -> Result<(), Over> {
        let mut standing = self.admin.handle.watch();
        let mut reloads = self.admin.reloads.as_ref().map(|reloads| reloads.watch());
        let mut beat = interval(limit::EVENTS_BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.tick().await;
        let mut seen = Seen::of(&standing.borrow_and_update());
        self.send(&format!("retry: {}\n\n", limit::SUBSCRIBER_RETRY.as_millis())).await?;
        let generation = self.admin.handle.standing().generation;
        let hello = json!({ "at": self.admin.clock.now(), "generation": generation });
        self.tell("hello", None, &hello).await?;
        self.tell_history().await?;
        loop {
            let reloaded = async {
                match &mut reloads {
                    Some(reloads) => reloads.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            // CANCEL: each branch only says that there is something to look at.
            tokio::select! {
                changed = standing.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let now = Arc::clone(&standing.borrow_and_update());
                    self.tell_history().await?;
                    seen = self.tell_rest(seen, &now).await?;
                }
                alive = reloaded => match (alive, &mut reloads) {
                    (true, Some(changed)) => {
                        let last = changed.borrow_and_update().clone();
                        self.tell("config", None, &json!(last.as_deref())).await?;
                    }
                    (true | false, _) => reloads = None,
                },
                _ = beat.tick() => self.send(": \n\n").await?,
            }
        }
    }

    /// Every change of a window since the last one that was told.
    async fn tell_history(&mut self) -> Result<(), Over> {
        loop {
            let some = limit::EVENTS_AT_ONCE;
            let entries = self.admin.store.history_after(self.after, some).await?;
            let is_last = entries.len() < some as usize;
            for (seq, entry) in entries {
                self.tell("window", Some(seq), &json!(entry)).await?;
                self.after = seq;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// What else is other than it was.
    async fn tell_rest(&mut self, before: Seen, standing: &Standing) -> Result<Seen, Over> {
        let now = Seen::of(standing);
        let at = self.admin.clock.now();
        for (id, version) in &now.maintenances {
            if before.maintenances.get(id) != Some(version) {
                let told = json!({ "at": at, "maintenance": id, "version": version });
                self.tell("maintenance", None, &told).await?;
            }
        }
        for id in before.maintenances.keys().filter(|id| !now.maintenances.contains_key(*id)) {
            let told = json!({ "at": at, "maintenance": id, "state": "over" });
            self.tell("maintenance", None, &told).await?;
        }
        for (id, revoked) in &now.bypasses {
            if before.bypasses.get(id) != Some(revoked) {
                let told = json!({ "at": at, "id": id, "revoked": revoked });
                self.tell("bypass", None, &told).await?;
            }
        }
        for id in before.bypasses.keys().filter(|id| !now.bypasses.contains_key(*id)) {
            let told = json!({ "at": at, "id": id, "state": "over" });
            self.tell("bypass", None, &told).await?;
        }
        for (place, how) in &now.servers {
            if before.servers.get(place) != Some(how) {
                let ((upstream, server, address), (state, well)) = (place, how);
                let told = json!({ "at": at, "upstream": **upstream, "server": **server,
                    "address": address, "state": state, "well": well });
                self.tell("server", None, &told).await?;
            }
        }
        Ok(now)
    }

    async fn tell(&mut self, kind: &str, id: Option<u64>, data: &Value) -> Result<(), Over> {
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        self.send(&format!("event: {kind}\n{id}data: {data}\n\n")).await
    }

    /// CANCEL: one who does not take it in time is cut, and comes back if they care.
    async fn send(&mut self, text: &str) -> Result<(), Over> {
        let sent = self.frames.send(Bytes::copy_from_slice(text.as_bytes()));
        match timeout(limit::EVENTS_TAKE_DEADLINE, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over::Gone),
        }
    }
}

/// A server: its upstream, its name, its address.
type Server = (Arc<str>, Arc<str>, String);

/// What was told, apart from windows.
struct Seen {
    maintenances: HashMap<Id, u64>,
    bypasses: HashMap<Id, Option<Wall>>,
    servers: HashMap<Server, (Duty, bool)>,
}

impl Seen {
    fn of(standing: &Standing) -> Self {
        let maintenances = standing.maintenances.iter().map(|one| (one.id, one.version));
        let bypasses = standing.bypasses.iter().map(|one| (one.id, one.revoked));
        let pools = standing.servers.pools().iter();
        let servers = pools.flat_map(|pool| {
            let servers = pool.servers.iter();
            servers.flat_map(|server| {
                server.places.iter().map(|place| {
                    let names = (Arc::clone(&pool.name), Arc::clone(&server.name));
                    let key = (names.0, names.1, place.address.0.to_string());
                    (key, (server.duty(), place.health.is_well()))
                })
            })
        });
        Self {
            maintenances: maintenances.collect(),
            bypasses: bypasses.collect(),
            servers: servers.collect(),
        }
    }
}
