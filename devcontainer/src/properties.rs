//! A bag of properties as they were written, with typed views of each.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    command::LifecycleCommand,
    host::HostRequirements,
    mount::Mount,
    port::{AppPort, ForwardPort, PortAttributes},
    stage::Stage,
};

/// Properties by name, as JSON. What a `devcontainer.json`, an entry of an image label or a
/// Feature contributes. The JSON is the truth, because it is written back verbatim; the methods
/// read it with a type and leave out what does not have that type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Properties(pub Map<String, Value>);

impl Properties {
    /// The value of a property, `null` included.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether a property is written, whatever its value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A property that is a string.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<String> {
        self.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    /// A property that is `true` or `false`.
    #[must_use]
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }

    /// A property that is a string or a list of strings, as a list.
    #[must_use]
    pub fn strings(&self, name: &str) -> Vec<String> {
        self.get(name).map(strings).unwrap_or_default()
    }

    /// A property that is an object; empty otherwise.
    #[must_use]
    pub fn object(&self, name: &str) -> IndexMap<String, Value> {
        self.get(name)
            .and_then(Value::as_object)
            .map(|map| map.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
            .unwrap_or_default()
    }

    /// The command of one stage.
    #[must_use]
    pub fn command(&self, stage: Stage) -> Option<LifecycleCommand> {
        self.get(stage.as_str()).and_then(LifecycleCommand::from_json)
    }

    /// `containerEnv`.
    #[must_use]
    pub fn container_env(&self) -> IndexMap<String, String> {
        environment(self.get("containerEnv")).into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// `remoteEnv`; `None` means that the variable is removed.
    #[must_use]
    pub fn remote_env(&self) -> IndexMap<String, Option<String>> {
        environment(self.get("remoteEnv"))
    }

    /// `mounts`, without those that cannot be read.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        list(self.get("mounts")).iter().filter_map(|m| Mount::from_json(m).ok()).collect()
    }

    /// `forwardPorts`, without those that cannot be read.
    #[must_use]
    pub fn forward_ports(&self) -> Vec<ForwardPort> {
        list(self.get("forwardPorts")).iter().filter_map(ForwardPort::from_json).collect()
    }

    /// `portsAttributes`.
    #[must_use]
    pub fn ports_attributes(&self) -> IndexMap<String, PortAttributes> {
        self.object("portsAttributes")
            .into_iter()
            .filter_map(|(port, value)| Some((port, PortAttributes::from_json(&value)?)))
            .collect()
    }

    /// `appPort`.
    #[must_use]
    pub fn app_port(&self) -> Vec<AppPort> {
        list(self.get("appPort"))
            .iter()
            .filter_map(|value| match value {
                Value::String(text) if !text.is_empty() => Some(AppPort::Publish(text.clone())),
                other => ForwardPort::from_json(other).map(|p| AppPort::Number(p.port)),
            })
            .collect()
    }

    /// `hostRequirements`.
    #[must_use]
    pub fn host_requirements(&self) -> Option<HostRequirements> {
        self.get("hostRequirements").and_then(HostRequirements::from_json)
    }
}

/// A list, or one value as a list of it; nothing for `null` and absent values.
pub(crate) fn list(value: Option<&Value>) -> &[Value] {
    match value {
        None | Some(Value::Null) => &[],
        Some(Value::Array(values)) => values,
        Some(one) => std::slice::from_ref(one),
    }
}

fn strings(value: &Value) -> Vec<String> {
    list(Some(value)).iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// Numbers and booleans become text, as the engine's command line would show them.
fn environment(value: Option<&Value>) -> IndexMap<String, Option<String>> {
    let Some(Value::Object(map)) = value else {
        return IndexMap::new();
    };
    map.iter()
        .map(|(name, value)| {
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            (name.clone(), text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn properties(value: Value) -> Properties {
        serde_json::from_value(value).unwrap_or_default()
    }

    #[test]
    fn environments_keep_null_apart_and_make_text_of_numbers() {
        let read = properties(json!({"remoteEnv": {"A": null, "B": 1}, "containerEnv": {"A": null, "B": true}}));
        assert_eq!(read.remote_env(), IndexMap::from([("A".to_owned(), None), ("B".to_owned(), Some("1".to_owned()))]));
        assert_eq!(read.container_env(), IndexMap::from([("B".to_owned(), "true".to_owned())]));
    }

    #[test]
    fn one_value_stands_for_a_list() {
        let read = properties(json!({"appPort": 80, "capAdd": "SYS_PTRACE", "forwardPorts": [1, "x", "db:2"]}));
        assert_eq!(read.app_port(), [AppPort::Number(80)]);
        assert_eq!(read.strings("capAdd"), ["SYS_PTRACE"]);
        assert_eq!(read.forward_ports().len(), 2);
    }
}
