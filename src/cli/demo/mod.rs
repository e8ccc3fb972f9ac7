//! `intermission demo`: a claim portal, the proxy in front of it, and the whole story to see.

pub mod app;
pub mod visitor;
