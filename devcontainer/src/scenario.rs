//! Where the container's image comes from.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::properties::Properties;

/// The three kinds of configuration, and the one that names no image at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// An image by its reference.
    Image(String),
    /// A Dockerfile.
    Build(Build),
    /// A service of Compose files.
    Compose(Compose),
    /// None of them: the tool chooses an image.
    #[default]
    None,
}

/// What to build. Paths are as written: relative to the folder of the configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Build {
    /// The Dockerfile.
    pub dockerfile: String,
    /// The build context; `None` means the folder of the Dockerfile.
    pub context: Option<String>,
    /// The stage to build; `None` means the last one.
    pub target: Option<String>,
    /// Build arguments.
    pub args: IndexMap<String, String>,
    /// Images to take cached layers from.
    pub cache_from: Vec<String>,
    /// Further arguments of `docker build`, as written.
    pub options: Vec<String>,
}

/// Which Compose service is the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Compose {
    /// The files, in the order in which they are merged; empty means Compose's own default.
    pub files: Vec<String>,
    /// The service.
    pub service: String,
    /// The services to start; `None` means all of them.
    pub run_services: Option<Vec<String>>,
}

impl Scenario {
    /// Chooses as `devcontainer up` does: the presence of a key decides, a Dockerfile before an
    /// image before Compose.
    #[must_use]
    pub fn of(properties: &Properties) -> Self {
        let build = properties.get("build").and_then(Value::as_object);
        if properties.has("dockerFile") || build.is_some_and(|b| b.contains_key("dockerfile")) {
            return Self::Build(Build::of(properties));
        }
        if properties.has("image") {
            return properties.string("image").filter(|image| !image.is_empty()).map_or(Self::None, Self::Image);
        }
        if properties.has("dockerComposeFile") {
            return Self::Compose(Compose {
                files: properties.strings("dockerComposeFile"),
                service: properties.string("service").unwrap_or_default(),
                run_services: properties.has("runServices").then(|| properties.strings("runServices")),
            });
        }
        Self::None
    }
}

impl Build {
    fn of(properties: &Properties) -> Self {
        let build =
            properties.get("build").and_then(Value::as_object).map(|map| Properties(map.clone())).unwrap_or_default();
        // With the old top-level `dockerFile`, only the old top-level `context` counts.
        let (dockerfile, context) = if properties.has("dockerFile") {
            (properties.string("dockerFile"), properties.string("context"))
        } else {
            (build.string("dockerfile"), build.string("context"))
        };
        let args = build.object("args").into_iter().map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        });
        Self {
            dockerfile: dockerfile.unwrap_or_default(),
            context: context.filter(|c| !c.is_empty()),
            target: build.string("target").filter(|t| !t.is_empty()),
            args: args.collect(),
            cache_from: build.strings("cacheFrom"),
            options: build.strings("options"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scenario(value: Value) -> Scenario {
        Scenario::of(&serde_json::from_value(value).unwrap_or_default())
    }

    #[test]
    fn a_dockerfile_goes_before_an_image_before_compose() {
        let all = json!({"image": "a", "build": {"dockerfile": "D"}, "dockerComposeFile": "c.yml"});
        assert!(matches!(scenario(all), Scenario::Build(b) if b.dockerfile == "D"));
        let two = json!({"image": "a", "dockerComposeFile": "c.yml", "build": {"context": ".."}});
        assert_eq!(scenario(two), Scenario::Image("a".into()));
        assert_eq!(scenario(json!({"forwardPorts": [1]})), Scenario::None);
    }

    #[test]
    fn the_old_dockerfile_takes_the_old_context_only() {
        let old =
            json!({"dockerFile": "D", "build": {"context": "..", "target": "dev", "cacheFrom": "x", "args": {"A": 1}}});
        let Scenario::Build(build) = scenario(old) else {
            return assert!(false.eq(&true));
        };
        assert_eq!((build.context, build.target.as_deref()), (None, Some("dev")));
        assert_eq!((build.cache_from, build.args.get("A").cloned()), (vec!["x".to_owned()], Some("1".to_owned())));
    }

    #[test]
    fn compose_files_are_one_or_many() {
        let read = scenario(json!({"dockerComposeFile": ["a", "b"], "service": "app", "runServices": []}));
        let compose =
            Compose { files: vec!["a".into(), "b".into()], service: "app".into(), run_services: Some(vec![]) };
        assert_eq!(read, Scenario::Compose(compose));
    }
}
