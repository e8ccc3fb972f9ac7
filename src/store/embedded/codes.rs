//! References, resume codes, and wrapped keys that another node key takes over.

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::rows::{self, COLUMNS};
use crate::id::{Id, Reference};
use crate::limit;
use crate::store::{Holder, Referred, StoreError, Wrap};

pub(super) fn referred(conn: &Connection, reference: Reference) -> Result<Option<Referred>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM submissions WHERE reference = ?1");
    let item = conn.prepare_cached(&sql)?.query_row([reference.bytes()], rows::item).optional()?;
    let Some(item) = item else { return Ok(None) };
    let sql = "SELECT wrapped_key FROM codes WHERE submission = ?1 AND wrong < ?2";
    let code = conn
        .prepare_cached(sql)?
        .query_row(params![item.id.bytes(), limit::CODE_WRONG_MAX], |row| row.get(0))
        .optional()?;
    Ok(Some(Referred { item, code }))
}

pub(super) fn keep(conn: &Connection, submission: Id, wrapped_key: &[u8]) -> Result<(), Fault> {
    let sql = "INSERT INTO codes (submission, wrapped_key, wrong)
               SELECT id, ?2, 0 FROM submissions WHERE id = ?1 AND live = 1
               ON CONFLICT (submission) DO UPDATE SET wrapped_key = ?2, wrong = 0";
    let kept = conn.prepare_cached(sql)?.execute(params![submission.bytes(), wrapped_key])?;
    if kept == 0 { Err(StoreError::Conflict.into()) } else { Ok(()) }
}

/// With the last wrong one that is borne, what the right one would have opened is erased.
pub(super) fn wrong(conn: &Connection, submission: Id) -> Result<(), Fault> {
    let sql = "UPDATE codes SET wrong = min(wrong + 1, ?2),
                 wrapped_key = CASE WHEN wrong + 1 < ?2 THEN wrapped_key ELSE x'' END
               WHERE submission = ?1";
    conn.prepare_cached(sql)?.execute(params![submission.bytes(), limit::CODE_WRONG_MAX])?;
    Ok(())
}

/// Erases the code of a submission whose content goes.
pub(super) fn erase(conn: &Connection, submission: Id) -> Result<(), Fault> {
    let sql = "DELETE FROM codes WHERE submission = ?1";
    conn.prepare_cached(sql)?.execute([submission.bytes()])?;
    Ok(())
}

pub(super) fn wraps_unlike(
    conn: &Connection,
    holder: Holder,
    beginning: [u8; 5],
    after: Option<Id>,
    count: u32,
) -> Result<Vec<Wrap>, Fault> {
    let sql = match holder {
        Holder::Browser => {
            "SELECT id, wrapped_key FROM submissions
             WHERE live = 1 AND substr(wrapped_key, 1, 5) <> ?1 AND id > ?2 ORDER BY id LIMIT ?3"
        }
        Holder::Code => {
            "SELECT submission, wrapped_key FROM codes
             WHERE length(wrapped_key) > 0 AND substr(wrapped_key, 1, 5) <> ?1
               AND submission > ?2 ORDER BY submission LIMIT ?3"
        }
    };
    let after = after.map_or_else(Vec::new, |after| after.bytes().to_vec());
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map(params![beginning, after, count], |row| {
        Ok(Wrap { submission: Id::from_bytes(row.get(0)?), wrapped_key: row.get(1)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn rewrap(
    conn: &Connection,
    holder: Holder,
    wraps: &[(Wrap, Vec<u8>)],
) -> Result<(), Fault> {
    let sql = match holder {
        Holder::Browser => {
            "UPDATE submissions SET wrapped_key = ?3 WHERE id = ?1 AND wrapped_key = ?2"
        }
        Holder::Code => {
            "UPDATE codes SET wrapped_key = ?3 WHERE submission = ?1 AND wrapped_key = ?2"
        }
    };
    let mut statement = conn.prepare_cached(sql)?;
    for (before, after) in wraps {
        statement.execute(params![before.submission.bytes(), before.wrapped_key, after])?;
    }
    Ok(())
}
