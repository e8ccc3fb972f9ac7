//! What is told about requests and about the process: access lines, end codes, metrics, logs.

pub mod end;
