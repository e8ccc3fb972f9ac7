//! The control plane: the one writer of snapshots, the timer, the admin API.
