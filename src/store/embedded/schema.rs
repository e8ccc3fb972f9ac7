//! The tables, and the numbered steps that lead to them from any earlier release.

use rusqlite::{Connection, TransactionBehavior};

/// "Imsn": what `file` and `sqlite3` can tell this file from others by.
const APPLICATION_ID: i32 = 0x496d_736e;

/// Step `n` leads from `user_version` n to n + 1. A step that was released is never edited.
const STEPS: [&str; 7] = [FIRST, DUTIES, GRANTS, MAINTENANCES, TALLIES, CODES, UNDER_WAY];

// Integer keys with a unique index beside them, not WITHOUT ROWID: a sealed form fits a table leaf
// three times over, whereas a clustered index would push each one to an overflow page of its own.
// Ids begin with their time, so that all indexes but one grow at their right edge.
const FIRST: &str = "
CREATE TABLE windows (
    id BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    in_force INTEGER NOT NULL,
    ended INTEGER,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX windows_by_force ON windows (in_force, ended);

CREATE TABLE history (
    seq INTEGER PRIMARY KEY,
    window BLOB NOT NULL REFERENCES windows (id),
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (window, version)
) STRICT;

CREATE TABLE submissions (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    live INTEGER NOT NULL,
    browser BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    route TEXT NOT NULL,
    region TEXT NOT NULL,
    window BLOB NOT NULL,
    captured INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    due INTEGER NOT NULL,
    size INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sends INTEGER NOT NULL,
    answer INTEGER,
    ticket BLOB,
    wrapped_key BLOB NOT NULL,
    sealed_head BLOB NOT NULL
) STRICT;
-- Answers the list, the double click and the quota alike, the last without touching the table.
CREATE INDEX submissions_by_browser
    ON submissions (browser, live, captured, fingerprint, bytes);
CREATE INDEX submissions_by_due ON submissions (due);
CREATE INDEX submissions_by_state ON submissions (state);

CREATE TABLE frames (
    seq INTEGER PRIMARY KEY,
    submission BLOB NOT NULL,
    frame INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (submission, frame)
) STRICT;

-- Submissions and sealed bytes by state, so that neither quota nor census counts rows. The row
-- 'receiving' counts the frames that belong to no submission yet.
CREATE TABLE totals (
    state TEXT PRIMARY KEY,
    count INTEGER NOT NULL CHECK (count >= 0),
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO totals (state, count, bytes) VALUES
    ('receiving', 0, 0), ('held', 0, 0), ('armed', 0, 0), ('sending', 0, 0),
    ('accepted', 0, 0), ('refused', 0, 0), ('unknown', 0, 0), ('done', 0, 0),
    ('discarded', 0, 0), ('expired', 0, 0), ('unreadable', 0, 0);

-- How often the writer had to start again after a commit that failed.
CREATE TABLE repairs (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    count INTEGER NOT NULL
) STRICT;
INSERT INTO repairs (id, count) VALUES (1, 0);
";

// All decisions about servers: the newest about each is in force, the others are the history.
const DUTIES: &str = "
CREATE TABLE duties (
    seq INTEGER PRIMARY KEY,
    upstream TEXT NOT NULL,
    server TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (upstream, server, version)
) STRICT;
";

// Who may do what, what was asked for, and what was answered to creations.
const GRANTS: &str = "
CREATE TABLE tokens (
    id BLOB PRIMARY KEY,
    not_after INTEGER,
    document TEXT NOT NULL
) STRICT;
CREATE TABLE bypasses (
    id BLOB PRIMARY KEY,
    not_after INTEGER,
    document TEXT NOT NULL
) STRICT;
-- Numbers are never given twice, so that nobody can take an entry away unseen.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    document TEXT NOT NULL
) STRICT;
CREATE TABLE replies (
    key BLOB PRIMARY KEY,
    asked BLOB NOT NULL,
    at INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    status INTEGER,
    fields TEXT,
    body BLOB
) STRICT;
CREATE INDEX replies_by_at ON replies (at);
CREATE INDEX replies_by_end ON replies (not_after);
";

// `in_force` of a window says that it is not over; it had no other meaning while none was planned.
const MAINTENANCES: &str = "
CREATE TABLE maintenances (
    id BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    over INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX maintenances_by_over ON maintenances (over, id);
ALTER TABLE windows ADD COLUMN maintenance BLOB;
CREATE INDEX windows_by_maintenance ON windows (maintenance, in_force)
    WHERE maintenance IS NOT NULL;
";

// What windows did to visitors. The index is for reports, which ask for a window's forms.
const TALLIES: &str = "
CREATE TABLE tallies (
    window BLOB PRIMARY KEY,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX submissions_by_window ON submissions (window, state);
";

// What names a submission on its receipt, and what else opens it. Older submissions keep the
// reference that their receipts tell: the end of their id.
const CODES: &str = "
ALTER TABLE submissions ADD COLUMN reference BLOB;
UPDATE submissions SET reference = substr(id, 16, 5);
UPDATE submissions SET reference = randomblob(5) WHERE seq NOT IN
    (SELECT min(seq) FROM submissions GROUP BY reference);
CREATE UNIQUE INDEX submissions_by_reference ON submissions (reference);
CREATE TABLE codes (
    submission BLOB PRIMARY KEY,
    wrapped_key BLOB NOT NULL,
    wrong INTEGER NOT NULL
) STRICT;
";

// Who starts again looks for what was under way, never for what is held: that is most of all, and
// each capture would write to the index.
const UNDER_WAY: &str = "
DROP INDEX submissions_by_state;
CREATE INDEX submissions_by_state ON submissions (state) WHERE state <> 'held';
";

/// The tables whose damage keeps the store from opening: small, and everything else hangs on them.
pub(super) const ESSENTIAL: [&str; 12] = [
    "windows",
    "history",
    "maintenances",
    "duties",
    "submissions",
    "codes",
    "totals",
    "repairs",
    "tokens",
    "bypasses",
    "audit",
    "replies",
];

/// Why a file cannot be brought to this release's tables.
pub(super) enum Foreign {
    /// It is another program's.
    NotOurs,
    /// A later release wrote it.
    Newer(i32),
    /// SQLite could not.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Foreign {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Brings the file to this release's tables, all steps in one transaction.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), Foreign> {
    let at = version(conn)?;
    if at == STEPS.len() {
        return Ok(());
    }
    let step = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for sql in &STEPS[at..] {
        step.execute_batch(sql)?;
    }
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", STEPS.len() as i64)?;
    Ok(step.commit()?)
}

/// How many steps the file has behind it; none if it is empty.
fn version(conn: &Connection) -> Result<usize, Foreign> {
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match (tables, id) {
        (0, _) => Ok(0),
        (_, APPLICATION_ID) => match usize::try_from(version) {
            Ok(at) if (1..=STEPS.len()).contains(&at) => Ok(at),
            Ok(_) | Err(_) => Err(Foreign::Newer(version)),
        },
        (_, _) => Err(Foreign::NotOurs),
    }
}
