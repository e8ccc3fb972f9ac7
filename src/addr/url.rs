//! References on a page, made absolute, and compared: what a form's `action` means.

/// An absolute URL in its parts: scheme, authority, path and query.
struct Url<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn split(url: &'a str) -> Self {
        let url = url.split('#').next().unwrap_or_default();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        Self { scheme, authority, path, query }
    }
}

/// A reference on a page, made absolute (RFC 3986 §5.2).
pub fn resolve(page: &str, reference: &str) -> String {
    let base = Url::split(page);
    let reference = reference.split('#').next().unwrap_or_default();
    let colon = reference.find(':').unwrap_or(usize::MAX);
    if colon < reference.find(['/', '?']).unwrap_or(usize::MAX) {
        return reference.to_owned();
    }
    if let Some(place) = reference.strip_prefix("//") {
        return format!("{}://{place}", base.scheme);
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let query = if path.is_empty() { query.or(base.query) } else { query };
    let path = if path.is_empty() {
        base.path.to_owned()
    } else if path.starts_with('/') {
        without_dots(path)
    } else {
        let folder = &base.path[..base.path.rfind('/').map_or(0, |slash| slash + 1)];
        without_dots(&format!("{}{path}", if folder.is_empty() { "/" } else { folder }))
    };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}://{}{path}{query}", base.scheme, base.authority)
}

/// Without `.` and `..` (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Whether two URLs are one place: host in any case, path and query to the letter, an empty query
/// like none. The scheme is left out, since an application behind a proxy may not know its own.
pub fn same_place(a: &str, b: &str) -> bool {
    let (a, b) = (Url::split(a), Url::split(b));
    let path = |path: &'_ str| if path.is_empty() { "/".to_owned() } else { path.to_owned() };
    a.authority.eq_ignore_ascii_case(b.authority)
        && path(a.path) == path(b.path)
        && a.query.unwrap_or_default() == b.query.unwrap_or_default()
}
