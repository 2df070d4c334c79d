//! Hands a workspace the credentials of its own repositories, where the administrator said so.
//!
//! They go over standard input into the container's memory after every start, and into nothing that is
//! kept: no environment, no command line, no spec, no volume.

use std::time::Duration;

use steading_core::pod::credential::{Handed, handed};
use steading_core::pod::inside::BINARY;
use steading_core::runtime::{Exec, Observed};
use steading_core::{Class, Desired, Source};
use tokio::io::AsyncWriteExt as _;

use super::journey::Journey;
use super::populate;
use crate::error::{In as _, Trouble};
use crate::output;

/// How long the container may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands them over, once for each start of the container. What fails is told in the log: the workspace
/// works without.
pub(super) async fn deliver(journey: &mut Journey<'_>, seen: &Observed) {
    let Source::Git(source) = &journey.ws.source else { return };
    let submodules = journey.ws.facts.populated.as_ref().map(|populated| populated.submodules.as_slice());
    let handed = handed(&source.url, submodules.unwrap_or_default(), &journey.context.config.source);
    let (Some(handed), true) = (handed, seen.is_up() && journey.ws.desired == Desired::Running) else { return };
    let start = seen.instance.clone().zip(seen.started_at);
    let Some(handing) = start.map(|(instance, at)| (instance, at, handed.repositories())) else { return };
    // Others than this journey have handed them over; what failed is tried again by the next one.
    if journey.tried.as_ref() == Some(&handing) || journey.context.was_handed(journey.id(), &handing) {
        return;
    }
    journey.tried = Some(handing.clone());
    let done = tokio::time::timeout(PATIENCE, hand_over(journey, &handed)).await;
    let why = match done {
        Ok(Ok(())) => None,
        Ok(Err(Trouble::Fault { failure, .. } | Trouble::ImageGone(failure))) => Some(failure.message),
        Ok(Err(Trouble::Store(error))) => Some(error.to_string()),
        Err(_) => Some("the container does not answer".to_owned()),
    };
    if let Some(why) = why {
        journey.log.write("container", &format!("Git has no credentials in the workspace: {why}"));
    } else {
        journey.context.remember_handing(journey.id(), handing);
    }
}

async fn hand_over(journey: &Journey<'_>, handed: &Handed) -> Result<(), Trouble> {
    let Some(spec) = &journey.ws.spec else { return Ok(()) };
    let owner = populate::owner(journey, spec).await?;
    let text = serde_json::to_vec(&[handed]).unwrap_or_default();
    let user = format!("{}:{}", owner.uid, owner.gid);
    let command = [BINARY, "credential", "deliver", "--user", &user].map(str::to_owned).to_vec();
    let exec = Exec { command, user: Some("0".to_owned()), stdin: true, ..Exec::default() };
    let mut process = journey.context.runtime.exec(journey.id(), exec).await.in_step("credentials")?;
    if let Some(mut stdin) = process.stdin.take() {
        // If it does not listen, its exit says why.
        let _ = stdin.write_all(&text).await;
        let _ = stdin.shutdown().await;
    }
    let ended = output::follow(process, None).await.in_step("credentials")?;
    if ended.exit == 0 {
        return Ok(());
    }
    Err(Trouble::found("credentials", "credentials-not-handed", ended.last, "", Class::Transient))
}
