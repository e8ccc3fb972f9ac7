//! The operator: types commands of this very binary, and asks the admin API.

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{Broken, must};
use crate::cli::demo::visitor::{Request, exchange};
use crate::clock::Clock;

/// How long one command may take.
const COMMAND_WITHIN: Duration = Duration::from_secs(30);

/// One operator with a token.
pub(super) struct Operator {
    admin: SocketAddr,
    token: String,
}

impl Operator {
    pub(super) fn new(admin: SocketAddr, token: &str) -> Self {
        Self { admin, token: token.to_owned() }
    }

    /// Types `intermission …`; tells what was printed. A command that fails breaks the story.
    pub(super) fn types(&self, arguments: &[&str]) -> Result<String, Broken> {
        let output = self.tries(arguments)?;
        must(output.status.success(), || {
            let line = typed(arguments);
            format!("`{line}` ended with {}: {}", output.status, said(&output.stderr))
        })?;
        Ok(said(&output.stdout))
    }

    /// Types it where it is to fail; tells why it did.
    pub(super) fn fails(&self, arguments: &[&str], code: i32) -> Result<String, Broken> {
        let output = self.tries(arguments)?;
        must(output.status.code() == Some(code), || {
            let line = typed(arguments);
            format!("`{line}` ended with {} instead of {code}", output.status)
        })?;
        Ok(said(&output.stderr))
    }

    fn tries(&self, arguments: &[&str]) -> Result<Output, Broken> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .env("INTERMISSION_SERVER", format!("http://{}", self.admin))
            .env("INTERMISSION_TOKEN", &self.token)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        within(command)
    }

    /// GETs from the admin API.
    pub(super) fn asks(&self, path: &str) -> Result<Value, Broken> {
        let text = self.reads(path)?;
        serde_json::from_str(&text)
            .map_err(|error| Broken::Seen(format!("{path} is not JSON ({error}): {text}")))
    }

    /// GETs text from the admin listener.
    pub(super) fn reads(&self, path: &str) -> Result<String, Broken> {
        let request = Request::get(path)
            .field("host", &self.admin.to_string())
            .field("accept", "*/*")
            .field("authorization", &format!("Bearer {}", self.token));
        let answer = exchange(self.admin, &request, COMMAND_WITHIN)?;
        let text = answer.text();
        must(answer.status == 200, || format!("GET {path} → {}: {text}", answer.status))?;
        Ok(text)
    }
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// A command as a shell would take it.
pub(super) fn typed(arguments: &[&str]) -> String {
    let quoted = arguments.iter().map(|argument| match argument.contains(' ') {
        true => format!("\"{argument}\""),
        false => (*argument).to_owned(),
    });
    format!("intermission {}", quoted.collect::<Vec<_>>().join(" "))
}

/// Runs a command that prints little, and ends it when its time is over.
fn within(mut command: Command) -> Result<Output, Broken> {
    let clock = Clock::System;
    let deadline = clock.tick().plus(COMMAND_WITHIN);
    let mut child = command.spawn()?;
    while child.try_wait()?.is_none() {
        if clock.tick() > deadline {
            child.kill()?;
            return Err(Broken::Seen(format!(
                "a command did not end within {} s",
                COMMAND_WITHIN.as_secs()
            )));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(child.wait_with_output()?)
}
