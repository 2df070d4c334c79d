#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use super::*;

const FILE: &str = ".devcontainer/devcontainer.json";

fn findings(text: &str) -> Vec<(String, Severity, Option<String>)> {
    let parsed = DevContainer::parse(FILE, text);
    parsed.diagnostics.into_iter().map(|d| (d.code, d.severity, d.hint)).collect()
}

fn codes(text: &str) -> Vec<String> {
    findings(text).into_iter().map(|(code, _, _)| code).collect()
}

#[test]
fn a_sound_file_has_nothing_to_say() {
    let text = r#"{
        // A comment
        "$schema": "x", "name": "n", "image": "debian", "features": {"ghcr.io/devcontainers/features/git:1": {}}, "remoteEnv": {"A": null},
        "customizations": {"vscode": {"settings": {"a": "${workspaceFolders}"}}},
        "mounts": ["type=volume,source=a,target=/b"], "forwardPorts": [3000, "db:5432", "${localEnv:PORT}"],
        "portsAttributes": {"3000": {"label": "web", "onAutoForward": "silent"}},
        "postCreateCommand": {"a": "echo ${HOME} ${localWorkspaceFolder}", "b": ["x"]}, "waitFor": "postCreateCommand",
        "hostRequirements": {"cpus": 2, "gpu": "optional"},
    }"#;
    assert_eq!(codes(text), Vec::<String>::new());
    let config = DevContainer::parse(FILE, text).config.unwrap();
    assert_eq!((config.name().as_deref(), config.folder()), (Some("n"), ".devcontainer"));
    assert_eq!(config.scenario(), Scenario::Image("debian".into()));
}

#[test]
fn unknown_properties_are_kept_and_near_ones_are_named() {
    let text = "{\"image\": \"a\",\n \"postCreateComand\": \"x\", \"zzz\": 1, \"build\": {\"dockerFile\": \"D\"}}";
    let warned = |hint: Option<&str>| ("unknown-property".to_owned(), Severity::Warning, hint.map(str::to_owned));
    assert_eq!(
        findings(text),
        [
            warned(Some("did you mean \"postCreateCommand\"?")),
            warned(None),
            warned(Some("did you mean \"dockerfile\"?"))
        ]
    );
    let parsed = DevContainer::parse(FILE, text);
    assert!(parsed.config.unwrap().properties.has("zzz"));
    let span = parsed.diagnostics[0].span.unwrap();
    assert_eq!((span.line, span.column, &text[span.start..span.end]), (2, 2, "\"postCreateComand\""));
}

#[test]
fn values_of_the_wrong_form_are_named() {
    for text in [
        r#"{"image": "a", "init": "yes"}"#,
        r#"{"image": "a", "runArgs": "--init"}"#,
        r#"{"image": "a", "capAdd": [1]}"#,
        r#"{"image": "a", "containerEnv": {"A": 1}}"#,
        r#"{"image": "a", "containerEnv": {"A": null}}"#,
        r#"{"image": "a", "postCreateCommand": [1]}"#,
        r#"{"image": "a", "postCreateCommand": {"a": {"b": "c"}}}"#,
        r#"{"image": "a", "waitFor": "noon"}"#,
        r#"{"image": "a", "portsAttributes": {"1": {"protocol": "ftp"}}}"#,
        r#"{"image": "a", "customizations": []}"#,
        r#"{"image": "a", "hostRequirements": {"memory": "4GB"}}"#,
        r#"{"image": "a", "hostRequirements": {"cpus": "4"}}"#,
    ] {
        assert_eq!(codes(text), ["wrong-type"], "{text}");
    }
    assert_eq!(codes(r#"{"image": "a", "mounts": ["source=a"]}"#), ["invalid-mount"]);
    assert_eq!(codes(r#"{"image": "a", "forwardPorts": [0], "appPort": {}}"#), ["invalid-port", "invalid-port"]);
}

#[test]
fn combinations_without_effect_are_named() {
    assert_eq!(codes("{\"forwardPorts\": [1]}"), ["no-image"]);
    assert_eq!(codes(r#"{"dockerComposeFile": "c", "service": "s", "runArgs": []}"#), ["unused-property"]);
    assert_eq!(codes(r#"{"build": {"dockerfile": "D"}, "image": "a"}"#), ["unused-property"]);
}

#[test]
fn variables_that_cannot_work_are_named() {
    let text = r#"{"image": "a", "name": "${localEnv}", "runArgs": ["-v=${localWorkspaceFolderBaseNam}:/a", "${workspaceFolder}"]}"#;
    assert_eq!(codes(text), ["variable-without-name", "unknown-variable"]);
}

#[test]
fn what_is_no_configuration_is_an_error() {
    for text in ["", "// only", "null", "[]", "\"x\" {}", "nonsense", &"[".repeat(200)] {
        let parsed = DevContainer::parse(FILE, text);
        assert_eq!(parsed.config, None, "{text}");
        assert!(parsed.diagnostics.iter().any(|d| d.severity == Severity::Error), "{text}");
    }
}

#[test]
fn a_configuration_survives_storage() {
    let config = DevContainer::parse(FILE, "{\"b\": 1, \"a\": {\"c\": [null]}}").config.unwrap();
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<DevContainer>(&text).unwrap(), config);
}
