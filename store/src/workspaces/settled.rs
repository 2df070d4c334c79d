//! Whether a record alone says that nothing is left to do. Pure.

use steading_core::pod::VolumeRole;
use steading_core::{Desired, Owner, Phase, Stage, Workspace};

/// Whether the sweeper may leave the workspace alone. It mirrors `plan::next` as far as a record can tell
/// without a look at the runtime; saying "no" too often costs a look, saying "yes" wrongly loses a wish.
pub(super) fn is_settled(ws: &Workspace) -> bool {
    match ws.desired {
        // A deleted workspace has no record at all once it is done.
        Desired::Deleted => false,
        Desired::Stopped => ws.phase == Phase::Stopped,
        Desired::Running if ws.failure.is_some() => ws.phase == Phase::Failed,
        Desired::Running => ws.phase == Phase::Running && ws.retry.is_none() && is_done(ws),
    }
}

fn is_done(ws: &Workspace) -> bool {
    let facts = &ws.facts;
    let (Some(spec), Some(_), Some(_), Some(_), Some(hooks)) =
        (&ws.spec, &facts.resolution, &facts.image, &facts.populated, &facts.hooks)
    else {
        return false;
    };
    if matches!(ws.owner, Owner::Pool(_)) {
        return hooks.failed.is_some() || hooks.stage >= Stage::UpdateContent;
    }
    let extended = facts.extensions.is_some() || !spec.volumes.contains(&VolumeRole::State);
    let greeted = facts.attached >= ws.entered_at;
    let hooked = hooks.stage >= Stage::PostCreate && facts.post_start.is_some() && greeted;
    extended && (hooks.failed.is_some() || hooked)
}
