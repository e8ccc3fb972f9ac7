//! `intermission serve`: runs the proxy until it is told to stop.

use std::path::PathBuf;

use clap::Args;

use super::Fault;
use crate::clock::Clock;
use crate::config::{self, Color};
use crate::serve::{self, LogFormat, Options, Running, Signals, Takeover};

#[derive(Args)]
pub(super) struct Serve {
    /// The config file.
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "intermission.toml",
        env = "INTERMISSION_CONFIG"
    )]
    config: PathBuf,
    /// Write the log as JSON, one object a line.
    #[arg(long)]
    log_json: bool,
    /// Take over from the process that serves with the same store, without refusing a connection.
    /// If there is none, just start.
    #[arg(long)]
    takeover: bool,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Fault> {
        let format = if self.log_json { LogFormat::Json } else { LogFormat::Text };
        serve::start_log(format).map_err(|error| Fault::Failed(format!("no log: {error}")))?;
        let loaded = config::load(&self.config).map_err(|problems| {
            anstream::eprint!("{}", problems.render(Color::Styled));
            Fault::Usage(format!("{} cannot be served", self.config.display()))
        })?;
        let takeover = if self.takeover { Takeover::Wanted } else { Takeover::No };
        let (file, clock) = (Some(self.config), Clock::System);
        let options = Options { loaded, file, clock, signals: Signals::Heeded, takeover };
        let stopped = serve::start(options).and_then(Running::wait);
        let stopped = stopped.map_err(|error| Fault::Failed(error.to_string()))?;
        if stopped.cut > 0 {
            anstream::eprintln!("{} connections were cut at the deadline", stopped.cut);
        }
        Ok(())
    }
}
