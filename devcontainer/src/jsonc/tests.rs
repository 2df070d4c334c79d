#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str) -> Option<Value> {
    parse("f", text).root.map(|root| root.to_value())
}

fn codes(text: &str) -> Vec<String> {
    parse("f", text).diagnostics.into_iter().map(|d| d.code).collect()
}

#[test]
fn comments_and_trailing_commas_are_fine() {
    let text = "\u{feff}// a\n{ /* b */ \"a\": [1, 2,], \"b\": {\"c\": null,},\r\n}\n// end";
    assert_eq!(read(text), Some(json!({"a": [1, 2], "b": {"c": null}})));
    assert!(codes("{\"a\": [1,],} // x").is_empty());
}

#[test]
fn broken_files_give_what_editors_read() {
    let cases = [
        ("{\"a\": 1 \"b\": 2}", json!({"a": 1, "b": 2}), "missing-comma"),
        ("{\"a\": {\"b\": 1}", json!({"a": {"b": 1}}), "missing-brace"),
        ("{\"a\": [1", json!({"a": [1]}), "missing-bracket"),
        ("{,\"a\": 1}", json!({"a": 1}), "stray-comma"),
        ("{\"a\" 1, \"b\": 2}", json!({"b": 2}), "missing-colon"),
        ("{'a': 1, \"b\": 2}", json!({"b": 2}), "unexpected-symbol"),
        ("{\"a\": , \"b\": 2}", json!({"b": 2}), "value-expected"),
        ("{\"a\": \"x\\qy\"}", json!({"a": "xy"}), "unknown-escape"),
        ("{\"a\": 1} trailing", json!({"a": 1}), "unexpected-symbol"),
        ("{\"a\": 1} {}", json!({"a": 1}), "text-after-end"),
    ];
    for (text, value, code) in cases {
        assert_eq!(read(text), Some(value), "{text}");
        assert_eq!(codes(text).first().map(String::as_str), Some(code), "{text}");
    }
}

#[test]
fn a_string_ends_with_its_line() {
    assert_eq!(read("{\"a\": \"x\n, \"b\": 1}"), Some(json!({"a": "x", "b": 1})));
    assert_eq!(read("{\"a\": \"x"), Some(json!({"a": "x"})));
    assert_eq!(read("{\"a\": \"x\ty\"}"), Some(json!({"a": "x\ty"})));
}

#[test]
fn numbers_are_doubles() {
    assert_eq!(read("1e3"), Some(json!(1000)));
    assert_eq!(read("-0"), Some(json!(0)));
    assert_eq!(read("1.5"), Some(json!(1.5)));
    assert_eq!(read("1e999"), Some(Value::Null));
    assert_eq!(read("2."), Some(json!(2)));
    assert_eq!(read("[3e]"), Some(json!([3])));
    assert_eq!(read("[-, 1]"), Some(json!([1])));
    let big = read("12345678901234567890").and_then(|v| v.as_f64());
    assert_eq!(big, Some(12_345_678_901_234_567_890_f64));
}

#[test]
fn the_last_of_equal_keys_counts_and_prototypes_do_not() {
    assert_eq!(read("{\"a\": 1, \"a\": 2, \"__proto__\": 3}"), Some(json!({"a": 2})));
}

#[test]
fn escapes_and_pairs_are_decoded() {
    assert_eq!(read(r#""\u00e9\ud83d\ude00\n\/""#), Some(json!("é😀\n/")));
    assert_eq!(read(r#""\ud83dx""#), Some(json!("\u{fffd}x")));
    assert_eq!(read(r#""\u12g""#), Some(json!("g")));
}

#[test]
fn an_empty_text_has_no_value() {
    assert_eq!(read(""), None);
    assert_eq!(read("// only a comment"), None);
    assert_eq!(codes(" "), ["empty-file"]);
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(read(&deep(MAX_DEPTH)).is_some());
    assert_eq!(read(&deep(MAX_DEPTH + 1)), None);
    assert_eq!(codes(&deep(100_000)), ["nested-too-deeply"]);
    assert_eq!(codes(&" ".repeat(MAX_BYTES + 1)), ["file-too-large"]);
    assert!(codes(&"x ".repeat(10_000)).len() <= MAX_DIAGNOSTICS);
}

#[test]
fn places_point_at_what_they_mean() {
    let text = "{\n  \"a\": [true]\n}";
    let root = parse("f", text).root.unwrap();
    let member = root.member("a").unwrap();
    assert_eq!(&text[member.start..member.end], "\"a\"");
    assert_eq!(&text[member.node.start..member.node.end], "[true]");
    assert_eq!(member.node.elements()[0].locate(text).line, 2);
}

/// What the library reads, the forgiving parser reads too: the same values at the same places, with
/// nothing to say about them.
fn assert_agreement(text: &str) {
    if let Some(root) = strict::read(text) {
        let forgiven = forgive("f", text);
        assert_eq!(forgiven.root, Some(root), "{text}");
        assert!(forgiven.diagnostics.is_empty(), "{text}: {:?}", forgiven.diagnostics);
    }
}

#[test]
fn well_formed_files_are_read_by_the_library() {
    let text = "// a\n{ /* b */ \"a\": [1, 2.5e3, -0,], \"b\": {\"c\": null, \"d\": \"\\u00e9\\n\"},\r\n}\n// end";
    assert!(strict::read(text).is_some());
    assert_agreement(text);
}

/// Texts out of the pieces that configurations are made of, often well-formed.
fn pieces() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[0-9]{1,20}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        "\"([a-z é\u{1F600}]|\\\\[nrt\"\\\\/bfqu0]|\\\\u[0-9a-fA-F]{4}){0,6}\"",
        "[^\\x00]{0,4}",
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|v| format!("[{}]", v.join(","))),
            prop::collection::vec(("[a-c_]{0,3}", inner.clone()), 0..5).prop_map(|v| {
                let members: Vec<String> = v.iter().map(|(k, v)| format!("\"{k}\": {v}")).collect();
                format!("{{{}, }} // x", members.join(" ,\n"))
            }),
            inner.prop_map(|v| format!("/* * */{v}\n")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn both_ways_of_reading_agree(text in pieces()) {
        assert_agreement(&text);
    }

    #[test]
    fn both_ways_agree_on_anything(text in "[\\t\\r\\n]?\"?.*") {
        assert_agreement(&text);
    }
}
