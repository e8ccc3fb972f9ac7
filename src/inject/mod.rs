//! What goes into the application's pages so that what visitors type survives: our script.
//!
//! Which pages it goes into is decided by heads alone ([`eligible`], [`csp`]); where it goes is
//! found while the page streams by ([`rewrite`]), and with it what the page's forms keep secret
//! ([`learn`]). Nothing else of a page is changed.
//!
//! The script is served by us, at an address that holds its digest: it may be kept for ever, and a
//! page that was served before an upgrade gets the script that belongs to it or none.

pub mod csp;
pub mod eligible;
pub mod etag;
pub mod learn;
pub mod rewrite;
pub mod scan;

use std::sync::LazyLock;

use crate::digest;

/// A file that a page of the application loads from us.
#[derive(PartialEq, Eq, Debug)]
pub struct Asset {
    /// The last step of its path.
    pub name: &'static str,
    /// Its `Content-Type`.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: &'static str,
}

const ASSETS: &[Asset] = &[Asset {
    name: "form.js",
    media_type: "text/javascript; charset=utf-8",
    bytes: include_str!("../../pages/form.js"),
}];

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
