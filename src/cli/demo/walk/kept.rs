//! Act three: forms that are sent while claims are closed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use memchr::memmem;

use super::traffic::photo;
use super::{Broken, PASSPHRASE, PHOTO_MARK, STORY, Seen, Story, element, must};
use crate::cli::demo::visitor::{Answer, Form, Page, Sender, Visitor};
use crate::clock::Clock;

/// How long an access line may wait to be written.
const LINES_WITHIN: Duration = Duration::from_secs(5);
/// What no file of the store may hold.
const CANARIES: [&[u8]; 4] = [b"CANARY-STORY", b"CANARY-CHLOE", PHOTO_MARK, b"CANARY-PASS"];

impl Story {
    pub(super) fn keep_claim(&mut self) -> Seen {
        let (page, form) = self.open_pages()?.claim.clone();
        let receipt = keep(&mut self.amina, &page, &form)?;
        let html = receipt.answer.text();
        must(html.contains("CANARY-STORY"), || {
            format!("the receipt does not show what was typed: {}", element(&html, "main"))
        })?;
        let cookie = self.amina.cookies_for("/").unwrap_or_default();
        must(cookie.contains("intermission="), || format!("no key for the browser: {cookie}"))?;
        self.receipts.push(receipt.at.clone());
        let (title, body) = (element(&html, "h1"), element(&html, "main"));
        Ok(format!("POST /claims/new → 303 → {}\n“{title}”\n“{body}”", receipt.at))
    }

    pub(super) fn reload(&mut self) -> Seen {
        let at = self.receipt(0)?;
        for _ in 0..2 {
            let page = self.amina.open(&at)?;
            must(page.answer.status == 200, || format!("{at} → {}", page.answer.status))?;
        }
        self.listed("Amina", 1)
    }

    pub(super) fn press_twice(&mut self) -> Seen {
        let (page, form) = self.open_pages()?.claim.clone();
        let again = keep(&mut self.amina, &page, &form)?;
        must(again.at == self.receipts[0], || format!("another receipt: {}", again.at))?;
        self.listed("Amina", 1)
    }

    pub(super) fn keep_photo(&mut self) -> Seen {
        let (page, form) = self.open_pages()?.photo.clone();
        let receipt = keep(&mut self.amina, &page, &form)?;
        let html = receipt.answer.text();
        must(html.contains("cellar photo.jpg"), || {
            format!("the receipt does not name the file: {}", element(&html, "main"))
        })?;
        self.receipts.push(receipt.at.clone());
        let listed = self.listed("Amina", 2)?;
        Ok(format!("POST {} ({} bytes) → 303 → {}\n{listed}", page.at, photo().len(), receipt.at))
    }

    pub(super) fn keep_chloe(&mut self) -> Seen {
        let (page, form) = self.open_pages()?.chloe.clone();
        let receipt = keep(&mut self.chloe, &page, &form)?;
        self.receipts.push(receipt.at.clone());
        let peek = self.amina.open(&receipt.at)?;
        must(peek.answer.status == 404 && !peek.answer.text().contains("CANARY"), || {
            format!("Amina opens {} → {}", receipt.at, peek.answer.status)
        })?;
        Ok(format!("{}: 200 for Chloe, 404 for Amina\n{}", receipt.at, self.listed("Chloe", 1)?))
    }

    pub(super) fn cross_site(&mut self) -> Seen {
        let form = Form::made_up("/claims/new").with("policy", "EVIL").with("story", "forged");
        let forged = self.amina.post("/claims/new", &form, Sender::CrossSite);
        let answer = self.amina.send(&forged)?;
        let why = not_kept(&answer, "origin")?;
        self.listed("Amina", 2)?;
        Ok(why)
    }

    pub(super) fn passphrase(&mut self) -> Seen {
        let (page, form) = self.open_pages()?.passphrase.clone();
        let answer = self.amina.submit(&page, &form)?.answer;
        let why = not_kept(&answer, "secret")?;
        must(!answer.text().contains(PASSPHRASE), || "the page shows it".to_owned())?;
        self.listed("Amina", 2)?;
        Ok(format!("{why}\n“{}”", element(&answer.text(), "main")))
    }

    pub(super) fn nothing_arrived(&mut self) -> Seen {
        let claims = self.stage.ledger.all();
        let found = claims.iter().find(|claim| claim.details.story.contains("CANARY"));
        must(found.is_none(), || format!("{found:?}"))?;
        let papers = claims.iter().filter(|claim| claim.details.name == "Amina");
        let papers: usize = papers.map(|claim| claim.papers.len()).sum();
        must(papers == 0, || format!("{papers} of Amina's documents arrived"))?;
        Ok(format!("{} claims in its ledger, none of those typed above", claims.len()))
    }

