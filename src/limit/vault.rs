//! Bounds of what is kept: the vault and its store.

use std::time::Duration;

// ---- vault ---------------------------------------------------------------------------------

/// A captured `application/x-www-form-urlencoded` or `text/plain` body (`forms.body_bytes_max`).
/// Over it: 503, "not kept: too large".
pub const FORM_BYTES_MAX: u64 = 1024 * 1024;
/// A captured `multipart/form-data` body (`forms.upload_bytes_max`). Over it: as above.
pub const UPLOAD_BYTES_MAX: u64 = 25 * 1024 * 1024;
/// Fields, or parts, of one captured form. Over it: "not kept: too large".
pub const FORM_FIELDS_MAX: usize = 1_000;
/// Bytes of the names of all fields and files of one captured form, which its receipt lists. Over
/// it: as above.
pub const FORM_NAMES_BYTES_MAX: usize = 128 * 1024;
/// How deep the JSON of a program may be nested. Over it: "not kept: broken".
pub const JSON_DEPTH_MAX: usize = 128;
/// Members of a program's JSON that hold something. Over it: "not kept: too large".
pub const JSON_MEMBERS_MAX: usize = 50_000;
/// Plaintext bytes of one sealed frame.
pub const FRAME_BYTES: usize = 64 * 1024;
/// Live submissions of one browser. Over it: 503, "not kept: quota".
pub const SUBMISSIONS_PER_BROWSER_MAX: u32 = 20;
/// Sealed bytes of one browser. Over it: as above.
pub const BYTES_PER_BROWSER_MAX: u64 = 50 * 1024 * 1024;
/// Sealed bytes of one node (`store.bytes_max`). Over it: 503, "not kept: full".
pub const BYTES_PER_NODE_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// The most that a config may allow. Over it: refused by `check`.
pub const STORE_BYTES_CEILING: u64 = 1 << 50;
/// Captures under way on one worker. Over it: 503, "not kept: busy".
pub const CAPTURES_UNDER_WAY_MAX: usize = 4_096;
/// Bytes of a form that are kept at hand while it is on its way (`forms.tee`). A longer form is
/// caught only if none of it had been read yet; else it goes on as if nothing caught it.
pub const TEE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are set aside at first for a form on its way.
pub const TEE_BYTES_FIRST: usize = 2 * 1024;
/// Bytes of all forms that one worker keeps at hand. Over it: further forms go on as if nothing
/// caught them.
pub const TEE_BYTES_PER_WORKER_MAX: usize = 64 * 1024 * 1024;
/// From arming to the ticket's arrival. Over it: back to held; nothing was sent.
pub const TICKET_LIFE: Duration = Duration::from_secs(120);
/// Sends of one submission. Over it: only copy is offered.
pub const SENDS_MAX: u32 = 5;
/// From the first byte to the application until its outcome is known, however slow the
/// application. Over it: unknown.
pub const SENDING_MAX: Duration = Duration::from_secs(3600);
/// A submission's life after it was captured (`forms.life`), and the cookie's that opens it.
pub const SUBMISSION_LIFE: Duration = Duration::from_secs(48 * 3600);
/// How long an accepted submission can still be copied before it is erased.
pub const ACCEPTED_GRACE: Duration = Duration::from_secs(15 * 60);
/// A tombstone: id, times, state, size; no content.
pub const TOMBSTONE_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long before a submission's life ends it is looked at: while its window is still in force it
/// is prolonged, so that nothing runs out that could not have been sent.
pub const PROLONG_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// A submission's life, however long the window over it is promised to last. Over it: expired.
pub const SUBMISSION_LIFE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Two posts of the same bytes to the same place by one browser within this are one submission.
pub const SAME_SUBMISSION: Duration = Duration::from_secs(600);
/// Bytes of one field's name, or of one part's head. Over it: "not kept: broken".
pub const FIELD_NAME_BYTES_MAX: usize = 8 * 1024;
/// Bytes of one value that the receipt shows. Over it: cut, and the receipt says so.
pub const SHOWN_VALUE_BYTES_MAX: usize = 2 * 1024;
/// Bytes of all values that the receipt shows. Over it: names and sizes only.
pub const SHOWN_FORM_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a CSRF field's value that are compared with the live form's. Over it: replaced.
pub const TOKEN_VALUE_BYTES_MAX: usize = 8 * 1024;
/// Sealed frames read at once while a body is sent on: the memory that a send holds.
pub const FRAMES_READ_MAX: u32 = 4;
/// Bodies of more than one frame that are being received, or wait for the sweep because their
/// client vanished. Over it: "not kept: quota", so that no frame is ever left without its sweep.
pub const ABANDONED_MAX: usize = 8_192;
/// Submissions that one sweep looks at. More wait for the next.
pub const SWEEP_MAX: u32 = 1_000;
/// Bytes of a live form page that are read for a fresh CSRF token. Over it: "no fresh token".
pub const LIVE_FORM_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of a page of the application that is held back while a visitor's answers are put into its
/// form. Over it: the page passes as it is, and the receipt still has the answers.
pub const FILLED_PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// From a visitor's wish to see the form with their answers until its page is asked for. Over it:
/// the page comes as it is.
pub const REFILL_LIFE: Duration = Duration::from_secs(120);
/// Bytes of one value that is given to the live form. Over it: cut, and shown beside the form.
pub const REFILL_VALUE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of all values that are given to the live form. Over it: as above.
pub const REFILL_BYTES_MAX: usize = 1024 * 1024;
/// How many changes old a receipt's page may be and still be known for one of ours. Over it: 403.
pub const PAGE_VERSIONS_BACK_MAX: u64 = 32;
/// Bytes of a ticket request's body: a ticket, a page token and a mode fit four times over.
pub const TICKET_BODY_BYTES_MAX: u64 = 1024;
/// The least that a body with the field of a ticket has. Below it a post is no ticket.
pub const TICKET_BODY_BYTES_MIN: u64 = 20;
/// Wrong resume codes for one submission. After them its code is void; its owner's browser can ask
/// for another.
pub const CODE_WRONG_MAX: u32 = 100;
/// Wrong resume codes that one address, or one /64 of IPv6, may try in a minute. Over it: 429.
pub const CODES_PER_MINUTE: u32 = 5;
/// Forms kept for one address, or one /64 of IPv6, in a minute (`limits.forms_per_minute`); this
/// machine's own has no such bound. Over it: 503, "not kept: quota". A browser's own quota is far
/// below it: an office behind one address must not lose what its people typed.
pub const FORMS_PER_MINUTE: u32 = 200;
/// The most that a config may allow. Over it: refused by `check`.
pub const FORMS_PER_MINUTE_CEILING: u64 = 100_000;
/// Addresses whose pace is remembered. Over it: those at rest are forgotten, then it is not held.
pub const PACED_ADDRESSES_MAX: usize = 65_536;
/// Wrapped keys that are looked at in one query while they are wrapped anew.
pub const REWRAPPED_AT_ONCE: u32 = 256;
/// How long a former node key is held though it wraps nothing: longer than a capture that began
/// under it takes, and as long as programs commonly repeat a request under one name, since who they
/// are is told by it. Over it: what a program sends once more is a new submission.
pub const FORMER_KEY_HELD: Duration = Duration::from_secs(24 * 3600);
/// Former node keys that a config may name; over it: refused by `check`. As many are held of the
/// store's own; over it: the oldest, which nothing needs, goes.
pub const FORMER_KEYS_MAX: usize = 8;

