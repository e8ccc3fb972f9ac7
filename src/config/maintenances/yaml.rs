//! YAML into what JSON can say, with the place of every value.
//!
//! The reader bounds depth, aliases and what they unfold to, so that a small file cannot become a
//! large one, and says where everything stands; no other one that is kept up does both.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};

use super::document::{Broken, Parsed, Places, below};

/// What a YAML document says.
pub(super) fn parse(text: &str) -> Result<Parsed, Broken> {
    let tree: Spanned<Tree> = serde_saphyr::from_str(text).map_err(|error| {
        let span = error.location().map_or(0..0, |location| span(&location));
        let error = error.without_snippet().to_string();
        let what = error.lines().next().unwrap_or("it cannot be read").to_owned();
        (span, what, "this is the syntax of YAML 1.2".to_owned())
    })?;
    let mut places = Places::new();
    let value = flatten(tree, "", &mut places);
    Ok(Parsed { value, places })
}

fn span(location: &Location) -> Range<usize> {
    let whole = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
    let start = whole(location.span().byte_offset()).unwrap_or(0);
    start..start + whole(location.span().byte_len()).unwrap_or(0).max(1)
}

fn flatten(tree: Spanned<Tree>, path: &str, places: &mut Places) -> Value {
    if !path.is_empty() {
        places.insert(path.to_owned(), span(&tree.referenced));
    }
    match tree.value {
        Tree::Leaf(value) => value,
        Tree::List(items) => {
            let item = |(at, item)| flatten(item, &format!("{path}[{at}]"), places);
            Value::Array(items.into_iter().enumerate().map(item).collect())
        }
        Tree::Map(members) => {
            let mut map = Map::new();
            for (key, value) in members {
                let path = below(path, &key);
                map.insert(key, flatten(value, &path, places));
            }
            Value::Object(map)
        }
    }
}

enum Tree {
    Leaf(Value),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(String, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Bool(flag)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::from(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::from(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::from(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::String(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
        Tree::deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Tree::Map(map))
    }
}
