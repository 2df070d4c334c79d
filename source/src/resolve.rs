//! What a source turns out to be: an image made ahead, a devcontainer.json, or a template; in that order,
//! and always with the reason.

use async_trait::async_trait;
use devcontainer::{DevContainer, Diagnostic, Severity, Tree, discover};
use indexmap::IndexMap;
use steading_core::config::Config;
use steading_core::log::LogSink;
use steading_core::prebuild::{Prebuild, repository_key};
use steading_core::resolution::{ImageSource, Resolution, ResolutionKind};
use steading_core::source::{Commit, GitSource};
use steading_core::workspace::Wishes;
use steading_core::{ImageRef, Source};

use crate::git::{Git, Pinned};
use crate::templates::{TemplateError, Templates};

mod error;
mod image;
mod remark;

pub use error::ResolveError;

/// Knows images made ahead.
#[async_trait]
pub trait PrebuildLookup: Send + Sync {
    /// The newest image for a repository (see [`repository_key`]) at a commit, or for a configuration.
    async fn find(&self, repository: &str, commit: &Commit, config_hash: Option<&str>) -> Option<Prebuild>;
}

/// Nothing was made ahead.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPrebuilds;

#[async_trait]
impl PrebuildLookup for NoPrebuilds {
    async fn find(&self, _: &str, _: &Commit, _: Option<&str>) -> Option<Prebuild> {
        None
    }
}

/// What the files belong to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The commit, if there is a repository.
    pub commit: Option<Commit>,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// The folder or file to open.
    pub path: Option<String>,
    /// The name of the folder that holds the files, for `${localWorkspaceFolder}`.
    pub folder: String,
}

impl Place {
    fn of(pinned: Pinned, source: &GitSource) -> Self {
        Self {
            commit: Some(pinned.commit),
            branch: pinned.branch,
            path: pinned.path,
            folder: source.url.repository_name(),
        }
    }
}

/// Resolves sources. Cheap to share.
#[derive(Debug, Clone)]
pub struct Resolver {
    git: Git,
    templates: Templates,
    rules: Rules,
}

/// What the configuration of the server decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// The image of configurations that name none.
    pub default_image: String,
    /// What `${localEnv:X}` sees.
    pub local_env: IndexMap<String, String>,
}

impl Resolver {
    /// A resolver over an opened cache.
    ///
    /// # Errors
    /// If the program's own templates are malformed.
    pub fn new(git: Git, config: &Config) -> Result<Self, TemplateError> {
        let allowed = config.policy.local_env.iter();
        let local_env = allowed.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect();
        let rules = Rules { default_image: config.workspace.default_image.clone(), local_env };
        Ok(Self { git, templates: Templates::embedded()?, rules })
    }

    /// The templates it chooses from.
    #[must_use]
    pub const fn templates(&self) -> &Templates {
        &self.templates
    }

    /// The repositories it reads.
    #[must_use]
    pub const fn git(&self) -> &Git {
        &self.git
    }

