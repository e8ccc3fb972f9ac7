//! Why a command did not do what it should, and what the shell hears of it.

/// What `--help` and the man page tell of exit codes; the numbers are those of sysexits.h.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   refused, or failed; the message says why
  64  the command line or a file that it names is wrong, or `--yes` is missing
  69  the admin API cannot be reached, or cannot do it now
  75  timed out while waiting
  77  the token is missing, is not accepted, or may not do this
  79  nothing was done yet: it waits for a second operator's approval";

const ENVIRONMENT: &str = "\
Environment:
  INTERMISSION_SERVER      where the admin API is (http://127.0.0.1:7070)
  INTERMISSION_PROFILE     a server by its name in ~/.config/intermission/cli.toml
  INTERMISSION_TOKEN       the token to show there; `intermission token` makes one
  INTERMISSION_TOKEN_FILE  a file with the token in it
  INTERMISSION_CA          the CA that an https server must be known by
  INTERMISSION_CONFIG      the config file (intermission.toml)
  INTERMISSION_LOG         what the log tells, such as debug";

/// What stands below the list of commands.
pub(super) fn after_help() -> String {
    format!("{EXIT_CODES}\n\n{ENVIRONMENT}")
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The command line, or a file or a name in it, is wrong.
    #[error("{0}")]
    Usage(String),
    /// It was refused, or failed.
    #[error("{0}")]
    Failed(String),
    /// Nobody answers at the admin address, or it cannot do it now.
    #[error("{0}")]
    Unreachable(String),
    /// What was waited for did not happen in time.
    #[error("{0}")]
    TimedOut(String),
    /// The token does not do.
    #[error("{0}")]
    NotAllowed(String),
    /// Another operator has to approve it first.
    #[error("{0}")]
    Pending(String),
}

impl Fault {
    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Failed(_) => 1,
            Self::Unreachable(_) => 69,
            Self::TimedOut(_) => 75,
            Self::NotAllowed(_) => 77,
            Self::Pending(_) => 79,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented() {
        let none = String::new;
        let faults = [
            Fault::Usage(none()),
            Fault::Failed(none()),
            Fault::Unreachable(none()),
            Fault::TimedOut(none()),
            Fault::NotAllowed(none()),
            Fault::Pending(none()),
        ];
        for fault in faults {
            let row = format!("\n  {:<4}", fault.code());
            assert!(EXIT_CODES.contains(&row), "{fault:?}");
        }
        let readme = include_str!("../../README.md");
        for line in EXIT_CODES.lines().skip(1) {
            let (code, meaning) = line.trim().split_once(' ').expect("a row");
            let row = format!("| {code} | {} |", meaning.trim());
            assert!(readme.contains(&row), "the README lacks: {row}");
        }
    }
}
