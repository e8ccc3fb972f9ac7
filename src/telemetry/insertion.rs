//! What became of pages that our script could go into, for counting.

/// What became of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Insertion {
    /// The script is in.
    Injected,
    /// Its status is none of a page that people fill in.
    Status,
    /// It is a part of a body.
    Part,
    /// It is to be stored, not shown.
    Download,
    /// It says that it must not be changed, or is signed.
    Sealed,
    /// Its text is not written in bytes of ASCII.
    Charset,
    /// Its coding is none that we know.
    Coding,
    /// Its Content-Security-Policy keeps the script out.
    Csp,
    /// Its body is no page, or has no place for the script.
    Body,
}

impl Insertion {
    /// The names of all, in the order of the cells.
    pub const NAMES: [&str; 9] =
        ["injected", "status", "part", "download", "sealed", "charset", "coding", "csp", "body"];
}
