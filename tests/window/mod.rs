//! The life of a window.

mod properties;
mod table;
