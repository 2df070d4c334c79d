//! Where the sources are in the container, and how they get there.

use serde::{Deserialize, Serialize};

use crate::{config::DevContainer, mount::Mount, variables::basename};

/// The parent of all workspaces in a container.
pub const ROOT: &str = "/workspaces";

/// Where the sources are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// The folder to open in the container.
    #[serde(rename = "workspaceFolder")]
    pub folder: String,
    /// The mount that brings the sources there, as text; empty or absent means that there is none.
    #[serde(rename = "workspaceMount", default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<String>,
}

impl Workspace {
    /// The mount, if there is one that can be read.
    #[must_use]
    pub fn mount(&self) -> Option<Mount> {
        Mount::parse(self.mount.as_deref()?).ok()
    }
}

/// The default folder for a repository or folder of this name: `/workspaces/<name>`.
#[must_use]
pub fn default_folder(name: &str) -> String {
    format!("{ROOT}/{}", basename(name))
}

/// What the configuration says about its workspace, before its variables are substituted.
///
/// `local` is the folder on this side that is opened, `mounted` the root of its repository, which
/// is what gets mounted; they are the same unless only a part of a repository is opened.
/// `workspaceFolder` alone does not move the default mount, and any `workspaceMount`, even an empty
/// one, suppresses it. Compose files bring their own mounts, and `/` is the default there.
#[must_use]
pub fn of_config(config: &DevContainer, local: &str, mounted: &str) -> Workspace {
    let properties = &config.properties;
    let folder = properties.string("workspaceFolder").filter(|folder| !folder.is_empty());
    if properties.has("dockerComposeFile") {
        return Workspace { folder: folder.unwrap_or_else(|| "/".to_owned()), mount: None };
    }
    let target = default_folder(mounted);
    let mount = if properties.has("workspaceMount") {
        properties.string("workspaceMount")
    } else {
        Some(format!("type=bind,{},{}", part("source", mounted), part("target", &target)))
    };
    let below = local.strip_prefix(mounted).unwrap_or_default().trim_matches('/');
    let folder = folder.unwrap_or_else(|| match below {
        "" => target,
        below => format!("{target}/{below}"),
    });
    Workspace { folder, mount }
}

/// A part of a mount; one with a comma in it is quoted as a whole.
fn part(key: &str, value: &str) -> String {
    let quote = if value.contains(',') { "\"" } else { "" };
    format!("{quote}{key}={value}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(text: &str, local: &str, mounted: &str) -> Option<Workspace> {
        let config = DevContainer::parse(".devcontainer.json", text).config?;
        Some(of_config(&config, local, mounted))
    }

    fn texts(text: &str) -> (String, Option<String>) {
        let workspace = workspace(text, "/home/ada/project", "/home/ada/project");
        workspace.map(|w| (w.folder, w.mount)).unwrap_or_default()
    }

    #[test]
    fn the_default_is_a_folder_named_like_the_repository() {
        let mount = "type=bind,source=/home/ada/project,target=/workspaces/project";
        assert_eq!(texts("{}"), ("/workspaces/project".into(), Some(mount.into())));
        assert_eq!(texts("{\"workspaceFolder\": \"/w\"}"), ("/w".into(), Some(mount.into())));
    }

    #[test]
    fn a_mount_of_its_own_suppresses_the_default() {
        assert_eq!(texts("{\"workspaceMount\": \"\"}").1, Some(String::new()));
        assert_eq!(texts("{\"workspaceMount\": null}").1, None);
        assert_eq!(texts("{\"workspaceMount\": \"type=volume,target=/w\"}").1, Some("type=volume,target=/w".into()));
    }

    #[test]
    fn a_part_of_a_repository_opens_below_its_root() {
        let part = workspace("{}", "/home/ada/mono/a/b", "/home/ada/mono");
        assert_eq!(part.map(|w| w.folder), Some("/workspaces/mono/a/b".into()));
    }

    #[test]
    fn a_comma_is_quoted_and_read_back() {
        let odd = workspace("{}", "/a,b", "/a,b");
        assert_eq!(
            odd.as_ref().and_then(|w| w.mount.as_deref()),
            Some("type=bind,\"source=/a,b\",\"target=/workspaces/a,b\"")
        );
        assert_eq!(odd.and_then(|w| w.mount()).and_then(|m| m.source), Some("/a,b".into()));
    }

    #[test]
    fn compose_brings_its_own_mounts() {
        assert_eq!(texts("{\"dockerComposeFile\": \"c.yml\"}"), ("/".into(), None));
    }
}
