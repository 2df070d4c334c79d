#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use serde_json::json;

use super::*;
use crate::{layer::Origin, merged::Merged, mount::Mount, stage::Stage};

fn env(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn shell(line: &str) -> crate::command::LifecycleCommand {
    crate::command::LifecycleCommand::Shell(line.to_owned())
}

fn local() -> Variables {
    let env = env(&[("USER", "ada"), ("EMPTY", ""), ("TRAP", "${localEnv:USER}")]);
    Variables::local(env, Some("/home/ada/project/"), Some("/workspaces/${localWorkspaceFolderBasename}")).unwrap()
}

#[test]
fn the_first_pass_fills_in_what_is_known_before_a_container() {
    let cases = [
        ("${localEnv:USER}", "ada"),
        ("${env:USER}", "ada"),
        ("${localEnv:NOBODY}", ""),
        ("${localEnv:NOBODY:def}", "def"),
        ("${localEnv:NOBODY:a:b}", "a"),
        ("${localEnv:EMPTY:def}", ""),
        ("${localEnv:}", ""),
        ("${localWorkspaceFolder}", "/home/ada/project/"),
        ("${localWorkspaceFolderBasename}", "project"),
        ("${containerWorkspaceFolder}/x", "/workspaces/project/x"),
        ("${containerWorkspaceFolderBasename}", "project"),
        ("${localEnv:TRAP}", "${localEnv:USER}"),
        ("${localEnv:${localEnv:USER}}", "USER}"),
    ];
    for (text, expected) in cases {
        assert_eq!(local().text(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_is_not_known_stays_as_written() {
    for text in [
        "${workspaceFolder}",
        "${LOCALENV:USER}",
        "${containerEnv:PATH}",
        "${devcontainerId}",
        "${",
        "${}",
        "${localEnv:US\nER}",
        "$USER",
    ] {
        assert_eq!(local().text(text).unwrap(), text);
    }
}

#[test]
fn a_variable_without_a_name_is_an_error() {
    let error = local().text("a ${localEnv} b").unwrap_err();
    assert_eq!(error, VariableError::NoName("${localEnv}".into()));
    assert_eq!(error.code(), "variable-without-name");
    assert_eq!(local().text("${containerEnv}").unwrap(), "${containerEnv}");
}

#[test]
fn later_passes_fill_in_the_rest() {
    let text = "${devcontainerId} ${containerEnv:PATH}:${containerEnv:X:y}";
    let text = Variables::identity("abc").text(text).unwrap();
    let text = Variables::container(env(&[("PATH", "/bin")])).text(&text).unwrap();
    assert_eq!(text, "abc /bin:y");
}

#[test]
fn values_change_at_any_depth_and_keys_do_not() {
    let value = json!({"${localEnv:USER}": [{"a": "${localEnv:USER}"}, 1, true, null]});
    assert_eq!(local().value(&value).unwrap(), json!({"${localEnv:USER}": [{"a": "ada"}, 1, true, null]}));
    assert_eq!(mentioned(&value).into_iter().collect::<Vec<_>>(), ["localEnv:USER"]);
}

#[test]
fn growth_is_bounded() {
    let long = env(&[("A", &"x".repeat(1 << 20))]);
    let variables = Variables::local(long, None, None).unwrap();
    assert_eq!(variables.text(&"${localEnv:A}".repeat(9)), Err(VariableError::TooLarge));
    assert!(variables.text(&"${localEnv:A}".repeat(8)).is_ok());
}

#[test]
fn a_merged_configuration_is_substituted_whole() {
    let mut merged = Merged {
        remote_user: Some("${localEnv:USER}".into()),
        mounts: vec![Mount::parse("source=${localEnv:USER},target=/c,type=volume").unwrap()],
        wait_for: None,
        ..Merged::default()
    };
    merged.remote_env.insert("A".into(), Some("${containerEnv:A}".into()));
    merged.remote_env.insert("B".into(), None);
    let origin = Origin::File("${localEnv:USER}/devcontainer.json".into());
    let command = shell("echo ${localEnv:USER}");
    merged.commands.insert(Stage::OnCreate, vec![(origin.clone(), command)]);
    merged.because.insert("remoteUser".into(), vec![origin.clone()]);

    let done = local().apply(&merged).unwrap();
    assert_eq!(done.remote_user.as_deref(), Some("ada"));
    assert_eq!(done.mounts[0].source.as_deref(), Some("ada"));
    assert_eq!(done.commands[&Stage::OnCreate], [(origin.clone(), shell("echo ada"))]);
    assert_eq!(done.because["remoteUser"], [origin]);
    assert_eq!((done.wait_for, done.remote_env["B"].clone()), (None, None));
    assert_eq!(done.remote_env["A"].as_deref(), Some("${containerEnv:A}"));
}
