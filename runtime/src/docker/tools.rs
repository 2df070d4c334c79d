//! The tools of workspaces: the IDE and the helper binary, on volumes that are filled once.
//!
//! A volume is named by its content, filled through a container that never starts, and marked complete
//! by a last small file. A crash leaves a volume without the mark, which is filled again.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bollard::models::{ContainerCreateBody, HostConfig, Mount as EngineMount, MountType, MountVolumeOptions};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder,
    ListVolumesOptionsBuilder,
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use steading_core::config::Config;
use steading_core::image::ImageRef;
use steading_core::pod::{Mount, PodSpec};
use steading_core::runtime::{ByteStream, Result, RuntimeError, ToolMount};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::Mutex;
use tokio_util::io::ReaderStream;

use super::Docker;
use super::lifecycle::ToolVolumes;
use crate::bundle::{self, INSIDE};
use crate::{error, labels};

/// Where workspaces find the IDE.
const IDE: &str = "/opt/steading/ide";
/// Where workspaces find the helper binary.
pub const BIN: &str = "/opt/steading/bin";
/// The mark on a volume that was filled to its end.
const COMPLETE: &str = ".complete";
/// Where the filling container sees the volume.
const FILL: &str = "/fill";
/// So much of each end of a file is looked at; all of it would take longer than anything else at start.
const SAMPLE: u64 = 1 << 20;
/// Seconds after which nobody fills a volume any more.
const ABANDONED: i64 = 3600;
/// So often a volume is filled that others fill at the same time.
const TRIES: u32 = 5;
/// How long a volume that was there is believed to be there: people prune what nothing mounts.
const BELIEF: Duration = Duration::from_secs(10);
/// Part of each fingerprint: raise it when volumes are to be filled differently.
const LAYOUT: &str = "1";

/// The tools on this side, and what was delivered of them.
pub struct Tools {
    config: Config,
    delivered: Mutex<Option<Vec<ToolMount>>>,
    checked: Mutex<HashMap<String, Instant>>,
}

enum Content {
    Archive(PathBuf),
    Program(PathBuf),
}

impl Tools {
    /// Where this configuration finds them.
    pub fn new(config: &Config) -> Self {
        Self { config: config.clone(), delivered: Mutex::default(), checked: Mutex::default() }
    }

    /// The tools, delivered.
    pub async fn mounts(&self, docker: &Docker) -> Result<Vec<ToolMount>> {
        let mut delivered = self.delivered.lock().await;
        if let Some(mounts) = &*delivered {
            return Ok(mounts.clone());
        }
        let arch = &docker.engine.facts().await?.arch;
        let (bundle, inside) = (bundle::ide(&self.config, arch)?.path, bundle::inside(&self.config)?.path);
        let (ide, bin) = (Content::Archive(bundle), Content::Program(inside));
        if docker.inspect_image(&ImageRef::new(docker.names.empty_image())).await?.is_none() {
            import_empty(docker).await?;
        }
        // Both to their end, so that a failure of one leaves nothing behind of the other.
        let (ide, bin) = tokio::join!(deliver(docker, &ide), deliver(docker, &bin));
        let mounts =
            vec![ToolMount { name: ide?, target: IDE.to_owned() }, ToolMount { name: bin?, target: BIN.to_owned() }];
        drop_others(docker, &mounts).await;
        *delivered = Some(mounts.clone());
        Ok(mounts)
    }

    /// The volume to mount for each name of tools in a spec: itself while it is there, and else today's
    /// for the same place, because an engine would mount an empty volume without a word.
    pub async fn volumes(&self, docker: &Docker, spec: &PodSpec) -> Result<ToolVolumes> {
        let mut volumes = HashMap::new();
        let containers = std::iter::once(&spec.main).chain(&spec.sidecars);
        for mount in containers.flat_map(|container| &container.mounts) {
            let Mount::Tools { name, target } = mount else { continue };
            if volumes.contains_key(name) || self.is_there(docker, name).await? {
                continue;
            }
            // Whatever was delivered is in doubt now.
            *self.delivered.lock().await = None;
            let today = self.mounts(docker).await?.into_iter().find(|tool| tool.target == *target);
            let today = today.ok_or_else(|| RuntimeError::NoTools(format!("nothing is delivered to {target}")))?;
            volumes.insert(name.clone(), today.name);
        }
        Ok(volumes)
    }

    /// Whether a volume is there and was made by us: one that an engine made because a container
    /// named it has nothing in it, and no label.
    async fn is_there(&self, docker: &Docker, name: &str) -> Result<bool> {
        if self.checked.lock().await.get(name).is_some_and(|at| at.elapsed() < BELIEF) {
            return Ok(true);
        }
        let there = match docker.engine.client().await?.inspect_volume(name).await {
            Ok(volume) => docker.names.are_ours(&volume.labels),
            Err(missing) if error::is_missing(&missing) => false,
            Err(other) => return Err(error::engine(other)),
        };
        if there {
            self.checked.lock().await.insert(name.to_owned(), Instant::now());
        }
        Ok(there)
    }
}

async fn deliver(docker: &Docker, content: &Content) -> Result<String> {
    let (Content::Archive(path) | Content::Program(path)) = content;
    let fingerprint = fingerprint(path)
        .await
        .map_err(|error| RuntimeError::NoTools(format!("{} cannot be read: {error}", path.display())))?;
    let volume = docker.names.tools(&fingerprint);
    // One that is not ours is empty; if something mounts it already, it is filled as it is.
    if let Ok(found) = docker.engine.client().await?.inspect_volume(&volume).await
        && !docker.names.are_ours(&found.labels)
    {
        let _ = docker.drop_volume(&volume).await;
    }
    for _ in 1..TRIES {
        let container = filler(docker, &volume).await?;
        match fill(docker, &container, content).await {
            // Somebody else has filled it meanwhile, and taken away the container that we shared.
            Err(_) if docker.inspect_container(&container).await?.is_none() => {}
            filled => {
                docker.clear(&container).await?;
                return filled.map(|()| volume);
            }
        }
    }
    Err(RuntimeError::NoTools(format!("the volume {volume} is never filled to its end")))
}

