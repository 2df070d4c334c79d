//! What commands print: text that survives a reader who has gone, and tables for people.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};

use chrono::{DateTime, Utc};

use crate::error::CliError;

/// Prints a line to standard output like `println!`, as a `Result`: nobody need read to the end
/// (`steading logs NAME | head -1`).
macro_rules! say {
    ($($words:tt)*) => { $crate::output::line(::std::format_args!($($words)*)) };
}
/// Prints a line to standard error like `eprintln!`; where nobody reads it, it is left out.
macro_rules! note {
    ($($words:tt)*) => { $crate::output::aside(::std::format_args!($($words)*)) };
}
pub(crate) use {note, say};

/// Writes a line to standard output.
pub fn line(words: Arguments<'_>) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_fmt(words).and_then(|()| out.write_all(b"\n")).map_err(unwritable)
}

/// Writes bytes to standard output as they are.
pub fn bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(unwritable)
}

/// Writes a line to standard error. Progress that nobody reads must not end what it is about.
pub fn aside(words: Arguments<'_>) {
    let mut out = io::stderr().lock();
    let _ = out.write_fmt(words).and_then(|()| out.write_all(b"\n"));
}

fn unwritable(error: io::Error) -> CliError {
    match error.kind() {
        ErrorKind::BrokenPipe => CliError::nobody_reads(),
        _ => CliError::internal(error),
    }
}

/// Prints columns as wide as their widest cell, two spaces apart.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .chain(head.get(column).map(|h| h.len()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// How long ago: `12s`, `5m`, `3h`, `8d`.
#[must_use]
pub fn age(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - then).num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".to_owned(), "running".to_owned()], vec!["long-name".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["NAME", "PHASE"], &rows), "NAME       PHASE\na          running\nlong-name  x");
    }

    #[test]
    fn ages_are_short() {
        let now = Utc::now();
        assert_eq!(age(now - chrono::Duration::seconds(59), now), "59s");
        assert_eq!(age(now - chrono::Duration::hours(30), now), "1d");
        assert_eq!(age(now + chrono::Duration::hours(1), now), "0s");
    }
}
