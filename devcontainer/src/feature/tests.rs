#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::config::DevContainer;

mod properties;

/// What there is to find: by path for folders, by path and version for artifacts.
#[derive(Default)]
struct World(BTreeMap<String, (String, Value)>);

impl World {
    /// Folders below `.devcontainer`, each with what it says besides its id.
    fn local(features: &[(&str, Value)]) -> Self {
        let mut world = Self::default();
        for (name, said) in features {
            world.0.insert(format!(".devcontainer/{name}"), (String::new(), with_id(name, said)));
        }
        world
    }

    /// Artifacts by reference; the digest is made of the reference unless another one is given.
    fn oci(features: &[(&str, Value)]) -> Self {
        Self::default().with(features)
    }

    fn with(mut self, features: &[(&str, Value)]) -> Self {
        for (id, said) in features {
            let oci = Oci::parse(id).unwrap();
            let digest = said["digest"].as_str().map_or_else(|| format!("sha256:{id}"), str::to_owned);
            let key = format!("{}/{} {}", oci.registry, oci.path(), oci.version());
            self.0.insert(key, (digest, with_id(&oci.id, said)));
        }
        self
    }

    fn find(&self, need: &Need) -> Found {
        let key = match &need.reference {
            Reference::Oci(oci) => {
                let version = need.digest.as_deref().unwrap_or_else(|| oci.version());
                format!("{}/{} {version}", oci.registry, oci.path())
            }
            Reference::Local(local) => local.path.clone(),
            Reference::Tarball(tarball) => tarball.url.clone(),
            Reference::Release(_) => return Found::Missing,
        };
        let Some((digest, said)) = self.0.get(&key) else { return Found::Missing };
        let metadata = Some(Manifest::parse("f", &said.to_string()).manifest);
        match &need.reference {
            Reference::Oci(_) => Found::Artifact { manifest: Value::Null, digest: digest.clone(), metadata },
            _ => Found::Files { metadata, digest: None },
        }
    }

    fn resolve(&self, mut resolver: Resolver) -> Result<Vec<Feature>, ResolveError> {
        for _ in 0..1000 {
            match resolver.step()? {
                Step::Done(features) => return Ok(features),
                Step::Needs(needs) => {
                    for need in needs {
                        let found = self.find(&need);
                        resolver.give(&need, found);
                    }
                }
            }
        }
        Err(ResolveError::TooMany)
    }

    fn install(&self, features: Value, first: Value) -> Result<Vec<Feature>, ResolveError> {
        self.resolve(Resolver::new(&config(features, first), &Default::default()))
    }

    /// The order as references with their options.
    fn order(&self, features: Value) -> Vec<String> {
        self.install(features, json!([])).unwrap().iter().map(shown).collect()
    }
}

fn with_id(id: &str, said: &Value) -> Value {
    let mut all = json!({"id": id});
    all.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    all
}

fn config(features: Value, first: Value) -> DevContainer {
    let text = json!({"image": "debian", "features": features, "overrideFeatureInstallOrder": first}).to_string();
    DevContainer::parse(".devcontainer/devcontainer.json", &text).config.unwrap()
}

fn shown(feature: &Feature) -> String {
    match &feature.options {
        Value::Object(map) if map.is_empty() => feature.id.clone(),
        options => format!("{} {options}", feature.id),
    }
}

#[test]
fn without_dependencies_the_order_is_by_path() {
    let world = World::local(&[("b", json!({})), ("a", json!({})), ("C", json!({}))]);
    assert_eq!(world.order(json!({"./C": {}, "./b": {}, "./a": {}})), ["./a", "./b", "./C"]);
}

#[test]
fn what_depends_on_others_follows_them_and_brings_them() {
    let world = World::local(&[
        ("a", json!({"dependsOn": {"./c": {"x": "1"}}})),
        ("b", json!({})),
        ("c", json!({"dependsOn": {"./d": {}}})),
        ("d", json!({})),
    ]);
    assert_eq!(world.order(json!({"./a": {}, "./b": {}})), ["./b", "./d", "./c {\"x\":\"1\"}", "./a"]);
}

