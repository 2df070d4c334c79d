//! Nothing that a repository or an image can contain makes the library panic, or work without end.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::{Duration, Instant};

use devcontainer::{
    DevContainer, Layer, Merged, Variables, build,
    dockerfile::{Arguments, Dockerfile},
    feature::{self, Found, Lockfile, Manifest, Resolver, Step, Users},
    merge, metadata, reference, run_args, variables,
};
use indexmap::IndexMap;
use proptest::prelude::*;
use serde_json::Value;

/// Everything that happens to a configuration, from its text to its plan.
fn everything(text: &str) {
    let parsed = DevContainer::parse(".devcontainer/devcontainer.json", text);
    for diagnostic in &parsed.diagnostics {
        assert!(!diagnostic.render(text).is_empty());
    }
    assert!(parsed.diagnostics.len() <= 250);
    let Some(config) = parsed.config else { return };
    let env = IndexMap::from([("HOME".to_owned(), "/root".to_owned())]);
    let Ok(read) = reference::read(&config, env, "/home/a/b", "/home/a") else { return };
    let _ = reference::read_configuration(&read);
    let layers = vec![Layer::from_config(&read.config)];
    let _ = reference::merged_configuration(&read.config, &layers);
    let merged = merge(&layers);
    let stored = serde_json::to_string(&merged).unwrap();
    let back: Merged = serde_json::from_str(&stored).unwrap();
    assert_eq!(back.mounts, merged.mounts);
    let _ = Variables::identity("id").apply(&merged);
    let _ = run_args::parse(&merged.run_args);
    let _ = build::plan(&config, "FROM a", &layers);
    assert_eq!(metadata::read(&metadata::write(&layers)).len(), usize::from(metadata::write(&layers) != "[]"));
}

/// Texts that look like configurations, so that more than the first token is reached.
fn fragments() -> impl Strategy<Value = String> {
    let names = [
        "image",
        "build",
        "dockerFile",
        "context",
        "dockerComposeFile",
        "service",
        "mounts",
        "runArgs",
        "forwardPorts",
        "portsAttributes",
        "containerEnv",
        "remoteEnv",
        "customizations",
        "hostRequirements",
        "onCreateCommand",
        "waitFor",
        "extensions",
        "settings",
        "devPort",
        "appPort",
        "capAdd",
        "init",
        "secrets",
        "features",
        "workspaceFolder",
        "workspaceMount",
        "gpu",
        "memory",
        "dockerfile",
        "args",
        "$schema",
        "nam",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<f64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|s| Value::from(s).to_string()),
        prop::sample::select(vec![
            "\"${localEnv:HOME:x}\"",
            "\"type=bind,source=/a,target=/b\"",
            "\"db:1\"",
            "\"4gb\"",
            "\"--init\"",
            "\"${localEnv}\"",
            "-",
            "\"",
        ])
        .prop_map(str::to_owned),
    ];
    let value = leaf.prop_recursive(6, 64, 6, move |inner| {
        let key = prop::sample::select(names.to_vec());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec((key, inner), 0..6).prop_map(|pairs| {
                let pairs: Vec<String> = pairs.into_iter().map(|(k, v)| format!("\"{k}\": {v}")).collect();
                format!("{{{}}}", pairs.join(", "))
            }),
        ]
    });
    let key = prop::sample::select(names.to_vec());
    prop::collection::vec((key, value), 0..12).prop_map(|pairs| {
        let pairs: Vec<String> = pairs.into_iter().map(|(k, v)| format!("\"{k}\": {v}")).collect();
        format!("{{{}}}", pairs.join(",\n"))
    })
}

