//! From the config file to what the planes run on: file → model → compile, and every problem at once.
