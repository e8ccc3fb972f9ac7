//! Host and path to route: which rules and which upstream a request meets.

pub mod path;
mod pattern;
mod table;

pub use pattern::{PathPattern, PatternFault};
pub use table::{Conflict, RouteTable};

/// Which route, as an index into `Site::rules`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct RouteIx(pub u32);
