//! What our script costs the pages it goes into: the tag, the scan, and what forms keep secret.
//!
//! `cargo bench --bench inject` prints bytes per second for pages of 64 KiB and 1 MiB in pieces of
//! 16 KiB, and what is added before the first byte of a page can go on. `lol_html` with the same
//! work stands beside it.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use intermission::inject::rewrite::{Rewriter, Tag, Work};
use intermission::inject::scan::Syntax;
use lol_html::html_content::ContentType;
use lol_html::{HtmlRewriter, Settings, element};

/// As a server's answer comes from its socket.
const PIECE: usize = 16 * 1024;

/// A page as applications write them: a head, navigation, a table of links, a form in every
/// twentieth row.
fn page(length: usize) -> Bytes {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  \
         <title>Claims</title>\n  <link rel=\"stylesheet\" href=\"/static/app.css?v=81\">\n  \
         <script>window.app = {user: 'x', on: a => a < 3 && a > 1};</script>\n</head>\n<body>\n",
    );
    for row in 0.. {
        if page.len() >= length {
            break;
        }
        page.push_str(&format!(
            "<tr class=\"row {}\" data-id=\"{row}\"><td><a href=\"/claims/{row}?from=list\">Claim \
             {row}</a></td><td>Water damage in the kitchen, reported by telephone, expert \
             assigned</td><td class=\"num\">{}.50</td></tr>\n",
            if row % 2 == 0 { "even" } else { "odd" },
            row * 7
        ));
        if row % 20 == 0 {
            page.push_str(&format!(
                "<form method=\"post\" action=\"/claims/{row}\"><input type=\"hidden\" \
                 name=\"csrf\" value=\"8f2a\"><input type=\"text\" name=\"note\" \
                 autocomplete=\"off\"><textarea name=\"text\" rows=\"4\"></textarea>\
                 <button>Send</button></form>\n"
            ));
        }
    }
    page.into()
}

fn work(learn: bool) -> Work {
    Work { syntax: Syntax::Html, script: Some(Tag::new("site", None)), learn }
}

fn ours(page: &Bytes, learn: bool) -> usize {
    let mut rewriter = Rewriter::new(work(learn));
    let mut out = Vec::with_capacity(4);
    let mut length = 0;
    for start in (0..page.len()).step_by(PIECE) {
        rewriter.push(page.slice(start..page.len().min(start + PIECE)), &mut out);
        length += out.drain(..).map(|piece| piece.len()).sum::<usize>();
    }
    rewriter.finish(&mut out);
    length += out.iter().map(Bytes::len).sum::<usize>();
    black_box(rewriter.learnt());
    length
}

fn theirs(page: &Bytes) -> usize {
    let tag = Tag::new("site", None);
    let tag = String::from_utf8_lossy(tag.bytes()).into_owned();
    let mut secrets = 0;
    let mut length = 0;
    let settings = Settings::new()
        .with_strict(false)
        .append_element_content_handler(element!("head", move |head| {
            head.prepend(&tag, ContentType::Html);
            Ok(())
        }))
        .append_element_content_handler(element!("form, input, textarea, select", |field| {
            secrets += usize::from(field.get_attribute("type").as_deref() == Some("password"));
            Ok(())
        }));
    let mut rewriter = HtmlRewriter::new(settings, |piece: &[u8]| length += piece.len());
    for piece in page.chunks(PIECE) {
        rewriter.write(piece).expect("no limit is set");
    }
    rewriter.end().expect("no limit is set");
    black_box(secrets);
    length
}

fn main() {
    let mut criterion = Criterion::default()
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(500))
        .sample_size(20)
        .configure_from_args();
    for (name, length) in [("64KiB", 64 * 1024), ("1MiB", 1024 * 1024)] {
        let page = page(length);
        assert_eq!(ours(&page, true), theirs(&page), "both put in one tag");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(page.len() as u64));
        group.bench_function("script", |bench| bench.iter(|| ours(black_box(&page), false)));
        group.bench_function("script+learn", |bench| bench.iter(|| ours(black_box(&page), true)));
        group.bench_function("lol_html", |bench| bench.iter(|| theirs(black_box(&page))));
        group.finish();
    }
    // From a page's first piece to the bytes that can go on: the rewriter made, the tag placed.
    let first = page(PIECE).slice(..1400);
    criterion.bench_function("first byte", |bench| {
        bench.iter(|| {
            let mut rewriter = Rewriter::new(work(true));
            let mut out = Vec::new();
            rewriter.push(black_box(&first).clone(), &mut out);
            out.len()
        });
    });
    criterion.final_summary();
}
