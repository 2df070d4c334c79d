//! What a source turns out to be: an image made ahead, a devcontainer.json, or a template; in that order,
//! and always with the reason.

use std::sync::Arc;

use async_trait::async_trait;
use devcontainer::{DevContainer, Diagnostic, Severity, Tree, discover};
use indexmap::IndexMap;
use steading_core::config::Config;
use steading_core::log::LogSink;
use steading_core::prebuild::{Prebuild, repository_key};
use steading_core::resolution::{ImageSource, Resolution, ResolutionKind, choose};
use steading_core::source::{Commit, GitSource};
use steading_core::workspace::Wishes;
use steading_core::{ImageRef, Source};

use crate::git::{Git, Pinned};
use crate::templates::{TemplateError, Templates};
use crate::tree::GitTree;

mod error;
mod image;
mod remark;

pub use error::ResolveError;

/// Knows images made ahead.
#[async_trait]
pub trait PrebuildLookup: Send + Sync {
    /// The newest image for a repository (see [`repository_key`]): one for this commit, else one for this
    /// configuration.
    async fn find(&self, repository: &str, commit: Option<&Commit>, config_hash: Option<&str>) -> Option<Prebuild>;
}

/// Nothing was made ahead.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPrebuilds;

#[async_trait]
impl PrebuildLookup for NoPrebuilds {
    async fn find(&self, _: &str, _: Option<&Commit>, _: Option<&str>) -> Option<Prebuild> {
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
    /// The folder or file that the link pointed to.
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

    /// The folder that a link to a folder or a file opens, unless it is the root; or a word about a link to
    /// what is not there.
    fn opened_in(&self, tree: &dyn Tree) -> (Option<String>, Option<Diagnostic>) {
        let Some(path) = &self.path else { return (None, None) };
        if !tree.entries(path).is_empty() {
            return (Some(path.clone()), None);
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if tree.entries(folder).iter().any(|entry| entry.name == name) {
            return ((!folder.is_empty()).then(|| folder.to_owned()), None);
        }
        let message = format!("the link points to `{path}`, which is not in this commit; the root is opened");
        let note = Diagnostic::warning("", "linked-path-not-found", message)
            .hint("Check the branch in the link, or open the folder in the IDE.");
        (None, Some(note))
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
        let mut pinned = self.git.pin(git, log).await?;
        let notes = std::mem::take(&mut pinned.notes);
        let tree = self.git.tree_at(git, &pinned.commit, pinned.full_ref.as_deref(), log).await?;
        let mut resolution = self.resolve_tree(git, tree, Place::of(pinned, git), wishes, prebuilt).await?;
        resolution.diagnostics.splice(0..0, notes);
        log.write("resolve", &resolution.because);
        Ok(resolution)
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
        let tree = self.git.tree(git, commit, log).await?;
        let resolution = self.resolve_tree(git, tree, place, wishes, prebuilt).await?;
        log.write("resolve", &resolution.because);
        Ok(resolution)
    }

    /// The configurations of a repository, by their paths: at a commit, or where the source points.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn configurations(
        &self,
        git: &GitSource,
        commit: Option<&Commit>,
        log: &dyn LogSink,
    ) -> Result<Vec<String>, ResolveError> {
        let tree = match commit {
            Some(commit) => self.git.tree(git, commit, log).await?,
            None => {
                let pinned = self.git.pin(git, log).await?;
                self.git.tree_at(git, &pinned.commit, pinned.full_ref.as_deref(), log).await?
            }
        };
        tokio::task::spawn_blocking(move || discover(&tree)).await.map_err(|_| ResolveError::BrokeOff)
    }

    async fn resolve_tree(
        &self,
        git: &GitSource,
        tree: GitTree,
        place: Place,
        wishes: &Wishes,
        prebuilt: &dyn PrebuildLookup,
    ) -> Result<Resolution, ResolveError> {
        let (repository, tree) = (repository_key(git.url.reveal()), Arc::new(tree));
        let at_commit = match *wishes == Wishes::default() {
            true => prebuilt.find(&repository, place.commit.as_ref(), None).await,
            // It was made from the first configuration, and another one is wished for.
            false => None,
        };
        if let Some(ahead) = at_commit {
            let because = format!("The image {} was registered for this commit.", ahead.image);
            return self.on_files(&tree, move |this, tree| this.resolve_prebuilt(tree, place, &ahead, because)).await;
        }
        let wishes = wishes.clone();
        let found = self.on_files(&tree, move |this, tree| this.resolve_files(tree, place, &wishes)).await?;
        let Some(hash) = &found.config_hash else { return Ok(found) };
        Ok(match prebuilt.find(&repository, None, Some(hash)).await {
            Some(ahead) => with_image(found, ahead.image),
            None => found,
        })
    }

    /// Reading files blocks, so it has a thread of its own.
    async fn on_files<F>(&self, tree: &Arc<GitTree>, work: F) -> Result<Resolution, ResolveError>
    where
        F: FnOnce(&Self, &GitTree) -> Result<Resolution, ResolveError> + Send + 'static,
    {
        let (this, tree) = (self.clone(), tree.clone());
        tokio::task::spawn_blocking(move || work(&this, &tree)).await.map_err(|_| ResolveError::BrokeOff)?
    }

    /// Says what files are, wherever they come from: for a rebuild they come from the workspace itself.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub fn resolve_files(&self, tree: &dyn Tree, place: Place, wishes: &Wishes) -> Result<Resolution, ResolveError> {
        let (folder, notes) = place.opened_in(tree);
        let mut resolution = self.resolve_image(tree, place, wishes)?;
        resolution.folder = folder;
        resolution.diagnostics.extend(notes);
        Ok(resolution)
    }

