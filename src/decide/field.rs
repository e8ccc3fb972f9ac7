//! Reading fields the way they are sent: repeated, in odd case, with blanks around values.

use http::{HeaderMap, HeaderName};

/// Set by browsers, and by nobody else: how the request relates to the page that made it.
pub(super) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Set by browsers: what the answer is for.
pub(super) const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// Set by libraries: the request comes from a script.
pub(super) const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
/// Set by htmx.
pub(super) const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");

/// Each value of a field, without blanks around it. One that is not ASCII is empty, so that it is
/// there, and equals nothing.
pub(super) fn values<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("").trim())
}

/// The value of a field that may stand once. `Err` if it stands more often and differs.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Differ> {
    let mut values = values(headers, name);
    let Some(first) = values.next() else { return Ok(None) };
    if values.all(|other| other == first) { Ok(Some(first)) } else { Err(Differ) }
}

/// A field that stands more than once with different values.
pub(super) struct Differ;

/// The members of a field that holds a list.
pub(super) fn members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    values(headers, name).flat_map(|value| value.split(',')).map(str::trim)
}

/// A media type without its parameters.
pub(super) fn essence(value: &str) -> &str {
    value.split(';').next().unwrap_or("").trim()
}
