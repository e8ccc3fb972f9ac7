//! The method that a request asks to be taken for another than its own.
//!
//! Many frameworks take a POST, and some a GET, for the method that a field or the query names. A
//! window must not be dodged that way. What a body says (`_method` in a form) is not seen here.

use http::{HeaderMap, HeaderName, Method};

use super::{field, is_safe};

/// The fields by which frameworks let a client name another method.
static FIELDS: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];
/// The same in the query.
const IN_QUERY: &str = "_method";

/// The method that the request claims, if it claims one. Of several, one that is not safe counts.
pub fn claimed(headers: &HeaderMap, query: Option<&str>) -> Option<Method> {
    let in_fields = FIELDS.iter().flat_map(|name| field::values(headers, name)).map(read);
    let query = query.filter(|query| query.contains("method") || query.contains('%'));
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let in_query = pairs.filter(|(name, _)| name == IN_QUERY).map(|(_, value)| read(&value));
    in_fields.chain(in_query).max_by_key(|method| !is_safe(method))
}

/// The method of this name, in whatever case; for what is no name, one that changes things.
fn read(name: &str) -> Method {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    let known = known.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(name.trim()));
    known.or_else(|| name.trim().parse().ok()).unwrap_or(Method::POST)
}
