//! Templates, languages, answers in each format.

/// What a closed page tells of a window, in whose words.
mod closed;
/// What machines get: problem details, plain text, gRPC.
mod machine;
/// An operator's own files, and everything that can be wrong with them.
mod overrides;
/// What a receipt offers in which state.
/// What `pages/README.md` tells operators.
mod readme;
mod receipt;
/// What holds of every page.
mod render;
/// Hostile words stay words.
mod safety;
