//! Fills in the variables of a configuration for one workspace, and folds its layers.

use std::collections::BTreeMap;

use devcontainer::identity::devcontainer_id;
use devcontainer::{Layer, Merged, Origin, VariableError, Variables, merge};
use indexmap::IndexMap;

use crate::id::WorkspaceId;

/// What the variables stand for.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The workspace; its id is what `${devcontainerId}` is made of.
    pub workspace: WorkspaceId,
    /// The last component of the repository's name.
    pub repository: &'a str,
    /// What `${localEnv:NAME}` may read.
    pub local_env: &'a BTreeMap<String, String>,
    /// The image's environment.
    pub image_env: &'a BTreeMap<String, String>,
}

/// Folds the layers of a configuration, with every variable filled in that is known before there is a
/// container.
///
/// The container's environment is the image's and `containerEnv`, which is known without starting it.
/// There is no folder of a person's machine; the one in the container stands for it, so that names
/// made from `${localWorkspaceFolderBasename}` are what they are elsewhere.
///
/// # Errors
/// A variable without a name, or a text that grows without bound.
pub fn fold(layers: &[Layer], known: &Known<'_>) -> Result<Merged, VariableError> {
    let root = devcontainer::workspace::default_folder(known.repository);
    let local: IndexMap<String, String> = known.local_env.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let file = layers.iter().rev().find(|layer| matches!(layer.origin, Origin::File(_)));
    let folder = file.and_then(|file| file.properties.string("workspaceFolder")).filter(|f| !f.is_empty());
    let local = Variables::local(local, Some(&root), Some(folder.as_deref().unwrap_or(&root)))?;
    let labels = BTreeMap::from([("dev.steading/workspace".to_owned(), known.workspace.to_string())]);
    let layers = Variables::identity(&devcontainer_id(&labels)).apply(&local.apply(&layers.to_vec())?)?;
    let mut merged = merge(&layers);
    let mut env: IndexMap<String, String> = known.image_env.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let image = Variables::container(env.clone());
    for value in merged.container_env.values_mut() {
        *value = image.text(value)?;
    }
    env.extend(merged.container_env.clone());
    Variables::container(env).apply(&merged)
}

#[cfg(test)]
mod tests {
    use devcontainer::Properties;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_variable_is_filled_in() {
        let properties: Properties = serde_json::from_value(json!({
            "workspaceFolder": "/w/${localWorkspaceFolderBasename}",
            "containerEnv": {
                "PATH": "/tools:${containerEnv:PATH}",
                "ID": "${devcontainerId}",
                "SECRET": "${localEnv:SECRET}${localEnv:USER}",
            },
            "remoteEnv": {"PATH": "${containerEnv:PATH}:${containerWorkspaceFolder}"},
        }))
        .unwrap();
        let known = Known {
            workspace: WorkspaceId::new(),
            repository: "project",
            local_env: &BTreeMap::from([("USER".to_owned(), "ada".to_owned())]),
            image_env: &BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
        };
        let done = fold(&[Layer { origin: Origin::File("devcontainer.json".into()), properties }], &known).unwrap();
        assert_eq!(done.workspace_folder.as_deref(), Some("/w/project"));
        assert_eq!(done.container_env["PATH"], "/tools:/bin");
        assert_eq!(done.container_env["ID"].len(), 52);
        assert_eq!(done.container_env["SECRET"], "ada");
        assert_eq!(done.remote_env["PATH"].as_deref(), Some("/tools:/bin:/w/project"));
    }
}
