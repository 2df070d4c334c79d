//! Fills in `${…}`.
//!
//! It happens in three passes, because not everything is known at once: [`Variables::local`]
//! before there is a container, [`Variables::identity`] once its labels are known, and
//! [`Variables::container`] with the environment inside it. A pass fills in what it knows and
//! leaves the rest as written. What a variable stands for is not looked at again in that pass.

use std::{cell::Cell, collections::BTreeSet, sync::LazyLock};

use indexmap::IndexMap;
use regex::Regex;
use serde_json::Value;

mod apply;

pub use apply::Substitute;

/// The names of all variables; `env` is an old, undocumented name that real files use.
pub const NAMES: [&str; 8] = [
    "localEnv",
    "env",
    "localWorkspaceFolder",
    "localWorkspaceFolderBasename",
    "containerWorkspaceFolder",
    "containerWorkspaceFolderBasename",
    "devcontainerId",
    "containerEnv",
];

/// One substitution may add at most this many bytes. Without a bound, a text that names a long
/// variable often would fill the memory.
pub const MAX_GROWTH: usize = 8 << 20;

/// Why a text cannot be substituted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// `${localEnv}` or `${containerEnv}` without a name.
    #[error("'{0}' cannot be resolved because no environment variable name is given")]
    NoName(String),
    /// The result would be larger than [`MAX_GROWTH`].
    #[error("the variables of the configuration expand to more than {MAX_GROWTH} bytes")]
    TooLarge,
}

impl VariableError {
    /// A stable code in kebab case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoName(_) => "variable-without-name",
            Self::TooLarge => "variables-too-large",
        }
    }
}

/// What one pass knows. `None` leaves the variables of that kind as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    local_env: Option<IndexMap<String, String>>,
    local_workspace_folder: Option<String>,
    container_workspace_folder: Option<String>,
    devcontainer_id: Option<String>,
    container_env: Option<IndexMap<String, String>>,
}

impl Variables {
    /// The first pass. `local_env` is what `${localEnv:X}` may see, which for a server is surely
    /// not its own environment. The container's folder may itself contain variables.
    ///
    /// # Errors
    /// See [`VariableError`]; only the container's folder is read here.
    pub fn local(
        local_env: IndexMap<String, String>,
        local_workspace_folder: Option<&str>,
        container_workspace_folder: Option<&str>,
    ) -> Result<Self, VariableError> {
        let mut variables = Self {
            local_env: Some(local_env),
            local_workspace_folder: local_workspace_folder.map(str::to_owned),
            container_workspace_folder: container_workspace_folder.map(str::to_owned),
            ..Self::default()
        };
        if let Some(folder) = container_workspace_folder.filter(|folder| !folder.is_empty()) {
            variables.container_workspace_folder = Some(variables.text(folder)?);
        }
        Ok(variables)
    }

    /// The second pass: `${devcontainerId}`; see [`crate::identity`].
    #[must_use]
    pub fn identity(devcontainer_id: &str) -> Self {
        Self { devcontainer_id: Some(devcontainer_id.to_owned()), ..Self::default() }
    }

    /// The third pass: `${containerEnv:X}`, from the environment the container was made with.
    #[must_use]
    pub fn container(container_env: IndexMap<String, String>) -> Self {
        Self { container_env: Some(container_env), ..Self::default() }
    }

    /// Substitutes one text.
    ///
    /// # Errors
    /// See [`VariableError`].
    pub fn text(&self, text: &str) -> Result<String, VariableError> {
        self.replace(text, &Cell::new(MAX_GROWTH))
    }

    /// Substitutes every text inside a value, at any depth. Keys stay.
    ///
    /// # Errors
    /// See [`VariableError`].
    pub fn value(&self, value: &Value) -> Result<Value, VariableError> {
        self.walk(value, &Cell::new(MAX_GROWTH))
    }

    /// Substitutes a whole configuration, a layer or what they were merged to.
    ///
    /// # Errors
    /// See [`VariableError`].
    pub fn apply<T: Substitute>(&self, to: &T) -> Result<T, VariableError> {
        to.substitute(self)
    }

    fn walk(&self, value: &Value, room: &Cell<usize>) -> Result<Value, VariableError> {
        Ok(match value {
            Value::String(text) => Value::String(self.replace(text, room)?),
            Value::Array(values) => Value::Array(values.iter().map(|v| self.walk(v, room)).collect::<Result<_, _>>()?),
            Value::Object(map) => Value::Object(
                map.iter().map(|(key, value)| Ok((key.clone(), self.walk(value, room)?))).collect::<Result<_, _>>()?,
            ),
            other => other.clone(),
        })
    }

    fn replace(&self, text: &str, room: &Cell<usize>) -> Result<String, VariableError> {
        let mut out = String::new();
        let mut from = 0;
        for found in VARIABLE.captures_iter(text) {
            let (Some(whole), Some(inner)) = (found.get(0), found.get(1)) else { continue };
            out.push_str(&text[from..whole.start()]);
            from = whole.end();
            let Some(value) = self.lookup(whole.as_str(), inner.as_str())? else {
                out.push_str(whole.as_str());
                continue;
            };
            let left = room.get().checked_sub(value.len()).ok_or(VariableError::TooLarge)?;
            room.set(left);
            out.push_str(value);
        }
        out.push_str(&text[from..]);
        Ok(out)
    }

    /// The value of a variable; `None` leaves it as written.
    fn lookup<'a>(&'a self, whole: &str, inner: &'a str) -> Result<Option<&'a str>, VariableError> {
        let mut parts = inner.split(':');
        let name = parts.next().unwrap_or_default();
        let (argument, default) = (parts.next(), parts.next());
        let from_env = |env: &'a Option<IndexMap<String, String>>| {
            let Some(env) = env else { return Ok(None) };
            let argument = argument.ok_or_else(|| VariableError::NoName(whole.to_owned()))?;
            // A default counts only if the variable is not set; set but empty is set.
            let value = env.get(argument).map(String::as_str);
            Ok(Some(value.or(default).unwrap_or_default()))
        };
        match name {
            "localEnv" | "env" => from_env(&self.local_env),
            "containerEnv" => from_env(&self.container_env),
            "localWorkspaceFolder" => Ok(self.local_workspace_folder.as_deref()),
            "localWorkspaceFolderBasename" => Ok(self.local_workspace_folder.as_deref().map(basename)),
            "containerWorkspaceFolder" => Ok(self.container_workspace_folder.as_deref()),
            "containerWorkspaceFolderBasename" => Ok(self.container_workspace_folder.as_deref().map(basename)),
            "devcontainerId" => Ok(self.devcontainer_id.as_deref()),
            _ => Ok(None),
        }
    }
}

/// The variables a value mentions, without `${` and `}`, for example `localEnv:HOME`.
#[must_use]
pub fn mentioned(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(value, &mut names);
    names
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            names.extend(VARIABLE.captures_iter(text).filter_map(|c| Some(c.get(1)?.as_str().to_owned())));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        Value::Object(map) => map.values().for_each(|value| collect(value, names)),
        _ => {}
    }
}

/// The last part of a path, as POSIX has it.
pub(crate) fn basename(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// As in JavaScript, `.` does not match the end of a line.
#[expect(clippy::expect_used, reason = "a constant pattern, compiled in every test")]
static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\{([^\n\r\u{2028}\u{2029}]*?)\}").expect("the pattern is valid"));

#[cfg(test)]
mod tests;
