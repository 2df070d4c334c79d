//! What is of no use any more goes: images that were built and that no record names, and what the cache of
//! repositories keeps too much of.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use steading_core::image::ImageRef;
use steading_core::report;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::context::Context;

/// From one round to the next, unless something was deleted or rebuilt.
const PAUSE: Duration = Duration::from_secs(3600);
/// Between the two looks of a round: a record that is about to name an image takes a moment to be written.
const SURE: Duration = Duration::from_secs(60);

/// Tidies up until the worker stops.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let rounds = async {
        loop {
            cache(&context).await;
            let due = Instant::now() + PAUSE;
            while Instant::now() < due {
                images(&context, SURE).await;
                let _ = tokio::time::timeout_at(due, context.untidy.notified()).await;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = rounds => {}
    }
}

/// Keeps the cache of repositories within its bounds.
pub(crate) async fn cache(context: &Context) {
    let git = context.resolver.git().clone();
    match tokio::task::spawn_blocking(move || git.tidy()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = %report::chain(&error), "the cache of repositories is not tidy"),
        Err(error) => tracing::warn!(error = %report::chain(&error), "the cache of repositories is not tidy"),
    }
}

/// Removes the images that nobody names, at one look and at another `sure` later.
pub(crate) async fn images(context: &Context, sure: Duration) {
    let Some(suspects) = unnamed(context).await.filter(|suspects| !suspects.is_empty()) else { return };
    tokio::time::sleep(sure).await;
    let Some(unnamed) = unnamed(context).await else { return };
    for image in suspects.intersection(&unnamed) {
        match context.runtime.forget(image).await {
            Ok(true) => tracing::info!(image = %image, "an image that nobody needs was removed"),
            Ok(false) => tracing::debug!(image = %image, "an image is still in use"),
            Err(error) => {
                tracing::warn!(image = %image, error = %report::chain(&error), "an image could not be removed");
            }
        }
    }
}

/// Images that were built here and that no record names; `None` if it cannot be told.
async fn unnamed(context: &Context) -> Option<BTreeSet<ImageRef>> {
    let built = context.runtime.built().await;
    let built = built.inspect_err(|e| tracing::debug!(error = %report::chain(e), "the images were not listed")).ok()?;
    let named = context.store.workspaces().images().await;
    let prebuilds = context.store.prebuilds().list().await;
    let (mut named, prebuilds) = match (named, prebuilds) {
        (Ok(named), Ok(prebuilds)) => (named, prebuilds),
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(error = %report::chain(&error), "nobody knows which images are in use");
            return None;
        }
    };
    named.extend(prebuilds.into_iter().map(|prebuild| prebuild.image));
    // Images of our label and another name are somebody's own, made from one of ours.
    let own = format!("steading-{}/", context.store.installation());
    let is_free = |image: &ImageRef, id: &str| !named.contains(image) && !named.contains(&ImageRef::new(id));
    let free = built.into_iter().filter(|image| image.name.as_str().starts_with(&own));
    Some(free.filter(|image| is_free(&image.name, &image.id)).map(|image| image.name).collect())
}
