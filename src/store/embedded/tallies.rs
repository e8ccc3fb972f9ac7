//! What windows did to visitors, a document each, and what became of the forms they kept.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::fault::Fault;
use super::{rows, windows};
use crate::id::Id;
use crate::vault::item::State;
use crate::window::tally::Tally;

pub(super) fn of(conn: &Connection, ids: &[Id]) -> Result<Vec<(Id, Tally)>, Fault> {
    let mut statement = conn.prepare_cached("SELECT document FROM tallies WHERE window = ?1")?;
    let mut found = Vec::new();
    for id in ids {
        let document: Option<String> =
            statement.query_row([id.bytes()], |row| row.get(0)).optional()?;
        if let Some(document) = document {
            found.push((*id, windows::read(&document)?));
        }
    }
    Ok(found)
}

pub(super) fn keep(conn: &Connection, tallies: &[(Id, Tally)]) -> Result<(), Fault> {
    let sql = "INSERT INTO tallies (window, document) VALUES (?1, ?2)
               ON CONFLICT (window) DO UPDATE SET document = excluded.document";
    let mut statement = conn.prepare_cached(sql)?;
    for (window, tally) in tallies {
        statement.execute(params![window.bytes(), windows::written(tally)?])?;
    }
    Ok(())
}

pub(super) fn submissions(conn: &Connection, window: Id) -> Result<Vec<(State, u64)>, Fault> {
    let sql = "SELECT state, count(*) FROM submissions WHERE window = ?1 GROUP BY state";
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement
        .query_map([window.bytes()], |row| Ok((rows::state(row, 0)?, rows::unsigned(row, 1)?)))?;
    let counts = found.collect::<Result<Vec<_>, _>>();
    Ok(counts?)
}