#[test]
fn options_make_another_installation() {
    let world = World::local(&[("a", json!({"dependsOn": {"./b": {"x": "1"}}})), ("b", json!({}))]);
    assert_eq!(world.order(json!({"./a": {}, "./b": {"x": "2"}})), ["./b {\"x\":\"1\"}", "./b {\"x\":\"2\"}", "./a"]);
    assert_eq!(world.order(json!({"./a": {}, "./b": {"x": "1"}})), ["./b {\"x\":\"1\"}", "./a"]);
    // The reference takes all values that are neither text nor boolean for the same.
    assert_eq!(world.order(json!({"./a": {}, "./b": {"x": 7}})), ["./b {\"x\":7}", "./a"]);
}

#[test]
fn options_order_by_their_number_then_names_then_values() {
    let all =
        [json!({}), json!({"a": "a"}), json!({"b": "a"}), json!({"a": "a", "b": "B"}), json!({"a": "a", "b": "c"})];
    let folders: Vec<String> = (0..all.len()).map(|n| format!("f{n}")).collect();
    let needs = |n: usize| json!({"dependsOn": {"./x": all[n]}});
    let mut features: Vec<(&str, Value)> =
        folders.iter().enumerate().map(|(n, folder)| (folder.as_str(), needs(all.len() - 1 - n))).collect();
    features.push(("x", json!({})));
    let wishes = folders.iter().map(|folder| (format!("./{folder}"), json!({}))).collect::<serde_json::Map<_, _>>();
    let installed = World::local(&features).install(wishes.into(), json!([])).unwrap();
    let options: Vec<Value> = installed[..all.len()].iter().map(|feature| feature.options.clone()).collect();
    assert_eq!(options, all);
}

#[test]
fn values_of_different_types_order_by_the_names_of_the_types() {
    let world = World::oci(&[
        ("ghcr.io/a/x", json!({"digest": "sha256:1"})),
        ("ghcr.io/a/x:latest", json!({"digest": "sha256:1"})),
    ]);
    let text = world.order(json!({"ghcr.io/a/x": "1", "ghcr.io/a/x:latest": true}));
    assert_eq!(text, ["ghcr.io/a/x:latest true", "ghcr.io/a/x \"1\""]);
    let order = world.order(json!({"ghcr.io/a/x": "1", "ghcr.io/a/x:latest": {}}));
    assert_eq!(order, ["ghcr.io/a/x:latest", "ghcr.io/a/x \"1\""]);
}

#[test]
fn whoever_installs_after_another_waits_only_if_it_is_there() {
    let world = World::local(&[("a", json!({"installsAfter": ["./b"]})), ("b", json!({})), ("c", json!({}))]);
    assert_eq!(world.order(json!({"./a": {}, "./b": {"x": "1"}, "./c": {}})), ["./b {\"x\":\"1\"}", "./c", "./a"]);
    assert_eq!(world.order(json!({"./a": {}, "./c": {}})), ["./a", "./c"]);
}

#[test]
fn installing_after_another_ignores_its_version() {
    let world = World::oci(&[
        ("ghcr.io/n/a:1", json!({"installsAfter": ["ghcr.io/n/b"]})),
        ("ghcr.io/n/b:2", json!({})),
        ("ghcr.io/n/b", json!({})),
    ]);
    assert_eq!(world.order(json!({"ghcr.io/n/a:1": {}, "ghcr.io/n/b:2": {}})), ["ghcr.io/n/b:2", "ghcr.io/n/a:1"]);
}

#[test]
fn what_is_only_installed_before_is_looked_up_and_must_exist() {
    let world = World::oci(&[("ghcr.io/n/a", json!({"installsAfter": ["ghcr.io/n/nowhere:1"]}))]);
    let resolver = || Resolver::new(&config(json!({"ghcr.io/n/a": {}}), json!([])), &Default::default());
    let error = world.resolve(resolver()).unwrap_err();
    assert_eq!(error.code(), "feature-not-found");
    // Whoever cannot reach the registry may go on without it.
    let mut resolver = resolver();
    for _ in 0..3 {
        match resolver.step().unwrap() {
            Step::Done(features) => return assert_eq!(features.len(), 1),
            Step::Needs(needs) => {
                for need in needs {
                    let found = if need.soft { Found::Unreachable } else { world.find(&need) };
                    resolver.give(&need, found);
                }
            }
        }
    }
    assert_eq!(resolver.step(), Ok(Step::Done(Vec::new())));
}

