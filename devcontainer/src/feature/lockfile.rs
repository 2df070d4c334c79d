//! `devcontainer-lock.json`: which version of each Feature an image was built with.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Feature, Reference, collate,
    reference::{is_harmless, short},
};
use crate::config::DevContainer;

/// Where the lockfile of a configuration is: beside it, hidden if that is.
#[must_use]
pub fn path(config: &str) -> String {
    let (folder, file) = config.rsplit_once('/').map_or(("", config), |(folder, file)| (folder, file));
    let dot = if file.starts_with('.') { "." } else { "" };
    let slash = if config.contains('/') { "/" } else { "" };
    format!("{folder}{slash}{dot}devcontainer-lock.json")
}

/// A lockfile: by reference as written, what it was. Everything in it is kept as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lockfile {
    features: Map<String, Value>,
}

/// What is wrong with a lockfile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockfileError {
    /// It is not JSON, or has not the form of a lockfile.
    #[error("the lockfile cannot be read: {0}")]
    Unreadable(String),
    /// It may not be written, and is not there.
    #[error("there is no lockfile")]
    Absent,
    /// It may not be written, and has something else in it.
    #[error("the lockfile does not match the Features that were found")]
    Different,
}

impl LockfileError {
    /// A stable code in kebab case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "lockfile-unreadable",
            Self::Absent => "lockfile-absent",
            Self::Different => "lockfile-different",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "delete the file; it is written anew when the Features are resolved",
            Self::Absent | Self::Different => "write the lockfile anew and commit it",
        }
    }
}

impl Lockfile {
    /// Reads a lockfile; an empty one pins nothing. It is strict JSON, unlike a configuration.
    ///
    /// # Errors
    /// [`LockfileError::Unreadable`].
    pub fn parse(text: &str) -> Result<Self, LockfileError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_str(text).map_err(|error| LockfileError::Unreadable(error.to_string()))? {
            Value::Null => Ok(Self::default()),
            Value::Object(mut map) => match map.shift_remove("features") {
                Some(Value::Object(features)) => Self { features }.checked(),
                _ => Err(LockfileError::Unreadable("it has no object \"features\"".to_owned())),
            },
            _ => Err(LockfileError::Unreadable("it is not an object".to_owned())),
        }
    }

    /// What it pins to becomes part of URLs and names of files.
    fn checked(self) -> Result<Self, LockfileError> {
        let wrong = self.features.keys().find(|id| {
            let integrity = self.integrity(id);
            integrity.is_some_and(|text| !text.strip_prefix("sha256:").is_some_and(is_harmless))
        });
        match wrong {
            Some(id) => Err(LockfileError::Unreadable(format!("the integrity of {} is no digest", short(id)))),
            None => Ok(self),
        }
    }

    /// The lockfile for Features in their final form: with the artifact's or archive's digest, and the
    /// version and needs that their own file says.
    ///
    /// The reference leaves out Features that only `additional` asks for, and those without a digest of
    /// their own: folders and releases. Keys are as written, though the specification says in lower case.
    #[must_use]
    pub fn of(features: &[Feature], config: &DevContainer, additional: &IndexMap<String, Value>) -> Self {
        let own = config.properties.object("features");
        let mut locked: Vec<(String, Value)> = features
            .iter()
            .filter(|feature| !additional.contains_key(&feature.id) || own.contains_key(&feature.id))
            .filter_map(|feature| Some((feature.id.clone(), entry(feature)?)))
            .collect();
        locked.sort_by(|(a, _), (b, _)| collate::compare(a, b));
        let mut features = Map::new();
        for (id, entry) in locked {
            features.insert(id, entry);
        }
        Self { features }
    }

    /// The digest that a Feature is pinned to. Archives go by their URL.
    #[must_use]
    pub fn integrity(&self, id: &str) -> Option<String> {
        let integrity = self.features.get(id)?.get("integrity")?.as_str()?;
        (!integrity.is_empty()).then(|| integrity.to_owned())
    }

    /// The references that are pinned.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.features.keys().map(String::as_str)
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        pretty(&json!({"features": self.features}))
    }

    /// The text to write over a lockfile that is there, if any: `None` if it says the same already, however
    /// it is laid out. If it is frozen, nothing is to be written, and a difference is an error.
    ///
    /// # Errors
    /// [`LockfileError::Absent`] and [`LockfileError::Different`], if it is frozen.
    pub fn settle(&self, there: Option<&str>, frozen: bool) -> Result<Option<String>, LockfileError> {
        let text = self.to_text();
        let there = match there {
            None if frozen => return Err(LockfileError::Absent),
            None => None,
            // What is no JSON is written anew. The order of keys counts.
            Some(there) => serde_json::from_str::<Value>(there).ok().map(|there| pretty(&there)),
        };
        match there {
            Some(there) if there == text => Ok(None),
            _ if frozen => Err(LockfileError::Different),
            _ => Ok(Some(text)),
        }
    }
}

fn entry(feature: &Feature) -> Option<Value> {
    let digest = feature.digest.as_deref()?;
    let resolved = match &feature.reference {
        Reference::Oci(oci) => format!("{}/{}@{digest}", oci.registry, oci.path()),
        Reference::Tarball(tarball) => tarball.url.clone(),
        Reference::Local(_) | Reference::Release(_) => return None,
    };
    let mut entry = Map::new();
    if let Some(version) = feature.manifest.0.get("version") {
        entry.insert("version".to_owned(), version.clone());
    }
    entry.insert("resolved".to_owned(), Value::String(resolved));
    entry.insert("integrity".to_owned(), Value::from(digest));
    let needs: Vec<String> = feature.manifest.depends_on().into_keys().collect();
    if !needs.is_empty() {
        entry.insert("dependsOn".to_owned(), Value::from(needs));
    }
    Some(Value::Object(entry))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests;
