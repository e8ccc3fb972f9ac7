//! Act four: what was promised outlives processes.

use super::{Seen, Story, element, must};

impl Story {
    pub(super) fn restart_app(&mut self) -> Seen {
        self.stage.restart_app()?;
        let (page, form) = self.open_pages()?.ben.clone();
        let refused = self.ben.submit(&page, &form)?;
        must(refused.answer.status == 403, || {
            format!("a form from before the restart → {}", refused.answer.status)
        })?;
        let again = self.ben.open("/claims")?.answer.text();
        must(again.contains("data-claim"), || "Ben's session is lost".to_owned())?;
        Ok("Ben, eu, sends a form from before: 403, its token is stale; his session is alive"
            .to_owned())
    }

    pub(super) fn kill_proxy(&mut self) -> Seen {
        self.stage.kill_proxy()?;
        self.stage.start_proxy()?;
        let page = self.amina.open("/claims")?;
        must(page.answer.status == 503, || format!("apac: GET /claims → {}", page.answer.status))?;
        let open = self.ben.open("/claims")?;
        must(open.answer.status == 200, || format!("eu: GET /claims → {}", open.answer.status))?;
        Ok("SIGKILL, started again on the same store: apac 503, eu 200".to_owned())
    }

    pub(super) fn receipts_survive(&mut self) -> Seen {
        let receipt = self.receipt(0)?;
        let page = self.amina.open(&receipt)?;
        let html = page.answer.text();
        must(page.answer.status == 200 && html.contains("CANARY-STORY"), || {
            format!("{receipt} → {} “{}”", page.answer.status, element(&html, "h1"))
        })?;
        let (amina, chloe) = (self.listed("Amina", 2)?, self.listed("Chloe", 1)?);
        Ok(format!("“{}”\n{amina}\n{chloe}", element(&html, "h1")))
    }
}