#[test]
fn an_old_name_is_known_to_whom_it_is_installed_after() {
    let renamed = json!({"id": "new", "legacyIds": ["old"], "digest": "sha256:n"});
    let world = World::oci(&[
        ("ghcr.io/n/a", json!({"installsAfter": ["ghcr.io/n/new"]})),
        ("ghcr.io/n/new", renamed.clone()),
        ("ghcr.io/n/old", json!({"id": "old", "currentId": "new", "legacyIds": ["old"]})),
    ]);
    assert_eq!(world.order(json!({"ghcr.io/n/a": {}, "ghcr.io/n/old": {}})), ["ghcr.io/n/old", "ghcr.io/n/a"]);
}

#[test]
fn artifacts_order_by_namespace_id_tag_options() {
    let ids = ["ghcr.io/a/z:1", "ghcr.io/b/a:1", "ghcr.io/b/b:1", "ghcr.io/b/b:10", "ghcr.io/b/b:2"];
    let world = World::oci(&ids.map(|id| (id, json!({}))));
    let mut wishes: Vec<(String, Value)> = ids.iter().map(|id| ((*id).to_owned(), json!({}))).collect();
    wishes.reverse();
    assert_eq!(world.order(wishes.into_iter().collect::<serde_json::Map<_, _>>().into()), ids);
}

#[test]
fn the_same_artifact_under_two_tags_is_installed_once() {
    let world = World::oci(&[
        ("ghcr.io/n/a:1", json!({"digest": "sha256:x"})),
        ("ghcr.io/n/a:latest", json!({"digest": "sha256:x"})),
        ("ghcr.io/n/a:2", json!({"digest": "sha256:y"})),
    ]);
    assert_eq!(world.order(json!({"ghcr.io/n/a:latest": {}, "ghcr.io/n/a:1": {}})), ["ghcr.io/n/a:latest"]);
    assert_eq!(world.order(json!({"ghcr.io/n/a:2": {}, "ghcr.io/n/a:1": {}})), ["ghcr.io/n/a:1", "ghcr.io/n/a:2"]);
}

#[test]
fn without_tags_the_digest_decides_last() {
    let world = World::oci(&[
        ("ghcr.io/n/a@sha256:b", json!({"digest": "sha256:b"})),
        ("ghcr.io/n/a@sha256:a", json!({"digest": "sha256:a"})),
    ]);
    assert_eq!(
        world.order(json!({"ghcr.io/n/a@sha256:b": {}, "ghcr.io/n/a@sha256:a": {}})),
        ["ghcr.io/n/a@sha256:a", "ghcr.io/n/a@sha256:b"]
    );
}

#[test]
fn a_feature_that_is_called_otherwise_is_still_compared_by_its_options() {
    let renamed = json!({"currentId": "new", "digest": "sha256:x"});
    let world = World::oci(&[("ghcr.io/n/a:1", renamed.clone()), ("ghcr.io/n/a:latest", renamed)]);
    let order = world.order(json!({"ghcr.io/n/a:latest": {"x": "1"}, "ghcr.io/n/a:1": {"x": "2"}}));
    assert_eq!(order, ["ghcr.io/n/a:1 {\"x\":\"2\"}", "ghcr.io/n/a:latest {\"x\":\"1\"}"]);
}

#[test]
fn different_kinds_order_as_written() {
    let world = World::local(&[("a", json!({}))]).with(&[("ghcr.io/n/a", json!({}))]);
    assert_eq!(
        world.order(json!({"owner/repository/a": {}, "ghcr.io/n/a": {}, "./a": {}})),
        ["./a", "ghcr.io/n/a", "owner/repository/a"]
    );
}

