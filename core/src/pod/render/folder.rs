//! Where the repository is in the container, and which folder is opened.

use devcontainer::workspace::default_folder;
use devcontainer::{Diagnostic, Merged, Mount};

use super::file;
use crate::workspace::Workspace;

/// Folders of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Where the workspace volume is mounted: the repository's root.
    pub root: String,
    /// What the configuration opens; hooks run in it.
    pub open: String,
    /// What is opened in its place, because a link pointed there and the configuration names no folder.
    pub linked: Option<String>,
}

impl Folders {
    /// What the configuration says, or `/workspaces/<repository>`.
    ///
    /// A `workspaceMount` counts by its target alone: the repository is on a volume of the
    /// workspace's own, whatever the source.
    #[must_use]
    pub fn of(merged: &Merged, workspace: &Workspace, notes: &mut Vec<Diagnostic>) -> Self {
        let default = default_folder(&workspace.source.folder_name());
        let mut note = |code: &str, message: String, hint: &str| {
            notes.push(Diagnostic::warning(file(merged), code, message).hint(hint));
        };
        let root = match merged.workspace_mount.as_deref() {
            None => default,
            Some("") => {
                note(
                    "workspace-mount-empty",
                    format!("an empty workspaceMount would leave no place for the repository; it is at {default}"),
                    "name a target: \"type=volume,target=/workspace\"",
                );
                default
            }
            Some(written) => match Mount::parse(written) {
                Ok(mount) if is_usable(&mount.target) => trimmed(&mount.target),
                _ => {
                    note(
                        "workspace-mount-unusable",
                        format!("the target of workspaceMount cannot be used; the repository is at {default}"),
                        "the target is an absolute folder such as /workspace",
                    );
                    default
                }
            },
        };
        let open = match merged.workspace_folder.as_deref() {
            None | Some("") => root.clone(),
            Some(folder) if folder.starts_with('/') => {
                if folder != "/" && !is_within(folder, &root) {
                    note(
                        "workspace-folder-outside",
                        format!("workspaceFolder {folder} is not where the repository is, which is {root}"),
                        "set workspaceMount to a target that holds workspaceFolder",
                    );
                }
                trimmed(folder)
            }
            Some(relative) => format!("{root}/{}", relative.trim_matches('/')),
        };
        let is_free = merged.workspace_folder.as_deref().is_none_or(str::is_empty);
        let linked = workspace
            .facts
            .resolution
            .as_ref()
            .and_then(|found| found.folder.as_ref())
            .filter(|_| is_free)
            .map(|folder| format!("{root}/{folder}"));
        Self { root, open, linked }
    }
}

fn is_within(folder: &str, root: &str) -> bool {
    trimmed(folder) == root || folder.starts_with(&format!("{root}/"))
}

/// Neither the container itself nor Steading's own may be hidden by the repository.
fn is_usable(target: &str) -> bool {
    const TAKEN: [&str; 14] = [
        "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/sys",
        "/usr",
    ];
    let target = trimmed(target);
    let below_ours = ["/opt/steading", "/var/lib/steading", "/run/steading"].iter().any(|own| target.starts_with(own));
    target.starts_with('/')
        && target != "/"
        && !target.split('/').any(|part| part == "..")
        && !TAKEN.contains(&target.as_str())
        && !below_ours
}

fn trimmed(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}
