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

use self::stage::{Asked, Ports, Stage, StageError};

/// Arguments of `intermission demo`.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Args {
    /// Play the whole story unattended, and fail if a promise is broken.
    #[arg(long)]
    walk: bool,
}

/// Runs the demo.
pub fn run(args: Args) -> ExitCode {
    let ports = if args.walk { Ports::Free } else { Ports::Friendly };
    let stage = match Stage::build(ports) {
        Ok(stage) => stage,
        Err(error) => return failed(&error),
    };
    if args.walk {
        return walk::walk(stage);
    }
    print!("{}", invitation(&stage));
    match until_told(stage) {
        Ok(()) => {
            println!("\nEverything is stopped, and the temporary folder is gone.");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &StageError) -> ExitCode {
    eprintln!("demo: {error}");
    ExitCode::FAILURE
}

/// Stays until Ctrl-C or a signal to stop.
fn until_told(mut stage: Stage) -> Result<(), StageError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StageError::Spawn)?;
    let told = runtime.block_on(async { told() }).map_err(StageError::Spawn)?;
    let mut told = Box::pin(told);
    stage.watch(|| {
        let moment = std::time::Duration::from_millis(1);
        match runtime.block_on(async { tokio::time::timeout(moment, &mut told).await }) {
            Ok(()) => Asked::ToStop,
            Err(_) => Asked::Nothing,
        }
    })
}

/// Ends at SIGINT or SIGTERM; listens from when it is made.
fn told() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        // CANCEL: a signal that arrives meanwhile is remembered by its stream.
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// What to open and what to type.
fn invitation(stage: &Stage) -> String {
    let port = stage.proxy.port();
    let Stage { admin, token, .. } = stage;
    format!(
        "\
Intermission stands in front of a small claim portal.

  Open as a visitor      http://eu.localhost:{port}/claims       region eu
                         http://apac.localhost:{port}/claims     region apac

  In a second terminal, be the operator:

    export INTERMISSION_ADMIN=http://{admin}
    export INTERMISSION_TOKEN={token}

    intermission status --watch
    intermission on --region apac --route claims --reason \"database upgrade\" --back-in 15m
    intermission off --region apac --route claims

  Try this: open a new claim in apac and type something. Close claims with the second command. Now
  press Continue: the form is kept, and the receipt says so. Reload it, press Back, send it twice.
  Reopen with the last command, press Send on the receipt, and look at Your claims: it is there once.

  The config, the store and the access log are in {folder}
  (edit the config there and save: it is taken over without a restart). Ctrl-C stops everything.
",
        folder = stage.folder().display()
    )
}
