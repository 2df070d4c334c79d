#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use serde_json::json;

use super::*;
use crate::feature::{Manifest, Place as At, Reference};

fn feature(id: &str, said: Value, given: Value) -> Feature {
    let place = At { folder: ".devcontainer".into(), ..At::default() };
    Feature {
        id: id.to_owned(),
        reference: Reference::parse(id, &place).unwrap(),
        digest: Some("sha256:a".to_owned()),
        artifact: None,
        manifest: serde_json::from_value::<Manifest>(said).unwrap(),
        options: given,
        is_old: false,
    }
}

fn users() -> Users {
    Users { container: "root".into(), remote: "vscode".into(), image: "root".into() }
}

fn plan(features: &[Feature]) -> Installation {
    Installation::plan(features, &users(), &IndexMap::new(), '\\').unwrap()
}

fn text<'a>(plan: &'a Installation, path: &str) -> &'a str {
    &plan.files.iter().find(|file| file.path == path).unwrap().text
}

#[test]
fn each_feature_is_a_layer_of_its_own() {
    let git = feature(
        "ghcr.io/a/git:1",
        json!({"id": "git", "containerEnv": {"PATH": "/git:${PATH}", "Q": "a\"b\\c"}}),
        json!({}),
    );
    let node = feature("./node", json!({"id": "node", "options": {"version": {"default": "lts"}}}), json!("20"));
    let plan = plan(&[git, node]);
    assert_eq!(
        plan.instructions,
        r#"USER root
RUN --mount=type=bind,source=.devcontainer-features/devcontainer-features.builtin.env,target=/tmp/build-features-src/devcontainer-features.builtin.env \
    mkdir -p /tmp/dev-container-features \
 && cp /tmp/build-features-src/devcontainer-features.builtin.env /tmp/dev-container-features/devcontainer-features.builtin.env \
 && chmod -R 0755 /tmp/dev-container-features \
 && echo "_CONTAINER_USER_HOME=$( (command -v getent >/dev/null 2>&1 && getent passwd 'root' || grep -E '^root:|^[^:]*:[^:]*:root:' /etc/passwd || true) | cut -d: -f6)" >> /tmp/dev-container-features/devcontainer-features.builtin.env \
 && echo "_REMOTE_USER_HOME=$( (command -v getent >/dev/null 2>&1 && getent passwd 'vscode' || grep -E '^vscode:|^[^:]*:[^:]*:vscode:' /etc/passwd || true) | cut -d: -f6)" >> /tmp/dev-container-features/devcontainer-features.builtin.env
ENV PATH="/git:${PATH}"
ENV Q="a\"b\\c"
RUN --mount=type=bind,source=.devcontainer-features/git_0,target=/tmp/build-features-src/git_0 \
    cp -ar /tmp/build-features-src/git_0 /tmp/dev-container-features \
 && chmod -R 0755 /tmp/dev-container-features/git_0 \
 && cd /tmp/dev-container-features/git_0 \
 && chmod +x ./devcontainer-features-install.sh \
 && ./devcontainer-features-install.sh \
 && rm -rf /tmp/dev-container-features/git_0
RUN --mount=type=bind,source=.devcontainer-features/node_1,target=/tmp/build-features-src/node_1 \
    cp -ar /tmp/build-features-src/node_1 /tmp/dev-container-features \
 && chmod -R 0755 /tmp/dev-container-features/node_1 \
 && cd /tmp/dev-container-features/node_1 \
 && chmod +x ./devcontainer-features-install.sh \
 && ./devcontainer-features-install.sh \
 && rm -rf /tmp/dev-container-features/node_1
ARG _DEV_CONTAINERS_IMAGE_USER=root
USER $_DEV_CONTAINERS_IMAGE_USER
"#
    );
    let folders: Vec<_> = plan.folders.iter().map(|folder| (folder.path.as_str(), folder.feature)).collect();
    assert_eq!(folders, [(".devcontainer-features/git_0", 0), (".devcontainer-features/node_1", 1)]);
    assert_eq!(text(&plan, ".devcontainer-features/node_1/devcontainer-features.env"), "VERSION=\"20\"");
    let shared = text(&plan, ".devcontainer-features/devcontainer-features.builtin.env");
    assert_eq!(shared, "_CONTAINER_USER='root'\n_REMOTE_USER='vscode'\n");
    assert_eq!(plan.args["_DEV_CONTAINERS_IMAGE_USER"], "root");
}

