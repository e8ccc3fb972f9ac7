//! The command line: `serve` and `demo` run the proxy, the rest asks its admin API.

pub mod check;
mod client;
mod completions;
pub mod demo;
mod extend;
mod history;
mod off;
mod on;
pub mod preview;
mod serve;
pub mod status;
mod text;
mod token;
mod upstream;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   not done: refused, or failed; the message says why
  64  the command line or the config file is wrong
  69  the admin API cannot be reached
  75  timed out while waiting

Environment:
  INTERMISSION_ADMIN  where the admin API listens (http://127.0.0.1:7070)
  INTERMISSION_TOKEN  the token to show there; `intermission token` makes one
  INTERMISSION_CONFIG the config file (intermission.toml)
  INTERMISSION_LOG    what the log tells, such as debug";

/// A maintenance-mode reverse proxy that never loses a form.
#[derive(Parser)]
#[command(name = "intermission", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
struct Intermission {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the proxy.
    Serve(serve::Serve),
    /// Tell everything that is wrong with a config file.
    Check(check::Check),
    /// Show the whole story with an application of its own.
    Demo(demo::Args),
    /// Close regions × routes now.
    On(on::On),
    /// Reopen what was closed.
    Off(off::Off),
    /// Promise visitors another end.
    Extend(extend::Extend),
    /// Tell what is closed, since when, until when, by whom and why.
    Status(status::StatusCommand),
    /// Tell who changed what, newest first.
    History(history::History),
    /// Show when a maintenance in a file would be.
    Preview(preview::Preview),
    /// Tell which servers there are; say which of them take requests.
    Upstream(upstream::Upstream),
    /// Make a token for the admin API.
    Token(token::Token),
    /// Print completions for a shell.
    Completions(completions::Completions),
}

/// Where the admin API is, and how its answers are shown.
#[derive(Args)]
struct Reach {
    /// The admin API's address.
    #[arg(
        long,
        env = "INTERMISSION_ADMIN",
        value_name = "URL",
        default_value = "http://127.0.0.1:7070"
    )]
    admin: String,
    /// The token; better in the environment, where other users of the machine cannot see it.
    #[arg(long, env = "INTERMISSION_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Print the API's JSON.
    #[arg(long)]
    json: bool,
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// The command line or the config is wrong.
    #[error("{0}")]
    Usage(String),
    /// It was refused, or failed.
    #[error("{0}")]
    Failed(String),
    /// Nobody answers at the admin address.
    #[error("{0}")]
    Unreachable(String),
    /// What was waited for did not happen in time.
    #[error("{0}")]
    TimedOut(String),
}

impl Fault {
    const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Failed(_) => 1,
            Self::Unreachable(_) => 69,
            Self::TimedOut(_) => 75,
        }
    }
}

/// Runs the command that `arguments` (the program's name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match Intermission::try_parse_from(arguments) {
        Ok(parsed) => parsed.command,
        Err(error) => {
            // Help and version come this way too, on standard output and as a success.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    let done = match command {
        Command::Serve(command) => command.run(),
        Command::Check(command) => return command.run(),
        Command::Demo(command) => return demo::run(command),
        Command::On(command) => command.run(),
        Command::Off(command) => command.run(),
        Command::Extend(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::History(command) => command.run(),
        Command::Preview(command) => return command.run(),
        Command::Upstream(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            anstream::eprintln!("error: {fault}");
            ExitCode::from(fault.code())
        }
    }
}

/// The whole command line, for completions.
fn command_line() -> clap::Command {
    <Intermission as clap::CommandFactory>::command()
}
