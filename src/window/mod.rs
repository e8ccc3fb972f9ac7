//! The life of a window: what it closes, in which state it is, and who moved it there when and why;
//! and the maintenance whose phase it is.

mod deadline;
pub mod draft;
pub mod event;
pub mod history;
pub mod maintenance;
pub mod plan;
pub mod report;
pub mod schedule;
pub mod scope;
pub mod state;
pub mod tally;
