//! What the holder of a workspace's lease may record.

use chrono::{DateTime, Utc};

use super::{Deaths, HeldImage, HookFact, Phase, Populated, Retry};
use crate::failure::Failure;
use crate::pod::PodSpec;
use crate::resolution::Resolution;
use crate::runtime::{InstanceId, VolumeId};

/// One fact to be recorded by the holder of a workspace's lease.
///
/// [`Workspace::apply`](super::Workspace::apply) is the only place that turns it into a new record.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The step that is about to be taken shows as this phase.
    Phase(Phase),
    /// The source was resolved.
    Resolved(Box<Resolution>),
    /// The image is there.
    Image(Box<HeldImage>),
    /// The image is gone from the runtime: it is pulled or built again, and a spec is made for it.
    ImageGone,
    /// What the runtime is asked for.
    Spec(Box<PodSpec>),
    /// The volume holds a checkout.
    Populated(Populated),
    /// Hooks up to a stage are done in this container.
    Hooks(HookFact),
    /// This start of the container was seen.
    Started(InstanceId, DateTime<Utc>),
    /// postStartCommand ran for this start.
    PostStart(InstanceId, DateTime<Utc>),
    /// postAttachCommand ran for entries up to this moment.
    Attached(DateTime<Utc>),
    /// Every service of this container answers.
    Opened(InstanceId),
    /// The listed extensions are in this volume, or their failures are on record.
    Extensions(VolumeId),
    /// Quick deaths counted so far.
    Deaths(Deaths),
    /// A step failed and is tried again later.
    Retry(Retry),
    /// A step succeeded after retries.
    Recovered,
    /// A step failed for good.
    Failed(Failure),
    /// A step of a rebuild failed for good: the workspace is again what it was before.
    WentBack(Failure),
    /// What was rebuilt serves; what was before it is not needed any more.
    Replaced,
    /// Something went wrong that does not stop the workspace.
    Warned(Failure),
}

impl Change {
    /// Whether the fact belongs to one rebuild and is void after the next.
    #[must_use]
    pub const fn is_of_rebuild(&self) -> bool {
        matches!(
            self,
            Self::Resolved(_) | Self::Image(_) | Self::ImageGone | Self::Spec(_) | Self::WentBack(_) | Self::Replaced
        )
    }

    /// Whether it is void once the owner has changed their mind.
    #[must_use]
    pub const fn is_of_generation(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::WentBack(_) | Self::Retry(_))
    }
}
