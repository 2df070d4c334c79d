//! Questions of `POST /v1/resolve`: the API asks, a worker answers; they meet in the database.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _};
use serde_json::Value;
use steading_core::InquiryId;
use tokio::time::Instant;

use crate::Store;
use crate::error::StoreError;
use crate::rows::inquiry::{ActiveModel, Column, Entity};
use crate::sessions::micros;

/// How long a question and its answer are kept.
pub(crate) const KEPT: Duration = Duration::from_secs(600);
/// How often the answer of another process is looked for.
const POLL: Duration = Duration::from_millis(250);

/// What waiting for an answer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// The answer.
    Answered(Value),
    /// A worker is still at it; what it said last.
    Working(String),
    /// No worker has taken it up.
    Untouched,
}

/// Questions that wait for their answers.
#[derive(Debug, Clone, Copy)]
pub struct Inquiries<'a> {
    pub(crate) store: &'a Store,
}

impl Inquiries<'_> {
    /// Asks; ring the queue with the id afterwards.
    pub async fn ask(&self, question: &Value) -> Result<InquiryId, StoreError> {
        let database = &self.store.inner.database;
        let id = InquiryId::new();
        let tx = database.write().await?;
        let row = ActiveModel {
            id: Set(id.uuid()),
            question: Set(question.to_string()),
            progress: Set(None),
            answer: Set(None),
            created_at: Set(database.clock(&tx).await?),
        };
        Entity::insert(row).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The question; `NotFound` once it is older than ten minutes.
    pub async fn load(&self, id: InquiryId) -> Result<Value, StoreError> {
        let database = &self.store.inner.database;
        let young = Expr::col(Column::CreatedAt).gt(database.now().sub(micros(KEPT)));
        let row = Entity::find_by_id(id.uuid()).filter(young).one(&database.reader).await?;
        Ok(serde_json::from_str(&row.ok_or(StoreError::NotFound)?.question)?)
    }

    /// Says how far the work is; the first word says that somebody does it. `false` once nobody waits any
    /// more: the question was taken back, or is older than ten minutes.
    pub async fn note(&self, id: InquiryId, progress: &str) -> Result<bool, StoreError> {
        let database = &self.store.inner.database;
        let young = Expr::col(Column::CreatedAt).gt(database.now().sub(micros(KEPT)));
        let noted = Entity::update_many()
            .col_expr(Column::Progress, Expr::value(progress))
            .filter(Column::Id.eq(id.uuid()))
            .filter(young)
            .exec(database.writer())
            .await?;
        Ok(noted.rows_affected > 0)
    }

    /// Takes a question back, because whoever asked has left.
    pub async fn forget(&self, id: InquiryId) -> Result<(), StoreError> {
        Entity::delete_by_id(id.uuid()).exec(self.store.inner.database.writer()).await?;
        Ok(())
    }

    /// Answers. The first answer counts; a later one is dropped.
    pub async fn answer(&self, id: InquiryId, answer: &Value) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        Entity::update_many()
            .col_expr(Column::Answer, Expr::value(answer.to_string()))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::Answer.is_null())
            .exec(inner.database.writer())
            .await?;
        inner.answered.notify_waiters();
        Ok(())
    }

    /// Waits for the answer: for `begin` until a worker takes the question up, and for `timeout` in all.
    pub async fn wait(&self, id: InquiryId, begin: Duration, timeout: Duration) -> Result<Waited, StoreError> {
        let inner = &self.store.inner;
        let asked = Instant::now();
        loop {
            // Listening starts before the look, so that an answer in between is heard.
            let answered = inner.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            let row = Entity::find_by_id(id.uuid()).one(&inner.database.reader).await?;
            let row = row.ok_or(StoreError::NotFound)?;
            if let Some(answer) = row.answer {
                return Ok(Waited::Answered(serde_json::from_str(&answer)?));
            }
            let deadline = asked + if row.progress.is_none() { begin.min(timeout) } else { timeout };
            let now = Instant::now();
            if now >= deadline {
                return Ok(row.progress.map_or(Waited::Untouched, Waited::Working));
            }
            let _ = tokio::time::timeout_at(deadline.min(now + POLL), answered).await;
        }
    }
}