// ---- store ---------------------------------------------------------------------------------

/// Jobs waiting for the store's writer. Full: the producer waits, and with it the client's upload.
pub const STORE_QUEUE_MAX: usize = 1_024;
/// Jobs in one commit. More wait for the next.
pub const STORE_BATCH_MAX: usize = 256;
/// Free bytes of the store's file system (`store.free_bytes_min`), or an eighth of it where that is
/// less and the config says nothing. Below it nothing
/// more is kept ("not kept: full"), so that windows can still be switched and content be erased.
pub const STORE_RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// Pages in the write-ahead log. From here on the writer moves them into the main file.
pub const STORE_WAL_PAGES: u64 = 8_000;
/// Bytes the write-ahead log may keep on disk once its pages were moved.
pub const STORE_WAL_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// Quiet time after which the writer empties the write-ahead log.
pub const STORE_IDLE: Duration = Duration::from_secs(1);
/// How long erased content may stay in the write-ahead log of a store that is never quiet.
pub const STORE_WAL_EMPTIED_EVERY: Duration = Duration::from_secs(60);
/// Waiting for another program that reads or writes the store's file. Over it: an error.
pub const STORE_BUSY: Duration = Duration::from_secs(5);
/// Waiting for readers before the write-ahead log is emptied. Over it: next time.
pub const STORE_BUSY_IDLE: Duration = Duration::from_millis(100);
/// KiB of pages that the writer holds in memory.
pub const STORE_CACHE_KIB: i64 = 8 * 1024;
/// Bytes of the main file up to which it is checked whole at the start; above, the sealed frames
/// are left out, since each proves itself when it is opened.
pub const STORE_CHECKED_WHOLE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Submissions in one browser's list, those with content first. Over it: the oldest are left out.
pub const SUBMISSIONS_LISTED_MAX: u32 = 200;
