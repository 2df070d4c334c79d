#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn manifest(value: Value) -> Manifest {
    serde_json::from_value(value).unwrap()
}

fn node() -> Manifest {
    manifest(json!({"id": "node", "options": {
        "version": {"type": "string", "proposals": ["lts", "20"], "default": "lts"},
        "nodeGypDependencies": {"type": "boolean", "default": true},
        "distro": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "token": {"type": "string"}
    }}))
}

#[test]
fn defaults_are_filled_in_and_options_without_one_are_not() {
    let expected = ["VERSION=\"lts\"", "NODEGYPDEPENDENCIES=\"true\"", "DISTRO=\"a\""];
    assert_eq!(environment(&node(), &json!({})), expected);
    assert_eq!(environment(&node(), &Value::Null), expected);
}

#[test]
fn what_is_given_replaces_the_default_at_its_place() {
    assert_eq!(
        environment(&node(), &json!({"token": "t", "version": "20", "nodeGypDependencies": "false"})),
        ["VERSION=\"20\"", "NODEGYPDEPENDENCIES=\"false\"", "DISTRO=\"a\"", "TOKEN=\"t\""]
    );
}

#[test]
fn one_value_is_the_version_if_there_is_such_an_option() {
    assert_eq!(values(&node(), &json!("18"))["version"], json!("18"));
    assert_eq!(values(&node(), &json!(true))["version"], json!(true));
    assert_eq!(environment(&node(), &json!(18))[0], "VERSION=\"18\"");
    let plain = manifest(json!({"id": "x", "options": {"a": {"type": "string", "default": "1"}}}));
    for given in [json!("18"), json!(true), json!(false), json!(3)] {
        assert_eq!(environment(&plain, &given), ["A=\"1\""]);
    }
}

#[test]
fn values_that_nobody_allowed_pass_as_in_the_reference() {
    let odd = json!({"distro": "c", "unknown": null, "list": [1, null, "x"], "map": {}, "half": 0.5, "large": 1e20});
    assert_eq!(
        environment(&node(), &odd)[2..],
        [
            "DISTRO=\"c\"",
            "UNKNOWN=\"null\"",
            "LIST=\"1,,x\"",
            "MAP=\"[object Object]\"",
            "HALF=\"0.5\"",
            "LARGE=\"100000000000000000000\""
        ]
    );
}

#[test]
fn quotes_in_values_are_not_escaped_as_in_the_reference() {
    assert_eq!(environment(&node(), &json!({"token": "a\"$HOME\\"}))[3], "TOKEN=\"a\"$HOME\\\"");
}

#[test]
fn names_become_names_of_variables() {
    for (option, name) in [
        ("version", "VERSION"),
        ("install-zsh", "INSTALL_ZSH"),
        ("a.b c", "A_B_C"),
        ("1abc", "_ABC"),
        ("_x", "_X"),
        ("12", "_"),
        ("__1__a", "_A"),
        ("é", "_"),
        ("xé", "X_"),
        ("x😀", "X__"),
        ("", ""),
    ] {
        assert_eq!(variable(option), name, "{option}");
    }
}

#[test]
fn an_old_feature_has_its_name_in_every_variable() {
    let old = manifest(
        json!({"id": "my-tool", "buildArg": "TOOL", "options": {"version": {"default": "1"}, "x": {"default": "2"}}}),
    );
    assert_eq!(
        old_environment(&old, &json!("3"), "my-tool_0"),
        [
            "_BUILD_ARG_MY_TOOL_VERSION=\"3\"",
            "_BUILD_ARG_MY_TOOL_X=\"2\"",
            "_BUILD_ARG_MY_TOOL=true",
            "TOOL=3",
            "_BUILD_ARG_MY_TOOL_TARGETPATH=/usr/local/devcontainer-features/my-tool_0"
        ]
    );
    assert!(old_environment(&old, &json!(false), "f").is_empty());
    assert_eq!(environment(&old, &json!({})).last().unwrap(), "TOOL=1");
}

fn findings(features: &str) -> Vec<(String, Option<String>)> {
    let text = format!("{{\"features\": {{\"node\": {features}}}}}");
    let config = crate::config::DevContainer::parse("f.json", &text).config.unwrap();
    let wish = Wish::all(&config, &Default::default()).remove(0);
    check("f.json", &text, &wish, &node()).into_iter().map(|d| (d.code, d.hint)).collect()
}

#[test]
fn options_that_cannot_be_meant_are_named() {
    let hint = |hint: &str| Some(hint.to_owned());
    assert!(
        findings(r#"{"version": "21", "nodeGypDependencies": "true", "distro": "b", "token": "${localEnv:T}"}"#)
            .is_empty()
    );
    assert!(findings("\"latest\"").is_empty());
    assert_eq!(findings(r#"{"verson": "21"}"#), [("unknown-option".to_owned(), hint("did you mean \"version\"?"))]);
    assert_eq!(findings(r#"{"distro": "c"}"#), [("invalid-option".to_owned(), None)]);
    assert_eq!(findings(r#"{"nodeGypDependencies": "yes"}"#), [("invalid-option".to_owned(), None)]);
    assert_eq!(findings(r#"{"version": 21}"#), [("invalid-option".to_owned(), None)]);
}

#[test]
fn a_finding_has_the_place_of_the_option() {
    let text = "{\"features\": {\"node\": {\n \"distro\": \"c\"}}}";
    let wish = Wish { id: "node".into(), options: json!({"distro": "c"}) };
    let span = check("f.json", text, &wish, &node())[0].span.unwrap();
    assert_eq!((span.line, span.column), (2, 2));
}

proptest! {
    #[test]
    fn a_name_of_a_variable_is_one(option in any::<String>()) {
        let name = variable(&option);
        prop_assert!(name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
        prop_assert!(!name.starts_with(|c: char| c.is_ascii_digit()));
        prop_assert_eq!(variable(&name), name);
    }
}
