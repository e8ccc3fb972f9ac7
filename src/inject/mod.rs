//! What goes into the application's pages so that what visitors type survives: our script.
//!
//! Which pages it goes into is decided by heads alone ([`eligible`], [`csp`]); where it goes is
//! found while the page streams by ([`rewrite`]), and with it what the page's forms keep secret
//! ([`learn`]). Nothing else of a page is changed.
//!
//! The script is served by us, at an address that holds its digest: it may be kept for ever, and a
//! page that was served before an upgrade gets the script that belongs to it or none.

mod assets;
pub mod attributes;
pub mod csp;
pub mod eligible;
pub mod etag;
pub mod fill;
pub mod learn;
pub mod rewrite;
pub mod scan;

pub use assets::{Asset, asset, digest8, script_path};
