//! The store's directory: made, locked, opened and checked. Nothing damaged is ever replaced by
//! something empty.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::job::Room;
use super::{fault, schema};
use crate::limit;
use crate::store::StoreError;

/// SQLite before 3.51.3 can corrupt a write-ahead log that is reset while another connection
/// writes.
const SQLITE_OLDEST: i32 = 3_051_003;
const PAGE_BYTES: u32 = 8 * 1024;
const STATEMENTS_KEPT: usize = 64;

/// Where the store lives, held by this process alone.
pub(super) struct Files {
    pub(super) disk: Disk,
    main: PathBuf,
    /// Locked as long as this lives; the system unlocks it however the process ends.
    lock: File,
}

impl Files {
    /// Makes the directory and the main file where they are missing, and locks them.
    pub(super) fn claim(directory: &Path, free_min: Option<u64>) -> Result<Self, StoreError> {
        if rusqlite::version_number() < SQLITE_OLDEST {
            return Err(failed(format!(
                "this build links SQLite {}, which can damage its log; build with the bundled one",
                rusqlite::version()
            )));
        }
        let told = |what: &str, error: io::Error| {
            failed(format!("{what} {}: {error}", directory.display()))
        };
        make_directory(directory).map_err(|error| told("cannot make the directory", error))?;
        let lock = private(&directory.join("lock"))
            .map_err(|error| told("cannot write to the directory", error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => failed(format!(
                "{} is in use by another process; stop that one, or give this one a \
                 `store.directory` of its own",
                directory.display()
            )),
            TryLockError::Error(error) => told("cannot lock the directory", error),
        })?;
        let main = directory.join("intermission.db");
        refuse_bereft_log(&main)?;
        private(&main).map_err(|error| told("cannot write to the directory", error))?;
        sync_directory(directory).map_err(|error| told("cannot sync the directory", error))?;
        let disk = Disk { directory: directory.to_owned(), free_min };
        Ok(Self { disk, main, lock })
    }

    /// Opens, migrates and checks the file. Gives the connection that writes, and whether the
    /// sealed frames are sound.
    pub(super) fn first_writer(&self) -> Result<(Connection, Soundness), StoreError> {
        let mut conn = self.writer().map_err(|error| self.explain(&error))?;
        schema::migrate(&mut conn).map_err(|foreign| match foreign {
            schema::Foreign::NotOurs => failed(format!(
                "{} is another program's database; set `store.directory` to a directory of \
                 Intermission's own",
                self.main.display()
            )),
            schema::Foreign::Newer(version) => failed(format!(
                "{} was written by a later release (tables {version}); run that release or a \
                 later one",
                self.main.display()
            )),
            schema::Foreign::Sqlite(error) => self.explain(&error),
        })?;
        let soundness = self.check(&conn)?;
        sync_directory(&self.disk.directory).map_err(|error| {
            failed(format!("cannot sync the directory {}: {error}", self.disk.directory.display()))
        })?;
        Ok((conn, soundness))
    }

    /// A connection that writes and moves the log; there is only one at a time.
    pub(super) fn writer(&self) -> rusqlite::Result<Connection> {
        let conn = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE, limit::STORE_BUSY)?;
        // Only an empty file takes a page size.
        conn.pragma_update(None, "page_size", PAGE_BYTES)?;
        let mode: String =
            conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
                Some("this file system cannot hold a write-ahead log; use a local disk".into()),
            ));
        }
        // FULL: NORMAL does not sync the log at commit, and lost every acknowledged write when
        // the power was cut.
        conn.execute_batch("PRAGMA synchronous = FULL;")?;
        conn.pragma_update(None, "secure_delete", "ON")?;
        conn.pragma_update(None, "foreign_keys", "ON")?;
        conn.pragma_update(None, "journal_size_limit", limit::STORE_WAL_BYTES_MAX)?;
        conn.pragma_update(None, "cache_size", -limit::STORE_CACHE_KIB)?;
        Ok(conn)
    }

    /// A connection that only reads.
    pub(super) fn reader(&self) -> Result<Connection, StoreError> {
        let open = || {
            let conn = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY, limit::STORE_BUSY)?;
            // A first read, since SQLite opens the log no sooner: from here on this connection
            // keeps its shared index, which the writer relies on when a commit fails.
            conn.query_row("SELECT count FROM repairs", [], |_| Ok(()))?;
            Ok(conn)
        };
        open().map_err(|error| self.explain(&error))
    }

    fn connect(&self, flags: OpenFlags, busy: Duration) -> rusqlite::Result<Connection> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.main, flags)?;
        conn.busy_timeout(busy)?;
        conn.pragma_update(None, "trusted_schema", "OFF")?;
        // Nothing of what is stored goes to a temporary file.
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "mmap_size", 0)?;
        // A statement keeps its plan whatever is bound to it: planning anew cost a fifth of a keep.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Ok(conn)
    }

    fn check(&self, conn: &Connection) -> Result<Soundness, StoreError> {
        for table in schema::ESSENTIAL {
            if let Some(damage) = damage_in(conn, table).map_err(|error| self.explain(&error))? {
                return Err(self.damaged(&damage));
            }
        }
        let bytes = fs::metadata(&self.main).map_or(0, |found| found.len());
        if bytes > limit::STORE_CHECKED_WHOLE_BYTES_MAX {
            return Ok(Soundness::Sound);
        }
        match damage_in(conn, "frames") {
            Ok(None) => Ok(Soundness::Sound),
            Ok(Some(damage)) => Ok(Soundness::FramesDamaged(damage)),
            Err(error) => Ok(Soundness::FramesDamaged(fault::told(&error).to_string())),
        }
    }

    fn explain(&self, error: &rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                self.damaged(&error.to_string())
            }
            _ => match fault::told(error) {
                StoreError::Failed(what) => {
                    failed(format!("cannot open {}: {what}", self.main.display()))
                }
                other @ (StoreError::Full | StoreError::Conflict | StoreError::Quota(_)) => other,
            },
        }
    }

    fn damaged(&self, damage: &str) -> StoreError {
        failed(format!(
            "{} is damaged ({damage}). Nothing was changed. Copy the whole directory away first; \
             then restore a backup, or mend a copy with `sqlite3 intermission.db .recover`, or \
             move the files away to begin with an empty store",
            self.main.display()
        ))
    }
}

