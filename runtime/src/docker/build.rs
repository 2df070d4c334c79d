//! Builds, by the BuildKit that is part of the engine.

mod mirror;
mod progress;

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::models::BuildInfoAux;
use bollard::query_parameters::{BuildImageOptionsBuilder, BuilderVersion};
use futures::StreamExt as _;
use steading_core::log::LogSink;
use steading_core::runtime::{BuildRequest, ByteStream, ImageInfo, Result, RuntimeError};

use self::progress::Progress;
use super::files::watched;
use super::{Docker, credential};
use crate::error;

impl Docker {
    /// Builds an image, and labels it as ours. Dropping the future hangs up, and the engine cancels what nobody waits for.
    pub(super) async fn make(
        &self,
        request: &BuildRequest,
        context: ByteStream,
        log: &dyn LogSink,
    ) -> Result<ImageInfo> {
        // The rules between neighbours on a bridge hold once a network of ours is there.
        self.network.ready(self).await?;
        self.apart(self.make_anywhere(request, context, log)).await
    }

    async fn make_anywhere(&self, request: &BuildRequest, context: ByteStream, log: &dyn LogSink) -> Result<ImageInfo> {
        let client = self.engine.patient().await?;
        let map = |values: &std::collections::BTreeMap<String, String>| -> HashMap<String, String> {
            values.clone().into_iter().collect()
        };
        let mut labels = map(&request.labels);
        labels.extend(self.names.own());
        let session = uuid::Uuid::new_v4().simple().to_string();
        let mut options = BuildImageOptionsBuilder::new()
            .dockerfile(&request.dockerfile)
            .t(request.tag.as_str())
            .rm(true)
            .buildargs(&map(&request.args))
            .labels(&labels)
            .version(BuilderVersion::BuilderBuildKit)
            .session(&session);
        if let Some(target) = &request.target {
            options = options.target(target);
        }
        if !request.cache_from.is_empty() {
            let from: Vec<String> =
                request.cache_from.iter().map(|image| self.images.mirrored(image).to_string()).collect();
            options = options.cachefrom(&from);
        }
        let context = if self.images.have_mirrors() {
            mirror::rewritten(self.clone(), request.dockerfile.clone(), context)
        } else {
            context
        };
        let (context, broken) = watched(context);
        let credentials = credential::all().await;
        let body = bollard::body_try_stream(context);
        let mut steps = client.build_image(options.build(), Some(credentials), Some(body)).boxed();
        let mut progress = Progress::default();
        while let Some(step) = steps.next().await {
            match step {
                Ok(info) => {
                    if let Some(BuildInfoAux::BuildKit(status)) = info.aux {
                        progress.take(status, log);
                    } else if let Some(text) = info.stream.or(info.status) {
                        log.write("build", text.trim_end());
                    }
                }
                Err(failed) => {
                    return Err(match broken.get() {
                        Some(why) => RuntimeError::Build(format!("the build context broke off: {why}")),
                        None => failure(failed, &progress),
                    });
                }
            }
        }
        self.inspect_image(&request.tag).await?.ok_or_else(|| {
            RuntimeError::Build(progress.failure().unwrap_or_else(|| "the engine made no image of it".to_owned()))
        })
    }
}

fn failure(failed: Error, progress: &Progress) -> RuntimeError {
    let text = error::message(&failed);
    let answered = error::status(&failed).is_some() || matches!(failed, Error::DockerStreamError { .. });
    let told = progress.failure().unwrap_or_else(|| text.clone());
    // An instruction that finds no room says so itself; it writes to the engine's disk as well.
    if error::is_full(&text) || error::is_full(&told) {
        return RuntimeError::DiskFull(told);
    }
    if !answered {
        return error::engine(failed);
    }
    RuntimeError::Build(told)
}
