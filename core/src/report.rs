//! Prints an error chain once, at the edge.

use std::error::Error;
use std::fmt::Write as _;

/// The error and its causes on one line: `could not pull x: connection refused`.
///
/// A cause whose text the line already ends with is left out; many libraries repeat their source.
#[must_use]
pub fn chain(error: &(dyn Error + '_)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.ends_with(&text) {
            let _ = write!(line, ": {text}");
        }
        source = cause.source();
    }
    line
}

/// The same for a fault.
#[must_use]
pub fn chain_of(fault: &(dyn crate::fault::Fault + '_)) -> String {
    let mut line = fault.to_string();
    if let Some(source) = fault.source() {
        let _ = write!(line, ": {}", chain(source));
    }
    line
}
