#![doc = include_str!("README.md")]
#![forbid(unsafe_code)]

pub mod addr;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod decide;
pub mod digest;
pub mod duty;
pub mod grant;
pub mod id;
pub mod inject;
pub mod limit;
pub mod pages;
pub mod proxy;
pub mod region;
pub mod route;
pub mod serve;
pub mod snapshot;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod vault;
pub mod window;