#[test]
fn the_configuration_says_who_goes_first_within_a_round() {
    let world = World::local(&[("a", json!({})), ("b", json!({})), ("c", json!({}))]);
    let order = |first: Value| -> Vec<String> {
        world.install(json!({"./a": {}, "./b": {}, "./c": {}}), first).unwrap().iter().map(shown).collect()
    };
    assert_eq!(order(json!(["./c"])), ["./c", "./a", "./b"]);
    assert_eq!(order(json!(["./c", "./b"])), ["./c", "./b", "./a"]);
    assert_eq!(order(json!(["./b", "./c", "./b"])), ["./b", "./c", "./a"]);
    assert_eq!(order(json!(["./elsewhere"])), ["./a", "./b", "./c"]);
}

#[test]
fn going_first_breaks_no_dependency() {
    let world = World::local(&[("a", json!({"dependsOn": {"./b": {}}})), ("b", json!({})), ("c", json!({}))]);
    let installed = world.install(json!({"./a": {}, "./c": {}}), json!(["./a"])).unwrap();
    assert_eq!(installed.iter().map(shown).collect::<Vec<_>>(), ["./b", "./c", "./a"]);
}

#[test]
fn going_first_ignores_the_version_but_not_whether_it_exists() {
    let world = World::oci(&[("ghcr.io/n/a:1", json!({})), ("ghcr.io/n/b:1", json!({})), ("ghcr.io/n/b", json!({}))]);
    let features = json!({"ghcr.io/n/a:1": {}, "ghcr.io/n/b:1": {}});
    let order = |first: &str| {
        world.install(features.clone(), json!([first])).map(|all| all.iter().map(shown).collect::<Vec<_>>())
    };
    assert_eq!(order("ghcr.io/n/b").unwrap(), ["ghcr.io/n/b:1", "ghcr.io/n/a:1"]);
    assert_eq!(order("ghcr.io/other/n/a:1").unwrap_err().code(), "feature-not-found");
}

#[test]
fn a_circle_is_named() {
    let hard = World::local(&[
        ("a", json!({"dependsOn": {"./b": {}}})),
        ("b", json!({"dependsOn": {"./c": {}}})),
        ("c", json!({"dependsOn": {"./b": {}}})),
    ]);
    let error = hard.install(json!({"./a": {}}), json!([])).unwrap_err();
    assert_eq!(error, ResolveError::Circle(vec!["./b".into(), "./c".into(), "./b".into()]));
    let soft = World::local(&[("a", json!({"installsAfter": ["./b"]})), ("b", json!({"installsAfter": ["./a"]}))]);
    let error = soft.install(json!({"./a": {}, "./b": {}}), json!([])).unwrap_err();
    assert_eq!(error.to_string(), "these Features wait for each other: ./a → ./b → ./a");
    let own = World::local(&[("a", json!({"dependsOn": {"./a": {}}}))]);
    assert_eq!(own.install(json!({"./a": {}}), json!([])).unwrap_err().code(), "feature-circle");
}

#[test]
fn whatever_is_nowhere_is_named_with_who_wants_it() {
    let world = World::local(&[("a", json!({"dependsOn": {"./b": {}}}))]);
    let error = world.install(json!({"./a": {}}), json!([])).unwrap_err();
    assert_eq!(error.to_string(), "the Feature \"./b\" was not found, which the Feature \"./a\" names");
    let error = world.install(json!({"fish": "latest"}), json!([])).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("unknown-feature-name", "\"fish\" is not the name of a Feature")
    );
    let error = world.install(json!({"ghcr.io/a/b/c:1": {}}), json!([])).unwrap_err();
    assert_eq!(error.code(), "feature-not-found");
}

#[test]
fn what_a_registry_does_not_have_may_be_a_release() {
    let installed =
        World::default().install(json!({"ghcr.io/a/b": {}, "owner/repository/c@v1": {}}), json!([])).unwrap();
    assert!(installed.iter().all(|feature| matches!(feature.reference, Reference::Release(_))));
}

