//! Ports that should be reachable, and what to do with each.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A port to forward: of the container itself, or of another host that the container can reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForwardPort {
    /// The other host, such as the name of a Compose service; `None` for the container itself.
    pub host: Option<String>,
    /// The port, never 0.
    pub port: u16,
}

impl ForwardPort {
    /// A port of the container itself.
    #[must_use]
    pub const fn local(port: u16) -> Self {
        Self { host: None, port }
    }

    /// Reads a number or `"host:port"`; `localhost` means the container itself.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let number = |port: Option<u16>| port.filter(|p| *p != 0);
        match value {
            Value::Number(n) => number(n.as_u64().and_then(|n| u16::try_from(n).ok())).map(Self::local),
            Value::String(text) => {
                let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
                let host = Some(host.to_owned()).filter(|h| !h.is_empty() && h != "localhost");
                Some(Self { host, port: number(port.trim().parse().ok())? })
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for ForwardPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}:{}", self.port),
            None => write!(f, "{}", self.port),
        }
    }
}

impl Serialize for ForwardPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.host {
            Some(_) => serializer.serialize_str(&self.to_string()),
            None => serializer.serialize_u16(self.port),
        }
    }
}

impl<'de> Deserialize<'de> for ForwardPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).ok_or_else(|| serde::de::Error::custom("a port is a number or \"host:port\""))
    }
}

/// A legacy `appPort`: published on the host rather than forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AppPort {
    /// The same port on both sides, on the loopback address only.
    Number(u16),
    /// An argument of `docker run --publish`, as written.
    Publish(String),
}

/// What a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortProtocol {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// What a tool does when a port starts to listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnAutoForward {
    /// Tell the person.
    #[default]
    Notify,
    /// Open a browser each time.
    OpenBrowser,
    /// Open a browser the first time.
    OpenBrowserOnce,
    /// Open a preview inside the editor.
    OpenPreview,
    /// Forward and say nothing.
    Silent,
    /// Do not forward.
    Ignore,
}

/// What to do with one port or a set of ports (`portsAttributes`, `otherPortsAttributes`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortAttributes {
    /// The name shown to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What the port speaks; `None` lets the tool find out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<PortProtocol>,
    /// What happens when it starts to listen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_auto_forward: Option<OnAutoForward>,
    /// Whether the local port must be the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_local_port: Option<bool>,
    /// Whether to ask for more rights to open a low local port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elevate_if_needed: Option<bool>,
}

impl PortAttributes {
    /// Reads what can be read; a member of another type than expected is left out.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let typed = |key: &str| map.get(key).cloned().unwrap_or(Value::Null);
        Some(Self {
            label: map.get("label").and_then(Value::as_str).map(str::to_owned),
            protocol: serde_json::from_value(typed("protocol")).ok(),
            on_auto_forward: serde_json::from_value(typed("onAutoForward")).ok(),
            require_local_port: map.get("requireLocalPort").and_then(Value::as_bool),
            elevate_if_needed: map.get("elevateIfNeeded").and_then(Value::as_bool),
        })
    }
}

/// The attributes of a port: the first key that names it exactly, else the first range that holds
/// it, else the first regular expression that matches its number. Keys with a host are compared
/// as a whole (`db:5432`).
#[must_use]
pub fn attributes_of<'a>(
    attributes: &'a IndexMap<String, PortAttributes>,
    port: &ForwardPort,
) -> Option<&'a PortAttributes> {
    let name = port.to_string();
    let exact =
        attributes.iter().find(|(key, _)| **key == name || key.strip_prefix("localhost:") == Some(name.as_str()));
    let ranged = || {
        attributes.iter().find(|(key, _)| {
            let bounds = key
                .split_once('-')
                .and_then(|(from, to)| Some((from.trim().parse::<u16>().ok()?, to.trim().parse::<u16>().ok()?)));
            port.host.is_none() && bounds.is_some_and(|(from, to)| (from..=to).contains(&port.port))
        })
    };
    let matched = || {
        attributes.iter().find(|(key, _)| {
            let is_number = key.chars().all(|c| c.is_ascii_digit());
            // The engine of this crate takes linear time, so a hostile expression costs little.
            !is_number && regex::Regex::new(&format!("^(?:{key})$")).is_ok_and(|r| r.is_match(&name))
        })
    };
    exact.or_else(ranged).or_else(matched).map(|(_, found)| found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ports_are_numbers_or_host_and_port() {
        assert_eq!(ForwardPort::from_json(&json!(3000)), Some(ForwardPort::local(3000)));
        assert_eq!(ForwardPort::from_json(&json!("3000")), Some(ForwardPort::local(3000)));
        assert_eq!(ForwardPort::from_json(&json!("localhost:3000")), Some(ForwardPort::local(3000)));
        let db = ForwardPort { host: Some("db".into()), port: 5432 };
        assert_eq!(ForwardPort::from_json(&json!("db:5432")), Some(db.clone()));
        assert_eq!(serde_json::to_value([db, ForwardPort::local(1)]).ok(), Some(json!(["db:5432", 1])));
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for value in [json!(0), json!(65536), json!(-1), json!("a"), json!(1.5), json!(null)] {
            assert_eq!(ForwardPort::from_json(&value), None, "{value}");
        }
    }

    #[test]
    fn the_most_exact_attributes_win() {
        let labelled = |label: &str| PortAttributes { label: Some(label.into()), ..PortAttributes::default() };
        let attributes = IndexMap::from([
            (".*".to_owned(), labelled("any")),
            ("3000-3010".to_owned(), labelled("range")),
            ("3000".to_owned(), labelled("exact")),
        ]);
        let label = |port| attributes_of(&attributes, &ForwardPort::local(port)).and_then(|a| a.label.clone());
        assert_eq!(label(3000).as_deref(), Some("exact"));
        assert_eq!(label(3005).as_deref(), Some("range"));
        assert_eq!(label(9).as_deref(), Some("any"));
    }

    #[test]
    fn unknown_members_do_not_spoil_the_rest() {
        let read = PortAttributes::from_json(&json!({"label": "web", "onAutoForward": "shout", "protocol": "https"}));
        let read = read.unwrap_or_default();
        assert_eq!(
            (read.label.as_deref(), read.on_auto_forward, read.protocol),
            (Some("web"), None, Some(PortProtocol::Https))
        );
    }
}
