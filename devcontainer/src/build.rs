//! What to build for a configuration with a Dockerfile.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    config::DevContainer,
    dockerfile::Dockerfile,
    layer::Layer,
    metadata,
    scenario::{Build, Scenario},
};

/// The stage that we append and build.
pub const TARGET_STAGE: &str = "dev_containers_target_stage";
/// The name for a stage that has none.
const UNNAMED_STAGE: &str = "dev_container_auto_added_stage_label";

/// A build, ready to be given to a builder. Paths are relative to the root of the repository; the
/// empty string is the root itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildPlan {
    /// The text to build: the Dockerfile with a stage appended that carries the metadata label.
    pub dockerfile: String,
    /// Where the Dockerfile came from. A `<name>.dockerignore` beside it belongs to it.
    pub dockerfile_path: String,
    /// The folder to send as the build context.
    pub context: String,
    /// The stage to build.
    pub target: Option<String>,
    /// Build arguments.
    pub args: IndexMap<String, String>,
    /// Images to take cached layers from.
    pub cache_from: Vec<String>,
    /// Further arguments of `docker build`, as written. A builder that does not know them says so.
    pub options: Vec<String>,
    /// Labels the image will have.
    pub labels: IndexMap<String, String>,
}

/// The files of a build, relative to the root of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// The Dockerfile.
    pub dockerfile: String,
    /// The folder to send as the build context; empty for the root.
    pub context: String,
}

/// Why there is nothing that can be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The configuration has no Dockerfile.
    #[error("the configuration does not build a Dockerfile")]
    NotABuild,
    /// The name of the Dockerfile is empty or not a string.
    #[error("the configuration does not say which Dockerfile to build")]
    NoDockerfile,
    /// A path leads out of the repository, so we do not have what it names.
    #[error("\"{0}\" is outside of the repository")]
    OutsideRepository(String),
    /// There is no `FROM`.
    #[error("\"{0}\" contains no FROM instruction")]
    NoStage(String),
    /// The stage does not exist.
    #[error("the Dockerfile has no stage \"{0}\"")]
    NoTarget(String),
}

impl BuildError {
    /// A stable code in kebab case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotABuild => "not-a-build",
            Self::NoDockerfile => "no-dockerfile",
            Self::OutsideRepository(_) => "path-outside-repository",
            Self::NoStage(_) => "dockerfile-without-from",
            Self::NoTarget(_) => "unknown-build-target",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotABuild | Self::NoDockerfile => "set \"build\": {\"dockerfile\": \"Dockerfile\"}",
            Self::OutsideRepository(_) => {
                "paths are relative to the folder of devcontainer.json and must stay in the repository"
            }
            Self::NoStage(_) => "a Dockerfile starts with FROM and an image",
            Self::NoTarget(_) => "\"build.target\" must be the name after AS of one of its FROM instructions",
        }
    }
}

/// Where the files of a build are. The context is the folder of the Dockerfile unless written
/// otherwise; both are relative to the folder of the configuration.
///
/// # Errors
/// [`BuildError::NotABuild`], [`BuildError::NoDockerfile`], [`BuildError::OutsideRepository`].
pub fn paths(config: &DevContainer) -> Result<Paths, BuildError> {
    let build = build_of(config)?;
    let dockerfile = resolve(config.folder(), &build.dockerfile)?;
    if dockerfile.is_empty() {
        return Err(BuildError::NoDockerfile);
    }
    let context = match &build.context {
        Some(context) => resolve(config.folder(), context)?,
        None => dockerfile.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned()),
    };
    Ok(Paths { dockerfile, context })
}

/// Plans a build.
///
/// `config` has its variables substituted. `layers` are what the image will say about itself, with
/// their variables as written: the base image's layers, the Features', the file's.
///
/// A stage made from the target is appended, with nothing in it but the metadata label. The text
/// before it stays as it is, so that the builder's messages name the right lines.
///
/// # Errors
/// See [`BuildError`].
pub fn plan(config: &DevContainer, text: &str, layers: &[Layer]) -> Result<BuildPlan, BuildError> {
    let build = build_of(config)?;
    let paths = paths(config)?;
    let file = Dockerfile::parse(text);
    if file.stages.is_empty() {
        return Err(BuildError::NoStage(paths.dockerfile));
    }
    let target = build.target.as_deref();
    let missing = || BuildError::NoTarget(target.unwrap_or_default().to_owned());
    let stage = file.target(target).and_then(|at| file.stages.get(at)).ok_or_else(missing)?;

    let label = metadata::instruction(layers, file.escape);
    let mut dockerfile = text.to_owned();
    let mut labels = IndexMap::new();
    let mut target = build.target.clone();
    if !label.is_empty() {
        let base = stage.name.as_deref().unwrap_or(UNNAMED_STAGE);
        if stage.name.is_none() {
            dockerfile.insert_str(stage.from.end, &format!(" AS {UNNAMED_STAGE}"));
        }
        dockerfile.push_str(&format!("\n\nFROM {base} AS {TARGET_STAGE}\n{label}\n"));
        labels.insert(metadata::LABEL.to_owned(), metadata::write(layers));
        target = Some(TARGET_STAGE.to_owned());
    }
    Ok(BuildPlan {
        dockerfile,
        dockerfile_path: paths.dockerfile,
        context: paths.context,
        target,
        args: build.args,
        cache_from: build.cache_from,
        options: build.options,
        labels,
    })
}

