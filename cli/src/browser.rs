//! Opens an address in the person's browser.

use std::process::{Command, Stdio};

/// Programs that open an address, by preference.
const OPENERS: [&str; 4] = ["xdg-open", "open", "wslview", "sensible-browser"];

/// Tries to open a browser; `false` if there is none.
#[must_use]
pub fn open(url: &str) -> bool {
    OPENERS.iter().any(|program| {
        Command::new(program).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
    })
}
