//! `Step::Build`: have the image, and know what comes with it.

use std::time::Duration;

use devcontainer::{Layer, metadata};
use sha2::{Digest as _, Sha256};
use steading_core::event::EventKind;
use steading_core::image::ImageRef;
use steading_core::pod::variables::{Known, fold};
use steading_core::prebuild::repository_key;
use steading_core::resolution::{ImageSource, Resolution};
use steading_core::runtime::{BuildRequest, ImageInfo, RuntimeError};
use steading_core::workspace::{Change, HeldImage};
use steading_core::{Class, Source};
use steading_source::folder::Listed;
use steading_source::{Context, context};

use super::journey::{Done, Journey};
use super::{files, resolve};
use crate::error::{In as _, Trouble};
use crate::output::Watched;

pub(super) async fn run(journey: &mut Journey<'_>) -> Result<Done, Trouble> {
    let Some(resolution) = journey.ws.facts.resolution.clone() else { return Ok(Done::default()) };
    let watched = Watched::new(journey.log.clone());
    let had = match &resolution.image {
        ImageSource::Pull { image } => pull(journey, image, &watched).await,
        ImageSource::Build { .. } => build(journey, &resolution, &watched).await,
    };
    let info = had.map_err(|trouble| trouble.with_output(&watched.last()))?;
    let (held, events) = hold(journey, &resolution, &info)?;
    journey.image = Some((held.image.clone(), info));
    Ok(Done { changes: vec![Change::Image(Box::new(held))], events })
}

/// Pulls or builds when it is its turn; only then its time begins to count.
async fn in_turn(
    journey: &Journey<'_>,
    work: impl Future<Output = Result<ImageInfo, RuntimeError>>,
) -> Result<ImageInfo, Trouble> {
    let _permit = journey.turn.aside(journey.context.builds.acquire()).await;
    let minutes = journey.context.config.worker.build_minutes;
    let had = tokio::time::timeout(Duration::from_secs(u64::from(minutes) * 60), work).await;
    had.map_or_else(|_| Err(too_long(minutes)), |had| had.in_step("build"))
}

fn too_long(minutes: u32) -> Trouble {
    let message = format!("the image was not there after {minutes} minutes");
    let hint = "Make the build smaller, or ask the administrator to raise worker.build_minutes.";
    Trouble::found("build", "build-timed-out", message, hint, Class::Permanent)
}

async fn pull(journey: &Journey<'_>, image: &ImageRef, log: &Watched) -> Result<ImageInfo, Trouble> {
    let context = journey.context;
    let mirrored = image.mirrored(&context.config.mirrors);
    if let Some(info) = context.runtime.inspect(&mirrored).await.in_step("build")? {
        journey.log.write("pull", &format!("{image} is there already"));
        return Ok(info);
    }
    in_turn(journey, context.runtime.pull(&mirrored, log)).await
}

async fn build(journey: &Journey<'_>, resolution: &Resolution, log: &Watched) -> Result<ImageInfo, Trouble> {
    let ImageSource::Build { dockerfile, context: folder, target, args, cache_from } = &resolution.image else {
        return Err(nothing_to_build());
    };
    let (Source::Git(source), Some(commit)) = (&journey.ws.source, &resolution.commit) else {
        return Err(nothing_to_build());
    };
    let context = journey.context;
    let described = serde_json::json!([repository_key(source.url.reveal()), commit, resolution.image]).to_string();
    let installation = context.store.installation();
    // A rebuild takes the files as they are in the workspace now.
    let (tag, packed) = if let Some(packed) = files_now(journey, dockerfile, folder).await? {
        let rebuild = format!("{described} {} {}", journey.id(), journey.ws.rebuilds);
        (tag(installation, &rebuild), packed)
    } else {
        let tag = tag(installation, &described);
        // Another workspace of the same commit has built it.
        if let Some(info) = context.runtime.inspect(&tag).await.in_step("build")? {
            journey.log.write("build", "The image was built for this commit already");
            return Ok(info);
        }
        let packed = context.resolver.git().context(source, commit, dockerfile, folder, log).await;
        (tag, packed.map_err(|fault| Trouble::of("build", &fault))?)
    };
    let mirrors = &context.config.mirrors;
    let request = BuildRequest {
        tag,
        dockerfile: packed.dockerfile,
        target: target.clone(),
        args: args.iter().cloned().collect(),
        cache_from: cache_from.iter().map(|image| ImageRef::new(image.as_str()).mirrored(mirrors)).collect(),
        labels: std::collections::BTreeMap::new(),
    };
    in_turn(journey, context.runtime.build(&request, packed.tar, log)).await
}