    /// Pins a source and says what it is. Nothing is started or built.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn resolve(
        &self,
        source: &Source,
        wishes: &Wishes,
        prebuilt: &dyn PrebuildLookup,
        log: &dyn LogSink,
    ) -> Result<Resolution, ResolveError> {
        let Source::Git(git) = source else { return Err(ResolveError::NoRepository) };
        let pinned = self.git.pin(git, log).await?;
        self.resolve_commit(git, Place::of(pinned, git), wishes, prebuilt, log).await
    }

    /// Says what a commit is that was pinned before. The remote is asked only if the cache has lost it.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn resolve_commit(
        &self,
        git: &GitSource,
        place: Place,
        wishes: &Wishes,
        prebuilt: &dyn PrebuildLookup,
        log: &dyn LogSink,
    ) -> Result<Resolution, ResolveError> {
        let Some(commit) = &place.commit else { return Err(ResolveError::NoRepository) };
        let ahead = if *wishes == Wishes::default() {
            prebuilt.find(&repository_key(git.url.reveal()), commit, None).await
        } else {
            None
        };
        let tree = self.git.tree(git, commit, log).await?;
        let (this, wishes) = (self.clone(), wishes.clone());
        let resolved = tokio::task::spawn_blocking(move || match ahead {
            Some(prebuild) => this.resolve_prebuilt(&tree, place, &prebuild),
            None => this.resolve_files(&tree, place, &wishes),
        });
        let resolution = resolved.await.map_err(|_| ResolveError::BrokeOff)??;
        log.write("resolve", &resolution.because);
        Ok(resolution)
    }

    /// Says what files are, wherever they come from: for a rebuild they come from the workspace itself.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub fn resolve_files(&self, tree: &dyn Tree, place: Place, wishes: &Wishes) -> Result<Resolution, ResolveError> {
        let choices = discover(tree);
        if let Some(id) = &wishes.template {
            let because = "it was asked for".to_owned();
            return self.by_template(place, choices, id, because);
        }
        let Some(path) = chosen(&choices, wishes)? else {
            let found = self.templates.detect(tree);
            return self.by_template(place, choices, &found.template, found.because);
        };
        let (config, mut diagnostics) = read(tree, &path)?;
        let (image, found) = image::of(&config, Some(tree), &place, &self.rules)?;
        // What is used in place of an image is better told than that there is none.
        diagnostics.retain(|finding| found.iter().all(|better| better.code != finding.code));
        diagnostics.extend(found);
        diagnostics.extend(remark::on(&config));
        let because = match (choices.len(), wishes.config.is_some()) {
            (_, true) => format!("{path} was asked for."),
            (1, false) => format!("The repository has {path}."),
            (count, false) => format!("{path} is the first of {count} configurations in the repository."),
        };
        let kind = ResolutionKind::Devcontainer { path };
        Ok(resolution(place, kind, image, config, because, choices, diagnostics))
    }

    /// An image made ahead; hooks, ports and the rest still come from the repository's configuration.
    fn resolve_prebuilt(&self, tree: &dyn Tree, place: Place, prebuild: &Prebuild) -> Result<Resolution, ResolveError> {
        let choices = discover(tree);
        let (config, path, mut diagnostics) = match choices.first() {
            Some(path) => {
                let (config, diagnostics) = read(tree, path)?;
                (config, Some(path.clone()), diagnostics)
            }
            None => {
                let found = self.templates.detect(tree);
                (self.template(&found.template)?, None, Vec::new())
            }
        };
        // What the image was built with is in it.
        diagnostics.extend(remark::on(&config).into_iter().filter(|d| d.code != remark::FEATURES));
        let image = ImageSource::Pull { image: prebuild.image.clone() };
        let because = format!("The image {} was registered for this commit.", prebuild.image);
        let kind = ResolutionKind::Prebuilt { image: prebuild.image.clone(), path };
        Ok(resolution(place, kind, image, config, because, choices, diagnostics))
    }

    fn by_template(
        &self,
        place: Place,
        choices: Vec<String>,
        id: &str,
        because: String,
    ) -> Result<Resolution, ResolveError> {
        let config = self.template(id)?;
        let (image, _) = image::of(&config, None, &place, &self.rules)?;
        let name = self.templates.find(id).map_or(id, |template| template.name.as_str());
        let because = format!("The template {name} is used: {because}.");
        let kind = ResolutionKind::Template { template: id.to_owned() };
        Ok(resolution(place, kind, image, config, because, choices, Vec::new()))
    }

    fn template(&self, id: &str) -> Result<DevContainer, ResolveError> {
        match self.templates.find(id) {
            Some(template) => Ok(template.config.clone()),
            None => Err(ResolveError::NoTemplate {
                wished: id.to_owned(),
                known: self.templates.list().iter().map(|template| template.id.clone()).collect(),
            }),
        }
    }
}

fn resolution(
    place: Place,
    kind: ResolutionKind,
    image: ImageSource,
    config: DevContainer,
    because: String,
    choices: Vec<String>,
    diagnostics: Vec<Diagnostic>,
) -> Resolution {
    Resolution {
        commit: place.commit,
        branch: place.branch,
        path: place.path,
        kind,
        image,
        config: Box::new(config),
        because,
        choices,
        diagnostics,
    }
}

/// The configuration to use: the wished one, else the first.
fn chosen(choices: &[String], wishes: &Wishes) -> Result<Option<String>, ResolveError> {
    let Some(wished) = &wishes.config else { return Ok(choices.first().cloned()) };
    let plain = wished.trim_start_matches("./").trim_matches('/');
    let by_name = format!(".devcontainer/{plain}/devcontainer.json");
    match choices.iter().find(|choice| **choice == plain || **choice == by_name) {
        Some(choice) => Ok(Some(choice.clone())),
        None => Err(ResolveError::NoConfig { wished: wished.clone(), choices: choices.to_vec() }),
    }
}

/// Reads a configuration, or says where it is broken.
fn read(tree: &dyn Tree, path: &str) -> Result<(DevContainer, Vec<Diagnostic>), ResolveError> {
    let broken = |finding: Diagnostic| ResolveError::Broken(Box::new(finding));
    let bytes = tree.read(path).ok_or_else(|| {
        broken(
            Diagnostic::error(path, "unreadable", "the file cannot be read")
                .hint("It may be too large, or a symbolic link that leads out of the repository."),
        )
    })?;
    let text = String::from_utf8(bytes).map_err(|_| {
        broken(Diagnostic::error(path, "not-utf8", "the file is not UTF-8 text").hint("Save it as UTF-8."))
    })?;
    let parsed = DevContainer::parse(path, text.strip_prefix('\u{feff}').unwrap_or(&text));
    match parsed.config {
        Some(config) => Ok((config, parsed.diagnostics)),
        None => {
            let worst = parsed.diagnostics.into_iter().max_by_key(|finding| finding.severity == Severity::Error);
            let worst = worst
                .unwrap_or_else(|| Diagnostic::error(path, "not-an-object", "the configuration must be a JSON object"));
            Err(broken(worst))
        }
    }
}

/// The image that stands in where a configuration names none.
pub(crate) fn default_image(rules: &Rules) -> ImageSource {
    ImageSource::Pull { image: ImageRef::new(rules.default_image.as_str()) }
}
