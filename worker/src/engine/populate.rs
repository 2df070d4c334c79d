//! `Step::Populate`: put the checkout into the workspace volume.
//!
//! It never writes where a repository is, unless that is a checkout of our own that broke off: the
//! first thing unpacked says "begun" and the last says "whole", in a file inside `.git`.

use steading_core::Class;
use steading_core::failure::Failure;
use steading_core::pod::inside::{Inside, VARIABLE};
use steading_core::pod::{PodSpec, VolumeRole};
use steading_core::runtime::Observed;
use steading_core::source::{Commit, GitSource};
use steading_core::workspace::{Change, Populated};
use steading_core::{Diagnostic, Source};

use super::journey::{Done, Journey, Packing};
use super::{extensions, hooks, resolve};
use crate::account::{self, Owner};
use crate::archive::{self, Item};
use crate::error::{In as _, Trouble};
use crate::inside::{self, Call};
use crate::output;

const MARK: &str = ".git/steading";
const BEGUN: &[u8] = b"begun\n";
const WHOLE: &[u8] = b"whole\n";

pub(super) async fn run(journey: &mut Journey<'_>, seen: &Observed) -> Result<Done, Trouble> {
    let (Some(spec), Some(volume)) = (journey.ws.spec.clone(), seen.volumes.get(&VolumeRole::Workspace).cloned())
    else {
        return Ok(Done::default());
    };
    let resolution = journey.ws.facts.resolution.as_ref();
    let (branch, path) = resolution.map(|r| (r.branch.clone(), r.path.clone())).unwrap_or_default();
    let commit = resolution.and_then(|resolution| resolution.commit.clone());
    let owner = owner(journey, &spec).await?;
    let (mut notes, mut submodules) = (Vec::new(), Vec::new());
    if let (Source::Git(source), Some(commit)) = (journey.ws.source.clone(), commit.clone()) {
        if is_free(journey, &spec).await? {
            (notes, submodules) = unpack(journey, &spec, source, commit, owner).await?;
        } else {
            journey.log.write("clone", "The repository is there already and stays as it is");
        }
        sign(journey, &spec).await?;
    }
    extensions::seed(journey, owner).await?;
    let known = journey.ws.facts.populated.as_ref();
    let lost = known.filter(|known| known.volume != volume).map(|_| Change::Warned(volume_lost()));
    let mut changes = vec![Change::Populated(Populated { volume, commit, branch, path, submodules })];
    changes.extend(lost);
    // A container without hooks has run them all.
    if let (Some(instance), Some(started_at), Some(image)) = (&seen.instance, seen.started_at, &journey.ws.facts.image)
        && journey.ws.facts.hooks.is_none()
        && let Some(first) = hooks::none_at_first(&image.config, instance, started_at)
    {
        changes.extend(first);
    }
    Ok(Done { changes, events: notes.iter().map(resolve::event).collect() })
}

/// What people are told when the volume with their work is another than it was.
fn volume_lost() -> Failure {
    let hint = "What was not pushed is gone with it. Look at what removes volumes on the engine's host, such as \
                `docker volume prune` or `docker system prune --volumes`.";
    Failure {
        step: "populate".to_owned(),
        code: "workspace-volume-lost".to_owned(),
        message: "the volume with the repository was gone; a new one was made and the repository cloned again"
            .to_owned(),
        hint: Some(hint.to_owned()),
        retryable: false,
        output: None,
    }
}

async fn unpack(
    journey: &mut Journey<'_>,
    spec: &PodSpec,
    source: GitSource,
    commit: Commit,
    owner: Owner,
) -> Result<(Vec<Diagnostic>, Vec<String>), Trouble> {
    journey.log.write("clone", &format!("Putting {} at {} into {}", source.url, commit.short(), spec.workspace_root));
    if journey.packing.as_ref().is_none_or(|packing| packing.owner != owner) {
        pack(journey, source, commit, owner);
    }
    let Some(mut packing) = journey.packing.take() else { return Ok(Default::default()) };
    let packed = (&mut packing.archive).await;
    let checkout = match packed {
        Ok(done) => done.map_err(|fault| Trouble::of("populate", &fault))?,
        Err(_) => return Err(broke_off("the checkout could not be packed")),
    };
    let first = [Item::Folder(".git/"), Item::File(MARK, BEGUN)];
    let whole = archive::enclose(&first, checkout.tar, &[Item::File(MARK, WHOLE)], owner);
    let whole = whole.map_err(|error| broke_off(&error.to_string()))?;
    let runtime = &journey.context.runtime;
    runtime.upload(journey.id(), &spec.workspace_root, whole).await.in_step("populate")?;
    Ok((checkout.diagnostics, checkout.submodules.into_iter().map(String::from).collect()))
}

