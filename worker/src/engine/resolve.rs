//! `Step::Resolve`: pin the reference, and find out what the source is. A rebuild asks the workspace instead.

use async_trait::async_trait;
use steading_core::event::EventKind;
use steading_core::log::LogSink;
use steading_core::prebuild::Prebuild;
use steading_core::resolution::Resolution;
use steading_core::source::{Commit, GitSource};
use steading_core::workspace::Change;
use steading_core::{Diagnostic, Source, Workspace, report};
use steading_source::folder::Listed;
use steading_source::{GitTree, Place, PrebuildLookup, ResolveError};
use steading_store::Store;

use super::files::{self, Configurations};
use super::journey::{Done, Journey};
use crate::context::Context;
use crate::edited::{Edited, Found};
use crate::error::Trouble;

/// Images made ahead, from the records.
pub(crate) struct Registered<'a>(pub(crate) &'a Store);

#[async_trait]
impl PrebuildLookup for Registered<'_> {
    async fn find(&self, repository: &str, commit: Option<&Commit>, config_hash: Option<&str>) -> Option<Prebuild> {
        match self.0.prebuilds().find(repository, commit, config_hash).await {
            Ok(found) => found,
            Err(error) => {
                // Without it the workspace starts as well, only later.
                tracing::warn!(error = %report::chain(&error), "images made ahead were not looked up");
                None
            }
        }
    }
}

pub(super) async fn run(journey: &mut Journey<'_>) -> Result<Done, Trouble> {
    let ws = &journey.ws;
    let populated = ws.facts.populated.as_ref().filter(|populated| populated.commit.is_some());
    let resolution = match (populated, &ws.source) {
        // What people have is what counts: wherever the reference points by now, it is for new workspaces.
        (Some(populated), Source::Git(source)) => {
            let place = Place {
                commit: populated.commit.clone(),
                branch: populated.branch.clone(),
                path: populated.path.clone(),
                folder: ws.source.folder_name(),
            };
            again(journey, source, place).await?
        }
        _ => {
            let context = journey.context;
            let prebuilt = Registered(&context.store);
            let resolving = context.resolver.resolve(&ws.source, &ws.wishes, &prebuilt, journey.log.as_ref());
            resolving.await.map_err(|fault| trouble(&fault))?
        }
    };
    let events = story(&resolution);
    Ok(Done { changes: vec![Change::Resolved(Box::new(resolution))], events })
}

fn trouble(fault: &ResolveError) -> Trouble {
    Trouble::of("resolve", fault)
}

/// For a rebuild: what the configuration says as it is in the workspace now, or, where that is out of reach,
/// as it was in the commit that was checked out.
async fn again(journey: &Journey<'_>, source: &GitSource, place: Place) -> Result<Resolution, Trouble> {
    let context = journey.context;
    let short = place.commit.as_ref().map(Commit::short).unwrap_or_default();
    let passed_over = match files::configurations(context, &journey.ws).await? {
        Configurations::Found { root, found } => {
            if let Some(resolution) = edited(journey, source, &place, &root, found).await? {
                return Ok(resolution);
            }
            None
        }
        Configurations::Away => Some((
            "files-out-of-reach",
            format!("the files of the workspace are out of reach; the configuration of {short} is used"),
            "What was edited since counts when you rebuild again, now that there is a container.",
        )),
        Configurations::TooLarge => Some((
            "configuration-too-large",
            format!(".devcontainer in the workspace is too large to be read; the configuration of {short} is used"),
            "Move what is no configuration out of .devcontainer, then rebuild.",
        )),
    };
    let prebuilt = Registered(&context.store);
    let resolving = context.resolver.resolve_commit(source, place, &journey.ws.wishes, &prebuilt, journey.log.as_ref());
    let mut resolution = resolving.await.map_err(|fault| trouble(&fault))?;
    if let Some((code, message, hint)) = passed_over {
        resolution.diagnostics.push(Diagnostic::warning("devcontainer.json", code, message).hint(hint));
    }
    Ok(resolution)
}

