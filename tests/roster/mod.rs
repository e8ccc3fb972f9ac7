//! Servers that die and come back, names that move, and operators who take servers out: what the
//! control plane knows, and what the roster says.

mod app;
mod duty;
mod health;
mod names;
mod stage;