/// Everything that happens to a Feature that says this, and is asked for with these options.
fn feature(said: &str, options: &Value) {
    let config =
        serde_json::json!({"image": "a", "features": {"./a": options}, "overrideFeatureInstallOrder": ["./b"]});
    let config = DevContainer::parse(".devcontainer/devcontainer.json", &config.to_string()).config.unwrap();
    let mut resolver = Resolver::new(&config, &IndexMap::new());
    let features = loop {
        match resolver.step() {
            Err(error) => return assert!(!error.to_string().is_empty() && !error.hint().is_empty()),
            Ok(Step::Done(features)) => break features,
            Ok(Step::Needs(needs)) => needs.iter().for_each(|need| {
                let metadata = Some(Manifest::parse("f", said).manifest);
                resolver.give(need, Found::Files { metadata, digest: Some("sha256:a".to_owned()) });
            }),
        }
    };
    let _ = reference::features_configuration(&features, "/tmp");
    let layers: Vec<Layer> = features.iter().map(feature::Feature::layer).collect();
    let users = Users::of(&merge(&layers), None, None);
    if let Ok(plan) = build::plan_on_image(&config, "a", &layers, &features, &users) {
        let read = Dockerfile::parse(&plan.dockerfile);
        // Nothing that a Feature says becomes an instruction of its own.
        assert_eq!(read.stages.len(), 1);
        assert_eq!(plan.dockerfile.lines().filter(|line| line.starts_with("RUN ")).count(), 1 + features.len());
        assert!(plan.folders.iter().all(|folder| !folder.path.contains("..")));
    }
    let _ = Lockfile::of(&features, &config, &IndexMap::new()).to_text();
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["./a", "./b", "ghcr.io/a/b", "a\nRUN b", "../..", "$X", "fish"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            any::<String>(),
            Just("./b".to_owned()),
            Just("version".to_owned()),
            Just("default".to_owned())
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_feature_is_planned_without_a_panic(
        said in prop::collection::vec((prop::sample::select(vec![
            "id", "version", "name", "options", "containerEnv", "entrypoint", "mounts", "customizations", "installsAfter",
            "dependsOn", "legacyIds", "currentId", "deprecated", "buildArg", "value", "included", "extensions", "settings",
        ]), json()), 0..8),
        options in json(),
    ) {
        let said: serde_json::Map<String, Value> = said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        feature(&Value::Object(said).to_string(), &options);
    }

    #[test]
    fn any_lockfile_is_read_without_a_panic(text in any::<String>()) {
        let _ = Lockfile::parse(&text);
        let _ = Lockfile::default().settle(Some(&text), true);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        everything(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn anything_like_a_configuration_is_planned_without_a_panic(text in fragments(), cut in any::<prop::sample::Index>()) {
        everything(&text);
        let mut at = cut.index(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        everything(&text[..at]);
    }

    #[test]
    fn any_dockerfile_is_read_without_a_panic(
        lines in prop::collection::vec("(FROM|from|ARG|ENV|USER|RUN|#|# syntax=|# escape=)? ?[a-zA-Z$\\{\\}:+<=\"'` \\\\-]{0,20}(\\\\)?", 0..20),
    ) {
        let text = lines.join("\n");
        let file = Dockerfile::parse(&text);
        let _ = file.base_image(None, &Arguments::default());
        let _ = file.user(Some("a"), &Arguments::default());
        let config = DevContainer::parse("devcontainer.json", r#"{"build": {"dockerfile": "D"}, "init": true}"#).config.unwrap();
        if let Ok(plan) = build::plan(&config, &text, &[Layer::from_config(&config)]) {
            prop_assert!(plan.dockerfile.len() > text.len());
        }
    }

    #[test]
    fn any_label_is_read_without_a_panic(label in any::<String>()) {
        let _ = metadata::read(&label);
        let _ = metadata::check("image", &label);
    }

    #[test]
    fn any_run_arguments_are_read_without_a_panic(words in prop::collection::vec("-{0,2}[a-zA-Z=:,./ -]{0,20}", 0..20)) {
        let read = run_args::parse(&words);
        prop_assert!(read.diagnostics.len() <= words.len());
    }
}

#[test]
fn large_and_deep_texts_end_soon() {
    let mega = 1 << 19;
    let texts = [
        "[".repeat(mega),
        "{\"a\":".repeat(mega / 5),
        format!("{{\"x\": {}1{}}}", "[".repeat(90), "]".repeat(90)),
        format!("{{{}}}", "\"a\": 1, ".repeat(mega / 9)),
        format!("{{\"workspaceFolder\": \"{}\"}}", "${containerWorkspaceFolder}".repeat(mega / 30)),
        format!("{{\"name\": \"{}\"}}", "${".repeat(mega / 3)),
        format!("{{\"mounts\": [{}]}}", "\"target=/a\",".repeat(mega / 13)),
        format!("{{\"forwardPorts\": [{}]}}", "1,".repeat(mega / 3)),
        format!("{{\"runArgs\": [{}]}}", "\"--x\",".repeat(mega / 7)),
        "/*".repeat(mega / 2),
        "\"\\".repeat(mega / 2),
        "é".repeat(mega / 2),
        format!("{{{}}}", (0..20_000).map(|n| format!("\"unknown{n}\": {n},")).collect::<String>()),
    ];
    for text in texts {
        let began = Instant::now();
        everything(&text);
        assert!(began.elapsed() < Duration::from_secs(10), "{} {:?}", &text[..20], began.elapsed());
    }
}

#[test]
fn large_dockerfiles_end_soon() {
    let texts = [
        (0..20_000).map(|n| format!("FROM s{n} AS s{}\n", n + 1)).collect::<String>(),
        format!("ARG A=x\nFROM {}", "$A".repeat(400_000)),
        format!("FROM a\n{}USER $A", "ENV A=$A$A\n".repeat(60_000)),
        format!("FROM a\nRUN {}", "<<A ".repeat(200_000)),
        "FROM a \\\n".repeat(100_000),
    ];
    for text in texts {
        let began = Instant::now();
        let file = Dockerfile::parse(&text);
        let _ = file.base_image(None, &Arguments::default());
        let _ = file.user(None, &Arguments::default());
        assert!(began.elapsed() < Duration::from_secs(10), "{} {:?}", &text[..20], began.elapsed());
    }
}

#[test]
fn a_text_that_names_itself_does_not_fill_the_memory() {
    let folder = "${containerWorkspaceFolder}".repeat(2000);
    let error = Variables::local(IndexMap::new(), None, Some(&folder)).unwrap_err();
    assert_eq!(error, variables::VariableError::TooLarge);
}
