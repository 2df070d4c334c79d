//! `Job::Resolve`: says what would happen to a source, without doing it.

use steading_core::failure::Failure;
use steading_core::log::Silent;
use steading_core::resolution::{Answer, Inquiry};
use steading_core::{InquiryId, report};
use steading_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::engine::Registered;

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
    let resolving = context.resolver.resolve(&inquiry.source, &inquiry.wishes, &prebuilt, &Silent);
    let resolved = tokio::select! {
        () = stop.cancelled() => return Ok(()),
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
