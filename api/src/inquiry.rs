//! Asks a worker what only workers can find out, and waits for the answer.

use std::time::Duration;

use steading_core::inquiry::{Answer, Inquiry};
use steading_core::queue::Job;
use steading_core::{Failure, InquiryId, report};
use steading_store::{Store, Waited};

use crate::app::App;
use crate::problem::ApiError;

/// How long a worker may take to turn to a question.
const UNTIL_BEGUN: Duration = Duration::from_secs(20);
/// Longer than a worker lets a remote be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks, and waits. What a worker could not find out is an error.
pub async fn ask(app: &App, inquiry: &Inquiry) -> Result<Answer, ApiError> {
    let question = serde_json::to_value(inquiry).map_err(|e| ApiError::internal(&e))?;
    let inquiries = app.store.inquiries();
    let id = inquiries.ask(&question).await.map_err(|e| ApiError::from_fault(&e))?;
    if let Err(error) = app.queue.nudge(Job::Resolve { inquiry: id }).await {
        tracing::warn!(error = %report::chain(&error), "the queue was not rung");
    }
    let mut asked = Asked { store: Some(app.store.clone()), id };
    let waited = inquiries.wait(id, UNTIL_BEGUN, PATIENCE).await.map_err(|e| ApiError::from_fault(&e))?;
    // Whoever does not get the answer may ask again: the work goes on for them.
    asked.store = None;
    let answer = match waited {
        Waited::Answered(answer) => answer,
        unanswered => return Err(no_answer(&unanswered)),
    };
    match serde_json::from_value(answer).map_err(|e| ApiError::internal(&e))? {
        Answer::Failed(Failure { code, message, hint, .. }) => Err(ApiError::unprocessable(&code, message, hint)),
        answer => Ok(answer),
    }
}

/// An answer to some other question: only a worker of another version gives one.
pub fn beside_the_point() -> ApiError {
    ApiError::unavailable(
        "worker-of-another-version",
        "The worker gave an answer that does not fit the question.",
        "Run the same version of Steading everywhere, then ask again.",
    )
}

/// A question that is taken back when the one who asked leaves, so that nobody works on it in vain.
struct Asked {
    store: Option<Store>,
    id: InquiryId,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Some(store) = self.store.take() else { return };
        let id = self.id;
        tokio::spawn(async move {
            if let Err(error) = store.inquiries().forget(id).await {
                tracing::warn!(error = %report::chain(&error), "a question was not taken back");
            }
        });
    }
}

fn no_answer(waited: &Waited) -> ApiError {
    match waited {
        Waited::Working(said) => {
            let last = if said.is_empty() { String::new() } else { format!(" So far: {said}.") };
            ApiError::unavailable(
                "still-resolving",
                format!("The repository is still being read.{last}"),
                "Ask again in a moment; the work goes on meanwhile.",
            )
        }
        _ => ApiError::unavailable(
            "no-worker",
            "No worker has taken up the question.",
            "Check that a worker runs (`steading worker`, or `steading serve`) and is not busy, then ask again.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_no_answer_learns_why() {
        let nobody = no_answer(&Waited::Untouched);
        assert_eq!((nobody.problem().status, nobody.problem().code.as_str()), (503, "no-worker"));
        let busy = no_answer(&Waited::Working("Received 40 % of 10 objects, 1 MiB".to_owned()));
        assert_eq!((busy.problem().status, busy.problem().code.as_str()), (503, "still-resolving"));
        assert!(busy.message().contains("40 %"));
    }
}
