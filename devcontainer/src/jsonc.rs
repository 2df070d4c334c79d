//! Reads JSON with comments, and forgives nearly everything.
//!
//! Editors read `devcontainer.json` with a parser that reports errors and goes on, and the
//! reference implementation ignores those errors: real repositories have files with a brace or a
//! comma missing that work all the same. Files without a mistake are read by the crate `jsonc-parser`
//! (`strict`). It stops at the first error and returns no value, so the others go to the parser here.
//! That one recovers exactly where the editors' parser does, keeps the place of everything, and
//! bounds depth and the number of findings, since files come from strangers.

use serde_json::{Map, Number, Value};

use crate::diagnostic::{Diagnostic, Span};

mod scanner;
mod strict;

use scanner::{Scanner, Token};

/// Values nested deeper than this are refused. The reference has no limit but its stack.
pub const MAX_DEPTH: usize = 100;
/// Texts longer than this many bytes are refused; the largest known real file has 40 kB.
pub const MAX_BYTES: usize = 1 << 20;
/// More findings than this are not worth reading.
const MAX_DIAGNOSTICS: usize = 100;

/// A text that was read.
#[derive(Clone, Debug)]
pub struct Document {
    /// The first value of the text; `None` if there is none, or if the text was refused.
    pub root: Option<Node>,
    /// What was skipped or guessed, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// A value with its place: byte offsets of its first byte and after its last.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
    /// The value.
    pub kind: Kind,
}

/// The value of a [`Node`].
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `null`, a boolean, a number or a string.
    Plain(Value),
    /// A list.
    Array(Vec<Node>),
    /// An object, with the place of each key; duplicate keys are all there, the last one counts.
    Object(Vec<Member>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The key.
    pub name: String,
    /// Offset of the key's first byte.
    pub start: usize,
    /// Offset after the key's last byte.
    pub end: usize,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The value without places.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Plain(value) => value.clone(),
            Kind::Array(nodes) => Value::Array(nodes.iter().map(Self::to_value).collect()),
            Kind::Object(members) => Value::Object(object(members)),
        }
    }

    /// The value as an object, if it is one.
    #[must_use]
    pub fn to_object(&self) -> Option<Map<String, Value>> {
        match &self.kind {
            Kind::Object(members) => Some(object(members)),
            _ => None,
        }
    }

    /// The members of an object; empty for any other value.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements of a list; empty for any other value.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        match &self.kind {
            Kind::Array(nodes) => nodes,
            _ => &[],
        }
    }

    /// The member that counts for a key: the last one.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().rev().find(|m| m.name == name)
    }

    /// The place of the value in the text it was read from.
    #[must_use]
    pub fn locate(&self, text: &str) -> Span {
        Span::locate(text, self.start, self.end)
    }
}

impl Member {
    /// The place of the key in the text it was read from.
    #[must_use]
    pub fn locate(&self, text: &str) -> Span {
        Span::locate(text, self.start, self.end)
    }
}

fn object(members: &[Member]) -> Map<String, Value> {
    members
        .iter()
        // In the reference this key sets an object's prototype, so it is never a property.
        .filter(|member| member.name != "__proto__")
        .map(|member| (member.name.clone(), member.node.to_value()))
        .collect()
}

/// Reads a text. `file` is only for the diagnostics.
#[must_use]
pub fn parse(file: &str, text: &str) -> Document {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Document { root: None, diagnostics: vec![Diagnostic::error(file, "file-too-large", message)] };
    }
    if let Some(root) = strict::read(text) {
        return Document { root: Some(root), diagnostics: Vec::new() };
    }
    forgive(file, text)
}

/// Reads whatever can be read of a text with mistakes.
fn forgive(file: &str, text: &str) -> Document {
    let mut parser =
        Parser { file, text, scanner: Scanner::new(text), token: Token::End, diagnostics: Vec::new(), too_deep: false };
    let root = parser.document();
    Document { root: if parser.too_deep { None } else { root }, diagnostics: parser.diagnostics }
}

struct Parser<'a> {
    file: &'a str,
    text: &'a str,
    scanner: Scanner<'a>,
    token: Token,
    diagnostics: Vec<Diagnostic>,
    too_deep: bool,
}

