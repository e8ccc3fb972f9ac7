//! Submissions, their sealed frames, and the totals that quotas are held by.

use rusqlite::{Connection, OptionalExtension, params};

use super::codes;
use super::fault::Fault;
use super::job::Undoing;
use super::rows::{self, COLUMNS, is_live, name_of};
use super::windows::signed;
use crate::clock::Wall;
use crate::digest::Hash;
use crate::id::{Id, Reference};
use crate::limit;
use crate::store::{Census, Kept, Quota, Same, StoreError};
use crate::vault::item::{Item, State};

/// How often another reference is tried in the place of one that is taken.
const REFERENCES_TRIED: u32 = 8;

pub(super) fn append(
    conn: &Connection,
    submission: Id,
    frame: u32,
    sealed: &[u8],
) -> Result<(), Fault> {
    if version_of(conn, submission)?.is_some() {
        return Err(StoreError::Conflict.into());
    }
    insert_frame(conn, submission, frame, sealed)?;
    count(conn, State::Receiving, 1, signed(sealed.len() as u64)?)
}

/// Frames of what became a submission stay: whoever gave up waiting for the answer of
/// [`keep`] may ask for this although it was kept.
pub(super) fn drop_frames(conn: &Connection, submission: Id) -> Result<(), Fault> {
    if version_of(conn, submission)?.is_none() {
        erase_received(conn, submission)?;
    }
    Ok(())
}

/// A form that comes in one piece is stored by three statements, of which the first may refuse.
/// One of several pieces may turn out to be half of one after some of it was changed.
pub(super) fn undoing(item: &Item, frames: &[(u32, Vec<u8>)]) -> Undoing {
    if item.frames == 1 && frames.len() == 1 { Undoing::Spared } else { Undoing::Needed }
}

pub(super) fn keep(
    conn: &Connection,
    item: &Item,
    frames: &[(u32, Vec<u8>)],
    quota: &Quota,
) -> Result<Kept, Fault> {
    match item.state {
        State::Held | State::Unknown => {}
        State::Receiving | State::Armed | State::Sending | State::Accepted | State::Refused => {
            return Err(Fault::failed("only what is held or unknown can be kept"));
        }
        State::Done | State::Discarded | State::Expired | State::Unreadable => {
            return Err(Fault::failed("only what has content can be kept"));
        }
    }
    if version_of(conn, item.id)?.is_some() {
        return Err(StoreError::Conflict.into());
    }
    let before = live_of(conn, &item.browser)?;
    // What may have arrived is never taken for another one that was not sent yet.
    let may_be_same = before.count > 0 && item.state == State::Held;
    if may_be_same && let Some(same) = same_as(conn, item, quota)? {
        erase_received(conn, item.id)?;
        return Ok(Kept::Same(same));
    }
    let (received, received_bytes) = if u32::try_from(frames.len()) == Ok(item.frames) {
        (0, 0)
    } else {
        frames_of(conn, item.id)?
    };
    let given: usize = frames.iter().map(|(_, sealed)| sealed.len()).sum();
    let bytes = received_bytes + signed(given as u64)?;
    hold_quota(conn, &before, (bytes, received_bytes), quota)?;
    for (frame, sealed) in frames {
        insert_frame(conn, item.id, *frame, sealed)?;
    }
    require_all_frames(conn, item, frames)?;
    insert(conn, item, bytes)?;
    if received > 0 {
        count(conn, State::Receiving, -received, -received_bytes)?;
    }
    count(conn, item.state, 1, bytes)?;
    Ok(Kept::New)
}

pub(super) fn one(conn: &Connection, id: Id) -> Result<Option<Item>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM submissions WHERE id = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([id.bytes()], rows::item).optional()?)
}

pub(super) fn of_browser(conn: &Connection, browser: &Hash) -> Result<Vec<Item>, Fault> {
    let filter = "browser = ?1 ORDER BY live DESC, captured DESC, seq DESC LIMIT ?2";
    let mut found = some(conn, filter, params![browser, limit::SUBMISSIONS_LISTED_MAX])?;
    // Stable, so that those of one instant stay in the order in which they were kept.
    found.sort_by_key(|item| std::cmp::Reverse(item.captured));
    Ok(found)
}

