//! How often a step is tried, and how long is waited in between. Pure.

use std::time::Duration;

use steading_core::failure::Failure;
use steading_core::{Desired, Phase, Workspace};

/// A look at the runtime fails as a step of this name.
pub(crate) const LOOK: &str = "observe";

/// How often a step may fail in a row before the workspace is given up; `None` is for ever.
pub(crate) fn limit(ws: &Workspace, failure: &Failure) -> Option<u32> {
    // Stopping and deleting are never given up: what is not wanted must not stay.
    if ws.desired != Desired::Running {
        return None;
    }
    let runs = ws.phase == Phase::Running;
    Some(match (failure.step.as_str(), failure.code.as_str()) {
        // An engine that restarts must not fail the workspaces that ran on it and will run again.
        // A hook that ends the process that watches over it would be run for ever.
        ("hooks", "hook-interrupted") => 3,
        (LOOK | "hooks" | "extensions", _) if runs => return None,
        // Looking again starts it anew; one that keeps dying is given up by its deaths, which says why.
        (_, "container-gone") => 8,
        (LOOK, _) => 8,
        ("resolve" | "up" | "populate", _) => 3,
        // A registry has bad moments; a Dockerfile that fails will fail again.
        ("build", "image-pull-failed" | "engine-unreachable") => 3,
        ("build", _) => 1,
        ("open", _) => 2,
        _ => 5,
    })
}

/// How long to wait before the next try. `chance` is between 0 and 1 and spreads those that failed
/// together.
pub(crate) fn delay(attempts: u32, failure: &Failure, chance: f64) -> Duration {
    // What is gone was gone when we came; looking again shows what to do.
    let first = if failure.code == "container-gone" { 0.1 } else { 1.0 };
    let doubled = first * f64::from(1_u32 << attempts.saturating_sub(1).min(10));
    Duration::from_secs_f64(doubled.min(60.0) * (0.8 + 0.4 * chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(step: &str, code: &str) -> Failure {
        Failure {
            step: step.to_owned(),
            code: code.to_owned(),
            message: String::new(),
            hint: None,
            retryable: true,
            output: None,
        }
    }

    #[test]
    fn waiting_doubles_up_to_a_minute_and_is_spread() {
        let f = failure("up", "x");
        let seconds: Vec<_> = (1..9).map(|n| delay(n, &f, 0.5).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(delay(1, &f, 0.0) < delay(1, &f, 1.0));
        assert!(delay(1, &failure("up", "container-gone"), 0.5) < Duration::from_millis(200));
        assert!(delay(u32::MAX, &f, 1.0) <= Duration::from_secs(72));
    }
}
