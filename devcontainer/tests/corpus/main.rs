//! Real configurations, read as the reference implementation reads them.
//!
//! The files are not part of this repository, since they belong to others. `STEADING_CORPUS` names
//! a folder of folders, each with an `expected.json` as the reference printed it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use devcontainer::{DevContainer, reference};
use indexmap::IndexMap;
use serde_json::{Map, Value};

mod engine;
mod features;
mod merged;

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
