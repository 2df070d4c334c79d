//! Real configurations, read as the reference implementation reads them.
//!
//! The files are not part of this repository, since they belong to others. `STEADING_CORPUS` names
//! a folder of folders, each with an `expected.json` as the reference printed it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use devcontainer::{
    DevContainer, Layer, Scenario,
    dockerfile::{Arguments, Dockerfile},
    merge, metadata, reference,
};
use indexmap::IndexMap;
use serde_json::{Map, Value};

fn corpus() -> Vec<PathBuf> {
    let Some(root) = std::env::var_os("STEADING_CORPUS") else {
        eprintln!("skipped: STEADING_CORPUS is not set");
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .expect("STEADING_CORPUS is a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// Numbers are compared as doubles, which is what the reference has.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64()),
        Value::Array(values) => values.iter().map(normal).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), normal(v))).collect::<Map<_, _>>().into(),
        other => other.clone(),
    }
}

/// The path of the file is a URI in the reference.
fn expected(value: &Value, name: &str) -> Value {
    let mut value = value[name].clone();
    if let Some(path) = value.get("configFilePath").and_then(|uri| uri.get("path")).cloned() {
        value["configFilePath"] = path;
    }
    normal(&value)
}

fn local_env() -> IndexMap<String, String> {
    let pairs = [
        ("HOME", "/home/oracle"),
        ("USER", "oracle"),
        ("EMPTYVAR", ""),
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn read(folder: &Path, answer: &Value) -> Result<reference::Read, String> {
    let file = answer["configuration"]["configFilePath"]["path"].as_str().expect("a path");
    let name = folder.file_name().unwrap().to_str().unwrap();
    let (prefix, inside) = file.split_once(&format!("/{name}/")).expect("a path in the folder");
    let text = fs::read(folder.join(inside)).map_err(|e| e.to_string())?;
    let parsed = DevContainer::parse(file, &String::from_utf8_lossy(&text));
    let config = parsed.config.ok_or_else(|| format!("{:?}", parsed.diagnostics))?;
    let local = format!("{prefix}/{name}");
    reference::read(&config, local_env(), &local, &local).map_err(|e| e.to_string())
}

#[test]
fn plain_reads_equal_the_reference() {
    let (mut equal, mut different) = (0, Vec::new());
    for folder in corpus() {
        let Some(answer) = json(&folder.join("expected.json")) else { continue };
        let ours = read(&folder, &answer).map(|read| reference::read_configuration(&read));
        let same = ours.as_ref().is_ok_and(|ours| {
            ["configuration", "workspace"].iter().all(|part| normal(&ours[*part]) == expected(&answer, part))
        });
        if same {
            equal += 1;
        } else {
            different.push(format!("{}: {ours:?}", folder.display()));
        }
    }
    eprintln!("{equal} equal, {} different", different.len());
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn what_the_reference_refuses_is_refused() {
    for folder in corpus() {
        if !folder.join("expected.error.txt").exists() {
            continue;
        }
        let file = ".devcontainer/devcontainer.json";
        let text = fs::read(folder.join(file)).expect("a configuration");
        let parsed = DevContainer::parse(file, &String::from_utf8_lossy(&text));
        assert_eq!(parsed.config, None, "{}", folder.display());
        assert!(!parsed.diagnostics.is_empty(), "{}", folder.display());
    }
}

/// The labels that the stand-in for a container engine gave its images when the answers were made.
fn label_of(image: &str) -> Option<String> {
    let rest = image.strip_prefix("mcr.microsoft.com/")?;
    let name = rest.strip_prefix("vscode/").unwrap_or(rest).strip_prefix("devcontainers/")?;
    let name = name.split([':', '@', '/']).next()?;
    let user = match name {
        "javascript-node" | "typescript-node" => "node",
        "universal" => "codespace",
        _ => "vscode",
    };
    let mut entries = serde_json::json!([
        {"id": "ghcr.io/devcontainers/features/common-utils:2"},
        {"id": "ghcr.io/devcontainers/features/git:1"},
        {"remoteUser": user}
    ]);
    let list = entries.as_array_mut()?;
    if matches!(name, "python" | "anaconda" | "miniconda") {
        list[2]["customizations"] = serde_json::json!({"vscode": {
            "extensions": ["ms-python.python", "ms-python.vscode-pylance"],
            "settings": {"python.defaultInterpreterPath": "/usr/local/bin/python"}
        }});
    }
    if name == "universal" {
        list.push(serde_json::json!({
            "overrideCommand": false, "updateRemoteUserUID": false, "containerUser": "codespace",
            "remoteEnv": {"SHARED": "${containerEnv:PATH}:/x"}, "hostRequirements": {"cpus": 2, "memory": "4gb"}
        }));
        let docker = serde_json::json!({
            "id": "ghcr.io/devcontainers/features/docker-in-docker:2", "privileged": true,
            "entrypoint": "/usr/local/share/docker-init.sh",
            "mounts": [{"source": "dind-var-lib-docker-${devcontainerId}", "target": "/var/lib/docker", "type": "volume"}],
            "capAdd": ["SYS_PTRACE"], "securityOpt": ["seccomp=unconfined"]
        });
        list.insert(1, docker);
    }
    Some(entries.to_string())
}

/// The image below the configuration; `None` where that takes Features or Compose to say.
fn base_image(folder: &Path, read: &reference::Read) -> Option<String> {
    let features = read.config.properties.get("features").and_then(Value::as_object);
    if features.is_some_and(|features| !features.is_empty()) {
        return None;
    }
    match read.config.scenario() {
        Scenario::Image(image) => Some(image),
        Scenario::Build(build) => {
            let inside = read.config.file.split_once(folder.file_name()?.to_str()?)?.1;
            let dockerfile = folder.join(inside.trim_start_matches('/')).parent()?.join(&build.dockerfile);
            let text = fs::read_to_string(dockerfile).ok()?;
            let arguments = Arguments { given: build.args, ..Arguments::default() };
            Dockerfile::parse(&text).base_image(build.target.as_deref(), &arguments)
        }
        Scenario::Compose(_) | Scenario::None => None,
    }
}

#[test]
fn merges_equal_the_reference() {
    let (mut equal, mut different) = (0, Vec::new());
    for folder in corpus() {
        let Some(answer) = json(&folder.join("expected.merged.json")) else { continue };
        let Ok(read) = read(&folder, &answer) else { continue };
        let Some(image) = base_image(&folder, &read) else { continue };
        let layers = label_of(&image).map(|label| metadata::read(&label)).unwrap_or_default();
        let layers = reference::image_layers(&read, &layers).expect("variables");
        let ours = reference::merged_configuration(&read.config, &layers);
        // The typed form must survive storage.
        let all: Vec<Layer> = layers.into_iter().chain([Layer::from_config(&read.config)]).collect();
        let typed = merge(&all);
        let text = serde_json::to_string(&typed).expect("JSON");
        assert_eq!(serde_json::from_str::<devcontainer::Merged>(&text).expect("JSON"), typed);
        if normal(&ours) == expected(&answer, "mergedConfiguration") {
            equal += 1;
        } else {
            different.push(format!("{}: {ours}", folder.display()));
        }
    }
    eprintln!("{equal} merges equal, {} different", different.len());
    assert!(different.is_empty(), "{}", different.join("\n"));
}
