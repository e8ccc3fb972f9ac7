//! In which phase of its life the process is, for everybody in the control plane.

use tokio::sync::watch;

/// In which phase of its life the process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Not serving visitors yet.
    Starting,
    /// Serving.
    Serving,
    /// Told to stop: balancers should send nobody any more.
    Draining,
    /// The data plane is gone.
    Stopped,
}

impl Phase {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

/// Returns when the phase is [`Phase::Stopped`], or nobody is left to say so.
pub async fn stopped(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase == Phase::Stopped).await;
}
