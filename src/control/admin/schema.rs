//! How values that are written in a way of their own look in the API's document.

use std::borrow::Cow;

use utoipa::openapi::schema::{KnownFormat, Object, SchemaFormat, Type};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, OneOfBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::clock::Wall;
use crate::id::Id;
use crate::window::scope::Selection;

impl PartialSchema for Wall {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("An instant, as RFC 3339 writes it."))
            .examples([serde_json::json!("2026-11-29T16:00:00Z")])
            .into()
    }
}

impl ToSchema for Wall {
    fn name() -> Cow<'static, str> {
        "Instant".into()
    }
}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9a-hjkmnp-tv-z]{32}$"))
            .description(Some("A name for ever; it sorts by the time it was made."))
            .examples([serde_json::json!("06c3x2v8jh4t9g5m0r7n1q8w2e6y3k4d")])
            .into()
    }
}

impl ToSchema for Id {
    fn name() -> Cow<'static, str> {
        "Id".into()
    }
}

impl PartialSchema for Selection {
    fn schema() -> RefOr<Schema> {
        let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["all"]));
        let names = ArrayBuilder::new().items(Object::with_type(Type::String)).min_items(Some(1));
        OneOfBuilder::new()
            .item(word)
            .item(names)
            .description(Some("`all`, also those that a later config adds, or a list of names."))
            .examples([serde_json::json!(["apac"])])
            .into()
    }
}

impl ToSchema for Selection {
    fn name() -> Cow<'static, str> {
        "Selection".into()
    }
}
