//! Tokens, bypasses, the audit, and answers to creations.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::fault::Fault;
use super::windows::{documents, read, signed, written};
use crate::clock::Wall;
use crate::digest::Hash;
use crate::grant::reply::{Answer, Reply};
use crate::grant::{Audit, Bypass, Token};
use crate::id::Id;
use crate::limit;
use crate::store::StoreError;

pub(super) fn tokens(conn: &Connection) -> Result<Vec<Token>, Fault> {
    documents(conn, "SELECT document FROM tokens ORDER BY id", [])
}

pub(super) fn keep_token(conn: &Connection, token: &Token) -> Result<(), Fault> {
    let most = limit::TOKENS_KEPT_MAX;
    let not_after = token.revoked.or(token.not_after);
    let row = Row { id: token.id, created: token.created, not_after };
    keep(conn, "tokens", &row, token, most)
}

pub(super) fn bypasses(conn: &Connection) -> Result<Vec<Bypass>, Fault> {
    documents(conn, "SELECT document FROM bypasses ORDER BY id", [])
}

pub(super) fn keep_bypass(conn: &Connection, bypass: &Bypass) -> Result<(), Fault> {
    let most = limit::BYPASSES_KEPT_MAX;
    let not_after = Some(bypass.revoked.unwrap_or(bypass.not_after));
    let row = Row { id: bypass.id, created: bypass.created, not_after };
    keep(conn, "bypasses", &row, bypass, most)
}

/// What is asked for beside the document.
struct Row {
    id: Id,
    created: Wall,
    not_after: Option<Wall>,
}

/// Stores what is new or changed. Where there are too many, those go first that have been worth
/// nothing for longest; if none has, the new one is refused.
fn keep(
    conn: &Connection,
    table: &str,
    row: &Row,
    document: &impl Serialize,
    most: u32,
) -> Result<(), Fault> {
    let sql = format!(
        "INSERT INTO {table} (id, not_after, document) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET not_after = ?2, document = ?3"
    );
    let not_after = row.not_after.map(Wall::millis);
    let values = params![row.id.bytes(), not_after, written(document)?];
    conn.prepare_cached(&sql)?.execute(values)?;
    let count = format!("SELECT count(*) FROM {table}");
    let count: u32 = conn.prepare_cached(&count)?.query_row([], |row| row.get(0))?;
    if count <= most {
        return Ok(());
    }
    let sql = format!(
        "DELETE FROM {table} WHERE id = (SELECT id FROM {table} WHERE not_after < ?1
                                         ORDER BY not_after LIMIT 1)"
    );
    if conn.prepare_cached(&sql)?.execute([row.created.millis()])? == 0 {
        return Err(StoreError::Quota("tokens or bypasses that are not over").into());
    }
    Ok(())
}

pub(super) fn note(conn: &Connection, audit: &Audit) -> Result<u64, Fault> {
    let sql = "INSERT INTO audit (document) VALUES (?1)";
    conn.prepare_cached(sql)?.execute([written(audit)?])?;
    let seq = conn.last_insert_rowid();
    let oldest = seq - i64::from(limit::AUDIT_KEPT_MAX);
    conn.prepare_cached("DELETE FROM audit WHERE seq <= ?1")?.execute([oldest])?;
    u64::try_from(seq).map_err(|_| Fault::failed("the audit's numbers are used up"))
}

/// Newest first.
pub(super) fn audit(
    conn: &Connection,
    before: Option<u64>,
    count: u32,
) -> Result<Vec<Audit>, Fault> {
    let sql = "SELECT seq, document FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
    let before = before.map_or(i64::MAX, |before| signed(before).unwrap_or(i64::MAX));
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map(params![before, count], |row| {
        Ok((super::rows::unsigned(row, 0)?, row.get::<_, String>(1)?))
    })?;
    let numbered = found.map(|row| {
        let (seq, document) = row?;
        read::<Audit>(&document).map(|audit| Audit { seq, ..audit })
    });
    numbered.collect()
}

pub(super) fn reply(conn: &Connection, key: &Hash) -> Result<Option<Reply>, Fault> {
    let sql = "SELECT key, asked, at, not_after, status, fields, body FROM replies WHERE key = ?1";
    let Some(row) = conn.prepare_cached(sql)?.query_row([key], stored).optional()? else {
        return Ok(None);
    };
    let (reply, answer) = row;
    let answer = answer
        .map(|(status, fields, body)| read(&fields).map(|fields| Answer { status, fields, body }));
    Ok(Some(Reply { answer: answer.transpose()?, ..reply }))
}

type Stored = (Reply, Option<(u16, String, Vec<u8>)>);

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    let wall = |column| row.get(column).map(Wall::from_millis);
    let reply = Reply {
        key: row.get(0)?,
        asked: row.get(1)?,
        at: wall(2)?,
        not_after: wall(3)?,
        answer: None,
    };
    let Some(status) = row.get(4)? else { return Ok((reply, None)) };
    Ok((reply, Some((status, row.get(5)?, row.get(6)?))))
}

/// Stores it in place of one whose time is over or that is the same request, and forgets what is
/// over; the oldest, where there are too many.
pub(super) fn keep_reply(conn: &Connection, reply: &Reply) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM replies WHERE not_after <= ?1")?
        .execute([reply.at.millis()])?;
    let sql = "INSERT INTO replies (key, asked, at, not_after, status, fields, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (key) DO UPDATE SET status = ?5, fields = ?6, body = ?7
               WHERE asked = ?2 AND status IS NULL AND ?5 IS NOT NULL";
    let answer = reply.answer.as_ref();
    let changed = conn.prepare_cached(sql)?.execute(params![
        reply.key,
        reply.asked,
        reply.at.millis(),
        reply.not_after.millis(),
        answer.map(|answer| answer.status),
        answer.map(|answer| written(&answer.fields)).transpose()?,
        answer.map(|answer| &answer.body),
    ])?;
    if changed == 0 {
        return Err(StoreError::Conflict.into());
    }
    let sql = "DELETE FROM replies WHERE key IN
                   (SELECT key FROM replies ORDER BY at DESC LIMIT -1 OFFSET ?1)";
    conn.prepare_cached(sql)?.execute([limit::REPLIES_KEPT_MAX])?;
    Ok(())
}

pub(super) fn drop_reply(conn: &Connection, key: &Hash) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM replies WHERE key = ?1")?.execute([key])?;
    Ok(())
}
