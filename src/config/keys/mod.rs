//! Every key that a config file may hold, by section, each with an example. The reader refuses
//! other keys, suggests near ones, and the reference in `config/README.md` is tested against this.

mod kept;

pub use kept::{FORMER_KEYS, PAGES, PRIVACY, STORE, STORE_KEY};

/// One key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// A value for it, as it is written.
    pub example: &'static str,
}

/// One section of the file.
#[derive(PartialEq, Eq, Debug)]
pub struct Keys {
    /// As it is written in brackets: `node`, `route.forms`; empty for the file itself.
    pub section: &'static str,
    /// How often it may stand there.
    pub times: Times,
    /// What may stand in it.
    pub keys: &'static [Key],
}

/// How often a section may stand in its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Times {
    /// Once: `[node]`.
    Once,
    /// Many times: `[[route]]`.
    Many,
}

const fn key(name: &'static str, example: &'static str) -> Key {
    Key { name, example }
}

const fn once(section: &'static str, keys: &'static [Key]) -> Keys {
    Keys { section, times: Times::Once, keys }
}

const fn many(section: &'static str, keys: &'static [Key]) -> Keys {
    Keys { section, times: Times::Many, keys }
}

/// The sections themselves.
pub const FILE: Keys = once(
    "",
    &[
        key("node", "{ name = \"a\" }"),
        key("listen", "{ http = [\"0.0.0.0:8080\"] }"),
        key("acme", "{ domains = [\"www.example.com\"], terms_agreed = true }"),
        key("tls", "{ certificate = [{ chain = \"site.pem\", key = \"site.key\" }] }"),
        key("admin", "{ listen = \"127.0.0.1:7070\" }"),
        key("approval", "[{ routes = [\"payments\"] }]"),
        key("store", "{ directory = \"/var/lib/intermission\" }"),
        key("log", "{ access = \"stdout\" }"),
        key("trace", "{ begin = true }"),
        key("announce", "{ header = false }"),
        key("limits", "{ connections = 10000 }"),
        key("timeouts", "{ head = \"10s\" }"),
        key("window", "{ drain = \"30s\" }"),
        key("maintenances", "{ directory = \"maintenances\" }"),
        key("blackout", "[{ name = \"year-end\" }]"),
        key("stop", "{ deadline = \"30s\" }"),
        key("pages", "{ operator = \"Example Ltd\" }"),
        key("probe", "[{ path = \"/healthz\" }]"),
        key("region", "[{ name = \"eu\" }]"),
        key("upstream", "[{ name = \"claims\", servers = [\"127.0.0.1:9000\"] }]"),
        key("route", "[{ name = \"claims\", paths = [\"/claims/*\"], upstream = \"claims\" }]"),
    ],
);

/// `[node]`.
pub const NODE: Keys =
    once("node", &[key("name", "\"proxy-1\""), key("region", "\"eu\""), key("workers", "4")]);

/// `[listen]`.
pub const LISTEN: Keys = once(
    "listen",
    &[
        key("http", "[\"0.0.0.0:8080\"]"),
        key("h2c", "[\"127.0.0.1:8081\"]"),
        key("https", "[\"0.0.0.0:8443\"]"),
        key("probe", "[\"0.0.0.0:8082\"]"),
        key("trusted", "[\"10.0.0.0/8\"]"),
        key("forwarded", "\"x-forwarded-for\""),
        key("proxy_protocol", "[\"10.0.0.0/8\"]"),
        key("via", "\"intermission\""),
    ],
);

/// `[tls]`.
pub const TLS: Keys = once(
    "tls",
    &[
        key("certificate", "[{ chain = \"site.pem\", key = \"site.key\" }]"),
        key("min_version", "\"1.2\""),
        key("client_ca", "\"clients.pem\""),
        key("client_certificate", "\"required\""),
    ],
);

/// `[acme]`.
pub const ACME: Keys = once(
    "acme",
    &[
        key("domains", "[\"www.example.com\"]"),
        key("terms_agreed", "true"),
        key("contact", "[\"mailto:ops@example.com\"]"),
        key("challenge", "\"http-01\""),
        key("directory", "\"https://acme-v02.api.letsencrypt.org/directory\""),
        key("ca", "\"acme-ca.pem\""),
    ],
);

/// `[[tls.certificate]]`.
pub const CERTIFICATE: Keys =
    many("tls.certificate", &[key("chain", "\"site.pem\""), key("key", "\"site.key\"")]);

/// `[admin]`.
pub const ADMIN: Keys = once(
    "admin",
    &[
        key("listen", "\"127.0.0.1:7070\""),
        key("hosts", "[\"intermission.internal\"]"),
        key("token", "[{ name = \"ops\", sha256 = \"…\" }]"),
        key("unix", "\"/run/intermission/admin.sock\""),
        key("tls", "{ chain = \"admin.pem\", key = \"admin.key\" }"),
        key("confirm_share", "25"),
    ],
);

