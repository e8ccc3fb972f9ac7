//! `intermission completions`: what a shell needs to complete our command line.

use clap::Args;
use clap_complete::Shell;

use super::Fault;

#[derive(Args)]
pub(super) struct Completions {
    /// For which shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Fault> {
        let mut command = super::command_line();
        clap_complete::generate(self.shell, &mut command, "intermission", &mut std::io::stdout());
        Ok(())
    }
}
