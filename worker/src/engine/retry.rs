//! How often a step is tried, and how long is waited in between. Pure.

use std::time::Duration;

use steading_core::failure::Failure;
use steading_core::workspace::Retry;
use steading_core::{Desired, Phase};

/// A look at the runtime fails as a step of this name.
pub(crate) const LOOK: &str = "observe";

/// The code of an engine that does not answer.
const AWAY: &str = "engine-unreachable";

/// Which failure in a row this one of a step is. An engine that was away does not count with what else
/// goes wrong, or the first hiccup after its return would be one too many.
pub(crate) fn attempts(before: Option<&Retry>, step: &str, code: &str) -> u32 {
    let in_row = before.filter(|retry| retry.step == step && (retry.code == AWAY) == (code == AWAY));
    in_row.map_or(0, |retry| retry.attempts).saturating_add(1)
}

/// Whether a service that was silent so often in a row, for all its patience, is started anew: the second
/// time, and less and less often after it.
pub(crate) const fn restarts(attempts: u32) -> bool {
    attempts > 1 && attempts.is_power_of_two()
}

/// How often a step may fail in a row before the workspace is given up; `None` is for ever. `were_open`
/// says that people have been in the container that is there.
pub(crate) fn limit(desired: Desired, phase: Phase, failure: &Failure, were_open: bool) -> Option<u32> {
    // Stopping and deleting are never given up: what is not wanted must not stay.
    if desired != Desired::Running {
        return None;
    }
    let runs = phase == Phase::Running;
    Some(match (failure.step.as_str(), failure.code.as_str()) {
        // An engine that restarts must not fail the workspaces that ran on it and will run again.
        (LOOK | "hooks" | "extensions", _) if runs => return None,
        // A machine under load, or one that has just started: given up, nobody would be let in again.
        ("open", _) if were_open => return None,
        // Six minutes: any restart or upgrade of an engine, and whoever forgot to start it is told.
        (_, AWAY) => 12,
        // Looking again starts it anew; one that keeps dying is given up by its deaths, which says why.
        (_, "container-gone") => 8,
        (LOOK, _) => 8,
        ("resolve" | "up" | "populate", _) => 3,
        // A registry has bad moments; a Dockerfile that fails will fail again.
        ("build", "image-pull-failed") => 3,
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
    fn an_engine_may_be_away_for_minutes_in_every_step() {
        for step in ["resolve", "build", "up", "populate", "hooks", "open", "extensions", LOOK] {
            let away = failure(step, AWAY);
            let limit = limit(Desired::Running, Phase::Building, &away, false).unwrap();
            let waited: Duration = (1..limit).map(|n| delay(n, &away, 0.0)).sum();
            assert!(waited > Duration::from_secs(240), "{step}: {waited:?}");
        }
    }

    #[test]
    fn nobody_is_locked_out_of_a_container_they_were_in() {
        for (code, phase) in [("service-not-ready", Phase::Running), ("service-not-started", Phase::Initializing)] {
            let silent = failure("open", code);
            assert_eq!(limit(Desired::Running, phase, &silent, true), None);
            assert_eq!(limit(Desired::Running, phase, &silent, false), Some(2));
        }
    }

    #[test]
    fn an_engine_that_was_away_does_not_count_with_other_troubles() {
        let retry = |code: &str, attempts| {
            let not_before = chrono::Utc::now();
            Some(Retry { step: "build".to_owned(), code: code.to_owned(), attempts, not_before })
        };
        assert_eq!(attempts(None, "build", "x"), 1);
        assert_eq!(attempts(retry("x", 2).as_ref(), "build", "y"), 3);
        assert_eq!(attempts(retry("x", 2).as_ref(), "up", "x"), 1);
        assert_eq!(attempts(retry(AWAY, 5).as_ref(), "build", "image-pull-failed"), 1);
        assert_eq!(attempts(retry(AWAY, 5).as_ref(), "build", AWAY), 6);
    }

    #[test]
    fn a_silent_service_is_started_anew_less_and_less_often() {
        assert_eq!((0..20).filter(|n| restarts(*n)).collect::<Vec<_>>(), [2, 4, 8, 16]);
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
