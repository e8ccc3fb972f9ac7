//! `intermission serve`: runs the proxy until it is told to stop.

use std::path::PathBuf;

use clap::Args;

use super::Fault;

#[derive(Args)]
pub(super) struct Serve {
    /// The config file.
    #[arg(long, short, value_name = "FILE", default_value = "/etc/intermission/intermission.toml")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Fault> {
        let _ = self.config;
        Ok(())
    }
}
