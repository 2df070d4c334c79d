//! A hook's output on its way into the log: each line once, whoever follows the hook and however often.

use std::sync::Arc;

use steading_core::log::{LogSink, Mark};

use crate::output::Last;

/// So much of what the log has is read again, for the last lines that a failure shows.
const BACK: u64 = 64 << 10;
/// A line that never ends is told in pieces of this size.
const PIECE: usize = 8 << 10;

/// The output of one command of a hook.
pub(super) struct Transcript {
    log: Arc<dyn LogSink>,
    stream: String,
    source: String,
    /// So many bytes are in the log.
    known: u64,
    /// So many bytes were read.
    at: u64,
    partial: Vec<u8>,
    last: Last,
}

impl Transcript {
    /// Goes on after what the log is known to have.
    pub(super) fn new(log: Arc<dyn LogSink>, stream: &str, source: &str, known: Option<u64>) -> Self {
        let (known, partial, last) = (known.unwrap_or(0), Vec::new(), Last::default());
        Self { log, stream: stream.to_owned(), source: source.to_owned(), known, at: 0, partial, last }
    }

    /// Writes what stands above the output.
    pub(super) fn title(&self, text: &str) {
        self.log.write_marked(&self.stream, text, Mark { source: &self.source, upto: 0 });
    }

    /// Begins to read (again): from which byte.
    pub(super) fn reopen(&mut self) -> u64 {
        (self.partial, self.last) = (Vec::new(), Last::default());
        self.at = self.known.saturating_sub(BACK);
        self.at
    }

    /// Takes output of the command.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // What the log has ends where a line of it does.
            let known = usize::try_from(self.known.saturating_sub(self.at)).unwrap_or(usize::MAX);
            let room = if known > 0 { known } else { PIECE.saturating_sub(self.partial.len()).max(1) };
            let line = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |end| end + 1);
            let (piece, rest) = bytes.split_at(line.min(room));
            self.partial.extend_from_slice(piece);
            self.at += piece.len() as u64;
            bytes = rest;
            if piece.ends_with(b"\n") || piece.len() == room {
                self.tell();
            }
        }
    }

    /// Takes what the helper itself has to say.
    pub(super) fn aside(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.last.add(&text);
        self.log.write(&self.stream, text.trim_end());
    }

    /// The command ended; its last lines.
    pub(super) fn close(mut self) -> String {
        if !self.partial.is_empty() {
            self.tell();
        }
        self.last.text()
    }

    fn tell(&mut self) {
        let partial = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&partial);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        self.last.add(text);
        if self.at > self.known {
            self.known = self.at;
            self.log.write_marked(&self.stream, text, Mark { source: &self.source, upto: self.at });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, Option<u64>)>>);

    impl LogSink for Kept {
        fn write(&self, _stream: &str, text: &str) {
            self.0.lock().unwrap().push((text.to_owned(), None));
        }

        fn write_marked(&self, _stream: &str, line: &str, mark: Mark<'_>) {
            self.0.lock().unwrap().push((line.to_owned(), Some(mark.upto)));
        }
    }

    /// Output of every kind: lines, an empty one, one without end, and characters of several bytes.
    fn output() -> Vec<u8> {
        let mut text = b"one\n\ntwo\xc3\xa9\n".to_vec();
        text.extend([b'x'; 3 * PIECE + 7]);
        text.extend(b"\nlast without an end");
        text
    }

    #[test]
    fn each_line_is_told_once_wherever_a_reader_stops_and_another_goes_on() {
        let output = output();
        let whole = Arc::new(Kept::default());
        let mut alone = Transcript::new(whole.clone(), "s", "k", None);
        alone.take(&output);
        alone.close();
        for stop in (0..output.len()).step_by(37) {
            let kept = Arc::new(Kept::default());
            let mut first = Transcript::new(kept.clone(), "s", "k", None);
            output[..stop].chunks(5).for_each(|bytes| first.take(bytes));
            drop(first);
            let known = kept.0.lock().unwrap().last().and_then(|(_, upto)| *upto);
            let mut second = Transcript::new(kept.clone(), "s", "k", known);
            let from = usize::try_from(second.reopen()).unwrap();
            output[from..].chunks(4096).for_each(|bytes| second.take(bytes));
            assert!(second.close().ends_with("last without an end"));
            assert_eq!(*kept.0.lock().unwrap(), *whole.0.lock().unwrap(), "stopped after {stop}");
        }
    }

    #[test]
    fn the_last_lines_are_there_even_if_nothing_new_came() {
        let kept = Arc::new(Kept::default());
        let mut second = Transcript::new(kept.clone(), "s", "k", Some(8));
        assert_eq!(second.reopen(), 0);
        second.take(b"a\nb\ncde\n");
        assert_eq!(second.close(), "a\nb\ncde");
        assert!(kept.0.lock().unwrap().is_empty());
    }
}
