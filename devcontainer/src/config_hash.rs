//! A name for what decides the image of a configuration: two commits with the same hash need only one image.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{build, config::DevContainer, discover::Tree, feature::lockfile, scenario::Scenario};

/// Bumped whenever the same files would get another hash, so that old ones match nothing.
const SCHEME: &str = "v2";

/// The hash of a configuration whose variables are filled in: `v2-` and 64 hexadecimal digits.
///
/// What counts is the configuration as an object, whatever its comments and the order of its keys;
/// the Dockerfile, byte by byte; the build context and, with Features of the repository's own,
/// `.devcontainer`, both by what the tree calls their content; with Features at all, the lockfile. `default_image` counts where the
/// configuration names no image. `None` where a file is missing or the tree has no names for folders.
#[must_use]
pub fn config_hash(config: &DevContainer, tree: &dyn Tree, default_image: &str) -> Option<String> {
    let mut hash = Sha256::new();
    let mut part = |name: &str, bytes: &[u8]| {
        // Lengths keep two parts from being read as another two.
        hash.update(format!("{name} {}\n", bytes.len()));
        hash.update(bytes);
    };
    part("scheme", SCHEME.as_bytes());
    part("configuration", canonical(&Value::Object(config.properties.0.clone())).as_bytes());
    match config.scenario() {
        Scenario::Build(_) => {
            let paths = build::paths(config).ok()?;
            part("dockerfile", &tree.read(&paths.dockerfile)?);
            part("context", tree.id(&paths.context)?.as_bytes());
        }
        Scenario::Image(_) => {}
        Scenario::None => part("image", default_image.as_bytes()),
        // Its files are not read yet.
        Scenario::Compose(_) => return None,
    }
    let features = config.properties.object("features");
    if features.keys().any(|feature| feature.starts_with('.')) {
        // They are below it, wherever the configuration is.
        part("features", tree.id(".devcontainer")?.as_bytes());
    }
    if !features.is_empty()
        && let Some(lockfile) = tree.read(&lockfile::path(&config.file))
    {
        part("lockfile", &lockfile);
    }
    Some(format!("{SCHEME}-{}", data_encoding::HEXLOWER.encode(&hash.finalize())))
}

/// JSON without white space, with the keys of every object sorted.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entry = |(key, value): (&String, &Value)| format!("{}:{}", Value::from(key.as_str()), canonical(value));
            format!("{{{}}}", entries.into_iter().map(entry).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;
    use crate::discover::Entry;

    struct Files {
        dockerfile: &'static str,
        context: Option<&'static str>,
        lockfile: Option<&'static str>,
    }

    impl Tree for Files {
        fn entries(&self, _: &str) -> Vec<Entry> {
            Vec::new()
        }

        fn read(&self, path: &str) -> Option<Vec<u8>> {
            let text = match path {
                ".devcontainer/Dockerfile" => Some(self.dockerfile),
                ".devcontainer/devcontainer-lock.json" => self.lockfile,
                _ => None,
            };
            text.map(|text| text.as_bytes().to_vec())
        }

        fn id(&self, folder: &str) -> Option<String> {
            self.context.map(|context| format!("{folder} {context}"))
        }
    }

    fn hash(text: &str, files: &Files) -> Option<String> {
        let config = DevContainer::parse(".devcontainer/devcontainer.json", text).config.unwrap();
        config_hash(&config, files, "default")
    }

    const BUILD: &str = r#"{"build": {"dockerfile": "Dockerfile", "args": {"A": "1"}}, "init": true}"#;
    const FILES: Files = Files { dockerfile: "FROM a", context: Some("1"), lockfile: None };

    #[test]
    fn the_same_written_otherwise_is_the_same() {
        let other = "{\n  // words\n  \"init\": true,\n  \"build\": {\"args\": {\"A\": \"1\"}, \"dockerfile\": \"Dockerfile\"},\n}";
        assert_eq!(hash(BUILD, &FILES), hash(other, &FILES));
        assert!(hash(BUILD, &FILES).unwrap().starts_with("v2-"));
    }

    #[test]
    fn whatever_decides_the_image_changes_it() {
        let first = hash(BUILD, &FILES);
        assert_ne!(first, hash(&BUILD.replace("\"1\"", "\"2\""), &FILES));
        assert_ne!(first, hash(BUILD, &Files { dockerfile: "FROM b", ..FILES }));
        assert_ne!(first, hash(BUILD, &Files { context: Some("2"), ..FILES }));
        let own = r#"{"image": "a", "features": {"./local": {}}}"#;
        assert_ne!(hash(own, &FILES), hash(own, &Files { context: Some("2"), ..FILES }));
        let above = r#"{"image": "a", "features": {"../common": {}}}"#;
        assert_ne!(hash(above, &FILES), hash(above, &Files { context: Some("2"), ..FILES }));
        let pinned = r#"{"image": "a", "features": {"ghcr.io/a/b": {}}}"#;
        assert_ne!(hash(pinned, &FILES), hash(pinned, &Files { lockfile: Some("{}"), ..FILES }));
        let image = r#"{"image": "a"}"#;
        assert_eq!(hash(image, &FILES), hash(image, &Files { lockfile: Some("{}"), ..FILES }));
        assert_eq!(hash(image, &FILES), hash(image, &Files { context: None, ..FILES }));
    }

    #[test]
    fn what_cannot_be_known_has_no_hash() {
        assert_eq!(hash(BUILD, &Files { context: None, ..FILES }), None);
        assert_eq!(hash(r#"{"build": {"dockerfile": "Nope"}}"#, &FILES), None);
        assert_eq!(hash(r#"{"dockerComposeFile": "c.yml"}"#, &FILES), None);
    }
}
