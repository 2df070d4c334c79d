//! What to build for a configuration with a Dockerfile.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    config::DevContainer,
    dockerfile::Dockerfile,
    feature::{ContextFile, ContextFolder, Feature, InstallError, Installation, Users, install},
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
    /// Files to lay into the context, over those that are there.
    #[serde(default)]
    pub files: Vec<ContextFile>,
    /// Where to lay the files of Features, before the files of the plan.
    #[serde(default)]
    pub folders: Vec<ContextFolder>,
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
    /// The name of the image cannot be one.
    #[error("{0:?} is not the name of an image")]
    Image(String),
    /// A Feature or the configuration asks for what an image cannot have.
    #[error(transparent)]
    Install(#[from] InstallError),
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
            Self::Image(_) => "invalid-image",
            Self::Install(InstallError::User(_)) => "invalid-user",
            Self::Install(InstallError::Variable { .. }) => "invalid-variable",
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
            Self::Image(_) => "write a reference such as \"debian:bookworm\"",
            Self::Install(InstallError::User(_)) => "names of users have no line breaks",
            Self::Install(InstallError::Variable { .. }) => {
                "names of variables have no spaces, \"=\", \"$\" or quotes, and values no line breaks"
            }
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
    on_dockerfile(config, text, layers, None)
}

/// Plans a build as [`plan`] does, with Features installed in the stage that is appended.
///
/// # Errors
/// See [`BuildError`].
pub fn plan_with_features(
    config: &DevContainer,
    text: &str,
    layers: &[Layer],
    features: &[Feature],
    users: &Users,
) -> Result<BuildPlan, BuildError> {
    let escape = Dockerfile::parse(text).escape;
    let env = config.properties.container_env();
    on_dockerfile(config, text, layers, Some(Installation::plan(features, users, &env, escape)?))
}

/// Plans a build that installs Features on an image. Its context is what the plan lays there, and nothing
/// else. For `layers`, see [`plan`].
///
/// # Errors
/// [`BuildError::Image`], [`BuildError::Install`].
pub fn plan_on_image(
    config: &DevContainer,
    image: &str,
    layers: &[Layer],
    features: &[Feature],
    users: &Users,
) -> Result<BuildPlan, BuildError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@');
    if image.is_empty() || image.starts_with('-') || !image.chars().all(fits) {
        return Err(BuildError::Image(image.chars().take(200).collect()));
    }
    let installation = Installation::plan(features, users, &config.properties.container_env(), ESCAPE)?;
    let mut plan = BuildPlan {
        dockerfile: String::new(),
        dockerfile_path: format!("{}/Dockerfile", install::FOLDER),
        context: String::new(),
        target: Some(TARGET_STAGE.to_owned()),
        args: IndexMap::new(),
        cache_from: Vec::new(),
        options: Vec::new(),
        labels: IndexMap::new(),
        files: Vec::new(),
        folders: Vec::new(),
    };
    plan.dockerfile = format!("FROM {image} AS {TARGET_STAGE}\n");
    plan.append(layers, Some(installation), ESCAPE);
    Ok(plan)
}

/// What escapes in a Dockerfile of our own.
const ESCAPE: char = '\\';

fn on_dockerfile(
    config: &DevContainer,
    text: &str,
    layers: &[Layer],
    installation: Option<Installation>,
) -> Result<BuildPlan, BuildError> {
    let build = build_of(config)?;
    let paths = paths(config)?;
    let file = Dockerfile::parse(text);
    if file.stages.is_empty() {
        return Err(BuildError::NoStage(paths.dockerfile));
    }
    let target = build.target.as_deref();
    let missing = || BuildError::NoTarget(target.unwrap_or_default().to_owned());
    let stage = file.target(target).and_then(|at| file.stages.get(at)).ok_or_else(missing)?;
    let mut plan = BuildPlan {
        dockerfile: text.to_owned(),
        dockerfile_path: paths.dockerfile,
        context: paths.context,
        target: build.target.clone(),
        args: build.args,
        cache_from: build.cache_from,
        options: build.options,
        labels: IndexMap::new(),
        files: Vec::new(),
        folders: Vec::new(),
    };
    if installation.is_some() || !metadata::instruction(layers, file.escape).is_empty() {
        let base = stage.name.as_deref().unwrap_or(UNNAMED_STAGE);
        if stage.name.is_none() {
            plan.dockerfile.insert_str(stage.from.end, &format!(" AS {UNNAMED_STAGE}"));
        }
        plan.dockerfile.push_str(&format!("\n\nFROM {base} AS {TARGET_STAGE}\n"));
        plan.target = Some(TARGET_STAGE.to_owned());
        plan.append(layers, installation, file.escape);
    }
    Ok(plan)
}

impl BuildPlan {
    /// Adds Features and the label to the last stage.
    fn append(&mut self, layers: &[Layer], installation: Option<Installation>, escape: char) {
        if let Some(installation) = installation {
            self.dockerfile.push_str(&installation.instructions);
            self.args.extend(installation.args);
            self.files = installation.files;
            self.folders = installation.folders;
        }
        let label = metadata::instruction(layers, escape);
        if !label.is_empty() {
            self.dockerfile.push_str(&label);
            self.dockerfile.push('\n');
            self.labels.insert(metadata::LABEL.to_owned(), metadata::write(layers));
        }
    }

    /// A hash of everything in the plan, in hexadecimal. The files of the context are not in it; Features
    /// are by their digests.
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
mod tests;
