//! What a Feature says about itself: `devcontainer-feature.json`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    diagnostic::{Diagnostic, Severity},
    jsonc,
    properties::Properties,
};

mod check;

/// The name of the file.
pub const FILE: &str = "devcontainer-feature.json";
/// The name of the file that described whole collections before.
pub const OLD_FILE: &str = "devcontainer-features.json";

/// Everything a Feature says about itself, as written; unknown properties are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Manifest(pub Properties);

/// An option of a Feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureOption {
    /// `string` or `boolean`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The value where none is given.
    pub default: Option<Value>,
    /// What it is for.
    pub description: Option<String>,
    /// The only values; nothing if any is allowed.
    #[serde(rename = "enum")]
    pub allowed: Option<Vec<String>>,
    /// Values to choose from, others being allowed.
    pub proposals: Option<Vec<String>>,
}

/// A file that was read, and everything to say about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParsedManifest {
    /// What it says; empty if it is no object.
    pub manifest: Manifest,
    /// What was found, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Manifest {
    /// Reads a file, or the annotation of an artifact, as forgivingly as a configuration.
    #[must_use]
    pub fn parse(file: &str, text: &str) -> ParsedManifest {
        let document = jsonc::parse(file, text);
        let mut diagnostics = document.diagnostics;
        let Some((root, map)) = document.root.and_then(|root| root.to_object().map(|map| (root, map))) else {
            if let Some(last) = diagnostics.last_mut() {
                last.severity = Severity::Error;
            } else {
                diagnostics.push(Diagnostic::error(
                    file,
                    "not-an-object",
                    "the description of a Feature must be a JSON object",
                ));
            }
            return ParsedManifest { manifest: Self::default(), diagnostics };
        };
        diagnostics.extend(check::check(file, text, &root, &map));
        diagnostics.sort_by_key(|d| d.span.map_or(0, |s| s.start));
        ParsedManifest { manifest: Self(Properties(map)), diagnostics }
    }

    /// Finds one Feature in the old file of a whole collection.
    #[must_use]
    pub fn parse_old(file: &str, text: &str, id: &str) -> Option<Self> {
        let root = jsonc::parse(file, text).root?.to_value();
        let found =
            root.get("features")?.as_array()?.iter().find(|feature| feature.get("id") == Some(&Value::from(id)));
        found?.as_object().cloned().map(|map| Self(Properties(map)))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.0.string("id")
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        self.0.string("version")
    }

    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.0.string("name")
    }

    /// Whether nobody looks after it any more.
    #[must_use]
    pub fn is_deprecated(&self) -> bool {
        self.0.get("deprecated").is_some_and(crate::config::truthy)
    }

    /// Its options in the order of the file.
    #[must_use]
    pub fn options(&self) -> IndexMap<String, FeatureOption> {
        self.0.object("options").into_iter().map(|(name, option)| (name, FeatureOption::of(&option))).collect()
    }

    /// The Features that must be installed before, with their options, in the order of the file.
    #[must_use]
    pub fn depends_on(&self) -> IndexMap<String, Value> {
        self.0.object("dependsOn")
    }

    /// The Features that are installed before if they are installed at all.
    #[must_use]
    pub fn installs_after(&self) -> Vec<String> {
        self.0.strings("installsAfter")
    }

    /// What it was called, newest first.
    #[must_use]
    pub fn legacy_ids(&self) -> Vec<String> {
        self.0.strings("legacyIds")
    }

    /// What it is and was called: where it was renamed, its file may name both.
    #[must_use]
    pub fn aliases(&self) -> Vec<String> {
        let current = self.0.string("currentId").filter(|id| !id.is_empty()).or_else(|| self.id());
        current.into_iter().chain(self.legacy_ids()).collect()
    }
}

impl FeatureOption {
    fn of(written: &Value) -> Self {
        let text = |name: &str| written.get(name).and_then(Value::as_str).map(str::to_owned);
        let texts = |name: &str| {
            let values = written.get(name)?.as_array()?.iter();
            Some(values.filter_map(|value| value.as_str().map(str::to_owned)).collect())
        };
        Self {
            kind: text("type"),
            default: written.get("default").cloned(),
            description: text("description"),
            allowed: texts("enum"),
            proposals: texts("proposals"),
        }
    }

    /// Why a value cannot be meant, in words.
    pub(super) fn objection(&self, value: &Value) -> Option<String> {
        let text = match (self.kind.as_deref(), value) {
            (Some("boolean"), Value::Bool(_)) => return None,
            // The environment knows only texts, so these are as good.
            (Some("boolean"), Value::String(text)) if matches!(text.as_str(), "true" | "false") => return None,
            (Some("boolean"), _) => return Some("true or false".to_owned()),
            (_, Value::String(text)) => text,
            (_, _) => return Some("a string".to_owned()),
        };
        let allowed = self.allowed.as_ref().filter(|allowed| !allowed.is_empty() && !allowed.contains(text))?;
        Some(format!("one of {}", allowed.join(", ")))
    }
}