/// `[admin.tls]`.
pub const ADMIN_TLS: Keys = once(
    "admin.tls",
    &[
        key("chain", "\"admin.pem\""),
        key("key", "\"admin.key\""),
        key("client_ca", "\"operators.pem\""),
    ],
);

/// `[[approval]]`.
pub const APPROVAL: Keys =
    many("approval", &[key("regions", "[\"eu\"]"), key("routes", "[\"payments\"]")]);

/// `[[admin.token]]`.
pub const TOKEN: Keys = many(
    "admin.token",
    &[
        key("name", "\"ops\""),
        key("sha256", "\"dc856a41d4325992c6d647b6d8bd6f47fbb51816c46a0258b4ac3b929c3fb62a\""),
        key("certificate", "\"ops.example.com\""),
        key("role", "\"operator\""),
        key("regions", "[\"eu\"]"),
        key("routes", "[\"claims\"]"),
    ],
);

/// `[log]`.
pub const LOG: Keys = once("log", &[key("access", "\"stdout\""), key("format", "\"json\"")]);

/// `[trace]`.
pub const TRACE: Keys = once("trace", &[key("begin", "true"), key("sample", "10")]);

/// `[announce]`.
pub const ANNOUNCE: Keys = once("announce", &[key("header", "false")]);

/// `[limits]`.
pub const LIMITS: Keys = once(
    "limits",
    &[
        key("connections", "10000"),
        key("connections_per_address", "1000"),
        key("requests", "10000"),
        key("requests_per_connection", "1000"),
        key("head_bytes", "32768"),
        key("head_fields", "100"),
        key("target_bytes", "8192"),
        key("body_rate", "500"),
        key("forms_per_minute", "200"),
    ],
);

/// `[timeouts]`.
pub const TIMEOUTS: Keys = once(
    "timeouts",
    &[
        key("handshake", "\"10s\""),
        key("head", "\"10s\""),
        key("keep_alive", "\"60s\""),
        key("body", "\"20s\""),
        key("write", "\"30s\""),
        key("slow", "\"10s\""),
        key("tunnel", "\"1h\""),
        key("half_closed", "\"5s\""),
        key("connection_age", "\"1h\""),
    ],
);

/// `[window]`.
pub const WINDOW: Keys = once("window", &[key("drain", "\"30s\""), key("spread", "\"10s\"")]);

/// `[maintenances]`.
pub const MAINTENANCES: Keys = once("maintenances", &[key("directory", "\"maintenances\"")]);

/// `[[blackout]]`.
pub const BLACKOUT: Keys = many(
    "blackout",
    &[
        key("name", "\"year-end\""),
        key("from", "\"2026-12-20T00:00\""),
        key("to", "\"2027-01-03T00:00\""),
        key("zone", "\"Europe/Paris\""),
        key("rule", "\"FREQ=YEARLY\""),
        key("regions", "[\"eu\"]"),
    ],
);

/// `[stop]`.
pub const STOP: Keys = once("stop", &[key("lame_duck", "\"5s\""), key("deadline", "\"30s\"")]);

/// `[[probe]]`.
pub const PROBE: Keys = many("probe", &[key("path", "\"/healthz\"")]);

/// `[[region]]`.
pub const REGION: Keys = many(
    "region",
    &[
        key("name", "\"apac\""),
        key("hosts", "[\"apac.example.com\"]"),
        key("networks", "[\"203.0.113.0/24\"]"),
        key("header", "{ name = \"x-region\", value = \"apac\" }"),
    ],
);

/// `region.header`.
pub const REGION_HEADER: Keys =
    once("region.header", &[key("name", "\"x-region\""), key("value", "\"apac\"")]);

/// `[[upstream]]`.
pub const UPSTREAM: Keys = many(
    "upstream",
    &[
        key("name", "\"claims\""),
        key("servers", "[\"127.0.0.1:9000\"]"),
        key("connect_timeout", "\"5s\""),
        key("protocol", "\"http1\""),
        key("balance", "\"hash\""),
        key("hash_by", "\"cookie:session\""),
        key("connections_max", "200"),
        key("queue_max", "1000"),
        key("queue_timeout", "\"5s\""),
        key("slow_start", "\"30s\""),
        key("retries", "true"),
        key("proxy_protocol", "\"v2\""),
        key("ejection", "{ failures = 5 }"),
        key("resolve_every", "\"30s\""),
        key("health", "{ kind = \"http\", path = \"/healthz\" }"),
        key("tls", "{ ca = \"ca.pem\" }"),
    ],
);

/// `[upstream.tls]`.
pub const UPSTREAM_TLS: Keys = once(
    "upstream.tls",
    &[
        key("ca", "\"ca.pem\""),
        key("server_name", "\"claims.internal\""),
        key("verify", "true"),
        key("certificate", "\"proxy.pem\""),
        key("key", "\"proxy.key\""),
    ],
);

/// A server in `upstream.servers` that is more than an address.
pub const SERVER: Keys =
    many("upstream.servers", &[key("address", "\"127.0.0.1:9000\""), key("weight", "3")]);

