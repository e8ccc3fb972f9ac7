//! Decisions about servers, each a row that is never changed.

use rusqlite::{Connection, params};

use super::fault::Fault;
use super::windows::{documents, signed, written};
use crate::duty::Posting;
use crate::store::StoreError;

pub(super) fn newest(conn: &Connection) -> Result<Vec<Posting>, Fault> {
    let sql = "SELECT document FROM duties AS own WHERE version =
                   (SELECT max(version) FROM duties WHERE upstream = own.upstream
                                                      AND server = own.server)
               ORDER BY upstream, server";
    documents(conn, sql, [])
}

pub(super) fn of_upstream(
    conn: &Connection,
    upstream: &str,
    count: u32,
) -> Result<Vec<Posting>, Fault> {
    let sql = "SELECT document FROM duties WHERE upstream = ?1 ORDER BY seq DESC LIMIT ?2";
    documents(conn, sql, params![upstream, count])
}

pub(super) fn post(conn: &Connection, posting: &Posting) -> Result<(), Fault> {
    let sql = "INSERT INTO duties (upstream, server, version, document)
               SELECT ?1, ?2, ?3, ?4 WHERE ?3 - 1 =
                   (SELECT coalesce(max(version), 0) FROM duties
                    WHERE upstream = ?1 AND server = ?2)";
    let version = signed(posting.version)?;
    let row = params![posting.upstream, posting.server, version, written(posting)?];
    if conn.prepare_cached(sql)?.execute(row)? == 0 {
        return Err(StoreError::Conflict.into());
    }
    Ok(())
}
