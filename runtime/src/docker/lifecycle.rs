//! Bringing pods up, and taking them down.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveVolumeOptionsBuilder, StopContainerOptionsBuilder,
};
use futures::future::try_join_all;
use steading_core::WorkspaceId;
use steading_core::pod::{ContainerSpec, Mount, PodSpec};
use steading_core::runtime::{Result, RuntimeError};

use super::container::{Surroundings, body};
use super::{Docker, observe};
use crate::{error, labels};

/// How long another container of the same name, or one that is to be removed, may take to go away: a large one on
/// a busy disk takes minutes.
const GOING: Duration = Duration::from_secs(300);
/// Between looks at it.
const PAUSE: Duration = Duration::from_millis(50);
/// Added to the grace of a stop before the call is given up: the engine kills, and writes down.
const SLACK: Duration = Duration::from_secs(60);

/// How a container came to run.
struct Brought {
    id: String,
    /// It ran already.
    ran: bool,
}

impl Docker {
    /// Brings a pod up. One create and one start in the ordinary case: volumes come into being with
    /// the container, and what is there already shows as a conflict of names.
    pub(super) async fn bring(&self, spec: &PodSpec) -> Result<()> {
        let (tools, host) = tokio::try_join!(self.tools.volumes(self, spec), self.engine.facts())?;
        self.network.ready(self).await?;
        self.unmounted_volumes(spec).await?;
        let network = self.names.network();
        let around =
            Surroundings { names: &self.names, host, tools: &tools, image: &spec.main.image, network: &network };
        let main = self.bring_container(spec, &spec.main, &around, true).await?;
        self.places.keep(spec.workspace, &main.id);
        // Sidecars live in the main container's network, so they cannot outlive a start of it.
        let network = format!("container:{}", main.id);
        for sidecar in &spec.sidecars {
            let around = Surroundings { network: &network, ..around };
            self.bring_container(spec, sidecar, &around, main.ran).await?;
        }
        Ok(())
    }

    async fn bring_container(
        &self,
        spec: &PodSpec,
        container: &ContainerSpec,
        around: &Surroundings<'_>,
        may_run: bool,
    ) -> Result<Brought> {
        let client = self.engine.client().await?;
        let name = self.names.container(spec, &container.name);
        let options = || Some(CreateContainerOptionsBuilder::new().name(&name).build());
        let image = self.images.local(self, &container.image).await?;
        let body = body(spec, container, &Surroundings { image: &image, ..*around });
        let begun = Instant::now();
        while begun.elapsed() < GOING {
            match client.create_container(options(), body.clone()).await {
                Ok(made) => {
                    if let Some(brought) = self.started(made.id).await? {
                        return Ok(brought);
                    }
                }
                Err(taken) if error::is_name_taken(&taken) => {
                    if let Some(brought) = self.reuse(spec, &name, &body, may_run).await? {
                        return Ok(brought);
                    }
                }
                Err(missing) if error::is_image_gone(&missing) => {
                    return Err(RuntimeError::ImageGone(container.image.clone()));
                }
                Err(other) => return Err(error::engine(other)),
            }
        }
        Err(RuntimeError::Busy(format!("the name {name} does not become free")))
    }