/// `[upstream.ejection]`.
pub const EJECTION: Keys = once(
    "upstream.ejection",
    &[key("failures", "5"), key("time", "\"10s\""), key("share_max", "50")],
);

/// `[upstream.health]`.
pub const UPSTREAM_HEALTH: Keys = once(
    "upstream.health",
    &[
        key("kind", "\"http\""),
        key("path", "\"/healthz\""),
        key("status", "\"200-399\""),
        key("host", "\"www.example.com\""),
        key("service", "\"claims.Claims\""),
        key("interval", "\"5s\""),
        key("timeout", "\"2s\""),
        key("rise", "2"),
        key("fall", "3"),
        key("port", "9001"),
    ],
);

/// `[[route]]`.
pub const ROUTE: Keys = many(
    "route",
    &[
        key("name", "\"claims\""),
        key("title", "\"Claims\""),
        key("hosts", "[\"*\"]"),
        key("paths", "[\"/claims/*\"]"),
        key("upstream", "\"claims\""),
        key("upstreams", "{ apac = \"claims-apac\" }"),
        key("answer_timeout", "\"60s\""),
        key("idle_timeout", "\"60s\""),
        key("encoded_slashes", "false"),
        key("websocket", "true"),
        key("forms", "{ keep = true }"),
        key("host", "\"app.internal\""),
        key("strip_prefix", "\"/claims\""),
        key("rewrite", "{ from = \"/claims\", to = \"/app\" }"),
        key("redirect", "{ to = \"https://www.example.com{path}{query}\" }"),
        key("https_redirect", "true"),
        key("hsts", "\"max-age=31536000; includeSubDomains\""),
        key("request_headers", "{ set = { x-real-ip = \"{client}\" } }"),
        key("response_headers", "{ remove = [\"server\"] }"),
        key("compression", "{ algorithms = [\"zstd\", \"br\", \"gzip\"] }"),
    ],
);

/// `[route.rewrite]`.
pub const REWRITE: Keys =
    once("route.rewrite", &[key("from", "\"/claims\""), key("to", "\"/app\"")]);

/// `[route.redirect]`.
pub const REDIRECT: Keys = once(
    "route.redirect",
    &[key("to", "\"https://www.example.com{path}{query}\""), key("status", "308")],
);

/// `[route.request_headers]`.
pub const REQUEST_HEADERS: Keys = once(
    "route.request_headers",
    &[
        key("set", "{ x-real-ip = \"{client}\" }"),
        key("add", "{ x-seen-by = \"edge\" }"),
        key("remove", "[\"x-debug\"]"),
    ],
);

/// `[route.response_headers]`.
pub const RESPONSE_HEADERS: Keys = once(
    "route.response_headers",
    &[
        key("set", "{ x-frame-options = \"DENY\" }"),
        key("add", "{ link = \"</site.css>; rel=preload\" }"),
        key("remove", "[\"server\"]"),
    ],
);

/// `[route.compression]`.
pub const COMPRESSION: Keys = once(
    "route.compression",
    &[
        key("algorithms", "[\"zstd\", \"br\", \"gzip\"]"),
        key("types", "[\"text/*\", \"application/json\"]"),
        key("bytes_min", "\"1KiB\""),
    ],
);

/// `[route.forms]`.
pub const FORMS: Keys = once(
    "route.forms",
    &[
        key("keep", "true"),
        key("resume", "\"confirm\""),
        key("life", "\"48h\""),
        key("body_bytes_max", "\"1MiB\""),
        key("upload_bytes_max", "\"25MiB\""),
        key("csrf_fields", "[\"csrf_token\"]"),
        key("never_kept", "[\"national_id\"]"),
        key("sign_in_paths", "[\"/login\"]"),
        key("session_cookies", "[\"user_id\"]"),
        key("script", "true"),
        key("csp", "\"amend\""),
        key("tee", "true"),
        key("idempotency_key", "true"),
        key("programs", "\"prefer\""),
    ],
);

/// Every section, for the reference and its test.
pub const ALL: &[&Keys] = &[
    &FILE,
    &NODE,
    &LISTEN,
    &TLS,
    &CERTIFICATE,
    &ACME,
    &ADMIN,
    &TOKEN,
    &ADMIN_TLS,
    &APPROVAL,
    &STORE,
    &STORE_KEY,
    &FORMER_KEYS,
    &LOG,
    &TRACE,
    &ANNOUNCE,
    &LIMITS,
    &TIMEOUTS,
    &WINDOW,
    &MAINTENANCES,
    &BLACKOUT,
    &STOP,
    &PAGES,
    &PRIVACY,
    &PROBE,
    &REGION,
    &REGION_HEADER,
    &UPSTREAM,
    &SERVER,
    &EJECTION,
    &UPSTREAM_TLS,
    &UPSTREAM_HEALTH,
    &ROUTE,
    &REWRITE,
    &REDIRECT,
    &REQUEST_HEADERS,
    &RESPONSE_HEADERS,
    &COMPRESSION,
    &FORMS,
];