/// What a rebuild's build sees of the workspace; `None` if its files are out of reach.
async fn files_now(journey: &Journey<'_>, dockerfile: &str, folder: &str) -> Result<Option<Context>, Trouble> {
    if journey.ws.rebuilds == 0 || journey.ws.facts.populated.is_none() {
        return Ok(None);
    }
    let Some(root) = files::root(journey.context, &journey.ws).await? else { return Ok(None) };
    let at = if folder.is_empty() { root.clone() } else { format!("{root}/{folder}") };
    let runtime = &journey.context.runtime;
    let mut known = Listed::default();
    for path in context::deciding(dockerfile, folder) {
        if let Some(content) = files::file(journey, "build", &root, &path).await? {
            known.0.insert(path, content);
        }
    }
    let Some(packed) = runtime.download(journey.id(), &at).await.in_step("build")? else { return Ok(None) };
    journey.log.write("build", "Taking the files from the workspace");
    let context = journey.context.resolver.git().context_of(packed, &known, dockerfile, folder);
    context.map(Some).map_err(|fault| Trouble::of("build", &fault))
}

fn nothing_to_build() -> Trouble {
    let hint = "Start the workspace from a Git repository.";
    Trouble::found("build", "nothing-to-build", "there are no files to build from".to_owned(), hint, Class::Permanent)
}

/// The name of an image by what it is built from, under the installation's own.
fn tag(installation: &str, described: &str) -> ImageRef {
    let digest = hex::encode(Sha256::digest(described.as_bytes()));
    ImageRef::new(format!("steading-{installation}/build:{}", &digest[..24]))
}

/// The image with the configuration that comes with it: its own metadata under the repository's.
fn hold(
    journey: &Journey<'_>,
    resolution: &Resolution,
    info: &ImageInfo,
) -> Result<(HeldImage, Vec<EventKind>), Trouble> {
    let own = Layer::from_config(&resolution.config);
    let label = info.labels.get(metadata::LABEL).map(String::as_str).unwrap_or_default();
    let mut layers = if label.is_empty() { Vec::new() } else { metadata::read(label) };
    // An image made ahead from this very configuration says it, too; hooks must not run twice for that.
    let said = metadata::read(&metadata::write(std::slice::from_ref(&own)));
    if let (Some(said), Some(last)) = (said.last(), layers.last())
        && said.properties == last.properties
    {
        layers.pop();
    }
    let broken = (!label.is_empty()).then(|| metadata::check(&info.id, label)).flatten();
    layers.push(own);
    let local_env = journey.context.local_env();
    let known = Known {
        workspace: journey.id(),
        repository: &journey.ws.source.folder_name(),
        local_env: &local_env,
        image_env: &info.env,
    };
    let config = fold(&layers, &known).map_err(|error| {
        let hint = "Correct the variable in devcontainer.json, then rebuild.";
        Trouble::found("build", error.code(), error.to_string(), hint, Class::Permanent)
    })?;
    let held = HeldImage { image: ImageRef::new(info.id.clone()), config: Box::new(config) };
    Ok((held, broken.iter().map(resolve::event).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_from_the_same_has_one_name() {
        assert_eq!(tag("abcd1234", "x"), tag("abcd1234", "x"));
        assert_ne!(tag("abcd1234", "x"), tag("abcd1234", "y"));
        assert_ne!(tag("abcd1234", "x"), tag("ffff1234", "x"));
        assert!(tag("abcd1234", "x").as_str().starts_with("steading-abcd1234/build:"));
    }
}
