//! What somebody may do, and where: tokens of operators, and bypasses that let people through
//! while everybody else sees a page. Secrets are kept as hashes only. Beside them what is kept of
//! what operators asked for: the audit, and the answers to creations.

pub mod audit;
pub mod bypass;
pub mod reply;
pub mod token;

pub use audit::Audit;
pub use bypass::Bypass;
pub use reply::Reply;
pub use token::{Role, Token};
