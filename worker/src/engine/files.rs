//! What a rebuild reads of the files in the workspace. Symbolic links are followed inside the repository, as
//! they are in a commit.

use std::collections::VecDeque;

use steading_core::{Class, Workspace};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::journey::Journey;
use crate::archive::{self, Packed};
use crate::context::Context;
use crate::edited::{self, Found, PLACES, Unfit};
use crate::error::{In as _, Trouble};

/// So many symbolic links are followed.
const LINKS: usize = 16;

/// What is in the places of configurations.
pub(super) enum Configurations {
    /// This; and where the repository is.
    Found { root: String, found: Found },
    /// There is no container to ask.
    Away,
    /// More than any configuration is.
    TooLarge,
}

/// Looks into the places of configurations.
pub(super) async fn configurations(context: &Context, ws: &Workspace) -> Result<Configurations, Trouble> {
    let Some(root) = root(context, ws).await? else { return Ok(Configurations::Away) };
    let mut found = Found::default();
    let mut followed = 0;
    // Where something is met, and where it is.
    let mut places: VecDeque<(String, String)> =
        PLACES.iter().map(|place| ((*place).to_owned(), (*place).to_owned())).collect();
    while let Some((at, from)) = places.pop_front() {
        let packed = context.runtime.download(ws.id, &format!("{root}/{from}")).await;
        let Some(packed) = packed.in_step("resolve")? else { continue };
        let packed = SyncIoBridge::new(StreamReader::new(packed));
        let unpacking = tokio::task::spawn_blocking(move || {
            let links = found.unpack(packed, &at, &from);
            (found, links)
        });
        let (known, unpacked) = unpacking.await.map_err(|error| not_read("resolve", PLACES[0], &error.to_string()))?;
        found = known;
        let links = match unpacked {
            Ok(links) => links,
            Err(Unfit::TooLarge) => return Ok(Configurations::TooLarge),
            Err(Unfit::Broken(error)) => return Err(not_read("resolve", PLACES[0], &error.to_string())),
        };
        for link in links {
            followed += 1;
            if let Some(target) = edited::leads(&link.from, &link.target).filter(|_| followed <= LINKS) {
                places.push_back((link.at, target));
            }
        }
    }
    Ok(Configurations::Found { root, found })
}

/// A small file of the workspace, by its path in the repository; `None` if it is not there.
pub(super) async fn file(
    journey: &Journey<'_>,
    step: &'static str,
    root: &str,
    path: &str,
) -> Result<Option<Vec<u8>>, Trouble> {
    let mut from = path.to_owned();
    for _ in 0..=LINKS {
        let packed = journey.context.runtime.download(journey.id(), &format!("{root}/{from}")).await;
        let Some(packed) = packed.in_step(step)? else { return Ok(None) };
        match archive::first(packed).await.map_err(|error| not_read(step, path, &error.to_string()))? {
            Some(Packed::File(content)) => return Ok(Some(content)),
            Some(Packed::Link(target)) => match edited::leads(&from, &target) {
                Some(target) => from = target,
                None => return Ok(None),
            },
            None => return Ok(None),
        }
    }
    Ok(None)
}

fn not_read(step: &'static str, path: &str, why: &str) -> Trouble {
    let message = format!("{path} could not be read: {why}");
    Trouble::found(step, "file-not-read", message, "Rebuild again.", Class::Transient)
}

/// Where the repository is in the container that is still there; `None` if there is none to ask.
pub(super) async fn root(context: &Context, ws: &Workspace) -> Result<Option<String>, Trouble> {
    let seen = context.runtime.observe(ws.id).await.in_step("resolve")?;
    Ok(seen.main().and(ws.facts.root.clone()))
}
