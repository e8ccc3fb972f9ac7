//! What our script is made of, as it is served: the script itself, the modules that it loads when
//! there is something to put back or to say, and when a submit was stopped, and its texts.
//!
//! The sources in `pages/form/` are read by people: what only they need is left out of what is
//! served. Nothing else is changed, so that an error in a browser points to a line that can be
//! found.

use std::sync::LazyLock;

use async_compression::codecs::{Encode, GzipEncoder, flate::params::FlateEncoderParams};
use async_compression::core::util::PartialBuffer;

use crate::digest;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";

/// A file that a page of the application loads from us.
#[derive(PartialEq, Eq, Debug)]
pub struct Asset {
    /// The last step of its path.
    pub name: &'static str,
    /// Its `Content-Type`.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: String,
    /// The same as `gzip` (RFC 1952).
    pub packed: Vec<u8>,
}

/// In the order in which they need each other.
const SCRIPT: [&str; 6] = [
    include_str!("../../pages/form/shared.js"),
    include_str!("../../pages/form/fields.js"),
    include_str!("../../pages/form/drafts.js"),
    include_str!("../../pages/form/watch.js"),
    include_str!("../../pages/form/send.js"),
    include_str!("../../pages/form/start.js"),
];
const MORE: [&str; 3] = [
    include_str!("../../pages/form/more/write.js"),
    include_str!("../../pages/form/more/bar.js"),
    include_str!("../../pages/form/more/back.js"),
];
const STOPPED: &str = include_str!("../../pages/form/stopped/hold.js");
/// English is built into the module.
const TEXTS: [(&str, &str); 6] = [
    ("form.ar.json", include_str!("../../pages/form/texts/ar.json")),
    ("form.de.json", include_str!("../../pages/form/texts/de.json")),
    ("form.es.json", include_str!("../../pages/form/texts/es.json")),
    ("form.fr.json", include_str!("../../pages/form/texts/fr.json")),
    ("form.ja.json", include_str!("../../pages/form/texts/ja.json")),
    ("form.pt.json", include_str!("../../pages/form/texts/pt.json")),
];
/// What stands before the names that the script hands to the modules, and the first one of these to
/// the second.
const SHARED: &str = "const shared = ";
const TELLING: &str = "const telling = ";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let code = [("form.js", script()), ("more.js", more()), ("hold.js", stopped())];
    let code = code.into_iter().map(|(name, text)| (name, JAVASCRIPT, served(&text)));
    let texts = TEXTS.into_iter().map(|(name, text)| (name, JSON, text.to_owned()));
    let all = code.chain(texts);
    all.map(|(name, media_type, bytes)| {
        let packed = packed(bytes.as_bytes());
        Asset { name, media_type, bytes, packed }
    })
    .collect()
});

/// Of all that is served, in the path of each.
static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let whole: Vec<&[u8]> = ASSETS.iter().map(|asset| asset.bytes.as_bytes()).collect();
    digest::hex(&digest::sha256(&whole.concat())[..8])
});

/// The asset at `/.intermission/a/{digest}/{name}`; none of another build.
pub fn asset(digest: &str, name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| digest == *DIGEST && name == asset.name)
}

/// The path of the script.
pub fn script_path() -> String {
    format!("/.intermission/a/{}/form.js", *DIGEST)
}

/// What tells this build's script from another's, in tags of pages.
pub fn digest8() -> &'static str {
    &DIGEST[..8]
}

/// Names of the application's page are none of ours, and the other way round.
fn script() -> String {
    format!("(()=>{{'use strict';\n{}}})();\n", SCRIPT.concat())
}

/// A module is a function of what the script shares with it.
fn more() -> String {
    let names = names(&SCRIPT, SHARED);
    format!("export default({names})=>{{\n{}return theRest;}}\n", MORE.concat())
}

/// And of what the module before it does.
fn stopped() -> String {
    let (shared, telling) = (names(&SCRIPT, SHARED), names(&MORE, TELLING));
    format!("export default({shared},{telling})=>{{\n{STOPPED}return theLast;}}\n")
}

