//! Bounds of maintenances: what an operator may plan, and how far ahead we look.

use std::time::Duration;

/// Phases of a maintenance. Over it: 422.
pub const PHASES_MAX: usize = 100;
/// Characters of a title, a name of a phase, an owner. Over it: 422.
pub const TITLE_CHARS_MAX: usize = 200;
/// Languages of one set of texts. Over it: 422.
pub const TEXT_LANGUAGES_MAX: usize = 50;
/// Times ahead at which a maintenance is announced. Over it: 422.
pub const ANNOUNCES_MAX: usize = 20;
/// The longest time ahead. Over it: 422.
pub const ANNOUNCE_AHEAD_MAX: Duration = Duration::from_secs(366 * DAY);
/// How far ahead a window may be planned. Over it: 422, for it is a slip in the year.
pub const PLAN_AHEAD_MAX: Duration = Duration::from_secs(5 * 366 * DAY);
/// The longest promise of a planned window. Over it: 422, for the same reason.
pub const WINDOW_LENGTH_MAX: Duration = Duration::from_secs(366 * DAY);
/// How late a window may be told to begin by itself at most. Over it: 422.
pub const WINDOW_START_WITHIN_MAX: Duration = Duration::from_secs(30 * DAY);
/// A start that has passed by no more counts as now: a file is written before it is read.
pub const START_SLACK: Duration = Duration::from_secs(60);
/// Paths that mode `read_only` lets every method pass to, in one window. Over it: 422.
pub const ALLOWED_PATHS_MAX: usize = 100;
/// Characters of such a path, of a probe's and of a probe's field. Over it: 422.
pub const PROBE_TEXT_CHARS_MAX: usize = 2_000;
/// Probes of one verification. Over it: 422.
pub const PROBES_MAX: usize = 20;
/// Fields of one probe. Over it: 422.
pub const PROBE_FIELDS_MAX: usize = 20;
/// Successes in a row that a verification may ask for. Over it: 422.
pub const VERIFY_SUCCESSES_MAX: u32 = 100;
/// The shortest time from one round of a verification to the next. Under it: 422.
pub const VERIFY_EVERY_MIN: Duration = Duration::from_secs(1);
/// The longest verification, and the longest time between its rounds. Over it: 422.
pub const VERIFY_WITHIN_MAX: Duration = Duration::from_secs(DAY);
/// The longest time for one probe. Over it: 422.
pub const PROBE_WITHIN_MAX: Duration = Duration::from_secs(60);
/// The longest ramp. Over it: 422.
pub const RAMP_OVER_MAX: Duration = Duration::from_secs(DAY);
/// The fastest ramp by visitors a minute. Over it: 422.
pub const RAMP_PER_MINUTE_MAX: u32 = 10_000_000;
/// Requests that a window of mode `hold` may let wait. Over it: 422.
pub const HELD_REQUESTS_CEILING: u32 = 100_000;
/// How long it may let each wait. Over it: 422, for browsers and balancers give up before.
pub const HELD_LONGEST_MAX: Duration = Duration::from_secs(300);

// ---- recurrence ----------------------------------------------------------------------------

/// Characters of a recurrence rule. Over it: 422.
pub const RULE_CHARS_MAX: usize = 500;
/// Days on which a maintenance does not recur. Over it: 422.
pub const EXCEPTED_DAYS_MAX: usize = 1_000;
/// Days that are looked at for the occurrences that one question asks for. Over it: the rule
/// counts as never matching again.
pub const RECURRENCE_DAYS_MAX: u32 = 200_000;
/// Occurrences that a preview shows. Over it: 422.
pub const PREVIEW_OCCURRENCES_MAX: usize = 1_000;
/// Occurrences that are skipped one after another because of blackouts. Over it: none is planned.
pub const BLACKED_OUT_MAX: usize = 1_000;
/// Blackouts of one config. Over it: refused by `check`.
pub const BLACKOUTS_MAX: usize = 1_000;
/// Conflicts that one report lists. Over it: only their number is told.
pub const CONFLICTS_TOLD_MAX: usize = 100;

// ---- declared maintenances -----------------------------------------------------------------

/// Files of the directory of declared maintenances. Over it: refused by `check`.
pub const DECLARED_FILES_MAX: usize = 1_000;
/// Maintenances that are over and looked through for what a file declared before. Over it: a file
/// whose maintenance ended before its own time may be planned again.
pub const DECLARED_OVER_MAX: u32 = 1_000;
/// Bytes of one of them. Over it: refused by `check`.
pub const DECLARED_BYTES_MAX: u64 = 256 * 1024;

const DAY: u64 = 24 * 3600;
