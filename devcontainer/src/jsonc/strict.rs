//! Files without a mistake, read by `jsonc-parser`: nearly all of them.
//!
//! A text that it refuses goes to the forgiving parser, which reads the same values wherever both read
//! anything; a property test holds them to that.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::{Kind, MAX_DEPTH, Member, Node, number};

/// JSON with comments and trailing commas, nothing looser: what is looser is worth a finding.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The value of a text without a mistake; `None` for any other.
pub fn read(text: &str) -> Option<Node> {
    // The library passes over more than JSON allows, and recurses as deep as the text says.
    if text.chars().any(is_odd) || is_deep(text) {
        return None;
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &OPTIONS).ok()?;
    node(text, &parsed.value?)
}

/// White space and control characters that editors point at (RFC 8259, sections 2 and 7), and the mark that
/// would shift all offsets.
fn is_odd(c: char) -> bool {
    c == '\u{feff}' || ((c.is_whitespace() || c.is_control()) && !matches!(c, ' ' | '\t' | '\n' | '\r'))
}

/// Whether there may be more levels than are read. Brackets in strings and comments count too, which
/// costs such a text no more than the shorter way.
fn is_deep(text: &str) -> bool {
    let mut depth = 0usize;
    text.bytes().any(|byte| {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

fn node(text: &str, value: &ast::Value<'_>) -> Option<Node> {
    let kind = match value {
        ast::Value::StringLit(literal) => Kind::Plain(Value::String(string(text, literal)?)),
        ast::Value::NumberLit(digits) => Kind::Plain(number(digits.value)),
        ast::Value::BooleanLit(word) => Kind::Plain(Value::Bool(word.value)),
        ast::Value::NullKeyword(_) => Kind::Plain(Value::Null),
        ast::Value::Array(array) => {
            Kind::Array(array.elements.iter().map(|element| node(text, element)).collect::<Option<_>>()?)
        }
        ast::Value::Object(object) => {
            Kind::Object(object.properties.iter().map(|property| member(text, property)).collect::<Option<_>>()?)
        }
    };
    Some(Node { start: value.start(), end: value.end(), kind })
}

fn member(text: &str, property: &ast::ObjectProp<'_>) -> Option<Member> {
    let ast::ObjectPropName::String(name) = &property.name else { return None };
    Some(Member {
        name: string(text, name)?,
        start: name.range.start,
        end: name.range.end,
        node: node(text, &property.value)?,
    })
}

/// The text of a string, unless a tab or a line end stands in it unescaped: that is worth a finding.
fn string(text: &str, literal: &ast::StringLit<'_>) -> Option<String> {
    let written = text.get(literal.range.start..literal.range.end)?;
    (!written.contains(char::is_control)).then(|| literal.value.clone().into_owned())
}
