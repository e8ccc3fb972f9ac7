//! The composition root: builds in order, binds, spawns, waits, drains.
