//! `intermission demo`: a claim portal, the proxy in front of it, and the whole story to see.
//!
//! By hand: it starts everything, says what to open and what to type, and cleans up at Ctrl-C.
//! With `--walk` it plays the story itself, as operator and as visitors, and fails by the name of
//! the first promise that is not kept.

pub mod app;
mod stage;
pub mod visitor;
mod walk;

use std::process::ExitCode;

use self::stage::{Ports, Stage, StageError};
use crate::clock::Clock;
use crate::config::{self, Color};
use crate::serve::{self, LogFormat, Options, Signals, Takeover};

/// Arguments of `intermission demo`.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Args {
    /// Play the whole story unattended, and fail if a promise is broken.
    #[arg(long)]
    walk: bool,
    /// Play an upgrade in three phases after it: gates, an extension, a verification that fails
    /// first, a ramp, a report.
    #[arg(long, requires = "walk")]
    phases: bool,
}

/// Runs the demo.
pub fn run(args: Args) -> ExitCode {
    let done = if args.walk { walk::walk(args.phases) } else { by_hand() };
    done.unwrap_or_else(|error| {
        anstream::eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

/// Serves until Ctrl-C or SIGTERM.
fn by_hand() -> Result<ExitCode, StageError> {
    let stage = Stage::build(Ports::Friendly)?;
    let file = stage.config_path();
    let loaded = config::load(&file)
        .map_err(|problems| StageError::Config(problems.render(Color::Plain)))?;
    let (file, clock) = (Some(file), Clock::System);
    serve::start_log(LogFormat::Text).map_err(|error| StageError::Log(error.to_string()))?;
    let (signals, takeover) = (Signals::Heeded, Takeover::No);
    let running = serve::start(Options { loaded, file, clock, signals, takeover })?;
    anstream::print!("{}", invitation(&stage));
    running.wait()?;
    drop(stage);
    anstream::println!("\nEverything is stopped, and the temporary folder is gone.");
    Ok(ExitCode::SUCCESS)
}

/// What to open and what to type.
fn invitation(stage: &Stage) -> String {
    let port = stage.proxy.port();
    let Stage { admin, token, .. } = stage;
    let path = path_to_here().map(|line| format!("    {line}\n")).unwrap_or_default();
    format!(
        "\
Intermission stands in front of a small claim portal.

  Open as a visitor      http://eu.localhost:{port}/claims       region eu
                         http://apac.localhost:{port}/claims     region apac

  In a second terminal, be the operator:

{path}    export INTERMISSION_SERVER=http://{admin}
    export INTERMISSION_TOKEN={token}

    intermission on --region apac --route claims --reason \"database upgrade\" --back-in 15m
    intermission status
    intermission off --region apac --route claims

  Try this: open a new claim in apac and fill it in. Close claims with the first command. Now press
  Continue: the form is kept, and the receipt says so. Reload it, close the tab, look at the status.
  Reopen with the last command and press Send on the receipt. Press Back and Send again: Your claims
  shows it once.

  The config, the store and the access log are in {folder}
  (edit the config there and save: it is taken over without a restart). Ctrl-C stops everything.
  What the proxy has to say follows.

",
        folder = stage.folder().display()
    )
}

/// How a shell finds this program by its name; none if it does already.
fn path_to_here() -> Option<String> {
    let own = std::env::current_exe().ok()?;
    let folder = own.parent()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_found = std::env::split_paths(&path).any(|known| known == folder);
    (!is_found).then(|| format!("export PATH=\"{}:$PATH\"", folder.display()))
}
