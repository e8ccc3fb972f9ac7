//! What visitors are told: bounds, and whose word counts.

use super::fault::Found;
use crate::limit;
use crate::window::event::Texts;

/// The document's texts with its title, for pages that show one.
pub(super) fn with_title(texts: &Texts, title: &str) -> Texts {
    let mut texts = texts.clone();
    if texts.title.is_empty() {
        title.trim().clone_into(&mut texts.title);
    }
    texts
}

/// A phase's own texts over the document's, field by field and language by language.
pub(super) fn over(own: &Texts, document: &Texts) -> Texts {
    let first = |own: &String, other: &String| if own.is_empty() { other } else { own }.clone();
    let mut languages = document.languages.clone();
    for (tag, own) in &own.languages {
        let other = languages.remove(tag).unwrap_or_default();
        languages.insert(tag.clone(), over(own, &other));
    }
    Texts {
        title: first(&own.title, &document.title),
        reason: first(&own.reason, &document.reason),
        message: first(&own.message, &document.message),
        impact: first(&own.impact, &document.impact),
        benefit: first(&own.benefit, &document.benefit),
        contact: first(&own.contact, &document.contact),
        alternative: first(&own.alternative, &document.alternative),
        languages,
    }
}

/// Lengths, control characters, languages.
pub(super) fn check(field: &str, texts: &Texts, found: &mut Found) {
    one_language(field, texts, found);
    if texts.languages.len() > limit::TEXT_LANGUAGES_MAX {
        let what = format!("{} languages", texts.languages.len());
        let help = format!("{} are possible", limit::TEXT_LANGUAGES_MAX);
        found.fault(&format!("{field}.languages"), what, help);
    }
    for (tag, texts) in texts.languages.iter().take(limit::TEXT_LANGUAGES_MAX) {
        let field = format!("{field}.languages.{tag}");
        let of_letters = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let is_tag = tag.split('-').all(of_letters)
            && tag.split('-').next().is_some_and(|first| (2..=3).contains(&first.len()));
        if !is_tag {
            found.fault(&field, "it is no language tag", "write \"fr\", \"pt-BR\" (BCP 47)");
        }
        if !texts.languages.is_empty() {
            let what = "a translation has translations";
            found.fault(&format!("{field}.languages"), what, "write them beside it");
        }
        one_language(&field, texts, found);
    }
}

fn one_language(field: &str, texts: &Texts, found: &mut Found) {
    let long = limit::OPERATOR_TEXT_CHARS_MAX;
    text(&format!("{field}.title"), &texts.title, limit::TITLE_CHARS_MAX, found);
    text(&format!("{field}.reason"), &texts.reason, long, found);
    text(&format!("{field}.message"), &texts.message, long, found);
    text(&format!("{field}.impact"), &texts.impact, long, found);
    text(&format!("{field}.benefit"), &texts.benefit, long, found);
    text(&format!("{field}.contact"), &texts.contact, long, found);
    text(&format!("{field}.alternative"), &texts.alternative, long, found);
}

/// One text that people read. Line breaks stay; other control characters are slips.
pub(super) fn text(field: &str, text: &str, most: usize, found: &mut Found) {
    let count = text.chars().count();
    if count > most {
        let help = format!("{most} are possible");
        found.fault(field, format!("it has {count} characters"), help);
    }
    if text.chars().any(|letter| letter.is_control() && letter != '\n') {
        found.fault(field, "it holds a control character", "write it without tabs and the like");
    }
}