/// The names between braces that `sources` hand on after these words.
fn names(sources: &[&str], words: &str) -> String {
    let sources = sources.concat();
    let rest = sources.split_once(words).and_then(|(_, rest)| rest.split_once(';'));
    rest.map_or("{}", |(names, _)| names).to_owned()
}

/// Without comments, indentation and empty lines.
fn served(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("/**") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    let lines = code.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// As small as `gzip` makes it. It is done once, at the first look at any.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let level = async_compression::Level::Best;
    let mut encoder = GzipEncoder::new(FlateEncoderParams::from(level));
    // What does not shrink grows by less than this.
    let mut room = PartialBuffer::new(vec![0; bytes.len() + 1024]);
    let mut input = PartialBuffer::new(bytes);
    let took = encoder.encode(&mut input, &mut room).and_then(|()| encoder.finish(&mut room));
    debug_assert!(matches!(took, Ok(true)) && input.unwritten().is_empty());
    let written = room.written_len();
    let mut packed = room.into_inner();
    packed.truncate(written);
    packed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn comments_and_nothing_else_is_left_out() {
        let source = "// Why.\n/** @type {A} */\nconst a = /** @type {B} */ (b);\n\n  f('//');\n";
        assert_eq!(served(source), "const a =  (b);\nf('//');\n");
        // A quoted comment would be taken for one: there is none in the sources.
        for source in SCRIPT.iter().chain(&MORE).chain([&STOPPED]) {
            let lines = source.lines().filter(|line| line.contains("/**"));
            for line in lines {
                let before = line.split_once("/**").expect("it is there").0;
                assert_eq!(before.matches(['\'', '`']).count() % 2, 0, "{line}");
            }
        }
    }

    #[test]
    fn each_part_is_small_when_it_is_packed() {
        for asset in ASSETS.iter() {
            let (bytes, packed) = (asset.bytes.len(), asset.packed.len());
            assert!(packed <= 8 * 1024, "{}: {packed} of {bytes} bytes", asset.name);
            assert_eq!(asset.packed[..2], [0x1f, 0x8b]);
        }
    }

    #[test]
    fn a_module_is_handed_what_the_parts_before_it_share() {
        for module in [more(), stopped()] {
            assert!(module.starts_with("export default({ im, "), "{}", &module[..80]);
        }
        assert!(stopped().contains(",{ speak, text, "));
        assert!(script_path().starts_with("/.intermission/a/"));
        let names: Vec<_> = ASSETS.iter().map(|asset| asset.name).collect();
        assert_eq!(names[..3], ["form.js", "more.js", "hold.js"]);
        let digest = &DIGEST;
        assert!(names.iter().all(|name| asset(digest, name).is_some()));
        assert_eq!(asset("0000000000000000", "form.js"), None);
    }

    /// English stands in the source, a text a line: `key: '…',`.
    fn english() -> BTreeMap<String, String> {
        let bar = MORE[1].split_once("const SAY = {").expect("the texts").1;
        let lines = bar.split_once("\n};").expect("their end").0.lines();
        let pairs = lines.filter_map(|line| line.trim().split_once(": '"));
        pairs.map(|(key, text)| (key.to_owned(), text.replace("',", ""))).collect()
    }

    #[test]
    fn every_language_says_what_english_says() {
        let placeholders = |text: &str| {
            let mut found: Vec<_> =
                text.split('{').skip(1).filter_map(|t| t.split_once('}')).map(|t| t.0).collect();
            found.sort_unstable();
            found.join(" ")
        };
        let english = english();
        assert!(english.len() > 20, "{english:?}");
        for (name, text) in TEXTS {
            let texts: BTreeMap<String, String> =
                serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(texts.keys().eq(english.keys()), "{name}: {:?}", texts.keys());
            for (key, text) in texts {
                assert_eq!(placeholders(&text), placeholders(&english[&key]), "{name}: {key}");
                assert!(!text.trim().is_empty() && text != english[&key], "{name}: {key}");
            }
        }
    }
}
