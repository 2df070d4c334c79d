//! Features in the repository itself.

use serde::{Deserialize, Serialize};

use super::{ReferenceError, short};
use crate::config::DevContainer;

/// Where the configuration is that names a Feature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The root of the workspace; empty where paths are relative to it.
    pub root: String,
    /// The folder of the configuration file.
    pub folder: String,
}

impl Place {
    /// The place of a configuration whose path is relative to the root of its repository.
    #[must_use]
    pub fn of(config: &DevContainer) -> Self {
        Self { root: String::new(), folder: config.folder().to_owned() }
    }
}

/// A folder of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Local {
    /// Its path; relative where that of the configuration is.
    pub path: String,
    /// Its name.
    pub id: String,
}

impl Local {
    pub(super) fn parse(text: &str, place: &Place) -> Result<Self, ReferenceError> {
        if text.starts_with('/') {
            return Err(ReferenceError::Absolute(short(text)));
        }
        let outside = || ReferenceError::Outside(short(text));
        let path = join(&place.folder, text).ok_or_else(outside)?;
        let parent = join(&place.root, ".devcontainer").ok_or_else(outside)?;
        // Two dots anywhere below are refused as well, as in the reference.
        let below = path.strip_prefix(&parent).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if below.is_none_or(|rest| rest.contains("..")) {
            return Err(outside());
        }
        let id = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Ok(Self { path, id: id.to_owned() })
    }
}

/// Joins a path to a folder and removes `.` and `..`; `None` if it leads above where the folder starts. A
/// slash at the end stays: to the reference it makes another Feature.
fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let start = if folder.starts_with('/') { "/" } else { "" };
    let end = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    Some(format!("{start}{}{end}", parts.join("/")))
}