impl BuildPlan {
    /// A hash of everything in the plan, in hexadecimal. The files of the context are not in it.
    #[must_use]
    pub fn hash(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        data_encoding::HEXLOWER.encode(&Sha256::digest(json))
    }
}

fn build_of(config: &DevContainer) -> Result<Build, BuildError> {
    match config.scenario() {
        Scenario::Build(build) if build.dockerfile.is_empty() => Err(BuildError::NoDockerfile),
        Scenario::Build(build) => Ok(build),
        _ => Err(BuildError::NotABuild),
    }
}

/// Joins a path to a folder of the repository and removes `.` and `..`.
fn resolve(folder: &str, path: &str) -> Result<String, BuildError> {
    let outside = || BuildError::OutsideRepository(path.to_owned());
    if path.starts_with('/') {
        return Err(outside());
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(outside)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn config(text: &str) -> DevContainer {
        DevContainer::parse(".devcontainer/devcontainer.json", text).config.unwrap()
    }

    fn planned(text: &str, dockerfile: &str) -> Result<BuildPlan, BuildError> {
        let config = config(text);
        plan(&config, dockerfile, &[Layer::from_config(&config)])
    }

    #[test]
    fn paths_start_at_the_folder_of_the_configuration() {
        let of = |text: &str| paths(&config(text)).map(|p| (p.dockerfile, p.context));
        let own = (".devcontainer/Dockerfile".to_owned(), ".devcontainer".to_owned());
        assert_eq!(of(r#"{"build": {"dockerfile": "Dockerfile"}}"#), Ok(own));
        let root = ("docker/Dockerfile".to_owned(), String::new());
        assert_eq!(of(r#"{"build": {"dockerfile": "../docker/Dockerfile", "context": ".."}}"#), Ok(root));
        let old = ("Dockerfile".to_owned(), String::new());
        assert_eq!(of(r#"{"dockerFile": "../Dockerfile", "build": {"context": "x"}}"#), Ok(old));
    }

    #[test]
    fn nothing_outside_the_repository_is_built() {
        for (text, code) in [
            (r#"{"build": {"dockerfile": "../../D"}}"#, "path-outside-repository"),
            (r#"{"build": {"dockerfile": "/etc/D"}}"#, "path-outside-repository"),
            (r#"{"build": {"dockerfile": "D", "context": "../.."}}"#, "path-outside-repository"),
            (r#"{"build": {"dockerfile": null}}"#, "no-dockerfile"),
            (r#"{"image": "a"}"#, "not-a-build"),
        ] {
            assert_eq!(paths(&config(text)).unwrap_err().code(), code, "{text}");
        }
    }

    #[test]
    fn a_stage_with_the_label_is_appended() {
        let plan = planned(
            r#"{"build": {"dockerfile": "D", "args": {"A": "1"}, "cacheFrom": "c"}, "remoteUser": "node"}"#,
            "FROM debian  \nRUN true",
        );
        let plan = plan.unwrap();
        assert_eq!(
            plan.dockerfile,
            "FROM debian AS dev_container_auto_added_stage_label  \nRUN true\n\n\
             FROM dev_container_auto_added_stage_label AS dev_containers_target_stage\n\
             LABEL devcontainer.metadata=\"[ \\\n{\\\"remoteUser\\\":\\\"node\\\"} \\\n]\"\n"
        );
        assert_eq!(plan.target.as_deref(), Some(TARGET_STAGE));
        assert_eq!(plan.labels["devcontainer.metadata"], r#"[{"remoteUser":"node"}]"#);
        assert_eq!((plan.args["A"].as_str(), plan.cache_from.clone()), ("1", vec!["c".to_owned()]));
        assert_eq!(plan.hash().len(), 64);
        // What was appended is understood by what reads it.
        assert_eq!(
            Dockerfile::parse(&plan.dockerfile).base_image(None, &Default::default()).as_deref(),
            Some("debian")
        );
    }

    #[test]
    fn the_target_is_what_gets_the_label() {
        let text = r#"{"build": {"dockerfile": "D", "target": "dev"}, "init": true}"#;
        let plan = planned(text, "FROM a AS dev\nFROM b AS prod").unwrap();
        assert!(plan.dockerfile.contains("\nFROM dev AS dev_containers_target_stage\nLABEL "));
        assert_eq!(planned(text, "FROM a").unwrap_err().code(), "unknown-build-target");
        assert_eq!(planned(text, "RUN x").unwrap_err().code(), "dockerfile-without-from");
    }

    #[test]
    fn without_a_label_the_dockerfile_stays() {
        let plan = planned(r#"{"build": {"dockerfile": "D"}, "name": "x"}"#, "FROM a").unwrap();
        assert_eq!((plan.dockerfile.as_str(), plan.target, plan.labels.len()), ("FROM a", None, 0));
    }
}
