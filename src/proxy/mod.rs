//! The data plane: worker threads that carry requests.
