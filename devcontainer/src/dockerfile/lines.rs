//! Cuts a Dockerfile into instructions.

use std::{collections::VecDeque, ops::Range};

/// One instruction with its continuation lines joined.
pub(super) struct Line {
    /// Its word in upper case.
    pub(super) keyword: String,
    /// What follows the word.
    pub(super) rest: String,
    /// Its bytes in the text, without the last line's end.
    pub(super) range: Range<usize>,
}

/// A text cut into pieces.
pub(super) struct Pieces {
    /// The value of the directive `# syntax=`.
    pub(super) syntax: Option<String>,
    /// What continues a line.
    pub(super) escape: char,
    /// All instructions.
    pub(super) lines: Vec<Line>,
}

/// Reads the directives and all instructions.
pub(super) fn split(text: &str) -> Pieces {
    let mut syntax = None;
    let mut escape = '\\';
    let mut directives = true;
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut heredocs: VecDeque<(String, bool)> = VecDeque::new();
    let mut at = 0;
    for raw in text.split_inclusive('\n') {
        let start = at;
        at += raw.len();
        let line = raw.trim_end_matches(['\n', '\r']);
        if let Some((word, tabs)) = heredocs.front() {
            let line = if *tabs { line.trim_start_matches('\t') } else { line };
            if line == word {
                heredocs.pop_front();
            }
            continue;
        }
        let trimmed = line.trim_start_matches('\u{feff}').trim();
        if trimmed.starts_with('#') {
            if directives {
                match directive(trimmed) {
                    Some((name, value)) if name == "syntax" && syntax.is_none() => {
                        syntax = Some(value);
                    }
                    Some((name, value)) if name == "escape" => escape = value.chars().next().unwrap_or(escape),
                    Some(_) => {}
                    None => directives = false,
                }
            }
            continue;
        }
        directives = false;
        // An empty line does not end a continued instruction.
        if trimmed.is_empty() {
            continue;
        }
        let (begin, mut joined) = open.take().unwrap_or((start, String::new()));
        if let Some(part) = line.trim_end().strip_suffix(escape) {
            joined.push_str(part);
            open = Some((begin, joined));
            continue;
        }
        joined.push_str(line);
        let instruction = instruction(&joined, begin..start + line.trim_end().len());
        if matches!(instruction.keyword.as_str(), "RUN" | "COPY" | "ADD") {
            heredocs = here_documents(&instruction.rest);
        }
        lines.push(instruction);
    }
    if let Some((begin, joined)) = open {
        lines.push(instruction(&joined, begin..text.trim_end().len().max(begin)));
    }
    Pieces { syntax, escape, lines }
}

fn instruction(joined: &str, range: Range<usize>) -> Line {
    let joined = joined.trim_start_matches('\u{feff}').trim();
    let (keyword, rest) = joined.split_once([' ', '\t']).unwrap_or((joined, ""));
    Line { keyword: keyword.to_ascii_uppercase(), rest: rest.trim().to_owned(), range }
}

fn directive(comment: &str) -> Option<(String, String)> {
    let (name, value) = comment.trim_start_matches('#').split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let known = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
    known.then(|| (name, value.trim().to_owned()))
}

/// The words that end the here-documents an instruction opens, and whether tabs before them count.
fn here_documents(rest: &str) -> VecDeque<(String, bool)> {
    let mut found = VecDeque::new();
    let mut text = rest;
    while let Some(at) = text.find("<<") {
        text = &text[at + 2..];
        // `<<<` is a here-string of a shell.
        if let Some(after) = text.strip_prefix('<') {
            text = after;
            continue;
        }
        let (tabs, word) = text.strip_prefix('-').map_or((false, text), |word| (true, word));
        let quote = word.chars().next().filter(|c| matches!(c, '"' | '\''));
        let word: String = match quote {
            Some(quote) => word[1..].split(quote).next().unwrap_or_default().to_owned(),
            None => word.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')).collect(),
        };
        // `1 << 3` in a shell expression is no here-document.
        if quote.is_some() || word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            found.push_back((word, tabs));
        }
    }
    found
}

/// Splits at white space outside quotes and removes the quotes.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == c => quote = None,
            (None | Some('"'), '\\') => {
                word.get_or_insert_default().extend(chars.next());
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// A text without the quotes around it.
pub(super) fn unquote(text: &str) -> String {
    words(text).join(" ")
}
