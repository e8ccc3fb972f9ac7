//! Route and region tables, canonical hosts and paths, decisions, cells.

mod cells;
mod decide;
mod host;
mod methods;
mod notice;
mod path;
mod pattern;
mod programs;
mod region;
mod retry_after;
mod table;
