//! Names from before Features were in registries.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::wish::Wish;

/// Where all of them went, with the version they stay at.
const HOME: &str = "ghcr.io/devcontainers/features";
const VERSION: &str = "1";

/// Short names that are still understood.
const MOVED: [&str; 18] = [
    "aws-cli",
    "azure-cli",
    "desktop-lite",
    "docker-in-docker",
    "docker-from-docker",
    "dotnet",
    "git",
    "git-lfs",
    "github-cli",
    "java",
    "kubectl-helm-minikube",
    "node",
    "powershell",
    "python",
    "ruby",
    "rust",
    "sshd",
    "terraform",
];

/// Short names that are understood and now called otherwise.
const RENAMED: [(&str, &str); 2] = [("golang", "go"), ("common", "common-utils")];

/// Features that became an option of another one.
const ABSORBED: [(&str, &str, &str); 3] = [
    ("gradle", "java", "installGradle"),
    ("maven", "java", "installMaven"),
    ("jupyterlab", "python", "installJupyterlab"),
];

/// The reference that a name stands for: itself, unless it is one of the old short names.
#[must_use]
pub fn expand(id: &str) -> Cow<'_, str> {
    let name = RENAMED.iter().find(|(old, _)| *old == id).map(|(_, new)| *new);
    match name.or_else(|| MOVED.contains(&id).then_some(id)) {
        Some(name) => Cow::Owned(format!("{HOME}/{name}:{VERSION}")),
        None => Cow::Borrowed(id),
    }
}

/// Whether a name is that of a Feature which became an option of another one.
pub(super) fn is_absorbed(id: &str) -> bool {
    ABSORBED.iter().any(|(name, ..)| *name == id)
}

/// Replaces Features that became an option of another one by that option; the other one is added where
/// nobody asked for it.
pub(super) fn absorb(wishes: &mut Vec<Wish>) {
    let old: Vec<_> =
        wishes.iter().filter_map(|wish| ABSORBED.iter().find(|(name, ..)| *name == wish.id).copied()).collect();
    for (_, new, option) in old {
        let full = format!("{HOME}/{new}");
        let is_it =
            |id: &str| id == new || id.strip_prefix(&full).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
        match wishes.iter_mut().find(|wish| is_it(&wish.id)) {
            Some(wish) => {
                let mut options = match std::mem::take(&mut wish.options) {
                    Value::Object(options) => options,
                    Value::String(version) => Map::from_iter([("version".to_owned(), Value::String(version))]),
                    _ => Map::new(),
                };
                options.insert(option.to_owned(), Value::Bool(true));
                wish.options = Value::Object(options);
            }
            None => wishes.push(Wish {
                id: format!("{full}:{VERSION}"),
                options: Value::Object(Map::from_iter([(option.to_owned(), Value::Bool(true))])),
            }),
        }
    }
    wishes.retain(|wish| !is_absorbed(&wish.id));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn absorbed(pairs: &[(&str, Value)]) -> Vec<(String, Value)> {
        let mut wishes =
            pairs.iter().map(|(id, options)| Wish { id: (*id).into(), options: options.clone() }).collect();
        absorb(&mut wishes);
        wishes.into_iter().map(|wish| (wish.id, wish.options)).collect()
    }

    #[test]
    fn old_names_stand_for_references() {
        assert_eq!(expand("git"), "ghcr.io/devcontainers/features/git:1");
        assert_eq!(expand("golang"), "ghcr.io/devcontainers/features/go:1");
        assert_eq!(expand("common"), "ghcr.io/devcontainers/features/common-utils:1");
        assert_eq!(expand("docker-from-docker"), "ghcr.io/devcontainers/features/docker-from-docker:1");
        assert_eq!((expand("fish"), expand("a/b/git")), ("fish".into(), "a/b/git".into()));
    }

    #[test]
    fn an_absorbed_feature_becomes_an_option_of_the_one_that_is_there() {
        assert_eq!(
            absorbed(&[("maven", json!("latest")), ("java", json!("17"))]),
            [("java".to_owned(), json!({"version": "17", "installMaven": true}))]
        );
        assert_eq!(
            absorbed(&[("ghcr.io/devcontainers/features/python:1", json!({"a": 1})), ("jupyterlab", json!({}))]),
            [("ghcr.io/devcontainers/features/python:1".to_owned(), json!({"a": 1, "installJupyterlab": true}))]
        );
    }

    #[test]
    fn an_absorbed_feature_brings_the_other_one_with_it() {
        let java = "ghcr.io/devcontainers/features/java:1".to_owned();
        assert_eq!(
            absorbed(&[("maven", json!({})), ("gradle", json!({}))]),
            [(java, json!({"installMaven": true, "installGradle": true}))]
        );
    }
}
