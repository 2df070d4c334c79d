//! What the reference implementation prints for `read-configuration`, so that the two can be
//! compared.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::{
    config::{DevContainer, truthy},
    layer::{Layer, Origin},
    merge,
    stage::Stage,
    variables::{VariableError, Variables},
    workspace::{self, Workspace},
};

mod features;

pub use features::{features_configuration, install_order};

/// A configuration of a folder on this machine, ready to be merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The configuration with its local variables filled in.
    pub config: DevContainer,
    /// Where the sources are.
    pub workspace: Workspace,
    /// What the configuration was filled in with; metadata of images takes the same.
    pub variables: Variables,
}

/// Fills in the local variables of a configuration. `local` is the folder that is opened,
/// `mounted` the root of its repository; see [`workspace::of_config`].
///
/// # Errors
/// See [`VariableError`].
pub fn read(
    config: &DevContainer,
    local_env: IndexMap<String, String>,
    local: &str,
    mounted: &str,
) -> Result<Read, VariableError> {
    let mut workspace = workspace::of_config(config, local, mounted);
    let variables = Variables::local(local_env, Some(local), Some(&workspace.folder))?;
    let config = variables.apply(config)?;
    if let Some(folder) = config.properties.string("workspaceFolder") {
        workspace.folder = folder;
    }
    if config.properties.has("workspaceMount") {
        workspace.mount = config.properties.string("workspaceMount");
    }
    Ok(Read { config, workspace, variables })
}

/// The output of `read-configuration`: `configuration` and `workspace`.
#[must_use]
pub fn read_configuration(read: &Read) -> Value {
    let mut workspace = serde_json::to_value(&read.workspace).unwrap_or_default();
    // Written as null, the mount is printed as null.
    if let (Some(Value::Null), Some(map)) = (read.config.properties.get("workspaceMount"), workspace.as_object_mut()) {
        map.insert("workspaceMount".to_owned(), Value::Null);
    }
    json!({"configuration": configuration(&read.config), "workspace": workspace})
}

fn configuration(config: &DevContainer) -> Map<String, Value> {
    let mut map = config.properties.0.clone();
    map.insert("configFilePath".to_owned(), Value::String(config.file.clone()));
    map
}

/// The `mergedConfiguration` that `read-configuration --include-merged-configuration` adds, for
/// the layers below the file (the base image's and the Features').
#[must_use]
pub fn merged_configuration(config: &DevContainer, below: &[Layer]) -> Value {
    let mut layers = below.to_vec();
    layers.push(Layer::from_config(config));
    let entries = merge::entries(&layers);
    let mut map = configuration(config);
    for name in ["customizations", "entrypoint", "shutdownAction"] {
        map.shift_remove(name);
    }
    for stage in Stage::ALL {
        map.shift_remove(stage.as_str());
        let commands = entries.iter().filter_map(|entry| entry.map.get(stage.as_str()));
        let commands = commands.filter(|command| truthy(command)).cloned().collect();
        map.insert(format!("{}s", stage.as_str()), Value::Array(commands));
    }
    for (name, row) in merge::metadata_rows(&entries) {
        let name = if name == "entrypoint" { "entrypoints" } else { name };
        match row.value {
            Some(value) => map.insert(name.to_owned(), value),
            None => map.shift_remove(name),
        };
    }
    if entries.is_empty() {
        // The maximum of nothing is minus infinity in JavaScript, and that is what is printed.
        let nothing = json!({"cpus": null, "memory": "-Infinity", "storage": "-Infinity"});
        map.insert("hostRequirements".to_owned(), nothing);
    }
    Value::Object(map)
}

/// The layers below the file as they enter a merge, the base image's and the Features': with the variables
/// of the folder filled in.
///
/// # Errors
/// See [`VariableError`].
pub fn layers_below(read: &Read, layers: &[Layer]) -> Result<Vec<Layer>, VariableError> {
    layers
        .iter()
        .filter(|layer| !matches!(layer.origin, Origin::File(_)))
        .map(|layer| read.variables.apply(layer))
        .collect()
}
