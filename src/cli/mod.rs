//! The command line: `serve` and `demo` run the proxy, the rest asks its admin API.

mod approve;
mod audit;
mod bypass;
pub mod check;
mod client;
mod completions;
mod confirm;
pub mod demo;
mod events;
mod extend;
mod fault;
mod history;
mod in_flight;
mod maintenance;
mod man;
mod off;
mod on;
pub mod preview;
mod reach;
mod serve;
pub mod shown;
mod state;
pub mod status;
mod store;
mod submissions;
mod table;
mod text;
mod token;
mod upstream;
mod wait;
mod window;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use fault::Fault;
use reach::Reach;

/// A maintenance-mode reverse proxy that never loses a form.
#[derive(Parser)]
#[command(
    name = "intermission",
    version,
    after_help = fault::after_help(),
    disable_help_subcommand = true
)]
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
    /// Plan maintenances, tell of them, and lead them through their phases.
    Maintenance(maintenance::Maintenance),
    /// Start, extend, end or cancel one window.
    Window(window::Window),
    /// Tell how each route stands in each region.
    State(state::StateCommand),
    /// Tell which requests are under way, by route and region.
    InFlight(in_flight::InFlight),
    /// Let people through what is closed.
    Bypass(bypass::Bypass),
    /// Approve what another operator asked for; tell what waits for it.
    Approve(approve::Approve),
    /// Tell how many forms were kept, by route and by what became of them.
    Submissions(submissions::Submissions),
    /// The keys that kept forms are sealed with.
    Store(store::Store),
    /// Tell which servers there are; say which of them take requests.
    Upstream(upstream::Upstream),
    /// Tell who changed what, newest first.
    History(history::History),
    /// Tell every change that operators made or were refused, newest first.
    Audit(audit::Audit),
    /// Tell changes as they happen.
    Events(events::Events),
    /// Make, list and revoke tokens for the admin API.
    Token(token::Token),
    /// Print completions for a shell.
    Completions(completions::Completions),
    /// Write man pages.
    Man(man::Man),
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
        Command::Maintenance(command) => match command.run() {
            Ok(code) => return code,
            Err(fault) => Err(fault),
        },
        Command::Window(command) => command.run(),
        Command::State(command) => command.run(),
        Command::InFlight(command) => command.run(),
        Command::Bypass(command) => command.run(),
        Command::Approve(command) => command.run(),
        Command::Submissions(command) => command.run(),
        Command::Store(command) => command.run(),
        Command::Upstream(command) => command.run(),
        Command::History(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Events(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            anstream::eprintln!("error: {fault}");
            ExitCode::from(fault.code())
        }
    }
}

/// The whole command line, for completions and man pages.
fn command_line() -> clap::Command {
    <Intermission as clap::CommandFactory>::command()
}