impl Parser<'_> {
    fn document(&mut self) -> Option<Node> {
        self.advance();
        if self.token == Token::End {
            self.report("empty-file", "the file contains no value", Some("write at least {}"));
            return None;
        }
        let root = self.value(0);
        if root.is_none() {
            self.report("value-expected", "a value is expected here", None);
        } else if self.token != Token::End {
            self.report("text-after-end", "the text after the end of the configuration is ignored", None);
        }
        root
    }

    fn advance(&mut self) {
        if self.too_deep {
            self.token = Token::End;
            return;
        }
        loop {
            self.token = self.scanner.next();
            if let Some((code, message)) = self.scanner.error() {
                self.report(code, message, None);
            }
            match self.token {
                Token::Comment => {}
                Token::Unknown => {
                    let message = format!("{:?} is not JSON and was skipped", clip(self.scanner.slice()));
                    self.report("unexpected-symbol", &message, Some("strings and keys need double quotes"));
                }
                _ => return,
            }
        }
    }

    /// Goes on to one of two tokens, or to the end.
    fn skip_until(&mut self, one: Token, other: Token) {
        while self.token != Token::End && self.token != one && self.token != other {
            self.advance();
        }
    }

    fn report(&mut self, code: &str, message: &str, hint: Option<&str>) {
        // After a refusal nothing more is worth saying.
        if self.too_deep || self.diagnostics.len() >= MAX_DIAGNOSTICS {
            return;
        }
        let span = Span::locate(self.text, self.scanner.start(), self.scanner.end());
        let mut finding = Diagnostic::warning(self.file, code, message).at(Some(span));
        finding.hint = hint.map(str::to_owned);
        self.diagnostics.push(finding);
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        let start = self.scanner.start();
        let plain = match self.token {
            Token::OpenBracket | Token::OpenBrace if depth >= MAX_DEPTH => {
                let message = format!("values may be nested {MAX_DEPTH} levels deep at most");
                self.report("nested-too-deeply", &message, None);
                self.too_deep = true;
                self.token = Token::End;
                return None;
            }
            Token::OpenBracket => return Some(self.array(depth)),
            Token::OpenBrace => return Some(self.object(depth)),
            Token::String => Value::String(self.scanner.take_string()),
            Token::Number => number(self.scanner.number()),
            Token::True => Value::Bool(true),
            Token::False => Value::Bool(false),
            Token::Null => Value::Null,
            _ => return None,
        };
        let end = self.scanner.end();
        self.advance();
        Some(Node { start, end, kind: Kind::Plain(plain) })
    }

    fn object(&mut self, depth: usize) -> Node {
        let start = self.scanner.start();
        self.advance();
        let mut members = Vec::new();
        let mut needs_comma = false;
        while self.token != Token::CloseBrace && self.token != Token::End {
            if self.token == Token::Comma {
                if !needs_comma {
                    self.report("stray-comma", "a comma without a property before it", None);
                }
                self.advance();
                // A comma before the closing brace is common and means nothing.
                if self.token == Token::CloseBrace {
                    break;
                }
            } else if needs_comma {
                self.report("missing-comma", "a comma is missing before this", None);
            }
            if let Some(member) = self.property(depth) {
                members.push(member);
            }
            needs_comma = true;
        }
        let end = self.close(Token::CloseBrace, "missing-brace", "the file ends before a closing \"}\"");
        Node { start, end, kind: Kind::Object(members) }
    }

    fn property(&mut self, depth: usize) -> Option<Member> {
        if self.token != Token::String {
            self.report("property-expected", "a property name in double quotes is expected here", None);
            self.skip_until(Token::CloseBrace, Token::Comma);
            return None;
        }
        let (start, end) = (self.scanner.start(), self.scanner.end());
        let name = self.scanner.take_string();
        self.advance();
        if self.token != Token::Colon {
            let message = format!("a colon is missing after {:?}", clip(&name));
            self.report("missing-colon", &message, None);
            self.skip_until(Token::CloseBrace, Token::Comma);
            return None;
        }
        self.advance();
        let Some(node) = self.value(depth + 1) else {
            let message = format!("{:?} has no value", clip(&name));
            self.report("value-expected", &message, None);
            self.skip_until(Token::CloseBrace, Token::Comma);
            return None;
        };
        Some(Member { name, start, end, node })
    }

    fn array(&mut self, depth: usize) -> Node {
        let start = self.scanner.start();
        self.advance();
        let mut nodes = Vec::new();
        let mut needs_comma = false;
        while self.token != Token::CloseBracket && self.token != Token::End {
            if self.token == Token::Comma {
                if !needs_comma {
                    self.report("stray-comma", "a comma without a value before it", None);
                }
                self.advance();
                if self.token == Token::CloseBracket {
                    break;
                }
            } else if needs_comma {
                self.report("missing-comma", "a comma is missing before this", None);
            }
            match self.value(depth + 1) {
                Some(node) => nodes.push(node),
                None => {
                    self.report("value-expected", "a value is expected here", None);
                    self.skip_until(Token::CloseBracket, Token::Comma);
                }
            }
            needs_comma = true;
        }
        let end = self.close(Token::CloseBracket, "missing-bracket", "the file ends before a closing \"]\"");
        Node { start, end, kind: Kind::Array(nodes) }
    }

    fn close(&mut self, token: Token, code: &str, message: &str) -> usize {
        let end = self.scanner.end();
        if self.token == token {
            self.advance();
        } else if !self.too_deep {
            self.report(code, message, None);
        }
        end
    }
}

/// Numbers are doubles, as in JavaScript; whole ones print without a fraction.
fn number(text: &str) -> Value {
    /// Up to here every whole double is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let value: f64 = text.parse().unwrap_or(0.0);
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Value::from(value as i64);
    }
    // Infinity prints as null in JavaScript.
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// The start of a text from a stranger, short enough for a message.
fn clip(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
