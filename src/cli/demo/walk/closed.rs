//! Act two: claims are closed in apac.

use std::time::Duration;

use serde_json::Value;

use super::operator::typed;
use super::traffic::filled;
use super::{Broken, Seen, Story, element, must};
use crate::cli::demo::visitor::{Answer, Request, Sender};
use crate::clock::Clock;

/// What Chloe sends over a slow line.
const SLOW_STORY: &str = "My line is slow, and it began before the window did.";
/// How long it may take until a request under way, or its end, is counted.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
/// The promise that the operator gives.
const BACK_IN_SECS: u64 = 15 * 60;
/// A closed page fits the first flight of a connection (DESIGN §4).
const PAGE_BYTES_MAX: usize = 14 * 1024;
/// What closes it, as typed.
const ON: [&str; 9] = [
    "on",
    "--region",
    "apac",
    "--route",
    "claims",
    "--reason",
    "database upgrade",
    "--back-in",
    "15m",
];

impl Story {
    pub(super) fn close(&mut self) -> Seen {
        let (page, form) = filled(&mut self.chloe, "Chloe", SLOW_STORY)?;
        let slow = self.chloe.post(&page.at, &form, Sender::SameOrigin);
        self.slow = Some(self.chloe.begin(slow)?);
        self.in_flight(1)?;
        let printed = self.operator.types(&ON)?;
        Ok(format!("$ {}\n{printed}", typed(&ON)))
    }

    pub(super) fn finish_slow(&mut self) -> Seen {
        let Some(slow) = self.slow.take() else {
            return Err(Broken::Seen("no request was under way".to_owned()));
        };
        let answer = slow.finish()?;
        let location = answer.header("location").unwrap_or("(absent)").to_owned();
        let claims = self.stage.ledger.all();
        let arrived = claims.iter().filter(|claim| claim.details.story == SLOW_STORY).count();
        must(answer.status == 303 && location.starts_with("/claims/") && arrived == 1, || {
            format!("{} {location}, in the ledger {arrived} times", answer.status)
        })?;
        self.in_flight(0)?;
        Ok(format!("Chloe, apac, on a slow line: POST /claims/new → 303 {location}; in flight: 0"))
    }

    /// Waits until this many requests are under way to claims in apac.
    fn in_flight(&self, wanted: u64) -> Result<(), Broken> {
        let clock = Clock::System;
        let deadline = clock.tick().plus(SEEN_WITHIN);
        loop {
            let status = self.operator.asks("/api/v1/status")?;
            let places = status["in_flight"].as_array().cloned().unwrap_or_default();
            let ours = |place: &&Value| place["route"] == "claims" && place["region"] == "apac";
            let count = places.iter().find(ours).and_then(|place| place["count"].as_u64());
            if count.unwrap_or(0) == wanted {
                return Ok(());
            }
            must(clock.tick() < deadline, || {
                format!("in flight should be {wanted}, status says {}", status["in_flight"])
            })?;
            std::thread::sleep(SEEN_WITHIN / 1_000);
        }
    }

    pub(super) fn status(&mut self) -> Seen {
        let printed = self.operator.types(&["status"])?;
        let windows = self.operator.asks("/api/v1/windows")?.to_string();
        for word in ["apac", "claims", "database upgrade"] {
            must(windows.contains(word), || format!("{word} is not in {windows}"))?;
        }
        let status = self.operator.types(&["status", "--json"])?;
        must(serde_json::from_str::<Value>(&status).is_ok(), || {
            format!("`status --json` printed no JSON: {status}")
        })?;
        Ok(format!("$ intermission status\n{printed}"))
    }

    pub(super) fn closed_page(&mut self) -> Seen {
        let page = self.amina.open("/claims/new")?;
        let (answer, html) = (&page.answer, page.answer.text());
        must(answer.status == 503, || format!("GET /claims/new → {}", answer.status))?;
        let retry = retry_after(answer)?;
        for (name, wanted) in [("cache-control", "no-store"), ("intermission-state", "closed")] {
            let value = answer.header(name).unwrap_or("(absent)");
            must(value.contains(wanted), || format!("{name}: {value}"))?;
        }
        must(html.contains("database upgrade"), || "the page does not say why".to_owned())?;
        must(answer.body.len() <= PAGE_BYTES_MAX, || format!("{} bytes", answer.body.len()))?;
        let foreign = ["src=\"http", "href=\"http", "http-equiv=\"refresh\""];
        let found = foreign.iter().find(|mark| html.contains(*mark));
        must(found.is_none(), || format!("the page holds {}", found.unwrap_or(&"")))?;
        let (title, bytes) = (element(&html, "h1"), answer.body.len());
        let body = element(&html, "main");
        Ok(format!("503, Retry-After: {retry}, {bytes} bytes, “{title}”\n“{body}”"))
    }

