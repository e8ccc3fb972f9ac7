//! Act one: everything is open.

use super::{Broken, OpenPages, PASSPHRASE, PHOTO_MARK, STORY, Seen, Story, element, must};
use crate::cli::demo::visitor::{Form, Page, Visitor};
use crate::digest;

/// Bytes of the photograph: several sealed frames, and not a round number.
const PHOTO_BYTES: usize = 300_007;

impl Story {
    pub(super) fn answers(&mut self) -> Seen {
        let mut seen = Vec::new();
        for (name, visitor) in [("eu", &mut self.ben), ("apac", &mut self.amina)] {
            let page = visitor.open("/claims")?;
            let title = element(&page.answer.text(), "h1");
            must(page.answer.status == 200 && title == "Your claims", || {
                format!("{name}: {} {title}", page.answer.status)
            })?;
            must(visitor.cookies_for("/claims").is_some(), || "no session cookie".to_owned())?;
            must(visitor.cookies_for("/").is_none(), || {
                "the session cookie is sent outside /claims".to_owned()
            })?;
            seen.push(format!("{name}: GET /claims → 200 “{title}”"));
        }
        seen.push("the session cookie is bound to Path=/claims".to_owned());
        Ok(seen.join("\n"))
    }

    pub(super) fn whole_claim(&mut self) -> Seen {
        let page = begin(&mut self.ben, "Ben", "A gull stole my compass.")?;
        let form = form_on(&page, "/documents")?.with_file("paper", "gull.jpg", &photo());
        let page = self.ben.submit(&page, &form)?;
        let hash = digest::hex(&digest::sha256(&photo()));
        must(page.answer.text().contains(&hash), || format!("{} does not show {hash}", page.at))?;
        let page = self.ben.submit(&page, &form_on(&page, "/review")?)?;
        let state = element(&page.answer.text(), "p");
        must(state.contains("Handed in"), || format!("{}: {state}", page.at))?;
        Ok(format!("Ben, eu: details → documents ({PHOTO_BYTES} bytes) → review → {}", page.at))
    }

    pub(super) fn fill_forms(&mut self) -> Seen {
        let first = begin(&mut self.amina, "Amina", "A first, small claim.")?;
        let photo_form = form_on(&first, "/documents")?.with("note", "The cellar").with_file(
            "paper",
            "cellar photo.jpg",
            &photo(),
        );
        let claim = filled(&mut self.amina, "Amina", STORY)?;
        let account = self.amina.open("/claims/account")?;
        let passphrase = form_on(&account, "/account")?.with("password", PASSPHRASE);
        let chloe = filled(&mut self.chloe, "Chloe", "CANARY-CHLOE: it was only a scratch.")?;
        let ben = filled(&mut self.ben, "Ben", "A second gull.")?;
        self.open = Some(OpenPages {
            claim,
            photo: (first, photo_form),
            passphrase: (account, passphrase),
            chloe,
            ben,
        });
        Ok("Amina, apac: a new claim, a photograph, a passphrase form\nChloe, apac: a new claim\n\
            Ben, eu: a new claim"
            .to_owned())
    }

    pub(super) fn others_go_on(&mut self) -> Seen {
        let home = self.amina.open("/")?;
        must(home.answer.status == 200, || format!("apac: GET / → {}", home.answer.status))?;
        let page = begin(&mut self.ben, "Ben", "A third gull.")?;
        must(page.answer.status == 200, || format!("eu: {} → {}", page.at, page.answer.status))?;
        Ok(format!(
            "eu: POST /claims/new → {} → 200 {}\napac: GET / → 200 (another route)",
            page.hops.first().map_or(0, |hop| hop.0),
            page.at
        ))
    }
}

/// The first step, sent.
fn begin(visitor: &mut Visitor, name: &str, story: &str) -> Result<Page, Broken> {
    let (page, form) = filled(visitor, name, story)?;
    let page = visitor.submit(&page, &form)?;
    must(page.answer.status == 200 && page.at.ends_with("/documents"), || {
        format!("the first step led to {} ({})", page.at, page.answer.status)
    })?;
    Ok(page)
}

/// The first step, filled in.
pub(super) fn filled(
    visitor: &mut Visitor,
    name: &str,
    story: &str,
) -> Result<(Page, Form), Broken> {
    let page = visitor.open("/claims/new")?;
    let form = form_on(&page, "/claims/new")?
        .with("policy", "HM-2048-77")
        .with("name", name)
        .with("email", &format!("{}@example.com", name.to_lowercase()))
        .with("story", story);
    Ok((page, form))
}

/// The photograph: not compressible, the same every time.
pub(super) fn photo() -> Vec<u8> {
    let mut bytes = PHOTO_MARK.to_vec();
    let mut block = digest::sha256(PHOTO_MARK);
    while bytes.len() < PHOTO_BYTES {
        bytes.extend_from_slice(&block);
        block = digest::sha256(&block);
    }
    bytes.truncate(PHOTO_BYTES);
    bytes
}

/// The form on `page` whose action ends with `action`.
pub(super) fn form_on(page: &Page, action: &str) -> Result<Form, Broken> {
    Form::find(page, action).ok_or_else(|| {
        let title = element(&page.answer.text(), "h1");
        Broken::Seen(format!("no form for …{action} on {} (“{title}”)", page.at))
    })
}
