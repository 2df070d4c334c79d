//! Folds layers into one configuration, one small function per row of the specification's table.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    command::LifecycleCommand,
    layer::{Layer, Origin},
    merged::Merged,
    metadata,
    properties::Properties,
    stage::Stage,
};

mod requirements;
mod rows;

pub(crate) use rows::{Entry, Row};

/// Merges layers, the last one being the strongest. Give them with their variables substituted:
/// mounts replace one another by their target, so a target must be final.
///
/// A layer of [`Origin::File`] also contributes what only a file can have, such as `name` and
/// `runArgs`. No layers at all give [`Merged::default`].
#[must_use]
pub fn merge(layers: &[Layer]) -> Merged {
    let mut merged = Merged::default();
    let entries = entries(layers);
    let mut all = Map::new();
    for (name, row) in metadata_rows(&entries) {
        if !row.origins.is_empty() {
            merged.because.insert(name.to_owned(), row.origins);
        }
        if let Some(value) = row.value {
            all.insert(name.to_owned(), value);
        }
    }
    set_metadata(&mut merged, &Properties(all));
    merged.commands = commands(&entries, &mut merged.because);
    if let Some(file) = layers.iter().rev().find(|l| matches!(l.origin, Origin::File(_))) {
        set_file_properties(&mut merged, file);
    }
    merged
}

/// The layers as entries of a metadata label, which is what the reference merges.
pub(crate) fn entries(layers: &[Layer]) -> Vec<Entry> {
    layers
        .iter()
        .filter_map(|layer| Some(Entry { origin: layer.origin.clone(), map: metadata::entry(layer)? }))
        .collect()
}

/// Every property of the table except the lifecycle commands, by its name in `devcontainer.json`.
pub(crate) fn metadata_rows(entries: &[Entry]) -> Vec<(&'static str, Row)> {
    vec![
        ("init", rows::any_true(entries, "init")),
        ("privileged", rows::any_true(entries, "privileged")),
        ("capAdd", rows::union(entries, "capAdd")),
        ("securityOpt", rows::union(entries, "securityOpt")),
        ("entrypoint", rows::collected(entries, "entrypoint")),
        ("mounts", rows::mounts(entries)),
        ("customizations", rows::customizations(entries)),
        ("waitFor", rows::last_truthy(entries, "waitFor")),
        ("remoteUser", rows::last_truthy(entries, "remoteUser")),
        ("containerUser", rows::last_truthy(entries, "containerUser")),
        ("userEnvProbe", rows::last_truthy(entries, "userEnvProbe")),
        ("remoteEnv", rows::per_key(entries, "remoteEnv")),
        ("containerEnv", rows::per_key(entries, "containerEnv")),
        ("overrideCommand", rows::last_boolean(entries, "overrideCommand")),
        ("portsAttributes", rows::per_key(entries, "portsAttributes")),
        ("otherPortsAttributes", rows::last_truthy(entries, "otherPortsAttributes")),
        ("forwardPorts", rows::forward_ports(entries)),
        ("shutdownAction", rows::last_truthy(entries, "shutdownAction")),
        ("updateRemoteUserUID", rows::last_boolean(entries, "updateRemoteUserUID")),
        ("hostRequirements", requirements::maximum(entries)),
    ]
}

fn set_metadata(merged: &mut Merged, all: &Properties) {
    merged.init = all.boolean("init").unwrap_or_default();
    merged.privileged = all.boolean("privileged").unwrap_or_default();
    merged.cap_add = all.strings("capAdd");
    merged.security_opt = all.strings("securityOpt");
    merged.entrypoints = all.strings("entrypoint");
    merged.mounts = all.mounts();
    merged.customizations = all
        .object("customizations")
        .into_iter()
        .filter_map(|(tool, said)| match said {
            Value::Array(said) => Some((tool, said)),
            _ => None,
        })
        .collect();
    let wait_for = all.string("waitFor");
    if let Some(stage) = wait_for.as_deref().and_then(Stage::parse_wait_for) {
        merged.wait_for = stage;
    }
    merged.remote_user = all.string("remoteUser");
    merged.container_user = all.string("containerUser");
    merged.user_env_probe = typed(all, "userEnvProbe").unwrap_or_default();
    merged.remote_env = all.remote_env();
    merged.container_env = all.container_env();
    merged.override_command = all.boolean("overrideCommand");
    merged.ports_attributes = all.ports_attributes();
    merged.other_ports_attributes = all.get("otherPortsAttributes").and_then(crate::port::PortAttributes::from_json);
    merged.forward_ports = all.forward_ports();
    merged.shutdown_action = typed(all, "shutdownAction");
    merged.update_remote_user_uid = all.boolean("updateRemoteUserUID");
    merged.host_requirements = all.host_requirements();
}

fn commands(
    entries: &[Entry],
    because: &mut BTreeMap<String, Vec<Origin>>,
) -> BTreeMap<Stage, Vec<(Origin, LifecycleCommand)>> {
    let mut commands = BTreeMap::new();
    for stage in Stage::ALL {
        let of_stage: Vec<(Origin, LifecycleCommand)> = entries
            .iter()
            .filter_map(|entry| {
                let command = LifecycleCommand::from_json(entry.map.get(stage.as_str())?)?;
                Some((entry.origin.clone(), command))
            })
            .collect();
        if !of_stage.is_empty() {
            let origins = of_stage.iter().map(|(origin, _)| origin.clone()).collect();
            because.insert(stage.as_str().to_owned(), origins);
            commands.insert(stage, of_stage);
        }
    }
    commands
}

fn set_file_properties(merged: &mut Merged, file: &Layer) {
    let own = &file.properties;
    merged.name = own.string("name");
    merged.scenario = crate::scenario::Scenario::of(own);
    merged.workspace_folder = own.string("workspaceFolder").filter(|folder| !folder.is_empty());
    // Written as null it suppresses the default mount, as an empty text does.
    merged.workspace_mount = own.get("workspaceMount").map(|mount| mount.as_str().unwrap_or_default().to_owned());
    merged.run_args = own.strings("runArgs");
    merged.app_port = own.app_port();
    merged.initialize_command = own.get("initializeCommand").and_then(LifecycleCommand::from_json);
    merged.secrets = own
        .object("secrets")
        .into_iter()
        .map(|(name, wish)| (name, serde_json::from_value(wish).unwrap_or_default()))
        .collect();
    merged.features = own.object("features");
    merged.override_feature_install_order = own.strings("overrideFeatureInstallOrder");
    for name in FILE_PROPERTIES {
        if own.has(name) {
            merged.because.insert(name.to_owned(), vec![file.origin.clone()]);
        }
    }
}

/// What only the file itself can have.
const FILE_PROPERTIES: [&str; 17] = [
    "name",
    "image",
    "build",
    "dockerFile",
    "context",
    "dockerComposeFile",
    "service",
    "runServices",
    "workspaceFolder",
    "workspaceMount",
    "runArgs",
    "appPort",
    "initializeCommand",
    "secrets",
    "features",
    "overrideFeatureInstallOrder",
    "$schema",
];

fn typed<T: DeserializeOwned>(all: &Properties, name: &str) -> Option<T> {
    all.get(name).cloned().and_then(|value| serde_json::from_value(value).ok())
}