    fn resolve_image(&self, tree: &dyn Tree, place: Place, wishes: &Wishes) -> Result<Resolution, ResolveError> {
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
        let found = image::of(&config, Some(tree), &place, &self.rules)?;
        // What is used in place of an image is better told than that there is none.
        diagnostics.retain(|finding| found.diagnostics.iter().all(|better| better.code != finding.code));
        diagnostics.extend(found.diagnostics);
        diagnostics.extend(remark::on(&config));
        let because = match (choices.len(), wishes.config.is_some()) {
            (_, true) => format!("{path} was asked for."),
            (1, false) => format!("The repository has {path}."),
            (count, false) => format!("{path} is the first of {count} configurations in the repository."),
        };
        let kind = ResolutionKind::Devcontainer { path };
        let resolution = resolution(place, kind, found.image, config, because, choices, diagnostics);
        Ok(Resolution { config_hash: found.config_hash, ..resolution })
    }

    /// An image made ahead; hooks, ports and the rest still come from the repository's configuration.
    fn resolve_prebuilt(
        &self,
        tree: &dyn Tree,
        place: Place,
        prebuild: &Prebuild,
        because: String,
    ) -> Result<Resolution, ResolveError> {
        let (folder, notes) = place.opened_in(tree);
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
        diagnostics.extend(notes);
        // The image is there, whatever the configuration says of how to make it.
        let config_hash =
            path.as_ref().and_then(|_| image::of(&config, Some(tree), &place, &self.rules).ok()?.config_hash);
        let image = ImageSource::Pull { image: prebuild.image.clone() };
        let kind = ResolutionKind::Prebuilt { image: prebuild.image.clone(), path };
        Ok(Resolution { folder, config_hash, ..resolution(place, kind, image, config, because, choices, diagnostics) })
    }

    fn by_template(
        &self,
        place: Place,
        choices: Vec<String>,
        id: &str,
        because: String,
    ) -> Result<Resolution, ResolveError> {
        let config = self.template(id)?;
        let image = image::of(&config, None, &place, &self.rules)?.image;
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

/// The same with an image made ahead for its configuration.
fn with_image(mut found: Resolution, image: ImageRef) -> Resolution {
    let path = match found.kind {
        ResolutionKind::Devcontainer { path } => Some(path),
        _ => None,
    };
    found.because = format!("The image {image} was registered for this configuration.");
    found.image = ImageSource::Pull { image: image.clone() };
    found.kind = ResolutionKind::Prebuilt { image, path };
    // What the image was built with is in it.
    found.diagnostics.retain(|finding| finding.code != remark::FEATURES);
    found
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
        folder: None,
        config_hash: None,
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
    match choose(choices, wished) {
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
