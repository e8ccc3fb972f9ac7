//! The whole story over the wire: capture, receipt, resume.

/// Somebody else has signed in since.
mod another;
/// What somebody would try who means harm, and races that nobody means.
mod attack;
/// What is kept, and what is honestly not.
mod capture;
/// Forms that are on their way when the application fails.
mod caught;
/// Resume codes, references, and a computer that others use.
mod codes;
/// What becomes of requests in flight when the time to drain is over.
mod drain;
/// Answers put back into the form of a page.
mod fill;
/// "Save for later" from an open page.
mod hold;
/// One key on every attempt.
mod idempotency;
/// The receipt, the list, the download, and who may act.
mod own;
/// What programs leave, and send on themselves.
mod programs;
/// The live form with the answers in it.
mod refill;
/// Servers that did not look at what they were sent.
mod refused;
/// From the ticket to the application's answer, and every way it can go wrong.
mod resume;
/// A node, an application and a browser.
mod stage;
/// Tickets of strangers, and posts that only look like one.
mod tickets;
