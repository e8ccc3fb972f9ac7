//! What went wrong in SQLite, in the store's words, and whom it concerns: one job or its batch.

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

use crate::store::StoreError;

/// Why a job did not do as asked.
pub(super) enum Fault {
    /// The store's own rules refused.
    Refused(StoreError),
    /// SQLite failed.
    Sqlite(rusqlite::Error),
}

impl Fault {
    /// Something that is not as it must be.
    pub(super) fn failed(what: impl Into<String>) -> Self {
        Self::Refused(StoreError::Failed(what.into()))
    }

    /// Whether the medium failed, so that no job of the same transaction can be trusted. A damaged
    /// row is not that: it concerns the job that met it.
    pub(super) fn ends_batch(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::OutOfMemory
                        | ErrorCode::CannotOpen
                        | ErrorCode::ReadOnly
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::NotADatabase
                )
            ),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Sqlite(error) => told(&error),
        }
    }
}

/// SQLite's error for operators. Without the SQL text: it is ours and helps nobody on call.
pub(super) fn told(error: &rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return StoreError::Failed(error.to_string());
    };
    // The shared index of the write-ahead log cannot grow: that is a full disk as well.
    if code.code == ErrorCode::DiskFull || code.extended_code == SQLITE_IOERR_SHMSIZE {
        return StoreError::Full;
    }
    let message = message.clone().unwrap_or_else(|| code.to_string());
    StoreError::Failed(format!("{message} (SQLite code {})", code.extended_code))
}
