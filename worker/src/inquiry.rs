//! `Job::Resolve`: answers a question of the API, and does nothing else.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use steading_core::failure::Failure;
use steading_core::inquiry::{Answer, Inquiry};
use steading_core::log::LogSink;
use steading_core::{InquiryId, Source, report};
use steading_source::ResolveError;
use steading_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::engine::{Registered, configurations};
use crate::error::Trouble;

/// How often the one who waits is told how far the work is.
const PULSE: Duration = Duration::from_secs(1);

/// Answers a question, unless nobody waits for it any more.
pub(crate) async fn answer(context: &Context, id: InquiryId, stop: &CancellationToken) -> Result<(), StoreError> {
    let inquiries = context.store.inquiries();
    let question = match inquiries.load(id).await {
        Ok(question) => question,
        Err(StoreError::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    let inquiry: Inquiry = match serde_json::from_value(question) {
        Ok(inquiry) => inquiry,
        Err(error) => {
            tracing::warn!(error = %report::chain(&error), "a question cannot be read; another version wrote it");
            return Ok(());
        }
    };
    let said = Said::default();
    let finding = async {
        let _permit = context.questions.acquire().await;
        find(context, &inquiry, &said).await
    };
    // Dropping the work ends it, wherever it is.
    let found = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = until_left(context, id, &said) => return Ok(()),
        found = finding => found,
    };
    let answer = match found {
        Ok(answer) => answer,
        Err(Trouble::Fault { failure, .. } | Trouble::ImageGone(failure)) => Answer::Failed(*failure),
        // Deleted since the question.
        Err(Trouble::Store(gone @ StoreError::NotFound)) => Answer::Failed(Failure::from_fault("resolve", &gone)),
        Err(Trouble::Store(error)) => return Err(error),
    };
    match serde_json::to_value(&answer) {
        Ok(answer) => inquiries.answer(id, &answer).await,
        Err(error) => {
            tracing::error!(error = %report::chain(&error), "an answer could not be written");
            Ok(())
        }
    }
}

async fn find(context: &Context, inquiry: &Inquiry, said: &Said) -> Result<Answer, Trouble> {
    let resolver = &context.resolver;
    let trouble = |fault: ResolveError| Trouble::of("resolve", &fault);
    match inquiry {
        Inquiry::Resolution { source, wishes } => {
            let resolved = resolver.resolve(source, wishes, &Registered(&context.store), said).await;
            Ok(Answer::Resolved(Box::new(resolved.map_err(trouble)?)))
        }
        Inquiry::Refs { source: Source::Git(git) } => {
            Ok(Answer::Refs(resolver.git().names(git, said).await.map_err(|fault| trouble(fault.into()))?))
        }
        Inquiry::Refs { .. } => Err(trouble(ResolveError::NoRepository)),
        Inquiry::Configurations { workspace } => {
            let workspace = context.store.workspaces().load(*workspace).await?;
            Ok(Answer::Configurations(configurations(context, &workspace, said).await?))
        }
    }
}

/// Tells the one who waits how far the work is, and ends when nobody waits any more.
async fn until_left(context: &Context, id: InquiryId, said: &Said) {
    loop {
        match context.store.inquiries().note(id, &said.last()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(error = %report::chain(&error), "progress was not noted"),
        }
        tokio::time::sleep(PULSE).await;
    }
}

/// The last line of a log.
#[derive(Debug, Default)]
struct Said(Mutex<String>);

impl Said {
    fn last(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl LogSink for Said {
    fn write(&self, _stream: &str, text: &str) {
        if let Some(line) = text.lines().next_back() {
            line.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