#[test]
fn a_lockfile_pins() {
    let world = World::oci(&[
        ("ghcr.io/n/a:1", json!({"digest": "sha256:new", "version": "1.1"})),
        ("ghcr.io/n/a@sha256:old", json!({"digest": "sha256:old", "version": "1.0"})),
    ]);
    let lockfile = Lockfile::parse(r#"{"features": {"ghcr.io/n/a:1": {"integrity": "sha256:old"}}}"#).unwrap();
    let config = config(json!({"ghcr.io/n/a:1": {}}), json!([]));
    let resolver = Resolver::new(&config, &Default::default()).locked(lockfile);
    let Step::Needs(needs) = resolver.step().unwrap() else { return assert_eq!("needs", "") };
    assert_eq!(needs[0].digest.as_deref(), Some("sha256:old"));
    assert_eq!(world.resolve(resolver).unwrap()[0].manifest.version().as_deref(), Some("1.0"));
}

#[test]
fn old_short_names_stay_as_written_and_absorbed_ones_become_options() {
    let world = World::oci(&[
        ("ghcr.io/devcontainers/features/java:1", json!({"options": {"version": {"default": "latest"}}})),
        ("ghcr.io/devcontainers/features/git:1", json!({})),
    ]);
    let order = world.order(json!({"git": {}, "maven": "latest", "java": "17"}));
    assert_eq!(order, ["git", "java {\"version\":\"17\",\"installMaven\":true}"]);
}

#[test]
fn hostile_graphs_end() {
    // Each needs the next one, without end.
    let mut resolver = Resolver::new(&config(json!({"ghcr.io/n/a:0": {}}), json!([])), &Default::default());
    let error = loop {
        match resolver.step() {
            Err(error) => break error,
            Ok(Step::Done(_)) => return assert_eq!("an error", ""),
            Ok(Step::Needs(needs)) => {
                for need in needs {
                    let Reference::Oci(oci) = &need.reference else { continue };
                    let next: u32 = oci.version().parse::<u32>().unwrap() + 1;
                    let said = json!({"id": "a", "dependsOn": {format!("ghcr.io/n/a:{next}"): {}}}).to_string();
                    let metadata = Some(Manifest::parse("f", &said).manifest);
                    let digest = format!("sha256:{next}");
                    resolver.give(&need, Found::Artifact { manifest: Value::Null, digest, metadata });
                }
            }
        }
    };
    assert_eq!(error.code(), "too-many-features");
    let many: serde_json::Map<String, Value> = (0..5000).map(|n| (format!("./{n}"), json!({}))).collect();
    let wide = World::local(&[("a", json!({"dependsOn": many.clone()}))]);
    assert_eq!(wide.install(json!({"./a": {}}), json!([])).unwrap_err().code(), "too-many-features");
    assert_eq!(World::default().install(many.into(), json!([])).unwrap_err().code(), "too-many-features");
}

#[test]
fn nothing_asked_for_is_nothing_installed() {
    let config = config(json!({}), json!([]));
    assert_eq!(Resolver::new(&config, &Default::default()).step(), Ok(Step::Done(Vec::new())));
}

#[test]
fn the_file_of_the_archive_fills_in_what_the_annotation_does_not_say() {
    let feature = World::oci(&[("ghcr.io/n/a", json!({"init": true, "extensions": ["b"]}))]);
    let feature = feature.install(json!({"ghcr.io/n/a": {"x": "1"}}), json!([])).unwrap().remove(0);
    let file = Manifest::parse(
        "f",
        r#"{"id": "other", "init": false, "entrypoint": "/e", "value": 3, "customizations": {"vscode": {"extensions": ["a"]}}}"#,
    );
    let feature = feature.with_file(&file.manifest);
    assert_eq!((feature.folder(2).as_str(), &feature.options), ("a_2", &json!({"x": "1"})));
    assert_eq!(
        Value::Object(feature.layer().properties.0),
        json!({"id": "ghcr.io/n/a", "init": true, "entrypoint": "/e", "customizations": {"vscode": {"extensions": ["a", "b"]}}})
    );
}
