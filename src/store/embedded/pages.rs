//! Windows that are over and their history, page by page.

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::rows::unsigned;
use super::windows::{documents, read};
use crate::id::Id;
use crate::store::{Heap, Reach};
use crate::window::history::Entry;
use crate::window::maintenance::Maintenance;
use crate::window::state::Window;

pub(super) fn ended_after(
    conn: &Connection,
    after: Option<Id>,
    count: u32,
) -> Result<Vec<Window>, Fault> {
    let Some(after) = after else { return super::windows::ended(conn, count) };
    let sql = "SELECT ended FROM windows WHERE id = ?1 AND in_force = 0";
    let ended: Option<Option<i64>> =
        conn.prepare_cached(sql)?.query_row([after.bytes()], |row| row.get(0)).optional()?;
    let Some(ended) = ended else { return Ok(Vec::new()) };
    let sql = "SELECT document FROM windows WHERE in_force = 0
         AND (ended < ?1 OR (ended = ?1 AND id > ?2)) ORDER BY ended DESC, id LIMIT ?3";
    documents(conn, sql, params![ended, after.bytes(), count])
}

pub(super) fn history_before(
    conn: &Connection,
    before: Option<u64>,
    count: u32,
) -> Result<Vec<(u64, Entry)>, Fault> {
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let sql = "SELECT seq, document FROM history WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
    numbered(conn, sql, before, count)
}

pub(super) fn history_after(
    conn: &Connection,
    after: u64,
    count: u32,
) -> Result<Vec<(u64, Entry)>, Fault> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let sql = "SELECT seq, document FROM history WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    numbered(conn, sql, after, count)
}

fn numbered(
    conn: &Connection,
    sql: &str,
    bound: i64,
    count: u32,
) -> Result<Vec<(u64, Entry)>, Fault> {
    let mut statement = conn.prepare_cached(sql)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
    let found = statement.query_map(params![bound, count], row)?;
    found
        .map(|found| {
            let (seq, document) = found?;
            Ok((seq.unsigned_abs(), read(&document)?))
        })
        .collect()
}

pub(super) fn maintenances(
    conn: &Connection,
    reach: Reach,
    after: Option<Id>,
    count: u32,
) -> Result<Vec<Maintenance>, Fault> {
    // Every id is below this.
    let after = after.map_or([0xff; 20], |after| *after.bytes());
    let sql = match reach {
        Reach::Over => {
            "SELECT document FROM maintenances WHERE over = 1 AND id < ?1
             ORDER BY id DESC LIMIT ?2"
        }
        Reach::Every => "SELECT document FROM maintenances WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    };
    documents(conn, sql, params![after, count])
}

pub(super) fn heaps(conn: &Connection) -> Result<Vec<Heap>, Fault> {
    let sql = "SELECT route, state, count(*), sum(bytes) FROM submissions
         GROUP BY route, state ORDER BY route, state";
    let mut statement = conn.prepare_cached(sql)?;
    let heap = |row: &rusqlite::Row<'_>| {
        let (route, state) = (row.get(0)?, row.get(1)?);
        let (count, bytes) = (unsigned(row, 2)?, unsigned(row, 3)?);
        Ok(Heap { route, state, count, bytes })
    };
    let heaps = statement.query_map([], heap)?;
    Ok(heaps.collect::<rusqlite::Result<_>>()?)
}
