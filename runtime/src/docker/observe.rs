//! What an engine shows of workspaces.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerInspectResponse, ContainerState as EngineState, ContainerStateStatusEnum, ContainerSummary,
};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListVolumesOptionsBuilder};
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use steading_core::WorkspaceId;
use steading_core::pod::{ContainerName, SpecHash, VolumeRole};
use steading_core::runtime::{ContainerState, InstanceId, Observed, Result, RuntimeError, VolumeId};

use super::Docker;
use crate::{error, labels};

/// Containers that are looked at side by side when everything is listed.
const SIDE_BY_SIDE: usize = 16;

type Filter = HashMap<String, Vec<String>>;

impl Docker {
    /// What is there of one workspace.
    pub(super) async fn look(&self, id: WorkspaceId) -> Result<Observed> {
        let filter = self.names.filter_workspace(id);
        let (containers, volumes) = tokio::try_join!(self.look_containers(id, &filter), self.volumes(&filter))?;
        let mut seen = Observed::default();
        for container in &containers {
            add(&mut seen, container);
        }
        seen.volumes = volumes.into_iter().map(|(_, role, volume)| (role, volume)).collect();
        match &seen.instance {
            Some(instance) => self.places.keep(id, &instance.0),
            None => self.places.forget(id),
        }
        Ok(seen)
    }

    /// What is there of every workspace.
    pub(super) async fn look_everywhere(&self) -> Result<Vec<(WorkspaceId, Observed)>> {
        let filter = self.names.filter();
        let (ids, volumes) = tokio::try_join!(self.container_ids(&filter), self.volumes(&filter))?;
        let containers: Vec<_> = futures::stream::iter(ids)
            .map(|(_, id)| async move { self.inspect_container(&id).await })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        let mut all: BTreeMap<WorkspaceId, Observed> = BTreeMap::new();
        for container in containers.into_iter().flatten() {
            if let Some(id) = labels_of(&container).and_then(labels::workspace) {
                add(all.entry(id).or_default(), &container);
            }
        }
        for (id, role, volume) in volumes {
            all.entry(id).or_default().volumes.insert(role, volume);
        }
        Ok(all.into_iter().collect())
    }

    /// The engine's id of a container of the workspace; the main one if none is named.
    pub(super) async fn container(&self, id: WorkspaceId, name: Option<&ContainerName>) -> Result<String> {
        let main = ContainerName::main();
        let name = name.unwrap_or(&main);
        if *name == main
            && let Some(known) = self.places.container(id)
        {
            return Ok(known);
        }
        self.container_at(id, name).await
    }

    /// The engine's id of the main container as it is now.
    pub(super) async fn container_now(&self, id: WorkspaceId) -> Result<String> {
        self.container_at(id, &ContainerName::main()).await
    }

    async fn container_at(&self, id: WorkspaceId, name: &ContainerName) -> Result<String> {
        let containers = self.container_ids(&self.names.filter_workspace(id)).await?;
        let found = containers.into_iter().find(|(found, _)| found == name).map(|(_, container)| container);
        let container = found.ok_or(RuntimeError::Gone)?;
        if *name == ContainerName::main() {
            self.places.keep(id, &container);
        }
        Ok(container)
    }

    /// All containers of workspaces under a filter: the name within the pod, and the engine's id.
    pub(super) async fn container_ids(&self, filter: &Filter) -> Result<Vec<(ContainerName, String)>> {
        let name = |labels: Option<HashMap<String, String>>| labels?.remove(labels::CONTAINER).map(ContainerName);
        let found = self.own_containers(filter).await?;
        Ok(found.into_iter().filter_map(|c| Some((name(c.labels)?, c.id?))).collect())
    }

    /// All containers that we made, under a filter. What others made from an image with our labels is not
    /// among them.
    pub(super) async fn own_containers(&self, filter: &Filter) -> Result<Vec<ContainerSummary>> {
        let options = ListContainersOptionsBuilder::new().all(true).filters(filter).build();
        let mut found = self.engine.client().await?.list_containers(Some(options)).await.map_err(error::engine)?;
        found.retain(|container| {
            let labels = container.labels.as_ref();
            let names = container.names.as_deref().unwrap_or_default();
            labels.is_some_and(|labels| self.names.is_own_container(labels, names))
        });
        Ok(found)
    }

