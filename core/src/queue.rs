//! The queue is a doorbell, not a ledger: jobs carry ids, the database is the truth.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::id::{InquiryId, PoolId, PrebuildId, WorkspaceId};

/// What a worker is asked to look at. A lost, doubled or late job is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "kebab-case")]
pub enum Job {
    /// Drive a workspace towards what its owner wants.
    Drive {
        /// Which.
        workspace: WorkspaceId,
    },
    /// Answer a question of the API ([`crate::inquiry::Inquiry`]).
    Resolve {
        /// Which.
        inquiry: InquiryId,
    },
    /// Make an image ahead.
    Prebuild {
        /// Which.
        prebuild: PrebuildId,
    },
    /// Make workspaces ahead.
    Refill {
        /// For which pool.
        pool: PoolId,
    },
}

/// The bell could not be rung. The sweeper will ring it later; callers log this and go on.
#[derive(Debug, thiserror::Error)]
#[error("the job queue does not answer")]
pub struct QueueError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Rings workers.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Asks some worker to look at the job's subject soon.
    async fn nudge(&self, job: Job) -> Result<(), QueueError>;
}
