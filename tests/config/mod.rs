//! Config files: accepted ones, and problems with their line, column and help.

mod examples;
mod fixtures;
mod hostile;
mod readme;
mod reload;
mod watch;