    /// A container by id or name, whoever made it.
    pub(super) async fn inspect_container(&self, id: &str) -> Result<Option<ContainerInspectResponse>> {
        match self.engine.client().await?.inspect_container(id, None).await {
            Ok(seen) => Ok(Some(seen)),
            Err(missing) if error::is_missing(&missing) => Ok(None),
            Err(other) => Err(error::engine(other)),
        }
    }

    /// Workspaces' own volumes under a filter.
    pub(super) async fn volumes(&self, filter: &Filter) -> Result<Vec<(WorkspaceId, VolumeRole, VolumeId)>> {
        let options = ListVolumesOptionsBuilder::new().filters(filter).build();
        let found = self.engine.client().await?.list_volumes(Some(options)).await.map_err(error::engine)?;
        let own = |volume: bollard::models::Volume| {
            let (role, id) = labels::volume(&volume.labels)?;
            Some((labels::workspace(&volume.labels)?, role, id))
        };
        Ok(found.volumes.unwrap_or_default().into_iter().filter_map(own).collect())
    }

    async fn look_containers(&self, id: WorkspaceId, filter: &Filter) -> Result<Vec<ContainerInspectResponse>> {
        let known = self.places.container(id);
        // The known container is looked at while the list is made; mostly it is the only one.
        let first = async {
            match &known {
                Some(known) => self.inspect_container(known).await,
                None => Ok(None),
            }
        };
        let (ids, first) = tokio::try_join!(self.container_ids(filter), first)?;
        let mut seen = Vec::with_capacity(ids.len());
        for (_, container) in ids {
            match &first {
                Some(first) if first.id.as_deref() == Some(container.as_str()) => seen.push(first.clone()),
                _ => seen.extend(self.inspect_container(&container).await?),
            }
        }
        Ok(seen)
    }
}

/// The labels of a container.
pub fn labels_of(container: &ContainerInspectResponse) -> Option<&HashMap<String, String>> {
    container.config.as_ref()?.labels.as_ref()
}

/// When a container was last started; `None` if it never was.
pub fn started_at(container: &ContainerInspectResponse) -> Option<DateTime<Utc>> {
    time(container.state.as_ref()?.started_at.as_deref())
}

/// The state of a container; `None` while it is being removed.
pub fn state(seen: &EngineState) -> Option<ContainerState> {
    use ContainerStateStatusEnum as Status;
    match seen.status {
        Some(Status::REMOVING) => None,
        Some(Status::PAUSED) => Some(ContainerState::Paused),
        Some(Status::RUNNING | Status::RESTARTING) => Some(ContainerState::Up),
        _ => {
            let finished_at = time(seen.finished_at.as_deref());
            Some(ContainerState::Down {
                exit: finished_at.and(seen.exit_code),
                oom: seen.oom_killed.unwrap_or_default(),
                finished_at,
            })
        }
    }
}

fn add(seen: &mut Observed, container: &ContainerInspectResponse) {
    let Some(labels) = labels_of(container) else { return };
    let (Some(name), Some(state)) = (labels.get(labels::CONTAINER), container.state.as_ref().and_then(state)) else {
        return;
    };
    let name = ContainerName(name.clone());
    if name == ContainerName::main() {
        seen.instance = container.id.clone().map(InstanceId);
        seen.spec = labels.get(labels::SPEC).cloned().map(SpecHash);
        seen.started_at = started_at(container);
    }
    seen.containers.insert(name, state);
}

/// The engine writes the year 1 for "never".
fn time(text: Option<&str>) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text?).ok()?.to_utc();
    (time.timestamp() > 0).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_never_ran_has_no_end() {
        let made = EngineState {
            status: Some(ContainerStateStatusEnum::CREATED),
            exit_code: Some(0),
            finished_at: Some("0001-01-01T00:00:00Z".to_owned()),
            ..EngineState::default()
        };
        assert_eq!(state(&made), Some(ContainerState::Down { exit: None, oom: false, finished_at: None }));
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        let at = time(Some("2026-11-21T09:58:15.123456789Z")).unwrap();
        assert_eq!(at.timestamp_subsec_nanos(), 123_456_789);
    }
}
