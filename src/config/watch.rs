//! Watching a config file.