/// What an edited configuration says; `None` if it is the commit's own.
async fn edited(
    journey: &Journey<'_>,
    source: &GitSource,
    place: &Place,
    root: &str,
    found: Found,
) -> Result<Option<Resolution>, Trouble> {
    let Some(commit) = &place.commit else { return Ok(None) };
    let context = journey.context;
    let tree = match context.resolver.git().tree(source, commit, journey.log.as_ref()).await {
        Ok(tree) => Some(tree),
        // Without the commit the files at hand still say it, if there is a configuration among them.
        Err(fault) if !found.is_empty() => {
            tracing::debug!(workspace.id = %journey.id(), error = %report::chain(&fault), "the commit is out of reach");
            None
        }
        Err(fault) => return Err(Trouble::of("resolve", &fault)),
    };
    let Some(tree) = Edited::over(tree, found) else { return Ok(None) };
    let (mut tree, mut resolved) = resolve_files(journey, tree, place).await?;
    let missing = match &resolved {
        Err(ResolveError::NoDockerfile { dockerfile, .. }) => Some(dockerfile.clone()),
        _ => None,
    };
    if let Some(dockerfile) = missing
        && let Some(content) = files::file(journey, "resolve", root, &dockerfile).await?
    {
        // It is the workspace's own, outside of where configurations are.
        tree.add(dockerfile, content);
        (_, resolved) = resolve_files(journey, tree, place).await?;
    }
    let mut resolution = resolved.map_err(|fault| trouble(&fault))?;
    resolution.because.push_str(" It was edited in the workspace.");
    journey.log.write("resolve", &resolution.because);
    Ok(Some(resolution))
}

async fn resolve_files(
    journey: &Journey<'_>,
    tree: Edited<GitTree>,
    place: &Place,
) -> Result<(Edited<GitTree>, Result<Resolution, ResolveError>), Trouble> {
    let (resolver, wishes, place) = (journey.context.resolver.clone(), journey.ws.wishes.clone(), place.clone());
    let resolving = tokio::task::spawn_blocking(move || {
        let resolved = resolver.resolve_files(&tree, place, &wishes);
        (tree, resolved)
    });
    resolving.await.map_err(|_| trouble(&ResolveError::BrokeOff))
}

/// The configurations that a workspace can be rebuilt from, by their paths: those that are in it now, or, where
/// that is out of reach, those of its commit.
pub(crate) async fn configurations(
    context: &Context,
    ws: &Workspace,
    log: &dyn LogSink,
) -> Result<Vec<String>, Trouble> {
    let Source::Git(source) = &ws.source else { return Ok(Vec::new()) };
    let populated = ws.facts.populated.as_ref();
    if populated.is_some()
        && let Configurations::Found { found, .. } = files::configurations(context, ws).await?
        && let Some(files) = Edited::<Listed>::over(None, found)
    {
        return Ok(devcontainer::discover(&files));
    }
    let commit = populated.and_then(|populated| populated.commit.as_ref());
    context.resolver.configurations(source, commit, log).await.map_err(|fault| trouble(&fault))
}

fn story(resolution: &Resolution) -> Vec<EventKind> {
    let resolved = EventKind::Resolved {
        kind: resolution.kind_name().to_owned(),
        commit: resolution.commit.as_ref().map(ToString::to_string),
        because: resolution.because.clone(),
    };
    std::iter::once(resolved).chain(resolution.diagnostics.iter().map(event)).collect()
}

/// A diagnostic as part of the story.
pub(super) fn event(diagnostic: &Diagnostic) -> EventKind {
    EventKind::Diagnostic {
        severity: diagnostic.severity.as_str().to_owned(),
        code: diagnostic.code.clone(),
        message: match diagnostic.span {
            Some(span) => format!("{}:{}: {}", diagnostic.file, span.line, diagnostic.message),
            None => diagnostic.message.clone(),
        },
        hint: diagnostic.hint.clone(),
    }
}
