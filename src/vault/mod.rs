//! The life of a submission: captured, sealed, kept, sent on when its owner says so, erased.

pub mod item;
