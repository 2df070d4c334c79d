#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use super::*;
use crate::feature::{Manifest, Place};

fn config(features: &str) -> DevContainer {
    DevContainer::parse(".devcontainer/devcontainer.json", &format!("{{\"features\": {features}}}")).config.unwrap()
}

fn feature(id: &str, digest: Option<&str>, said: Value) -> Feature {
    let place = Place { folder: ".devcontainer".into(), ..Place::default() };
    Feature {
        id: id.to_owned(),
        reference: Reference::parse(id, &place).unwrap(),
        digest: digest.map(str::to_owned),
        artifact: None,
        manifest: serde_json::from_value::<Manifest>(said).unwrap(),
        options: json!({}),
        is_old: false,
    }
}

const TEXT: &str = r#"{
  "features": {
    "ghcr.io/devcontainers-contrib/features/poetry:2": {
      "version": "2.0.1",
      "resolved": "ghcr.io/devcontainers-extra/features/poetry@sha256:b",
      "integrity": "sha256:b",
      "dependsOn": [
        "ghcr.io/a/python"
      ]
    },
    "ghcr.io/Devcontainers/features/git": {
      "version": "1.3.8",
      "resolved": "ghcr.io/devcontainers/features/git@sha256:a",
      "integrity": "sha256:a"
    },
    "https://example.com/devcontainer-feature-x.tgz": {
      "resolved": "https://example.com/devcontainer-feature-x.tgz",
      "integrity": "sha256:c"
    }
  }
}
"#;

fn lockfile() -> Lockfile {
    let features = [
        feature("https://example.com/devcontainer-feature-x.tgz", Some("sha256:c"), json!({"id": "x"})),
        feature("./local", None, json!({"id": "local", "version": "1"})),
        feature("owner/repository/old", None, json!({"id": "old"})),
        feature(
            "ghcr.io/Devcontainers/features/git",
            Some("sha256:a"),
            json!({"id": "git", "version": "1.3.8", "dependsOn": {}}),
        ),
        feature(
            "ghcr.io/devcontainers-contrib/features/poetry:2",
            Some("sha256:b"),
            json!({"version": "2.0.1", "dependsOn": {"ghcr.io/a/python": {}}}),
        ),
        feature("ghcr.io/a/added", Some("sha256:d"), json!({"version": "1"})),
    ];
    let additional = [("ghcr.io/a/added", json!({})), ("ghcr.io/Devcontainers/features/git", json!({}))];
    let additional = additional.map(|(id, options)| (id.to_owned(), options)).into();
    Lockfile::of(&features, &config(r#"{"ghcr.io/Devcontainers/features/git": {}}"#), &additional)
}

#[test]
fn it_is_beside_its_configuration() {
    assert_eq!(path(".devcontainer/devcontainer.json"), ".devcontainer/devcontainer-lock.json");
    assert_eq!(path(".devcontainer.json"), ".devcontainer-lock.json");
    assert_eq!(path(".devcontainer/go/devcontainer.json"), ".devcontainer/go/devcontainer-lock.json");
    assert_eq!(path("/a/.devcontainer.json"), "/a/.devcontainer-lock.json");
    assert_eq!(path("/devcontainer.json"), "/devcontainer-lock.json");
}

#[test]
fn it_has_what_was_found_sorted_and_laid_out_as_the_references() {
    assert_eq!(lockfile().to_text(), TEXT);
    assert_eq!(Lockfile::default().to_text(), "{\n  \"features\": {}\n}\n");
}

#[test]
fn it_is_read_back_and_pins_by_the_reference_as_written() {
    let read = Lockfile::parse(TEXT).unwrap();
    assert_eq!(read, lockfile());
    assert_eq!(read.integrity("ghcr.io/Devcontainers/features/git").as_deref(), Some("sha256:a"));
    assert_eq!(read.integrity("ghcr.io/devcontainers/features/git"), None);
    assert_eq!(read.ids().count(), 3);
}

/// A digest that would be another file in a cache.
const ESCAPES: &str = r#"{"features": {"ghcr.io/a/b": {"integrity": "sha256:../../x"}}}"#;

#[test]
fn an_empty_file_pins_nothing_and_a_broken_one_is_an_error() {
    for text in ["", " \n", "null"] {
        assert_eq!(Lockfile::parse(text), Ok(Lockfile::default()));
    }
    for text in ["{", "[]", "{}", r#"{"features": 1}"#, "{} // a comment", ESCAPES] {
        assert_eq!(Lockfile::parse(text).unwrap_err().code(), "lockfile-unreadable", "{text}");
    }
}

#[test]
fn it_is_written_if_it_says_something_else() {
    let lockfile = lockfile();
    assert_eq!(lockfile.settle(None, false).unwrap().as_deref(), Some(TEXT));
    assert_eq!(lockfile.settle(Some(TEXT), false), Ok(None));
    let compact = serde_json::from_str::<Value>(TEXT).unwrap().to_string();
    assert_eq!(lockfile.settle(Some(&compact), false), Ok(None));
    for other in ["", "{", "{}"] {
        assert_eq!(lockfile.settle(Some(other), false).unwrap().as_deref(), Some(TEXT));
    }
}

#[test]
fn a_frozen_one_is_never_written() {
    let lockfile = lockfile();
    assert_eq!(lockfile.settle(Some(TEXT), true), Ok(None));
    assert_eq!(lockfile.settle(None, true), Err(LockfileError::Absent));
    assert_eq!(lockfile.settle(Some(""), true), Err(LockfileError::Different));
    assert_eq!(lockfile.settle(Some(&TEXT.replace("sha256:a", "sha256:e")), true), Err(LockfileError::Different));
}