impl Drop for Files {
    /// Says that the directory is free. To close the file is not enough: a process that is just
    /// being started has a copy of it, as of everything that is open, until it is another program.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the store is given free only when its lock file is closed");
        }
    }
}

/// The file system that the store is on.
#[derive(Clone)]
pub(super) struct Disk {
    directory: PathBuf,
    /// Bytes that are to stay free.
    free_min: Option<u64>,
}

impl Disk {
    /// Whether more than the reserve is free on the file system.
    pub(super) fn room(&self) -> Room {
        let (free, whole) = self.space();
        let reserve = self.free_min.unwrap_or(limit::STORE_RESERVE_BYTES.min(whole / 8));
        if free < reserve { Room::Reserve } else { Room::Ample }
    }

    /// Bytes that are free on the file system.
    pub(super) fn free_bytes(&self) -> u64 {
        self.space().0
    }

    /// How many pages the main file could grow by.
    pub(super) fn free_pages(&self) -> u64 {
        self.space().0 / u64::from(PAGE_BYTES)
    }

    /// Bytes free and bytes in all. Where it cannot be told, the writes will tell.
    fn space(&self) -> (u64, u64) {
        let Ok(disk) = rustix::fs::statvfs(&self.directory) else { return (u64::MAX, u64::MAX) };
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        (bytes(disk.f_bavail), bytes(disk.f_blocks))
    }
}

/// Whether the sealed frames passed their check.
pub(super) enum Soundness {
    /// They did, or are left to their seals.
    Sound,
    /// They did not: some submissions cannot be read, the others can.
    FramesDamaged(String),
}

fn damage_in(conn: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    let sql = format!("PRAGMA quick_check({table})");
    let first: String = conn.query_row(&sql, [], |row| row.get(0))?;
    Ok((first != "ok").then_some(first))
}

/// A log without its main file: SQLite would delete it and begin anew.
fn refuse_bereft_log(main: &Path) -> Result<(), StoreError> {
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    let log = main.with_extension("db-wal");
    if bytes(main) > 0 || bytes(&log) == 0 {
        return Ok(());
    }
    Err(failed(format!(
        "{} is missing or empty, but its log {} is not. Put the main file back beside it, or move \
         the log away to begin with an empty store",
        main.display(),
        log.display()
    )))
}

fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty());
    sync_directory(above.unwrap_or(Path::new(".")))
}

/// Opens or makes a file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// A new name is durable only once its directory is.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn failed(what: String) -> StoreError {
    StoreError::Failed(what)
}

#[cfg(test)]
mod tests {
    use super::Files;

    #[test]
    fn what_was_given_free_can_be_claimed_while_a_child_still_has_a_copy_of_the_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Files::claim(folder.path(), None).expect("nobody has it");
        // What a fork makes of an open file: another handle of the same lock.
        let copy = first.lock.try_clone().expect("a copy");
        assert!(Files::claim(folder.path(), None).is_err(), "the control: it is held");
        drop(first);
        assert!(Files::claim(folder.path(), None).is_ok());
        drop(copy);
    }
}