    /// Takes a container that has the name already, or clears it away and returns `None`.
    async fn reuse(
        &self,
        spec: &PodSpec,
        name: &str,
        body: &ContainerCreateBody,
        may_run: bool,
    ) -> Result<Option<Brought>> {
        let filter = self.names.filter_workspace(spec.workspace);
        let (found, volumes) = tokio::try_join!(self.inspect_container(name), self.volumes(&filter))?;
        let Some(found) = found else {
            // Taken and not there: somebody else makes it at this moment, which a busy engine takes time for.
            tokio::time::sleep(PAUSE).await;
            return Ok(None);
        };
        let (Some(id), Some(has)) = (found.id.clone(), observe::labels_of(&found)) else { return Ok(None) };
        if !self.names.are_ours(has) {
            return Err(RuntimeError::Refused(format!("the name {name} is taken by a container that is not ours")));
        }
        let status = found.state.as_ref().and_then(|state| state.status);
        if status == Some(ContainerStateStatusEnum::REMOVING) {
            tokio::time::sleep(PAUSE).await;
            return Ok(None);
        }
        let wanted = body.labels.as_ref().and_then(|labels| labels.get(labels::SPEC));
        let complete = spec.volumes.iter().all(|role| volumes.iter().any(|(_, there, _)| there == role));
        let whole = has.get(labels::SPEC) == wanted && complete && is_joined_alike(&found, body);
        if !whole || status == Some(ContainerStateStatusEnum::DEAD) {
            if matches!(status, Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED)) {
                // What runs in it may have something to write down, a database above all.
                self.halt(&id, self.grace).await?;
            }
            self.clear(&id).await?;
            return Ok(None);
        }
        match status {
            Some(ContainerStateStatusEnum::RUNNING) if may_run => return Ok(Some(Brought { id, ran: true })),
            Some(ContainerStateStatusEnum::PAUSED) if may_run => self.thaw(&id).await?,
            Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED) => {
                self.halt(&id, Duration::from_secs(1)).await?;
                return self.started(id).await;
            }
            _ => return self.started(id).await,
        }
        Ok(Some(Brought { id, ran: true }))
    }

    /// Starts a container; `None` if somebody removed it before that, so that another has to be made.
    async fn started(&self, id: String) -> Result<Option<Brought>> {
        match self.start(&id).await {
            Ok(()) => Ok(Some(Brought { id, ran: false })),
            Err(RuntimeError::Gone) => {
                tokio::time::sleep(PAUSE).await;
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    async fn start(&self, id: &str) -> Result<()> {
        let client = self.engine.client().await?;
        match client.start_container(id, None).await {
            Err(gone) if error::is_network_gone(&gone) => {
                // Somebody pruned networks while nothing of ours ran.
                self.network.doubt();
                self.network.ready(self).await?;
                match client.start_container(id, None).await {
                    // A container that ran before remembers the old network by its id.
                    Err(gone) if error::is_network_gone(&gone) => {
                        self.network.rejoin(self, id).await?;
                        client.start_container(id, None).await.map_err(error::start)
                    }
                    other => other.map_err(error::start),
                }
            }
            other => other.map_err(error::start),
        }
    }

    /// Volumes of the spec that no container mounts do not come into being with one.
    async fn unmounted_volumes(&self, spec: &PodSpec) -> Result<()> {
        for role in &spec.volumes {
            let mounts = std::iter::once(&spec.main).chain(&spec.sidecars).flat_map(|container| &container.mounts);
            if mounts.into_iter().any(|mount| matches!(mount, Mount::Own { role: own, .. } if own == role)) {
                continue;
            }
            let request = VolumeCreateRequest {
                name: Some(self.names.volume(spec, *role)),
                labels: Some(self.names.of_volume(spec, Some(*role))),
                ..VolumeCreateRequest::default()
            };
            self.engine.client().await?.create_volume(request).await.map_err(error::engine)?;
        }
        Ok(())
    }

    /// Freezes or thaws every container of a workspace that is not so already.
    pub(super) async fn freeze(&self, id: WorkspaceId, freeze: bool) -> Result<()> {
        let containers = self.container_ids(&self.names.filter_workspace(id)).await?;
        if containers.is_empty() {
            return Err(RuntimeError::Gone);
        }
        let client = self.engine.client().await?;
        for (_, container) in containers {
            if freeze {
                match client.pause_container(&container).await {
                    Err(already) if error::message(&already).contains("already paused") => {}
                    other => other.map_err(error::container)?,
                }
            } else {
                self.thaw(&container).await?;
            }
        }
        Ok(())
    }

    async fn thaw(&self, container: &str) -> Result<()> {
        match self.engine.client().await?.unpause_container(container).await {
            Err(already) if error::message(&already).contains("is not paused") => {
                // A container that does not run is not paused either.
                let seen = self.inspect_container(container).await?;
                let runs = seen.and_then(|seen| seen.state?.running).unwrap_or_default();
                if runs { Ok(()) } else { Err(RuntimeError::Gone) }
            }
            other => other.map_err(error::container),
        }
    }

    /// Stops every container of a workspace.
    pub(super) async fn halt_all(&self, id: WorkspaceId, grace: Duration) -> Result<()> {
        let containers = self.container_ids(&self.names.filter_workspace(id)).await?;
        try_join_all(containers.iter().map(|(_, container)| self.halt(container, grace))).await?;
        Ok(())
    }

    async fn halt(&self, container: &str, grace: Duration) -> Result<()> {
        let client = self.engine.client().await?.with_timeout(grace + SLACK);
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        match client.stop_container(container, Some(options)).await {
            Err(missing) if error::is_missing(&missing) => Ok(()),
            other => other.map_err(error::engine),
        }
    }

    /// Removes containers, then the volumes that people named, then the workspace's own: what shows
    /// that something is left goes last.
    pub(super) async fn remove_all(&self, id: WorkspaceId) -> Result<()> {
        let filter = self.names.filter_workspace(id);
        self.places.forget(id);
        let containers = self.container_ids(&filter).await?;
        try_join_all(containers.iter().map(|(_, container)| self.clear(container))).await?;
        let client = self.engine.client().await?;
        let options = ListVolumesOptionsBuilder::new().filters(&filter).build();
        let found = client.list_volumes(Some(options)).await.map_err(error::engine)?;
        let (own, named): (Vec<_>, Vec<_>) =
            found.volumes.unwrap_or_default().into_iter().partition(|volume| labels::volume(&volume.labels).is_some());
        try_join_all(named.iter().map(|volume| self.drop_volume(&volume.name))).await?;
        try_join_all(own.iter().map(|volume| self.drop_volume(&volume.name))).await?;
        Ok(())
    }

    pub(super) async fn drop_volume(&self, name: &str) -> Result<()> {
        let options = RemoveVolumeOptionsBuilder::new().build();
        match self.engine.client().await?.remove_volume(name, Some(options)).await {
            Err(missing) if error::is_missing(&missing) => Ok(()),
            other => other.map_err(error::engine),
        }
    }

    /// Removes a container with its anonymous volumes, and waits until its name is free.
    pub(super) async fn clear(&self, container: &str) -> Result<()> {
        let client = self.engine.client().await?.with_timeout(GOING);
        let begun = Instant::now();
        while begun.elapsed() < GOING {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            match client.remove_container(container, Some(options)).await {
                Err(missing) if error::is_missing(&missing) => return Ok(()),
                // Another call removes it at this moment.
                Err(busy) if error::is_conflict(&busy) => tokio::time::sleep(PAUSE).await,
                other => return other.map_err(error::engine),
            }
        }
        Err(RuntimeError::Busy(format!("container {container} does not go away")))
    }
}

/// Whether a sidecar shares the network of the main container that is there now.
fn is_joined_alike(found: &ContainerInspectResponse, body: &ContainerCreateBody) -> bool {
    let mode = |host: Option<&bollard::models::HostConfig>| host.and_then(|host| host.network_mode.clone());
    mode(found.host_config.as_ref()) == mode(body.host_config.as_ref())
}

/// The volumes to mount for names of tools.
pub type ToolVolumes = HashMap<String, String>;
