//! Access lines and metrics.

mod access;
mod metrics;
mod monitoring;
mod readme;
