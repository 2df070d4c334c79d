#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use super::*;
use crate::feature::{Manifest, Reference};

fn config(text: &str) -> DevContainer {
    DevContainer::parse(".devcontainer/devcontainer.json", text).config.unwrap()
}

fn planned(text: &str, dockerfile: &str) -> Result<BuildPlan, BuildError> {
    let config = config(text);
    plan(&config, dockerfile, &[Layer::from_config(&config)])
}

#[test]
fn paths_start_at_the_folder_of_the_configuration() {
    let of = |text: &str| paths(&config(text)).map(|p| (p.dockerfile, p.context));
    let own = (".devcontainer/Dockerfile".to_owned(), ".devcontainer".to_owned());
    assert_eq!(of(r#"{"build": {"dockerfile": "Dockerfile"}}"#), Ok(own));
    let root = ("docker/Dockerfile".to_owned(), String::new());
    assert_eq!(of(r#"{"build": {"dockerfile": "../docker/Dockerfile", "context": ".."}}"#), Ok(root));
    let old = ("Dockerfile".to_owned(), String::new());
    assert_eq!(of(r#"{"dockerFile": "../Dockerfile", "build": {"context": "x"}}"#), Ok(old));
}

#[test]
fn nothing_outside_the_repository_is_built() {
    for (text, code) in [
        (r#"{"build": {"dockerfile": "../../D"}}"#, "path-outside-repository"),
        (r#"{"build": {"dockerfile": "/etc/D"}}"#, "path-outside-repository"),
        (r#"{"build": {"dockerfile": "D", "context": "../.."}}"#, "path-outside-repository"),
        (r#"{"build": {"dockerfile": null}}"#, "no-dockerfile"),
        (r#"{"image": "a"}"#, "not-a-build"),
    ] {
        assert_eq!(paths(&config(text)).unwrap_err().code(), code, "{text}");
    }
}

#[test]
fn a_stage_with_the_label_is_appended() {
    let plan = planned(
        r#"{"build": {"dockerfile": "D", "args": {"A": "1"}, "cacheFrom": "c"}, "remoteUser": "node"}"#,
        "FROM debian  \nRUN true",
    );
    let plan = plan.unwrap();
    assert_eq!(
        plan.dockerfile,
        "FROM debian AS dev_container_auto_added_stage_label  \nRUN true\n\n\
         FROM dev_container_auto_added_stage_label AS dev_containers_target_stage\n\
         LABEL devcontainer.metadata=\"[ \\\n{\\\"remoteUser\\\":\\\"node\\\"} \\\n]\"\n"
    );
    assert_eq!(plan.target.as_deref(), Some(TARGET_STAGE));
    assert_eq!(plan.labels["devcontainer.metadata"], r#"[{"remoteUser":"node"}]"#);
    assert_eq!((plan.args["A"].as_str(), plan.cache_from.clone()), ("1", vec!["c".to_owned()]));
    assert_eq!(plan.hash().len(), 64);
    // What was appended is understood by what reads it.
    assert_eq!(Dockerfile::parse(&plan.dockerfile).base_image(None, &Default::default()).as_deref(), Some("debian"));
}

#[test]
fn the_target_is_what_gets_the_label() {
    let text = r#"{"build": {"dockerfile": "D", "target": "dev"}, "init": true}"#;
    let plan = planned(text, "FROM a AS dev\nFROM b AS prod").unwrap();
    assert!(plan.dockerfile.contains("\nFROM dev AS dev_containers_target_stage\nLABEL "));
    assert_eq!(planned(text, "FROM a").unwrap_err().code(), "unknown-build-target");
    assert_eq!(planned(text, "RUN x").unwrap_err().code(), "dockerfile-without-from");
}

#[test]
fn without_a_label_the_dockerfile_stays() {
    let plan = planned(r#"{"build": {"dockerfile": "D"}, "name": "x"}"#, "FROM a").unwrap();
    assert_eq!((plan.dockerfile.as_str(), plan.target, plan.labels.len()), ("FROM a", None, 0));
}

fn features() -> Vec<Feature> {
    let manifest = Manifest::parse("f", r#"{"id": "a", "init": true, "options": {"x": {"default": "1"}}}"#).manifest;
    let reference = Reference::parse("ghcr.io/n/a:1", &Default::default()).unwrap();
    let digest = Some("sha256:a".to_owned());
    let id = "ghcr.io/n/a:1".to_owned();
    vec![Feature { id, reference, digest, artifact: None, manifest, options: serde_json::json!({}), is_old: false }]
}

fn users() -> Users {
    Users { container: "node".into(), remote: "node".into(), image: "node".into() }
}

#[test]
fn features_are_installed_in_the_appended_stage_and_named_in_the_label() {
    let config = config(r#"{"build": {"dockerfile": "D", "args": {"A": "1"}}, "containerEnv": {"B": "$2"}}"#);
    let features = features();
    let layers: Vec<Layer> = features.iter().map(Feature::layer).chain([Layer::from_config(&config)]).collect();
    let plan = plan_with_features(&config, "FROM debian AS dev\nUSER node", &layers, &features, &users()).unwrap();
    let (text, appended) =
        plan.dockerfile.split_once("\n\nFROM dev AS dev_containers_target_stage\nUSER root\n").unwrap();
    assert_eq!(text, "FROM debian AS dev\nUSER node");
    let end = "ENV B=\"\\$2\"\nLABEL devcontainer.metadata=\"[ \\\n{\\\"id\\\":\\\"ghcr.io/n/a:1\\\",\\\"init\\\":true}, \\\n";
    assert!(appended.contains(end), "{appended}");
    assert_eq!((plan.args["A"].as_str(), plan.args["_DEV_CONTAINERS_IMAGE_USER"].as_str()), ("1", "node"));
    assert_eq!((plan.files.len(), plan.folders.len()), (3, 1));
    // The builder would read it as we do.
    let read = Dockerfile::parse(&plan.dockerfile);
    let arguments = crate::dockerfile::Arguments { given: plan.args.clone(), ..Default::default() };
    assert_eq!(read.user(Some(TARGET_STAGE), &arguments).as_deref(), Some("node"));
    assert_eq!(read.stages.len(), 2);
}

#[test]
fn an_image_is_built_upon_with_nothing_but_the_features_for_a_context() {
    let config = config(r#"{"image": "node:20", "remoteUser": "node"}"#);
    let features = features();
    let plan = plan_on_image(&config, "node:20", &[Layer::from_config(&config)], &features, &users()).unwrap();
    assert!(plan.dockerfile.starts_with("FROM node:20 AS dev_containers_target_stage\nUSER root\n"));
    assert!(plan.files.iter().all(|file| file.path.starts_with(".devcontainer-features/")));
    let mut newer = features.clone();
    newer[0].digest = Some("sha256:b".to_owned());
    let other = plan_on_image(&config, "node:20", &[Layer::from_config(&config)], &newer, &users()).unwrap();
    assert_ne!(plan.hash(), other.hash());
    for image in ["", "a b", "a\nRUN evil", "$IMAGE", "--platform=x"] {
        assert_eq!(plan_on_image(&config, image, &[], &[], &users()).unwrap_err().code(), "invalid-image");
    }
}
