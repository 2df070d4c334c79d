//! `Job::Resolve`: says what would happen to a source, without doing it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use steading_core::failure::Failure;
use steading_core::log::LogSink;
use steading_core::resolution::{Answer, Inquiry};
use steading_core::{InquiryId, report};
use steading_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::engine::Registered;

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
    let prebuilt = Registered(&context.store);
    let said = Said::default();
    let resolving = context.resolver.resolve(&inquiry.source, &inquiry.wishes, &prebuilt, &said);
    // Dropping the work ends it, wherever it is.
    let resolved = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = until_left(context, id, &said) => return Ok(()),
        resolved = resolving => resolved,
    };
    let answer = match resolved {
        Ok(resolution) => Answer::Resolved(Box::new(resolution)),
        Err(fault) => Answer::Failed(Failure::from_fault("resolve", &fault)),
    };
    match serde_json::to_value(&answer) {
        Ok(answer) => inquiries.answer(id, &answer).await,
        Err(error) => {
            tracing::error!(error = %report::chain(&error), "an answer could not be written");
            Ok(())
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
