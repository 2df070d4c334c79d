//! `Step::Resolve`: pin the reference, and find out what the source is.

use async_trait::async_trait;
use steading_core::event::EventKind;
use steading_core::prebuild::Prebuild;
use steading_core::resolution::Resolution;
use steading_core::source::Commit;
use steading_core::workspace::Change;
use steading_core::{Diagnostic, report};
use steading_source::PrebuildLookup;
use steading_store::Store;

use super::journey::{Done, Journey};
use crate::error::Trouble;

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
    let prebuilt = Registered(&context.store);
    let resolving = context.resolver.resolve(&ws.source, &ws.wishes, &prebuilt, journey.log.as_ref());
    let resolution = resolving.await.map_err(|fault| Trouble::of("resolve", &fault))?;
    let events = story(&resolution);
    Ok(Done { changes: vec![Change::Resolved(Box::new(resolution))], events })
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
