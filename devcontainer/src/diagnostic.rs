//! What we have to say about a person's file: where, what, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing, nothing is lost.
    Info,
    /// Something written is ignored or was guessed.
    Warning,
    /// The file cannot be used as it is.
    Error,
}

impl Severity {
    /// The word used in a rendering.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A place in a text. Offsets are bytes; line and column start at 1, columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset after the last byte.
    pub end: usize,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// Column of the first byte in characters, from 1.
    pub column: u32,
}

impl Span {
    /// The span of the bytes `start..end` of a text; offsets outside the text are cut to it.
    #[must_use]
    pub fn locate(text: &str, start: usize, end: usize) -> Self {
        let mut start = start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line = before.matches('\n').count();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[line_start..].chars().count();
        let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        Self { start, end: end.clamp(start, text.len().max(start)), line: number(line), column: number(column) }
    }
}

/// One finding about one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// The file it is about, relative to the repository.
    pub file: String,
    /// The place in the file, where known.
    pub span: Option<Span>,
    /// A stable code in kebab case, for programs.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A finding without place and hint.
    #[must_use]
    pub fn new(severity: Severity, file: &str, code: &str, message: impl Into<String>) -> Self {
        Self { severity, file: file.to_owned(), span: None, code: code.to_owned(), message: message.into(), hint: None }
    }

    /// An error; see [`Diagnostic::new`].
    #[must_use]
    pub fn error(file: &str, code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, file, code, message)
    }

    /// A warning; see [`Diagnostic::new`].
    #[must_use]
    pub fn warning(file: &str, code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, file, code, message)
    }

    /// The same finding with its place.
    #[must_use]
    pub fn at(mut self, span: Option<Span>) -> Self {
        self.span = span;
        self
    }

    /// The same finding with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Renders the finding with the line it is about, as a terminal shows it.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        let mut out = self.to_string();
        let Some(span) = self.span else { return out };
        let Some(line) = text.split('\n').nth(span.line.saturating_sub(1) as usize) else {
            return out;
        };
        let line = line.trim_end_matches('\r').replace('\t', " ");
        let indent = span.column.saturating_sub(1) as usize;
        // A minified file has one long line; showing all of it would hide the finding.
        let from = indent.saturating_sub(60);
        let shown: String = line.chars().skip(from).take(100).collect();
        let rest = shown.chars().count().saturating_sub(indent - from).max(1);
        let marks = "^".repeat((span.end - span.start).clamp(1, rest));
        let place = format!("\n  | {shown}\n  | {}{marks}", " ".repeat(indent - from));
        let at = out.find("\n  hint:").unwrap_or(out.len());
        out.insert_str(at, &place);
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(span) = self.span {
            write!(f, ":{}:{}", span.line, span.column)?;
        }
        write!(f, ": {}[{}]: {}", self.severity.as_str(), self.code, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_lines_and_characters() {
        let text = "{\n  \"é\": x\n}";
        let start = text.find('x').unwrap_or_default();
        let span = Span::locate(text, start, start + 1);
        assert_eq!((span.line, span.column), (2, 8));
        assert_eq!(Span::locate("ab", 9, 12).start, 2);
    }

    #[test]
    fn a_rendering_shows_the_place_and_the_hint() {
        let text = "{\n  \"imag\": 1\n}";
        let finding = Diagnostic::warning("devcontainer.json", "unknown-property", "unknown property \"imag\"")
            .at(Some(Span::locate(text, 4, 10)))
            .hint("did you mean \"image\"?");
        assert_eq!(
            finding.render(text),
            "devcontainer.json:2:3: warning[unknown-property]: unknown property \"imag\"\n  |   \"imag\": 1\n  |   ^^^^^^\n  hint: did you mean \"image\"?"
        );
    }
}
