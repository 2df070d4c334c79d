//! Opens an address in the person's browser.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Programs that open an address, by preference.
const OPENERS: [&str; 4] = ["xdg-open", "open", "wslview", "sensible-browser"];

/// An opener that has not failed in this time has found a browser.
const DOUBT: Duration = Duration::from_secs(2);

/// Tries to open a browser; `false` if there is none.
#[must_use]
pub fn open(url: &str) -> bool {
    OPENERS.iter().any(|program| {
        let begun = Instant::now();
        let command =
            Command::new(program).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(mut opener) = command else { return false };
        // An opener without a screen or a browser is there, and fails.
        while begun.elapsed() < DOUBT {
            match opener.try_wait() {
                Ok(Some(status)) => return status.success(),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        true
    })
}