#[test]
fn another_escape_character_is_used_throughout() {
    let one = feature("./a", json!({"id": "a", "containerEnv": {"X": "a\\b`\""}}), json!({}));
    let env = IndexMap::from([("Y".to_owned(), "$HOME".to_owned())]);
    let text = Installation::plan(&[one], &users(), &env, '`').unwrap().instructions;
    assert!(text.contains("ENV X=\"a\\b```\"\"\n") && text.contains("ENV Y=\"`$HOME\"\n"), "{text}");
    assert!(text.contains("target=/tmp/build-features-src/a_0 `\n    cp -ar "), "{text}");
}

#[test]
fn the_configurations_own_variables_are_not_expanded_and_come_last() {
    let env = IndexMap::from([("A".to_owned(), "${PATH}\"".to_owned())]);
    let text = Installation::plan(&[], &users(), &env, '\\').unwrap().instructions;
    assert!(text.ends_with("USER $_DEV_CONTAINERS_IMAGE_USER\nENV A=\"\\${PATH}\\\"\"\n"), "{text}");
}

#[test]
fn features_of_the_old_form_come_first_and_find_their_variables() {
    let mut old = feature(
        "owner/repository/tool",
        json!({"id": "tool", "options": {"version": {"default": "1"}}, "containerEnv": {"OLD": "1"}}),
        json!("2"),
    );
    old.is_old = true;
    let new = feature("./a", json!({"id": "a"}), json!({}));
    let plan = plan(&[new, old]);
    let at = |text: &str| plan.instructions.find(text).unwrap();
    assert!(at("./install.sh") < at("./devcontainer-features-install.sh"));
    assert!(at("./devcontainer-features-install.sh") < at("ENV OLD=\"1\"") && at("ENV OLD") < at("ARG "));
    assert!(
        text(&plan, ".devcontainer-features/tool_1/devcontainer-features.env")
            .starts_with("_BUILD_ARG_TOOL_VERSION=\"2\"\n")
    );
    assert_eq!(plan.files.iter().filter(|file| file.path.contains("tool_1")).count(), 1);
}

#[test]
fn a_name_from_a_stranger_is_no_path_and_no_instruction() {
    for id in ["../../etc", "a/b", "a\nRUN evil", ".", "a b", "$X", "é"] {
        let plan = plan(&[feature("./x", json!({"id": id}), json!({}))]);
        assert_eq!(plan.folders[0].path, ".devcontainer-features/feature_0", "{id}");
        assert!(!plan.instructions.contains("evil"));
    }
}

#[test]
fn what_no_instruction_can_have_is_an_error() {
    for env in [
        json!({"A\nRUN evil": "x"}),
        json!({"A": "x\nRUN evil"}),
        json!({"A B": "x"}),
        json!({"": "x"}),
        json!({"A=": "x"}),
    ] {
        let one = feature("./a", json!({"id": "a", "containerEnv": env}), json!({}));
        let error = Installation::plan(&[one], &users(), &IndexMap::new(), '\\').unwrap_err();
        assert!(matches!(&error, InstallError::Variable { by, .. } if by == "./a"), "{error}");
    }
    let users = Users { remote: "a\nRUN evil".into(), ..users() };
    assert!(matches!(Installation::plan(&[], &users, &IndexMap::new(), '\\'), Err(InstallError::User(_))));
}

#[test]
fn texts_for_shells_are_quoted() {
    let one = feature(
        "./a",
        json!({"id": "old", "name": "it's", "version": "1", "deprecated": true, "legacyIds": ["old"], "currentId": "new", "documentationURL": "https://a'b"}),
        json!({}),
    );
    let script = script::install(&one);
    assert!(script.contains("echo 'Installing the Feature it'\\''s 1 (./a)'\n"), "{script}");
    assert!(script.contains("is called \"new\" now") && script.contains("deprecated"), "{script}");
    assert!(
        script.contains(
            "'The Feature it'\\''s (./a) could not be installed. Its documentation is at https://a'\\''b.' >&2"
        )
    );
    assert!(script::passwd_entry("a'.b").contains("getent passwd 'a'\\''.b' || grep -E '^a'\\''\\.b:|"));
}

#[test]
fn users_are_said_by_layers_then_the_service_then_the_image() {
    let of = |container: Option<&str>, remote: Option<&str>, service, image| {
        let merged = Merged {
            container_user: container.map(str::to_owned),
            remote_user: remote.map(str::to_owned),
            ..Merged::default()
        };
        let users = Users::of(&merged, service, image);
        (users.container, users.remote, users.image)
    };
    let three = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(of(None, None, None, None), three("root", "root", "root"));
    assert_eq!(of(None, None, Some("db"), Some("node")), three("db", "db", "node"));
    assert_eq!(of(None, Some("vscode"), None, Some("")), three("root", "vscode", "root"));
    assert_eq!(of(Some("a"), None, Some("db"), Some("node")), three("a", "a", "node"));
}