    pub(super) fn sealed(&mut self) -> Seen {
        let files = files_below(&self.stage.store())?;
        let mut bytes_read = 0;
        for (path, bytes) in &files {
            bytes_read += bytes.len();
            let found = CANARIES.iter().find(|canary| memmem::find(bytes, canary).is_some());
            must(found.is_none(), || {
                let name = String::from_utf8_lossy(found.map_or(b"", |found| found));
                format!("{path} holds “{name}…” in clear")
            })?;
            let cookie = self.amina.cookies_for("/claims/new").unwrap_or_default();
            for secret in cookie.split("; ").filter_map(|pair| pair.split_once('=')) {
                must(memmem::find(bytes, secret.1.as_bytes()).is_none(), || {
                    format!("{path} holds the cookie {}", secret.0)
                })?;
            }
        }
        // The search does find what is there in clear: the route's name.
        let found = files.iter().any(|(_, bytes)| memmem::find(bytes, b"claims").is_some());
        must(found, || "not even the route's name was found: was the store searched?".to_owned())?;
        must(bytes_read > photo().len(), || format!("only {bytes_read} bytes are stored"))?;
        let names: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        Ok(format!(
            "{bytes_read} bytes in {}\nneither “{}…” nor the photograph nor a cookie is among them",
            names.join(", "),
            &STORY[..22]
        ))
    }

    pub(super) fn census(&mut self) -> Seen {
        let status = self.operator.asks("/api/v1/status")?;
        let store = &status["store"];
        must(store["submissions"]["held"] == 3, || format!("3 are held, but status says {store}"))?;
        Ok(format!("status: {store}"))
    }

    pub(super) fn access_log(&mut self) -> Seen {
        let asked = self.amina.asked() + self.ben.asked() + self.chloe.asked();
        let path = self.stage.access_log();
        let clock = Clock::System;
        let deadline = clock.tick().plus(LINES_WITHIN);
        // Lines are written in batches, so that no request waits for them.
        let log = loop {
            let log = std::fs::read_to_string(&path)?;
            if log.lines().count() as u64 >= asked || clock.tick() > deadline {
                break log;
            }
            std::thread::sleep(LINES_WITHIN / 100);
        };
        let lines = log.lines().count() as u64;
        must(lines == asked, || format!("{asked} requests left {lines} lines"))?;
        must(!log.contains("CANARY"), || "the log holds what was typed".to_owned())?;
        let mut verdicts = BTreeMap::new();
        for line in log.lines() {
            let record: serde_json::Value = serde_json::from_str(line)
                .map_err(|error| Broken::Seen(format!("a line is not JSON ({error}): {line}")))?;
            *verdicts.entry(record["verdict"].to_string()).or_insert(0) += 1;
        }
        let verdicts: Vec<String> =
            verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let kept = log.lines().find(|line| line.contains("\"capture\"")).unwrap_or_default();
        Ok(format!("{lines} requests, {lines} lines: {}\n{kept}", verdicts.join(", ")))
    }

    /// The address of a receipt.
    pub(super) fn receipt(&self, at: usize) -> Result<String, Broken> {
        let receipt = self.receipts.get(at).cloned();
        receipt.ok_or_else(|| Broken::Seen("there is no receipt".to_owned()))
    }

    /// Counts the submissions in somebody's list.
    pub(super) fn listed(&mut self, who: &str, wanted: usize) -> Seen {
        let visitor = if who == "Chloe" { &mut self.chloe } else { &mut self.amina };
        let page = visitor.open("/.intermission/s")?;
        let html = page.answer.text();
        let mut links: Vec<&str> = html.split("/.intermission/s/").skip(1).collect();
        links = links.iter().filter_map(|link| link.get(..32)).collect();
        links.sort_unstable();
        links.dedup();
        must(page.answer.status == 200 && links.len() == wanted, || {
            format!("{who}'s list ({}) holds {} and not {wanted}", page.answer.status, links.len())
        })?;
        Ok(format!("{who}'s list: {wanted}"))
    }
}

/// Sends a form while its place is closed; it must lead to a receipt.
fn keep(visitor: &mut Visitor, page: &Page, form: &Form) -> Result<Page, Broken> {
    let receipt = visitor.submit(page, form)?;
    let answer = &receipt.answer;
    let state = answer.header("intermission-state").unwrap_or("(absent)");
    let hop = receipt.hops.first().map(|(status, _)| *status);
    let kept = hop == Some(303) && answer.status == 200 && state.starts_with("held");
    must(kept && receipt.at.starts_with("/.intermission/s/"), || {
        let title = element(&answer.text(), "h1");
        format!("{hop:?} → {} {} “{title}”, Intermission-State: {state}", receipt.at, answer.status)
    })?;
    Ok(receipt)
}

/// The answer must say honestly that nothing was kept, and why.
fn not_kept(answer: &Answer, reason: &str) -> Seen {
    let state = answer.header("intermission-state").unwrap_or("(absent)");
    let told = state.contains(&format!("reason={reason}"));
    must(answer.status == 503 && told, || {
        format!("{}, Intermission-State: {state}", answer.status)
    })?;
    Ok(format!("503, Intermission-State: {state}"))
}

/// Every file below a folder, with its bytes: what somebody who copies the disk gets.
fn files_below(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, Broken> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else if path.is_file() {
            // What is neither, the socket of a takeover, holds nothing.
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, std::fs::read(&path)?));
        }
    }
    files.sort();
    Ok(files)
}
