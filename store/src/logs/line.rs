//! One line of output: made printable, written, read.
//!
//! In the file: `seq`, milliseconds since 1970, stream and text, separated by tabs. The text is last and may
//! contain tabs itself. Behind the stream there may be a mark: how far the line's source is in the log.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use steading_core::log::{LogLine, Mark};

/// The longest text of a line, in bytes; the rest is cut off.
pub(super) const LONGEST: usize = 16 * 1024;
/// Between a stream and its mark; in no name, as it is a control character.
const MARK: char = '\u{1f}';
const CUT: &str = " … (the rest of this line was cut off)";

/// Cuts output into lines without their ends; an empty text is one empty line.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))
}

/// Makes a line printable and bounded. Colours and other escape sequences are kept; other control
/// characters become their pictures (U+2400 and on).
pub(super) fn printable(line: &str) -> String {
    // Nearly all lines are plain; looking at bytes is ten times faster than at characters.
    if line.len() <= LONGEST && line.bytes().all(is_plain) {
        return line.to_owned();
    }
    let mut text = String::with_capacity(line.len().min(LONGEST));
    for c in line.chars() {
        let shown = match c {
            '\t' | '\r' | '\u{8}' | '\u{1b}' => c,
            '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
            '\u{7f}' => '\u{2421}',
            // The other half of the control characters: some terminals obey them.
            '\u{80}'..='\u{9f}' => '\u{fffd}',
            c => c,
        };
        if text.len() + shown.len_utf8() > LONGEST {
            text.push_str(CUT);
            break;
        }
        text.push(shown);
    }
    text
}

/// Whether a byte is shown as it is. 0xC2 begins the second half of the control characters, among others.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\r' | 0x08 | 0x1b) || (byte >= 0x80 && byte != 0xc2)
}

/// Appends a line as it stands in the file.
pub(super) fn write(file: &mut String, seq: u64, at_ms: i64, stream: &str, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(file, "{seq}\t{at_ms}\t{stream}\t{text}");
}

/// Reads a line of the file; `None` if it is not one (torn by a crash, say).
pub(super) fn read(line: &[u8]) -> Option<LogLine> {
    let line = String::from_utf8_lossy(line);
    let mut fields = line.splitn(4, '\t');
    let seq = fields.next()?.parse().ok()?;
    let at = fields.next()?.parse().ok().and_then(DateTime::<Utc>::from_timestamp_millis)?;
    let stream = fields.next()?.split(MARK).next()?.to_owned();
    Some(LogLine { seq, at, stream, text: fields.next()?.to_owned() })
}

/// How far the source is in the log, if the line has a mark of it.
pub(super) fn upto(line: &[u8], source: &str) -> Option<u64> {
    let field = line.split(|b| *b == b'\t').nth(2)?;
    let (_, mark) = std::str::from_utf8(field).ok()?.split_once(MARK)?;
    let (of, upto) = mark.rsplit_once('@')?;
    if of == source { upto.parse().ok() } else { None }
}

/// A stream's name with its mark.
pub(super) fn marked(stream: &str, mark: Mark<'_>) -> String {
    let source = mark.source.chars().filter(|c| !c.is_control());
    format!("{}{MARK}{}@{}", stream_name(stream), source.collect::<String>(), mark.upto)
}

/// A stream's name as it may stand in the file.
pub(super) fn stream_name(stream: &str) -> String {
    stream.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut file = String::new();
        write(&mut file, 7, 1_700_000_000_123, "build", "a\tb \u{1b}[31mred\u{1b}[0m");
        let line = read(file.trim_end_matches('\n').as_bytes()).unwrap();
        assert_eq!((line.seq, line.stream.as_str()), (7, "build"));
        assert_eq!(line.text, "a\tb \u{1b}[31mred\u{1b}[0m");
        assert_eq!(line.at.timestamp_millis(), 1_700_000_000_123);
        assert!(read(b"7\t17").is_none());
        assert!(read(b"\xff\xfe").is_none());
    }

    #[test]
    fn a_mark_is_kept_and_not_shown() {
        let mut file = String::new();
        let mark = Mark { source: "a@b", upto: 12 };
        write(&mut file, 7, 1_700_000_000_123, &marked("hook", mark), "text");
        let line = file.trim_end_matches('\n').as_bytes();
        assert_eq!(read(line).unwrap().stream, "hook");
        assert_eq!((upto(line, "a@b"), upto(line, "a")), (Some(12), None));
        assert_eq!(upto(b"7\t1700000000123\thook\ttext", "a@b"), None);
    }

    #[test]
    fn binary_is_made_printable_and_colour_is_kept() {
        assert_eq!(printable("\0\u{1}\u{7f}\u{85}x"), "␀␁␡\u{fffd}x");
        assert_eq!(printable("\u{1b}[1;32mok\u{1b}[m\t\r"), "\u{1b}[1;32mok\u{1b}[m\t\r");
    }

    #[test]
    fn a_line_has_an_end() {
        let long = printable(&"é".repeat(LONGEST));
        assert!(long.len() <= LONGEST + CUT.len());
        assert!(long.ends_with("cut off)"));
    }

    #[test]
    fn text_of_several_lines_becomes_several_lines() {
        assert_eq!(split("a\r\nb\n").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(split("a\n\nb").collect::<Vec<_>>(), ["a", "", "b"]);
        assert_eq!(split("").collect::<Vec<_>>(), [""]);
    }
}