pub(super) fn in_state(conn: &Connection, state: State) -> Result<Vec<Item>, Fault> {
    // The index knows all but those that are held, and is used by who says so.
    let filter = match state {
        State::Held => "state = ?1 ORDER BY seq",
        State::Receiving
        | State::Armed
        | State::Sending
        | State::Accepted
        | State::Refused
        | State::Unknown
        | State::Done
        | State::Discarded
        | State::Expired
        | State::Unreadable => "state = ?1 AND state <> 'held' ORDER BY seq",
    };
    some(conn, filter, params![name_of(state)])
}

pub(super) fn due(conn: &Connection, now: Wall, count: u32) -> Result<Vec<Item>, Fault> {
    some(conn, "due <= ?1 ORDER BY due LIMIT ?2", params![now.millis(), count])
}

pub(super) fn frames(
    conn: &Connection,
    submission: Id,
    first: u32,
    count: u32,
) -> Result<Vec<Vec<u8>>, Fault> {
    let sql = "SELECT sealed FROM frames WHERE submission = ?1 AND frame >= ?2
               ORDER BY frame LIMIT ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map(params![submission.bytes(), first, count], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn update(conn: &Connection, item: &Item) -> Result<(), Fault> {
    let sql = "SELECT state, bytes FROM submissions WHERE id = ?1 AND version = ?2 - 1";
    let before = conn
        .prepare_cached(sql)?
        .query_row(params![item.id.bytes(), signed(item.version)?], |row| {
            Ok((rows::state(row, 0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    let Some((state, bytes)) = before else { return Err(StoreError::Conflict.into()) };
    let left = if is_live(item.state) { bytes } else { 0 };
    if !is_live(item.state) {
        erase_frames(conn, item.id)?;
        codes::erase(conn, item.id)?;
    }
    change(conn, item, left)?;
    if state != item.state || left != bytes {
        count(conn, state, -1, bytes.saturating_neg())?;
        count(conn, item.state, 1, left)?;
    }
    Ok(())
}

pub(super) fn bury(conn: &Connection, id: Id) -> Result<(), Fault> {
    let sql = "DELETE FROM submissions WHERE id = ?1 RETURNING state, bytes";
    let gone = conn
        .prepare_cached(sql)?
        .query_row([id.bytes()], |row| Ok((rows::state(row, 0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let Some((state, bytes)) = gone else { return Ok(()) };
    if is_live(state) {
        return Err(Fault::failed("only a submission without content can be buried"));
    }
    count(conn, state, -1, bytes.saturating_neg())
}

pub(super) fn census(conn: &Connection) -> Result<Census, Fault> {
    let mut statement = conn.prepare_cached("SELECT state, count, bytes FROM totals")?;
    let mut told = Census::default();
    let found = statement.query_map([], |row| {
        Ok((rows::state(row, 0)?, rows::unsigned(row, 1)?, rows::unsigned(row, 2)?))
    })?;
    for row in found {
        let (state, count, bytes) = row?;
        told.bytes = told.bytes.saturating_add(bytes);
        if state != State::Receiving && count > 0 {
            told.submissions.push((state, count));
        }
    }
    told.submissions.sort_unstable();
    Ok(told)
}

/// Drops the frames that an earlier process received for submissions it never kept. Gives how
/// many there were.
pub(super) fn drop_orphans(conn: &Connection) -> Result<usize, Fault> {
    let sql = "SELECT count FROM totals WHERE state = 'receiving'";
    if conn.query_row(sql, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(0);
    }
    let sql = "DELETE FROM frames WHERE NOT EXISTS
               (SELECT 1 FROM submissions WHERE submissions.id = frames.submission)";
    let dropped = conn.execute(sql, [])?;
    conn.execute("UPDATE totals SET count = 0, bytes = 0 WHERE state = 'receiving'", [])?;
    Ok(dropped)
}

fn some(conn: &Connection, filter: &str, about: impl rusqlite::Params) -> Result<Vec<Item>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM submissions WHERE {filter}");
    let mut statement = conn.prepare_cached(&sql)?;
    let found = statement.query_map(about, rows::item)?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn version_of(conn: &Connection, id: Id) -> Result<Option<i64>, Fault> {
    let sql = "SELECT version FROM submissions WHERE id = ?1";
    Ok(conn.prepare_cached(sql)?.query_row([id.bytes()], |row| row.get(0)).optional()?)
}

/// An equal submission.
fn same_as(conn: &Connection, item: &Item, quota: &Quota) -> Result<Option<Id>, Fault> {
    let since = quota.same_since;
    let sql = match quota.same {
        Same::Waiting => {
            "SELECT id FROM submissions
             WHERE browser = ?1 AND live = 1 AND captured >= ?2 AND fingerprint = ?3
               AND state IN ('held', 'armed', 'sending', 'unknown')
             ORDER BY captured LIMIT 1"
        }
        Same::Any => {
            "SELECT id FROM submissions
             WHERE browser = ?1 AND live = 1 AND captured >= ?2 AND fingerprint = ?3
             ORDER BY captured LIMIT 1"
        }
    };
    let same = conn
        .prepare_cached(sql)?
        .query_row(params![item.browser, since.millis(), item.fingerprint], |row| row.get(0))
        .optional()?;
    Ok(same.map(Id::from_bytes))
}

/// What a browser has in the store.
struct Live {
    count: u64,
    bytes: u64,
}

fn live_of(conn: &Connection, browser: &Hash) -> Result<Live, Fault> {
    let sql = "SELECT count(*), coalesce(sum(bytes), 0) FROM submissions
               WHERE browser = ?1 AND live = 1";
    Ok(conn.prepare_cached(sql)?.query_row([browser], |row| {
        Ok(Live { count: rows::unsigned(row, 0)?, bytes: rows::unsigned(row, 1)? })
    })?)
}

/// Refuses what would exceed a quota. `received` of its `bytes` are in the totals already.
fn hold_quota(
    conn: &Connection,
    before: &Live,
    (bytes, received): (i64, i64),
    quota: &Quota,
) -> Result<(), Fault> {
    let all: u64 = conn
        .prepare_cached("SELECT sum(bytes) FROM totals")?
        .query_row([], |row| rows::unsigned(row, 0))?;
    let over = |held: u64, more: i64, most: u64| held.saturating_add_signed(more) > most;
    if before.count >= u64::from(quota.per_browser) {
        return Err(StoreError::Quota("submissions of one browser").into());
    }
    if over(before.bytes, bytes, quota.bytes_per_browser) {
        return Err(StoreError::Quota("bytes of one browser").into());
    }
    if over(all, bytes - received, quota.bytes) {
        return Err(StoreError::Quota("bytes of the store").into());
    }
    Ok(())
}

fn insert_frame(conn: &Connection, id: Id, frame: u32, sealed: &[u8]) -> Result<(), Fault> {
    let sql = "INSERT INTO frames (submission, frame, sealed) VALUES (?1, ?2, ?3)
               ON CONFLICT (submission, frame) DO NOTHING";
    let added = conn.prepare_cached(sql)?.execute(params![id.bytes(), frame, sealed])?;
    if added == 0 { Err(StoreError::Conflict.into()) } else { Ok(()) }
}

/// How many frames are stored, and their bytes.
fn frames_of(conn: &Connection, id: Id) -> Result<(i64, i64), Fault> {
    let sql = "SELECT count(*), coalesce(sum(length(sealed)), 0) FROM frames WHERE submission = ?1";
    let found =
        conn.prepare_cached(sql)?.query_row([id.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found)
}

/// A submission has its frames 0, 1, … up to its count and no other: half of one is never kept.
fn require_all_frames(
    conn: &Connection,
    item: &Item,
    given: &[(u32, Vec<u8>)],
) -> Result<(), Fault> {
    let in_order = given.iter().map(|(frame, _)| *frame).eq(0..item.frames);
    if in_order {
        return Ok(());
    }
    let sql = "SELECT count(*), coalesce(max(frame), -1) FROM frames WHERE submission = ?1";
    let found: (u32, i64) = conn
        .prepare_cached(sql)?
        .query_row([item.id.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if found == (item.frames, i64::from(item.frames) - 1) {
        return Ok(());
    }
    Err(Fault::failed(format!("submission {} lacks frames", item.id)))
}

fn erase_frames(conn: &Connection, id: Id) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM frames WHERE submission = ?1")?.execute([id.bytes()])?;
    Ok(())
}

/// Erases frames that belong to no submission yet.
fn erase_received(conn: &Connection, id: Id) -> Result<(), Fault> {
    let (frames, bytes) = frames_of(conn, id)?;
    if frames > 0 {
        erase_frames(conn, id)?;
        count(conn, State::Receiving, -frames, -bytes)?;
    }
    Ok(())
}

/// Adds to a state's totals.
fn count(conn: &Connection, state: State, count: i64, bytes: i64) -> Result<(), Fault> {
    let sql = "UPDATE totals SET count = count + ?2, bytes = bytes + ?3 WHERE state = ?1";
    conn.prepare_cached(sql)?.execute(params![name_of(state), count, bytes])?;
    Ok(())
}

/// Gives it another reference if its own is taken, which one in a billion is.
fn insert(conn: &Connection, item: &Item, bytes: i64) -> Result<(), Fault> {
    let mut reference = item.reference;
    for _ in 0..REFERENCES_TRIED {
        if insert_as(conn, item, bytes, reference)? {
            return Ok(());
        }
        reference = Reference::random();
    }
    Err(Fault::failed("every reference is taken"))
}

/// Whether the reference was free.
fn insert_as(
    conn: &Connection,
    item: &Item,
    bytes: i64,
    reference: Reference,
) -> Result<bool, Fault> {
    let sql = "INSERT INTO submissions (id, version, state, live, browser, fingerprint, route,
                 region, window, captured, expires, due, size, frames, bytes, sends, answer,
                 ticket, wrapped_key, sealed_head, reference)
               VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                 ?17, ?18, ?19, ?20)
               ON CONFLICT (reference) DO NOTHING";
    let added = conn.prepare_cached(sql)?.execute(params![
        item.id.bytes(),
        signed(item.version)?,
        name_of(item.state),
        item.browser,
        item.fingerprint,
        item.route,
        item.region,
        item.window.as_ref().map_or(&[][..], |window| window.bytes()),
        item.captured.millis(),
        item.expires.millis(),
        item.due.millis(),
        signed(item.size)?,
        item.frames,
        bytes,
        item.sends,
        item.answer,
        item.ticket,
        item.wrapped_key,
        item.sealed_head,
        reference.bytes(),
    ])?;
    Ok(added > 0)
}

/// Changes what can change: identity, place and size of a submission never do, and its key only
/// by [`codes::rewrap`], which may have come in between. Without content its key and head go too,
/// whatever the caller left in them.
fn change(conn: &Connection, item: &Item, bytes: i64) -> Result<(), Fault> {
    let live = is_live(item.state);
    let head: &[u8] = if live { &item.sealed_head } else { &[] };
    let sql = "UPDATE submissions SET version = ?2, state = ?3, live = ?4, expires = ?5, due = ?6,
                 bytes = ?7, sends = ?8, answer = ?9, ticket = ?10,
                 wrapped_key = CASE WHEN ?4 THEN wrapped_key ELSE x'' END, sealed_head = ?11
               WHERE id = ?1";
    conn.prepare_cached(sql)?.execute(params![
        item.id.bytes(),
        signed(item.version)?,
        name_of(item.state),
        live,
        item.expires.millis(),
        item.due.millis(),
        bytes,
        item.sends,
        item.answer,
        item.ticket,
        head,
    ])?;
    Ok(())
}
