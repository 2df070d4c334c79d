//! Files into and out of containers, up or down.

use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, LogsOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures::{StreamExt as _, TryStreamExt as _};
use std::io;
use std::sync::{Arc, OnceLock};
use steading_core::WorkspaceId;
use steading_core::runtime::{ByteStream, Result, RuntimeError};

use super::{Docker, relocate};
use crate::error;

impl Docker {
    /// Unpacks an archive into a folder of the main container, which is made where it is not there.
    pub(super) async fn put(&self, id: WorkspaceId, folder: &str, tar: ByteStream) -> Result<()> {
        // A stream cannot be sent twice, so the container is looked up anew.
        let container = self.container_now(id).await?;
        let (tar, broken) = watched(tar);
        self.put_into(&container, "/", relocate::below(folder, tar)).await.map_err(|refused| match broken.get() {
            Some(why) => broke_off(why),
            None => refused,
        })
    }

    /// Unpacks an archive into a folder of a container by the engine's id.
    pub(super) async fn put_into(&self, container: &str, folder: &str, tar: ByteStream) -> Result<()> {
        let client = self.engine.patient().await?;
        let options = UploadToContainerOptionsBuilder::new().path(folder).build();
        let (tar, broken) = watched(tar);
        let uploaded = client.upload_to_container(container, Some(options), bollard::body_try_stream(tar)).await;
        uploaded.map_err(|refused| {
            if let Some(why) = broken.get() {
                return broke_off(why);
            }
            if error::is_path_missing(&refused) {
                return RuntimeError::Refused(format!("there is no folder {folder} in the container"));
            }
            error::container(refused)
        })
    }

    /// Packs a path of the main container.
    pub(super) async fn get(&self, id: WorkspaceId, path: &str) -> Result<Option<ByteStream>> {
        let container = self.container_now(id).await?;
        let client = self.engine.client().await?;
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let mut stream = client.download_from_container(&container, Some(options)).boxed();
        // The first piece tells whether there is anything at all.
        match stream.next().await {
            Some(Err(missing)) if error::is_path_missing(&missing) => Ok(None),
            Some(Err(other)) => Err(error::container(other)),
            first => {
                let rest = futures::stream::iter(first).chain(stream);
                Ok(Some(rest.map_err(io::Error::other).boxed()))
            }
        }
    }

    /// The last lines that the first process of the main container printed.
    pub(super) async fn last_output(&self, id: WorkspaceId, lines: usize) -> Result<String> {
        let container = self.container(id, None).await?;
        let client = self.engine.client().await?;
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let mut logs = client.logs(&container, Some(options)).boxed();
        let mut text = Vec::new();
        while let Some(piece) = logs.next().await {
            let piece = piece.inspect_err(|gone| {
                if error::is_missing(gone) {
                    self.places.forget(id);
                }
            });
            text.extend_from_slice(&piece.map_err(error::container)?.into_bytes());
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn broke_off(why: &str) -> RuntimeError {
    RuntimeError::BrokeOff(why.to_owned())
}

/// A stream, and why it broke off if it did: the engine knows only that we hung up.
pub fn watched(stream: ByteStream) -> (ByteStream, Arc<OnceLock<String>>) {
    let broken = Arc::new(OnceLock::new());
    let note = broken.clone();
    let stream = stream.inspect_err(move |error| {
        let _ = note.set(error.to_string());
    });
    (stream.boxed(), broken)
}
