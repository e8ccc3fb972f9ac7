//! The life of a window: what it closes, in which state it is, and who moved it there when and why.

pub mod history;
pub mod scope;
pub mod state;
