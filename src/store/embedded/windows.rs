//! Windows and their history: a JSON document each, beside the columns that are asked for.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, de::DeserializeOwned};

use super::fault::Fault;
use crate::id::Id;
use crate::store::{Commit, StoreError};
use crate::window::history::Entry;
use crate::window::maintenance::Maintenance;
use crate::window::state::{Step, Window};

pub(super) fn in_force(conn: &Connection) -> Result<Vec<Window>, Fault> {
    let sql = "SELECT document FROM windows WHERE in_force = 1 ORDER BY id";
    documents(conn, sql, [])
}

pub(super) fn ended(conn: &Connection, count: u32) -> Result<Vec<Window>, Fault> {
    let sql = "SELECT document FROM windows WHERE in_force = 0 ORDER BY ended DESC, id LIMIT ?1";
    documents(conn, sql, [count])
}

pub(super) fn one(conn: &Connection, id: Id) -> Result<Option<Window>, Fault> {
    let sql = "SELECT document FROM windows WHERE id = ?1";
    let document: Option<String> =
        conn.prepare_cached(sql)?.query_row([id.bytes()], text).optional()?;
    document.as_deref().map(read).transpose()
}

pub(super) fn history_of(conn: &Connection, window: Id) -> Result<Vec<Entry>, Fault> {
    let sql = "SELECT document FROM history WHERE window = ?1 ORDER BY version";
    documents(conn, sql, [window.bytes()])
}

pub(super) fn history(conn: &Connection, count: u32) -> Result<Vec<Entry>, Fault> {
    documents(conn, "SELECT document FROM history ORDER BY seq DESC LIMIT ?1", [count])
}

pub(super) fn maintenances(conn: &Connection) -> Result<Vec<Maintenance>, Fault> {
    documents(conn, "SELECT document FROM maintenances WHERE over = 0 ORDER BY id", [])
}

pub(super) fn ended_maintenances(conn: &Connection, count: u32) -> Result<Vec<Maintenance>, Fault> {
    let sql = "SELECT document FROM maintenances WHERE over = 1 ORDER BY id DESC LIMIT ?1";
    documents(conn, sql, [count])
}

pub(super) fn maintenance(conn: &Connection, id: Id) -> Result<Option<Maintenance>, Fault> {
    let sql = "SELECT document FROM maintenances WHERE id = ?1";
    let document: Option<String> =
        conn.prepare_cached(sql)?.query_row([id.bytes()], text).optional()?;
    document.as_deref().map(read).transpose()
}

pub(super) fn commit(conn: &Connection, commit: &Commit) -> Result<(), Fault> {
    commit.steps.iter().try_for_each(|step| keep_step(conn, step))?;
    commit.maintenances.iter().try_for_each(|one| keep_maintenance(conn, one))?;
    let of_steps = commit.steps.iter().filter_map(|step| step.window.phase.as_ref());
    let touched: BTreeSet<Id> = of_steps
        .map(|phase| phase.maintenance)
        .chain(commit.maintenances.iter().map(|one| one.id))
        .collect();
    let sql = "UPDATE maintenances SET over = NOT EXISTS
                   (SELECT 1 FROM windows WHERE maintenance = ?1 AND in_force = 1) WHERE id = ?1";
    for id in touched {
        conn.prepare_cached(sql)?.execute([id.bytes()])?;
    }
    Ok(())
}

fn keep_maintenance(conn: &Connection, maintenance: &Maintenance) -> Result<(), Fault> {
    let sql = if maintenance.version == 1 {
        "INSERT INTO maintenances (version, over, document, id) VALUES (?1, 0, ?2, ?3)
         ON CONFLICT (id) DO NOTHING"
    } else {
        "UPDATE maintenances SET version = ?1, document = ?2 WHERE id = ?3 AND version = ?1 - 1"
    };
    let changed = conn.prepare_cached(sql)?.execute(params![
        signed(maintenance.version)?,
        written(maintenance)?,
        maintenance.id.bytes(),
    ])?;
    if changed == 0 { Err(StoreError::Conflict.into()) } else { Ok(()) }
}

fn keep_step(conn: &Connection, step: &Step) -> Result<(), Fault> {
    let Step { window, entry } = step;
    if (entry.window, entry.version) != (window.id, window.version) {
        return Err(Fault::failed("a window and an entry that tells of another one"));
    }
    let changed = if window.version == 1 {
        "INSERT INTO windows (version, state, in_force, ended, document, id, maintenance)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING"
    } else {
        "UPDATE windows SET version = ?1, state = ?2, in_force = ?3, ended = ?4, document = ?5,
                             maintenance = ?7 WHERE id = ?6 AND version = ?1 - 1"
    };
    let changed = conn.prepare_cached(changed)?.execute(params![
        signed(window.version)?,
        window.state.name(),
        !window.state.is_over(),
        window.ended.map(|ended| ended.millis()),
        written(window)?,
        window.id.bytes(),
        window.phase.as_ref().map(|phase| *phase.maintenance.bytes()),
    ])?;
    if changed == 0 {
        return Err(StoreError::Conflict.into());
    }
    let sql = "INSERT INTO history (window, version, document) VALUES (?1, ?2, ?3)";
    conn.prepare_cached(sql)?.execute(params![
        entry.window.bytes(),
        signed(entry.version)?,
        written(entry)?
    ])?;
    Ok(())
}

pub(super) fn documents<T: DeserializeOwned>(
    conn: &Connection,
    sql: &str,
    about: impl rusqlite::Params,
) -> Result<Vec<T>, Fault> {
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map(about, text)?;
    found.map(|document| read(&document?)).collect()
}

fn text(row: &Row<'_>) -> rusqlite::Result<String> {
    row.get(0)
}

pub(super) fn read<T: DeserializeOwned>(document: &str) -> Result<T, Fault> {
    serde_json::from_str(document)
        .map_err(|error| Fault::failed(format!("a stored document cannot be read: {error}")))
}

pub(super) fn written(document: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(document)
        .map_err(|error| Fault::failed(format!("a document cannot be written: {error}")))
}

/// SQLite's integers are signed.
pub(super) fn signed(count: u64) -> Result<i64, Fault> {
    i64::try_from(count).map_err(|_| Fault::failed(format!("{count} is too great to be stored")))
}
