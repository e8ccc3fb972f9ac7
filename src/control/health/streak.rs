//! How many answers in a row it takes until one is believed.

use crate::control::roster::Health;
use crate::snapshot::HealthCheck;

/// What is believed of a server, and how many answers in a row speak against it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Streak {
    well: Option<bool>,
    row: u32,
}

impl Streak {
    /// Begins with what is known.
    pub(super) const fn from(health: &Health) -> Self {
        let well = match health {
            Health::Unchecked | Health::Unknown => None,
            Health::Healthy { .. } => Some(true),
            Health::Unhealthy { .. } => Some(false),
        };
        Self { well, row: 0 }
    }

    /// Whether the server is well; none as long as nobody asked.
    pub(super) const fn state(self) -> Option<bool> {
        self.well
    }

    /// Takes an answer. The first one is believed at once.
    pub(super) const fn take(&mut self, good: bool, check: &HealthCheck) {
        let Some(well) = self.well else {
            self.well = Some(good);
            return;
        };
        if good == well {
            self.row = 0;
            return;
        }
        self.row += 1;
        if self.row >= if good { check.rise } else { check.fall } {
            *self = Self { well: Some(good), row: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::snapshot::Question;

    #[test]
    fn it_takes_as_many_in_a_row_as_the_config_says() {
        let second = Duration::from_secs(1);
        let (question, port) = (Question::Tcp, None);
        let check =
            HealthCheck { question, interval: second, timeout: second, rise: 2, fall: 3, port };
        let mut streak = Streak::from(&Health::Unknown);
        let believed: String = "+--+---+-++-"
            .chars()
            .map(|answer| {
                streak.take(answer == '+', &check);
                if streak.state() == Some(true) { '+' } else { '-' }
            })
            .collect();
        assert_eq!(believed, "++++++----++");
        let mut first = Streak::from(&Health::Unknown);
        first.take(false, &check);
        assert_eq!(first.state(), Some(false), "the first answer is believed at once");
    }
}
