//! What a visitor would read: any language, form and state, before anything is closed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::asked::{self, Asked};
use super::problem::Problem;
use crate::control::command::Refused;
use crate::id::Id;
use crate::pages::{Lang, Notice, Stage};
use crate::snapshot;

type Answer = Result<Response, Problem>;

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The language, by tag; English if it is left out.
    #[param(inline)]
    lang: Option<Tag>,
    /// For whom; a browser if it is left out.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// In which state of the window; closed if it is left out.
    #[serde(default)]
    #[param(inline)]
    state: Shown,
    /// The words of this window; a sample's if it is left out.
    #[param(value_type = Option<Id>)]
    window: Option<String>,
    /// As on this route.
    route: Option<String>,
}

/// A language that pages are written in.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Tag {
    En,
    De,
    Fr,
    Es,
    Pt,
    Ja,
    Ar,
}

impl Tag {
    const fn lang(self) -> Lang {
        match self {
            Self::En => Lang::En,
            Self::De => Lang::De,
            Self::Fr => Lang::Fr,
            Self::Es => Lang::Es,
            Self::Pt => Lang::Pt,
            Self::Ja => Lang::Ja,
            Self::Ar => Lang::Ar,
        }
    }
}

/// For whom a page is made.
#[derive(Deserialize, ToSchema, Clone, Copy, Default)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// A browser.
    #[default]
    Html,
    /// A program.
    Problem,
    /// A terminal.
    Text,
    /// A gRPC client: the message, percent-encoded.
    Grpc,
}

/// The state of a window that a page tells of.
#[derive(Deserialize, ToSchema, Clone, Copy, Default)]
#[serde(rename_all = "snake_case")]
enum Shown {
    #[default]
    Closed,
    /// The promised end has passed.
    Overrun,
    /// It is tried whether the application is well.
    Verifying,
    /// Visitors are let in by and by.
    Reopening,
    /// Only writing is closed.
    ReadOnly,
    /// Nobody knows when it ends.
    OpenEnded,
}

/// A page as a visitor would read it.
#[utoipa::path(get, path = "/api/v1/preview", tag = "windows", params(Wanted),
    responses((status = 200, description = "The page", content(
        (String = "text/html"), (serde_json::Value = "application/problem+json"),
        (String = "text/plain")))))]
pub(super) async fn preview(
    State(admin): State<Arc<Admin>>,
    Asked(wanted): Asked<Wanted>,
) -> Answer {
    let notice = notice(&admin, &wanted).await?;
    let pages = Arc::clone(&admin.live.snapshot().pages);
    let lang = wanted.lang.map_or(Lang::En, Tag::lang);
    let closed = pages.closed(&notice);
    let page = closed.of(lang);
    let (kind, body) = match wanted.format {
        Format::Html => ("text/html; charset=utf-8", page.html.clone()),
        Format::Problem => ("application/problem+json", page.problem.clone()),
        Format::Text => ("text/plain; charset=utf-8", page.text.clone()),
        Format::Grpc => ("text/plain; charset=utf-8", page.grpc_message.as_bytes().to_vec().into()),
    };
    let mut response = body.into_response();
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(CONTENT_LANGUAGE, page.language.clone());
    fields.insert(CONTENT_SECURITY_POLICY, page.csp.clone());
    let nosniff = HeaderValue::from_static("nosniff");
    fields.insert(HeaderName::from_static("x-content-type-options"), nosniff);
    Ok(response)
}

/// What the page tells.
async fn notice(admin: &Admin, wanted: &Wanted) -> Result<Notice, Problem> {
    let now = admin.clock.now();
    let site = Arc::clone(&admin.live.snapshot().site);
    let mut notice = Notice::sample();
    notice.operator.clone_from(&site.operator);
    (notice.since, notice.until) = (now, Some(now.plus(Duration::from_secs(7_080))));
    if let Some(id) = &wanted.window {
        let id = asked::id("window", id)?;
        let standing = admin.handle.standing();
        let window = match standing.window(id) {
            Some(window) => (**window).clone(),
            None => admin.store.window(id).await?.ok_or(Refused::NoWindow(id))?,
        };
        let phase = window.phase.as_ref();
        let maintenance = phase.and_then(|phase| standing.maintenance(phase.maintenance));
        let maintenance = maintenance.map(AsRef::as_ref);
        notice = snapshot::told_of(&window, maintenance, &site, &notice.service);
    }
    if let Some(name) = &wanted.route {
        let detail = format!("there is no route \"{name}\"");
        let route = site.route_named(name).ok_or_else(|| Problem::field("route", detail))?;
        notice.service.clone_from(&site.rules(route).title);
    }
    match wanted.state {
        Shown::Closed => {}
        Shown::Overrun => {
            (notice.overrun, notice.stage, notice.until) = (true, Stage::Overrun, None);
        }
        Shown::Verifying => notice.stage = Stage::Verifying,
        Shown::Reopening => notice.stage = Stage::Reopening,
        Shown::ReadOnly => notice.read_only = true,
        Shown::OpenEnded => notice.until = None,
    }
    Ok(notice)
}