/// The map that counts where `extensions` and `settings` stand in their old places.
pub(super) fn modern(map: Map<String, Value>) -> Map<String, Value> {
    crate::config::move_editor_properties(map)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    const GIT: &str = r#"{
        "id": "git", "version": "1.3.8", "name": "Git", "documentationURL": "https://example.com", "deprecated": true,
        "options": {
            "version": {"type": "string", "proposals": ["latest", "system"], "default": "latest", "description": "Which."},
            "distro": {"type": "string", "enum": ["ms", "open"], "default": "ms"},
            "ppa": {"type": "boolean", "default": true},
        },
        "containerEnv": {"PATH": "/git:${PATH}"}, "privileged": true, "init": true, "capAdd": ["SYS_PTRACE"],
        "securityOpt": ["seccomp=unconfined"], "entrypoint": "/git.sh", "customizations": {"vscode": {}},
        "mounts": [{"source": "a-${devcontainerId}", "target": "/a", "type": "volume"}], // a comment
        "installsAfter": ["ghcr.io/a/b"], "dependsOn": {"./c": {"x": "1"}, "./d": {}}, "legacyIds": ["old-git"],
        "postCreateCommand": {"a": "b"}, "keywords": ["git"], "licenseURL": "https://example.com", "description": "d"
    }"#;

    fn codes(text: &str) -> Vec<String> {
        Manifest::parse("f.json", text).diagnostics.into_iter().map(|d| d.code).collect()
    }

    #[test]
    fn every_property_is_known_and_read() {
        let parsed = Manifest::parse("f.json", GIT);
        assert_eq!(parsed.diagnostics, []);
        let git = parsed.manifest;
        assert_eq!(
            (git.id().as_deref(), git.version().as_deref(), git.name().as_deref()),
            (Some("git"), Some("1.3.8"), Some("Git"))
        );
        assert!(git.is_deprecated());
        let options = git.options();
        assert_eq!(options.keys().collect::<Vec<_>>(), ["version", "distro", "ppa"]);
        assert_eq!(options["version"].proposals.as_deref(), Some(&["latest".to_owned(), "system".to_owned()][..]));
        assert_eq!(
            (options["distro"].kind.as_deref(), options["ppa"].default.clone()),
            (Some("string"), Some(Value::Bool(true)))
        );
        assert_eq!(git.depends_on().keys().collect::<Vec<_>>(), ["./c", "./d"]);
        assert_eq!(
            (git.installs_after(), git.aliases()),
            (vec!["ghcr.io/a/b".to_owned()], vec!["git".to_owned(), "old-git".to_owned()])
        );
    }

    #[test]
    fn whatever_is_wrong_is_named_and_the_rest_is_read() {
        assert_eq!(codes(r#"{"id": "a", "version": "1", "instalsAfter": []}"#), ["unknown-property"]);
        assert_eq!(codes(r#"{"id": "a", "version": 1}"#), ["wrong-type"]);
        assert_eq!(codes(r#"{"id": "a", "version": "1" "init": true}"#), ["missing-comma"]);
        assert_eq!(codes(r#"{"version": "1"}"#), ["feature-without-id"]);
        assert_eq!(codes("[]"), ["not-an-object"]);
        assert_eq!(codes(r#"{"id": "a", "options": {"x": {"type": "text"}}}"#), ["wrong-type"]);
        assert_eq!(
            codes(r#"{"id": "a", "options": {"x": {"type": "boolean", "default": "yes"}}}"#),
            ["invalid-option-default"]
        );
        assert_eq!(
            codes(r#"{"id": "a", "options": {"x": {"type": "string", "enum": ["a"], "default": "b"}}}"#),
            ["invalid-option-default"]
        );
        let parsed = Manifest::parse("f.json", r#"{"id": "a", "installsAfter": ["b", 3], "options": 7}"#);
        assert_eq!(parsed.manifest.installs_after(), ["b"]);
        assert_eq!(parsed.manifest.options().len(), 0);
        assert_eq!(Manifest::parse("f.json", "").diagnostics[0].severity, Severity::Error);
    }

    #[test]
    fn a_renamed_feature_says_what_it_is_called_now() {
        let renamed = Manifest::parse("f.json", r#"{"id": "old", "currentId": "new", "legacyIds": ["old"]}"#).manifest;
        assert_eq!(renamed.aliases(), ["new", "old"]);
    }

    #[test]
    fn a_feature_of_an_old_collection_is_found_by_its_id() {
        let text = r#"{"features": [{"id": "a"}, {"id": "b", "options": {"x": {"default": 1}}}]}"#;
        assert_eq!(Manifest::parse_old("f.json", text, "b").unwrap().options().len(), 1);
        assert_eq!(Manifest::parse_old("f.json", text, "c"), None);
        assert_eq!(Manifest::parse_old("f.json", "[", "c"), None);
    }
}
