//! The keys about what is kept, and what is said of it.

use super::{Keys, key, many, once};

/// `[store]`.
pub const STORE: Keys = once(
    "store",
    &[
        key("directory", "\"/var/lib/intermission\""),
        key("bytes_max", "\"10GiB\""),
        key("free_bytes_min", "\"64MiB\""),
        key("key", "{ file = \"/etc/intermission/node.key\" }"),
        key("former_keys", "[{ file = \"/etc/intermission/node.key.2025\" }]"),
    ],
);

/// `[store.key]`.
pub const STORE_KEY: Keys = once(
    "store.key",
    &[
        key("file", "\"/etc/intermission/node.key\""),
        key("env", "\"INTERMISSION_NODE_KEY\""),
        key("credential", "\"node.key\""),
    ],
);

/// `[[store.former_keys]]`.
pub const FORMER_KEYS: Keys = many(
    "store.former_keys",
    &[
        key("file", "\"/etc/intermission/node.key.2025\""),
        key("env", "\"INTERMISSION_FORMER_KEY\""),
        key("credential", "\"former.key\""),
    ],
);

/// `[pages]`.
pub const PAGES: Keys = once(
    "pages",
    &[
        key("directory", "\"pages\""),
        key("operator", "\"Example Ltd\""),
        key("privacy", "{ url = \"https://www.example.com/privacy\" }"),
    ],
);

/// `[pages.privacy]`.
pub const PRIVACY: Keys = once(
    "pages.privacy",
    &[
        key("text", "\"We keep your answers for two days, encrypted.\""),
        key("url", "\"https://www.example.com/privacy\""),
        key("contact", "\"privacy@example.com\""),
    ],
);