    pub(super) fn languages(&mut self) -> Seen {
        let mut seen = Vec::new();
        for (language, mark) in [
            ("de-AT,de;q=0.9", "lang=\"de\""),
            ("ar", "dir=\"rtl\""),
            ("ja", "lang=\"ja\""),
            ("xx", "lang=\"en\""),
        ] {
            let page = self.amina.clone().reading(language).open("/claims")?;
            let html = page.answer.text();
            let title = element(&html, "h1");
            must(page.answer.status == 503 && html.contains(mark), || {
                format!("Accept-Language {language}: {} without {mark}", page.answer.status)
            })?;
            must(title.starts_with("Sorry") == (mark == "lang=\"en\""), || {
                format!("Accept-Language {language}: “{title}”")
            })?;
            seen.push(format!("{language}: “{title}”"));
        }
        Ok(seen.join("\n"))
    }

    pub(super) fn machines(&mut self) -> Seen {
        let rows = [self.json()?, self.grpc()?, self.websocket()?, self.curl()?, self.head()?];
        Ok(rows.join("\n"))
    }

    fn json(&mut self) -> Seen {
        let request = self.machine("/claims/api/claims", "accept", "application/json");
        let answer = self.amina.send(&request)?;
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        must(answer.status == 503 && kind.starts_with("application/problem+json"), || {
            format!("JSON client: {} {kind}", answer.status)
        })?;
        let problem: Value = serde_json::from_slice(&answer.body)
            .map_err(|error| Broken::Seen(format!("the problem is not JSON: {error}")))?;
        must(problem["status"] == 503 && problem["title"].is_string(), || problem.to_string())?;
        Ok(format!(
            "JSON: 503 {kind}, Retry-After: {}, {}",
            retry_after(&answer)?,
            problem["title"]
        ))
    }

    fn grpc(&mut self) -> Seen {
        let mut request = self.machine("/claims/portal.Claims/List", "te", "trailers");
        request.method = "POST".to_owned();
        let request = request.field("content-type", "application/grpc");
        let answer = self.amina.send(&request)?;
        let status = answer.header("grpc-status").unwrap_or("(absent)");
        must(answer.status == 200 && status == "14", || {
            format!("gRPC client: {} grpc-status {status}", answer.status)
        })?;
        let pushback = answer.header("grpc-retry-pushback-ms").unwrap_or("(absent)");
        Ok(format!("gRPC: 200, grpc-status: 14, grpc-retry-pushback-ms: {pushback}"))
    }

    fn websocket(&mut self) -> Seen {
        let request = self
            .machine("/claims/live", "upgrade", "websocket")
            .field("connection", "Upgrade")
            .field("sec-websocket-version", "13")
            .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let answer = self.amina.send(&request)?;
        must(answer.status == 503, || format!("WebSocket: {}", answer.status))?;
        Ok("WebSocket: 503 before the upgrade".to_owned())
    }

    fn curl(&mut self) -> Seen {
        let answer = self.amina.send(&self.machine("/claims", "accept", "*/*"))?;
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        must(answer.status == 503 && kind.starts_with("text/plain"), || {
            format!("curl: {} {kind}", answer.status)
        })?;
        Ok(format!("curl: 503 {kind}, “{}”", answer.text().lines().next().unwrap_or_default()))
    }

    fn head(&mut self) -> Seen {
        let mut request = self.machine("/claims", "accept", "text/html");
        request.method = "HEAD".to_owned();
        let answer = self.amina.send(&request)?;
        must(answer.status == 503 && answer.body.is_empty(), || {
            format!("HEAD: {} with {} bytes", answer.status, answer.body.len())
        })?;
        Ok("HEAD: 503 without a body".to_owned())
    }

    pub(super) fn probe(&mut self) -> Seen {
        let answer = self.amina.send(&self.machine("/health", "accept", "*/*"))?;
        must(answer.status == 200, || format!("GET /health → {}", answer.status))?;
        Ok("GET /health → 200".to_owned())
    }

    /// A request of a program in apac.
    fn machine(&self, target: &str, field: &str, value: &str) -> Request {
        let host = format!("apac.localhost:{}", self.stage.proxy.port());
        Request::get(target)
            .field("host", &host)
            .field("user-agent", "curl/8.5.0")
            .field(field, value)
    }
}

/// The promised wait, which must lie around what the operator promised.
fn retry_after(answer: &Answer) -> Result<u64, Broken> {
    let text = answer.header("retry-after").unwrap_or("(absent)");
    let secs = text.parse().unwrap_or(0);
    let near = (BACK_IN_SECS - 60..=BACK_IN_SECS + BACK_IN_SECS / 2).contains(&secs);
    must(near, || format!("Retry-After: {text}, promised were {BACK_IN_SECS} s"))?;
    Ok(secs)
}
