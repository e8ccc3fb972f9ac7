//! Templates, languages, answers in each format.

mod render;
