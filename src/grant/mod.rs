//! What somebody may do, and where: tokens of operators, and bypasses that let people through
//! while everybody else sees a page. Secrets are kept as hashes only.

pub mod bypass;
pub mod pass;
pub mod token;

pub use bypass::Bypass;
pub use token::{Role, Token};
