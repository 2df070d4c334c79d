//! The floors of the house: who may use whom, and which heavy crate lives where. The drawing in
//! ARCHITECTURE.md cannot drift from the code while this test stands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each crate of ours, and those of ours that it may use.
const FLOORS: [(&str, &[&str]); 10] = [
    ("devcontainer", &[]),
    ("steading-core", &["devcontainer"]),
    ("steading-store", &["steading-core"]),
    ("steading-runtime", &["steading-core", "devcontainer"]),
    ("steading-source", &["steading-core", "devcontainer"]),
    ("steading-gateway", &["steading-core"]),
    ("steading-api", &["steading-core", "devcontainer", "steading-store", "steading-runtime", "steading-gateway"]),
    ("steading-worker", &["steading-core", "devcontainer", "steading-store", "steading-runtime", "steading-source"]),
    (
        "steading",
        &[
            "steading-core",
            "devcontainer",
            "steading-store",
            "steading-runtime",
            "steading-source",
            "steading-gateway",
            "steading-api",
            "steading-worker",
        ],
    ),
    ("steading-inside", &[]),
];

/// Heavy crates, and the only crates of ours that may use them.
const HOMES: [(&str, &[&str]); 12] = [
    ("bollard", &["steading-runtime"]),
    ("kube", &["steading-runtime"]),
    ("sea-orm", &["steading-store"]),
    ("sea-orm-migration", &["steading-store"]),
    ("apalis", &["steading-store"]),
    ("apalis-sqlite", &["steading-store"]),
    ("apalis-redis", &["steading-store"]),
    ("git2", &["steading-source"]),
    ("oci-client", &["steading-source"]),
    ("poem", &["steading-api", "steading-gateway"]),
    ("poem-openapi", &["steading-api"]),
    ("clap", &["steading"]),
];

/// They look at the whole house from outside, so they have no floor.
const OUTSIDE: [&str; 2] = ["steading-tests", "steading-bench"];

/// The edges of the workspace: package → what it uses outside of tests.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    metadata
        .packages
        .into_iter()
        .map(|package| {
            let used = package.dependencies.into_iter().filter(|d| d.kind != DependencyKind::Development);
            (package.name.to_string(), used.map(|d| d.name).collect())
        })
        .collect()
}

#[test]
fn every_crate_stands_on_its_floor() {
    let floors: BTreeMap<&str, &[&str]> = FLOORS.into_iter().collect();
    for (package, used) in edges() {
        if OUTSIDE.contains(&package.as_str()) {
            continue;
        }
        let allowed = floors.get(package.as_str()).unwrap_or_else(|| panic!("{package} has no floor"));
        let ours = used.iter().filter(|name| floors.contains_key(name.as_str()));
        let wrong: Vec<_> = ours.filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(wrong.is_empty(), "{package} must not use {wrong:?}");
    }
}

#[test]
fn every_heavy_crate_has_one_home() {
    for (package, used) in edges() {
        for (heavy, homes) in HOMES {
            assert!(
                !used.contains(heavy) || homes.contains(&package.as_str()) || OUTSIDE.contains(&package.as_str()),
                "{package} must not use {heavy}: it lives in {homes:?}"
            );
        }
    }
}
