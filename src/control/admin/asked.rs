//! What callers ask for in the target of a request: names in the path, the query, pages of a list.

use axum::extract::{FromRequestParts, Path, Query};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::id::Id;
use crate::limit;

/// The query; one with a member that nobody reads is refused.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(asked)| Self(asked))
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_query", error.body_text()))
    }
}

/// The names in the path.
pub(super) struct Key<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Key<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(names)| Self(names))
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_path", error.body_text()))
    }
}

/// The id in the path; what is none names nothing.
pub(super) fn id(kind: &'static str, text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|error: crate::id::NotAnId| {
        let code = match kind {
            "window" => "no_such_window",
            "maintenance" => "no_such_maintenance",
            "bypass" => "no_such_bypass",
            _ => "not_found",
        };
        Problem::new(StatusCode::NOT_FOUND, code, format!("\"{text}\" is {error}"))
    })
}

/// Which part of a list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// How many rows at most; 100 if it is left out.
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<u32>,
    /// What `next` of the page before said; the first page if it is left out.
    pub(super) after: Option<String>,
}

/// How many rows at most.
pub(super) fn count(limit: Option<u32>) -> Result<u32, Problem> {
    let most = limit::ADMIN_ROWS_MAX;
    match limit {
        None => Ok(100),
        Some(count) if (1..=most).contains(&count) => Ok(count),
        Some(_) => Err(Problem::field("limit", format!("from 1 to {most}"))),
    }
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Items<T> {
    items: Vec<T>,
    /// For `after` of the next page; null on the last one.
    next: Option<String>,
}

impl<T> Items<T> {
    /// The same, of rows that are told by their place in the list.
    pub(super) fn of(rows: Vec<(u64, T)>, count: u32) -> Self {
        Self::keyed(rows, count, u64::to_string)
    }

    /// The rows after this key, in the order of their keys: whoever reads on misses none and reads
    /// none twice, whatever was added or taken away meanwhile. `cursor` writes a key down.
    pub(super) fn after<K: Ord>(
        rows: impl IntoIterator<Item = (K, T)>,
        after: Option<&K>,
        count: u32,
        cursor: impl Fn(&K) -> String,
    ) -> Self {
        let later = rows.into_iter().filter(|(key, _)| after.is_none_or(|after| key > after));
        let mut rows: Vec<_> = later.collect();
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self::keyed(rows, count, cursor)
    }

    fn keyed<K>(mut rows: Vec<(K, T)>, count: u32, cursor: impl Fn(&K) -> String) -> Self {
        let count = count as usize;
        let more = rows.len() > count;
        rows.truncate(count);
        let next = more.then(|| rows.last().map(|(key, _)| cursor(key))).flatten();
        Self { items: rows.into_iter().map(|(_, row)| row).collect(), next }
    }

    /// The first `count` of `rows`, of which one more was read than is shown, if there is one;
    /// `cursor` names a row.
    pub(super) fn page(mut rows: Vec<T>, count: u32, cursor: impl Fn(&T) -> String) -> Self {
        let count = count as usize;
        let more = rows.len() > count;
        rows.truncate(count);
        let next = more.then(|| rows.last().map(cursor)).flatten();
        Self { items: rows, next }
    }
}

/// The cursor of a list by number.
pub(super) fn number(after: Option<&str>) -> Result<Option<u64>, Problem> {
    let wrong = |_| Problem::field("after", "give it as `next` of the page before said");
    after.map(|after| after.parse().map_err(wrong)).transpose()
}

/// The cursor of a list by two names, of which the second has no slash.
pub(super) fn pair(after: Option<&str>) -> Result<Option<(String, String)>, Problem> {
    let read = |after: &str| {
        let (first, second) = after.rsplit_once('/')?;
        Some((first.to_owned(), second.to_owned()))
    };
    let wrong = || Problem::field("after", "give it as `next` of the page before said");
    after.map(|after| read(after).ok_or_else(wrong)).transpose()
}

/// Such a cursor as it is written.
pub(super) fn written((first, second): &(String, String)) -> String {
    format!("{first}/{second}")
}

/// The cursor of a list by id.
pub(super) fn cursor(after: Option<&str>) -> Result<Option<Id>, Problem> {
    let wrong = |_| Problem::field("after", "give it as `next` of the page before said");
    after.map(|after| after.parse().map_err(wrong)).transpose()
}
