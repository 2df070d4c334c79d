//! Images: what is known of them, and how they get here.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt as _;
use steading_core::image::ImageRef;
use steading_core::log::LogSink;
use steading_core::runtime::{ImageInfo, Result, RuntimeError};

use super::{Docker, credential};
use crate::error;

/// Stand-ins for registries.
#[derive(Debug, Clone, Default)]
pub struct Images {
    mirrors: BTreeMap<String, String>,
}

impl Images {
    /// With the mirrors of the configuration.
    pub fn new(mirrors: &BTreeMap<String, String>) -> Self {
        Self { mirrors: mirrors.clone() }
    }

    /// Whether any mirror is configured.
    pub fn have_mirrors(&self) -> bool {
        !self.mirrors.is_empty()
    }

    /// The name to pull.
    pub fn mirrored(&self, image: &ImageRef) -> ImageRef {
        if is_id(image) { image.clone() } else { image.mirrored(&self.mirrors) }
    }

    /// The name that an image has on this engine. It costs a call only where a mirror stands in.
    pub async fn local(&self, docker: &Docker, image: &ImageRef) -> Result<ImageRef> {
        let mirrored = self.mirrored(image);
        if mirrored == *image || docker.inspect_image(&mirrored).await?.is_some() {
            return Ok(mirrored);
        }
        Ok(image.clone())
    }
}

impl Docker {
    /// What is known of an image under its mirrored name, or else under its own.
    pub(super) async fn image(&self, image: &ImageRef) -> Result<Option<ImageInfo>> {
        let mirrored = self.images.mirrored(image);
        match self.inspect_image(&mirrored).await? {
            None if mirrored != *image => self.inspect_image(image).await,
            found => Ok(found),
        }
    }

    /// What is known of an image under this very name.
    pub(super) async fn inspect_image(&self, image: &ImageRef) -> Result<Option<ImageInfo>> {
        match self.engine.client().await?.inspect_image(image.as_str()).await {
            Ok(found) => Ok(Some(info(found))),
            Err(missing) if error::is_missing(&missing) => Ok(None),
            // The engine calls a name that cannot be one a bad request.
            Err(bad) if error::status(&bad) == Some(400) => Ok(None),
            Err(other) => Err(error::engine(other)),
        }
    }

    /// Pulls an image, from its mirror if it has one.
    pub(super) async fn fetch(&self, image: &ImageRef, log: &dyn LogSink) -> Result<ImageInfo> {
        let mirrored = self.images.mirrored(image);
        if mirrored != *image
            && let Some(found) = self.inspect_image(&mirrored).await?
        {
            log.write("pull", &format!("{image} is here as {mirrored}"));
            return Ok(found);
        }
        let (name, tag) = split(&mirrored);
        let options = CreateImageOptionsBuilder::new().from_image(&name).tag(&tag).build();
        let credentials = credential::of(mirrored.registry()).await;
        let client = self.engine.patient().await?;
        log.write("pull", &format!("Pulling {mirrored}"));
        let mut progress = client.create_image(Some(options), None, credentials).boxed();
        let mut told = Progress::default();
        while let Some(line) = progress.next().await {
            let line = line.map_err(|refused| error::pull(image, refused))?;
            if let Some(text) = told.line(&line) {
                log.write("pull", &text);
            }
        }
        self.inspect_image(&mirrored).await?.ok_or_else(|| RuntimeError::ImageGone(image.clone()))
    }
}

/// Says each state of a layer once, and how far a download is at every tenth.
#[derive(Default)]
struct Progress {
    layers: HashMap<String, (String, i64)>,
}

impl Progress {
    fn line(&mut self, info: &CreateImageInfo) -> Option<String> {
        let status = info.status.as_deref()?.trim();
        let Some(layer) = info.id.as_deref() else { return Some(status.to_owned()) };
        let detail = info.progress_detail.as_ref();
        let amount = detail.and_then(|detail| Some((detail.current?, detail.total?))).filter(|(_, total)| *total > 0);
        let tenth = amount.map_or(-1, |(current, total)| current.saturating_mul(10) / total);
        let now = (status.to_owned(), tenth);
        if self.layers.get(layer) == Some(&now) {
            return None;
        }
        self.layers.insert(layer.to_owned(), now);
        Some(match amount {
            Some((current, total)) => {
                format!("{layer}: {status} {}/{} MB", current / 1_000_000, total / 1_000_000)
            }
            None => format!("{layer}: {status}"),
        })
    }
}

fn info(image: ImageInspect) -> ImageInfo {
    let config = image.config.unwrap_or_default();
    let pair = |text: String| {
        let (name, value) = text.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    ImageInfo {
        id: image.id.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        env: config.env.unwrap_or_default().into_iter().filter_map(pair).collect(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        folder: config.working_dir.unwrap_or_default(),
        arch: image.architecture.unwrap_or_default(),
    }
}

/// Name and tag, or name with digest and no tag. Without a tag an engine pulls every tag there is.
fn split(image: &ImageRef) -> (String, String) {
    let text = image.as_str();
    if text.contains('@') {
        return (text.to_owned(), String::new());
    }
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), tag.to_owned()),
        _ => (text.to_owned(), "latest".to_owned()),
    }
}

/// Whether it is an engine's id, which no registry knows.
fn is_id(image: &ImageRef) -> bool {
    image.as_str().starts_with("sha256:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_means_latest() {
        let of = |text: &str| split(&ImageRef::new(text));
        assert_eq!(of("debian"), ("debian".to_owned(), "latest".to_owned()));
        assert_eq!(of("h:5000/a/b"), ("h:5000/a/b".to_owned(), "latest".to_owned()));
        assert_eq!(of("h:5000/a/b:1"), ("h:5000/a/b".to_owned(), "1".to_owned()));
        assert_eq!(of("a@sha256:0a"), ("a@sha256:0a".to_owned(), String::new()));
    }

    #[test]
    fn progress_is_told_once() {
        let mut progress = Progress::default();
        let info = CreateImageInfo {
            id: Some("0a".to_owned()),
            status: Some("Pulling fs layer".to_owned()),
            ..CreateImageInfo::default()
        };
        assert_eq!(progress.line(&info).as_deref(), Some("0a: Pulling fs layer"));
        assert_eq!(progress.line(&info), None);
    }
}