async fn fill(docker: &Docker, container: &str, content: &Content) -> Result<()> {
    let client = docker.engine.client().await?;
    let mark = ContainerArchiveInfoOptionsBuilder::new().path(&format!("{FILL}/{COMPLETE}")).build();
    if client.get_container_archive_info(container, Some(mark)).await.is_ok() {
        return Ok(());
    }
    let unreadable = |error: io::Error| RuntimeError::NoTools(error.to_string());
    let archive: ByteStream = match content {
        Content::Archive(path) => {
            tracing::info!(path = %path.display(), "delivering the IDE to the container engine");
            let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
            ReaderStream::with_capacity(file, 256 << 10).boxed()
        }
        Content::Program(path) => {
            let bytes = tokio::fs::read(path).await.map_err(unreadable)?;
            once(pack(INSIDE, 0o755, &bytes).map_err(unreadable)?)
        }
    };
    docker.put_into(container, FILL, archive).await?;
    docker.put_into(container, FILL, once(pack(COMPLETE, 0o444, b"").map_err(unreadable)?)).await
}

/// A container that has the volume and will never run. Its name is the volume's, so that what a crash
/// leaves of it is found and used the next time.
async fn filler(docker: &Docker, volume: &str) -> Result<String> {
    let client = docker.engine.client().await?;
    let body = ContainerCreateBody {
        image: Some(docker.names.empty_image()),
        cmd: Some(vec!["never-started".to_owned()]),
        labels: Some(docker.names.of_filler()),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            mounts: Some(vec![EngineMount {
                typ: Some(MountType::VOLUME),
                source: Some(volume.to_owned()),
                target: Some(FILL.to_owned()),
                volume_options: Some(MountVolumeOptions {
                    labels: Some(docker.names.own()),
                    ..MountVolumeOptions::default()
                }),
                ..EngineMount::default()
            }]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let name = docker.names.filler(volume);
    let options = || Some(CreateContainerOptionsBuilder::new().name(&name).build());
    let made = match client.create_container(options(), body.clone()).await {
        Err(missing) if error::is_image_gone(&missing) => {
            import_empty(docker).await?;
            client.create_container(options(), body).await
        }
        other => other,
    };
    match made {
        Ok(made) => Ok(made.id),
        // The engine takes a name for an id wherever it wants one.
        Err(taken) if error::is_name_taken(&taken) => Ok(name),
        Err(other) => Err(error::engine(other)),
    }
}

/// Makes the image with nothing in it.
async fn import_empty(docker: &Docker) -> Result<()> {
    let archive = tar::Builder::new(Vec::new()).into_inner().unwrap_or_default();
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(&docker.names.empty_image())
        .tag("latest")
        .changes(docker.names.as_changes())
        .build();
    let client = docker.engine.client().await?;
    client
        .create_image(Some(options), Some(bollard::body_full(archive.into())), None)
        .try_for_each(|_| async { Ok(()) })
        .await
        .map_err(error::engine)
}

/// Tools of earlier days that no container mounts any more (the engine refuses to remove the others),
/// and what a crash left of filling them.
async fn drop_others(docker: &Docker, current: &[ToolMount]) {
    let Ok(client) = docker.engine.client().await else { return };
    for filler in docker.own_containers(&docker.names.filter_fillers()).await.unwrap_or_default() {
        let age = chrono::Utc::now().timestamp() - filler.created.unwrap_or(i64::MAX);
        if age > ABANDONED {
            let _ = docker.clear(&filler.id.unwrap_or_default()).await;
        }
    }
    let options = ListVolumesOptionsBuilder::new().filters(&docker.names.filter()).build();
    let Ok(found) = client.list_volumes(Some(options)).await else { return };
    for volume in found.volumes.unwrap_or_default() {
        let old =
            volume.name.starts_with(&docker.names.tools_prefix()) && !volume.labels.contains_key(labels::WORKSPACE);
        if old && current.iter().all(|tool| tool.name != volume.name) && docker.drop_volume(&volume.name).await.is_ok()
        {
            tracing::debug!(volume = volume.name, "removed tools that no workspace mounts");
        }
    }
}

/// Names a file by its size, its time and both its ends.
async fn fingerprint(path: &Path) -> io::Result<String> {
    let mut file = tokio::fs::File::open(path).await?;
    let about = file.metadata().await?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let modified = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut digest = Sha256::new();
    digest.update(format!("{LAYOUT} {} {}", about.len(), modified.as_nanos()));
    let mut sample = Vec::new();
    (&mut file).take(SAMPLE).read_to_end(&mut sample).await?;
    file.seek(io::SeekFrom::Start(about.len().saturating_sub(SAMPLE))).await?;
    file.take(SAMPLE).read_to_end(&mut sample).await?;
    digest.update(&sample);
    Ok(hex::encode(digest.finalize()))
}

fn pack(name: &str, mode: u32, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, name, content)?;
    builder.into_inner()
}

fn once(bytes: Vec<u8>) -> ByteStream {
    futures::stream::iter([Ok(Bytes::from(bytes))]).boxed()
}
