//! A submission as a row, and back.

use rusqlite::Row;
use rusqlite::types::Type;

use crate::clock::Wall;
use crate::id::{Id, Reference};
use crate::vault::item::{Item, State};

/// The columns that [`item`] reads, in its order.
pub(super) const COLUMNS: &str = "id, version, state, browser, fingerprint, route, region, \
     window, captured, expires, due, size, frames, sends, answer, ticket, wrapped_key, \
     sealed_head, reference";

/// Reads the row's [`COLUMNS`].
pub(super) fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        id: Id::from_bytes(row.get(0)?),
        version: unsigned(row, 1)?,
        state: state(row, 2)?,
        browser: row.get(3)?,
        fingerprint: row.get(4)?,
        route: row.get(5)?,
        region: row.get(6)?,
        window: window(row, 7)?,
        captured: wall(row, 8)?,
        expires: wall(row, 9)?,
        due: wall(row, 10)?,
        size: unsigned(row, 11)?,
        frames: row.get(12)?,
        sends: row.get(13)?,
        answer: row.get(14)?,
        ticket: row.get(15)?,
        wrapped_key: row.get(16)?,
        sealed_head: row.get(17)?,
        reference: Reference::from_bytes(row.get(18)?),
    })
}

/// Reads a state's name.
pub(super) fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<State> {
    let name: String = row.get(column)?;
    let known = STATES.into_iter().find(|state| name_of(*state) == name);
    known.ok_or_else(|| {
        let unknown = format!("`{name}` is no state of a submission").into();
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, unknown)
    })
}

/// Reads a count that must not be negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

/// A submission that was caught while its place was open has no window: its column is empty.
fn window(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Id>> {
    let bytes: Vec<u8> = row.get(column)?;
    Ok(bytes.try_into().ok().map(Id::from_bytes))
}

fn wall(row: &Row<'_>, column: usize) -> rusqlite::Result<Wall> {
    row.get(column).map(Wall::from_millis)
}

const STATES: [State; 11] = [
    State::Receiving,
    State::Held,
    State::Armed,
    State::Sending,
    State::Accepted,
    State::Refused,
    State::Unknown,
    State::Done,
    State::Discarded,
    State::Expired,
    State::Unreadable,
];

/// The state's name in the tables, the same as on the wire.
pub(super) const fn name_of(state: State) -> &'static str {
    match state {
        State::Receiving => "receiving",
        State::Held => "held",
        State::Armed => "armed",
        State::Sending => "sending",
        State::Accepted => "accepted",
        State::Refused => "refused",
        State::Unknown => "unknown",
        State::Done => "done",
        State::Discarded => "discarded",
        State::Expired => "expired",
        State::Unreadable => "unreadable",
    }
}

/// Whether a submission in this state still has its content; only such ones count for quotas.
pub(super) const fn is_live(state: State) -> bool {
    match state {
        State::Receiving
        | State::Held
        | State::Armed
        | State::Sending
        | State::Accepted
        | State::Refused
        | State::Unknown
        | State::Unreadable => true,
        State::Done | State::Discarded | State::Expired => false,
    }
}
