//! `Step::Resolve`: pin the reference, and find out what the source is.

use std::collections::BTreeMap;

use async_trait::async_trait;
use steading_core::event::EventKind;
use steading_core::prebuild::Prebuild;
use steading_core::resolution::Resolution;
use steading_core::source::Commit;
use steading_core::workspace::Change;
use steading_core::{Diagnostic, Source, report};
use steading_source::{Place, PrebuildLookup, ResolveError};
use steading_store::Store;

use super::journey::{Done, Journey};
use crate::edited::{self, Edited, PLACES};
use crate::error::{In as _, Trouble};

/// Images made ahead, from the records.
pub(crate) struct Registered<'a>(pub(crate) &'a Store);

#[async_trait]
impl PrebuildLookup for Registered<'_> {
    async fn find(&self, repository: &str, commit: &Commit, config_hash: Option<&str>) -> Option<Prebuild> {
        match self.0.prebuilds().find(repository, Some(commit), config_hash).await {
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
    let context = journey.context;
    let ws = &journey.ws;
    let resolution = match edited(journey).await? {
        Some(resolution) => resolution,
        None => {
            let prebuilt = Registered(&context.store);
            let resolving = context.resolver.resolve(&ws.source, &ws.wishes, &prebuilt, journey.log.as_ref());
            resolving.await.map_err(|fault| Trouble::of("resolve", &fault))?
        }
    };
    let events = story(&resolution);
    Ok(Done { changes: vec![Change::Resolved(Box::new(resolution))], events })
}

/// For a rebuild: what the configuration says as it was edited in the workspace. `None` if it was not
/// edited, or is out of reach.
async fn edited(journey: &Journey<'_>) -> Result<Option<Resolution>, Trouble> {
    let (context, ws) = (journey.context, &journey.ws);
    let populated = ws.facts.populated.as_ref().filter(|_| ws.rebuilds > 0);
    let (Some(commit), Source::Git(source)) = (populated.and_then(|p| p.commit.clone()), &ws.source) else {
        return Ok(None);
    };
    let Some(root) = root(journey).await? else { return Ok(None) };
    let mut files = BTreeMap::new();
    for place in PLACES {
        let packed = context.runtime.download(journey.id(), &format!("{root}/{place}")).await.in_step("resolve")?;
        let Some(packed) = packed else { continue };
        let Some(found) = edited::files(packed).await else { return Ok(None) };
        files.extend(found);
    }
    let tree = context.resolver.git().tree(source, &commit, journey.log.as_ref()).await;
    let tree = tree.map_err(|fault| Trouble::of("resolve", &fault))?;
    let place = Place { commit: Some(commit), branch: None, path: None, folder: ws.source.folder_name() };
    let (resolver, wishes) = (context.resolver.clone(), ws.wishes.clone());
    let resolving = tokio::task::spawn_blocking(move || {
        Edited::over(tree, files).map(|tree| resolver.resolve_files(&tree, place, &wishes))
    });
    let resolved = resolving.await.map_err(|_| Trouble::of("resolve", &ResolveError::BrokeOff))?;
    let resolved = resolved.transpose().map_err(|fault| Trouble::of("resolve", &fault))?;
    Ok(resolved.map(|mut resolution| {
        resolution.because.push_str(" It was edited in the workspace.");
        journey.log.write("resolve", &resolution.because);
        resolution
    }))
}

/// Where the repository is in the container that is still there; `None` if there is none to ask.
pub(super) async fn root(journey: &Journey<'_>) -> Result<Option<String>, Trouble> {
    let seen = journey.context.runtime.observe(journey.id()).await.in_step("resolve")?;
    Ok(seen.main().and(journey.ws.facts.root.clone()))
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