/// Who commits, as the configuration says, where nothing in the image says it.
async fn sign(journey: &Journey<'_>, spec: &PodSpec) -> Result<(), Trouble> {
    let git = &journey.context.config.git;
    for (key, value) in [("user.name", &git.user_name), ("user.email", &git.user_email)] {
        if value.is_empty() {
            continue;
        }
        let script = "git config \"$1\" >/dev/null || git config \"$1\" \"$2\"";
        let call = Call::new(&["as"])
            .for_people(spec, &spec.workspace_root)
            .running(["/bin/sh", "-c", script, "sh", key, value].map(str::to_owned).to_vec());
        let process = inside::call(journey.context.runtime.as_ref(), journey.id(), call).await.in_step("populate")?;
        // An image without git has nobody who commits.
        let ended = output::follow(process, None).await.in_step("populate")?;
        tracing::debug!(workspace.id = %journey.id(), key, exit = ended.exit, "told Git who commits");
    }
    Ok(())
}

fn broke_off(message: &str) -> Trouble {
    Trouble::found("populate", "checkout-broke-off", message.to_owned(), "Start again.", Class::Transient)
}

/// Begins to pack the checkout while the container starts, where the owner's ids are known from an
/// earlier container of the same image.
pub(super) fn pack_ahead(journey: &mut Journey<'_>, spec: &PodSpec) {
    let facts = &journey.ws.facts;
    let commit = facts.resolution.as_ref().and_then(|resolution| resolution.commit.clone());
    if let (None, None, Some(commit), Source::Git(source), Some(owner)) =
        (&facts.populated, &journey.packing, commit, journey.ws.source.clone(), journey.context.owner(&owner_key(spec)))
    {
        pack(journey, source, commit, owner);
    }
}

fn pack(journey: &mut Journey<'_>, source: GitSource, commit: Commit, owner: Owner) {
    let git = journey.context.resolver.git().clone();
    let branch = journey.ws.facts.resolution.as_ref().and_then(|resolution| resolution.branch.clone());
    let log = journey.log.clone();
    let archive = tokio::spawn(async move {
        git.checkout(&source, &commit, branch.as_deref(), (owner.uid, owner.gid), log.as_ref()).await
    });
    journey.packing = Some(Packing { owner, archive });
}

/// Whether nothing is there that could be somebody's work.
async fn is_free(journey: &Journey<'_>, spec: &PodSpec) -> Result<bool, Trouble> {
    let root = &spec.workspace_root;
    let (runtime, id) = (&journey.context.runtime, journey.id());
    if runtime.download(id, &format!("{root}/.git")).await.in_step("populate")?.is_none() {
        return Ok(true);
    }
    let mark = match runtime.download(id, &format!("{root}/{MARK}")).await.in_step("populate")? {
        Some(mark) => archive::file(mark).await.map_err(|error| broke_off(&error.to_string()))?,
        None => None,
    };
    Ok(mark.as_deref() == Some(BEGUN))
}

fn owner_key(spec: &PodSpec) -> String {
    let told = spec.main.env.get(VARIABLE).and_then(|text| serde_json::from_str::<Inside>(text).ok());
    let ids = told.and_then(|told| told.uid).map(|ids| format!("{}:{}", ids.uid, ids.gid)).unwrap_or_default();
    format!("{} {} {ids}", spec.main.image, spec.remote_user)
}

/// The remote user by number.
pub(super) async fn owner(journey: &Journey<'_>, spec: &PodSpec) -> Result<Owner, Trouble> {
    let key = owner_key(spec);
    if let Some(owner) = journey.context.owner(&key) {
        return Ok(owner);
    }
    let (passwd, group) = tokio::try_join!(text(journey, "/etc/passwd"), text(journey, "/etc/group"))?;
    let told = spec.main.env.get(VARIABLE).and_then(|text| serde_json::from_str::<Inside>(text).ok());
    let update = told.and_then(|told| told.uid);
    let Some(owner) = account::find(&passwd, &group, &spec.remote_user, update.as_ref()) else {
        return Err(Trouble::found(
            "populate",
            "no-such-user",
            format!("the image has no user \"{}\"", spec.remote_user),
            "Add the user to the image (RUN useradd -m NAME), or correct remoteUser in devcontainer.json; then rebuild.",
            Class::Permanent,
        ));
    };
    journey.context.learn_owner(key, owner);
    Ok(owner)
}

async fn text(journey: &Journey<'_>, path: &str) -> Result<String, Trouble> {
    let packed = journey.context.runtime.download(journey.id(), path).await.in_step("populate")?;
    let Some(packed) = packed else { return Ok(String::new()) };
    let bytes = archive::file(packed).await.map_err(|error| broke_off(&error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}
