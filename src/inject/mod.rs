//! What goes into the application's pages so that what visitors type survives: our script.
//!
//! The script is served by us, at an address that holds its digest: it may be kept for ever, and a
//! page that was served before an upgrade gets the script that belongs to it or none.

mod assets;

pub use assets::{Asset, asset, script_path};
