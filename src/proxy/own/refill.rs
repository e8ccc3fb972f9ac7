//! The answers of a submission for the live form: as JSON for our script, and the way to the page
//! where they are put in without any script.

use http::header::{CONTENT_TYPE, ORIGIN, REFERER, SET_COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::act::{self, Standing, standing};
use super::{Asked, at, show};
use crate::id::Id;
use crate::pages::PlainKind;
use crate::proxy::answer::{self, Reply};
use crate::proxy::body::Body;
use crate::proxy::{head, refill, visitor};
use crate::snapshot::ResumeMode;
use crate::vault::Owner;
use crate::vault::refill::{Answer, Given};

/// What our script is told.
#[derive(Serialize)]
struct Told<'a> {
    id: Id,
    /// The page that the form was on: path and query.
    page: String,
    /// Where it goes: path and query.
    action: &'a str,
    method: &'a str,
    fields: Vec<Field<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Field<'a> {
    Text {
        name: &'a str,
        value: &'a str,
        /// The value is not whole: it is shown, and put into no field.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
    },
    File {
        name: &'a str,
        file: &'a str,
        size: u64,
    },
}

impl<'a> Field<'a> {
    fn of(answer: &'a Answer) -> Self {
        let name = &answer.name;
        match &answer.given {
            Given::Text(value) => Self::Text { name, value, cut: false },
            Given::Part(value) => Self::Text { name, value, cut: true },
            Given::File(file, size) => Self::File { name, file, size: *size },
        }
    }
}

/// The answers, for a script on a page of this site.
pub(super) async fn fields(asked: &Asked<'_>, id: Id) -> Reply {
    if !is_for_this_site(asked) {
        return asked.plain(PlainKind::Refused);
    }
    let owner = visitor::owner(asked.lane, &asked.parts.headers, asked.judged.scheme);
    let Some(owner) = owner else { return asked.plain(PlainKind::NotYours) };
    let (record, answers) = match asked.lane.link.worker.vault.answers(&owner, id).await {
        Ok(read) => read,
        Err(denied) => return asked.denied(id, &denied),
    };
    let told = Told {
        id,
        page: show::page_path(&record),
        action: &record.head.target,
        method: &record.head.method,
        fields: answers.iter().map(Field::of).collect(),
    };
    let json = serde_json::to_vec(&told).expect("texts and numbers are JSON");
    let own = HeaderName::from_static("cross-origin-resource-policy");
    Reply::new(StatusCode::OK, Body::full(json.into()))
        .with(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .with(own, HeaderValue::from_static("same-origin"))
        .guarded()
}

/// Whether nothing says that another site wants to read the answer. A browser that says nothing at
/// all is an old one; what it shows is the visitor's cookie, which other sites' reads lack.
fn is_for_this_site(asked: &Asked<'_>) -> bool {
    let headers = &asked.parts.headers;
    let site = HeaderName::from_static("sec-fetch-site");
    let says = [site, ORIGIN, REFERER].iter().any(|name| headers.contains_key(name));
    !says || head::is_from_here(asked.parts, asked.judged)
}

/// To the page that the form was on, which comes with the answers in it. Nothing is sent.
pub(super) async fn refill(asked: &Asked<'_>, owner: &Owner, id: Id, token: &str) -> Reply {
    let vault = &asked.lane.link.worker.vault;
    let record = match vault.refill(owner, id, token).await {
        Ok(record) => record,
        Err(denied) => return asked.denied(id, &denied),
    };
    match standing(asked, &record.head) {
        Standing::Closed(closure) => return act::still_closed(asked, &closure),
        Standing::Open(ResumeMode::Replay | ResumeMode::Confirm | ResumeMode::Refill) => {}
        Standing::Open(ResumeMode::Copy) | Standing::Nowhere => {
            return answer::see_other(&at(id));
        }
    }
    let page = act::address(&record.head, &show::page_path(&record));
    let Ok(to) = HeaderValue::from_str(&format!("{page}#im-refill={id}")) else {
        return asked.plain(PlainKind::BadRequest);
    };
    answer::see_other("/")
        .with(http::header::LOCATION, to)
        .with(SET_COOKIE, refill::wish(id, asked.judged.scheme))
}
