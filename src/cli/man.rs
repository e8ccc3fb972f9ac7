//! `intermission man`: man pages of every command.

use std::path::PathBuf;

use clap::Args;

use super::Fault;

#[derive(Args)]
pub(super) struct Man {
    /// Where to write them: intermission.1, intermission-on.1, and so on.
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> Result<(), Fault> {
        let failed = |error: std::io::Error| {
            Fault::Failed(format!("{} cannot be written: {error}", self.dir.display()))
        };
        std::fs::create_dir_all(&self.dir).map_err(failed)?;
        clap_mangen::generate_to(super::command_line(), &self.dir).map_err(failed)?;
        anstream::println!("the pages are in {}", self.dir.display());
        Ok(())
    }
}
