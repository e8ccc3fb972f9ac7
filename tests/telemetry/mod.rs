//! Access lines and metrics.

mod access;
mod metrics;
mod readme;
