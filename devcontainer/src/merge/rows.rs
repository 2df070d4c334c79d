//! The rules of the merge table. Each works on JSON, because values pass through as written.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::{config::truthy, layer::Origin, mount::target_key, properties::list};

/// One entry of a metadata label.
pub(crate) struct Entry {
    pub(crate) origin: Origin,
    pub(crate) map: Map<String, Value>,
}

/// The merged value of one property; `None` leaves it out. And who it comes from.
pub(crate) struct Row {
    pub(crate) value: Option<Value>,
    pub(crate) origins: Vec<Origin>,
}

impl Row {
    fn last(found: Option<(&Entry, &Value)>) -> Self {
        Self {
            value: found.map(|(_, value)| value.clone()),
            origins: found.map(|(entry, _)| entry.origin.clone()).into_iter().collect(),
        }
    }

    fn list(values: Vec<Value>, origins: Vec<Origin>) -> Self {
        Self { value: (!values.is_empty()).then_some(Value::Array(values)), origins }
    }
}

fn truthy_values<'a>(entries: &'a [Entry], name: &'a str) -> impl DoubleEndedIterator<Item = (&'a Entry, &'a Value)> {
    entries.iter().filter_map(move |entry| Some((entry, entry.map.get(name).filter(|value| truthy(value))?)))
}

/// True as soon as one layer says so; nobody can take it back.
pub(super) fn any_true(entries: &[Entry], name: &str) -> Row {
    let origins: Vec<Origin> = truthy_values(entries, name).map(|(entry, _)| entry.origin.clone()).collect();
    Row { value: Some(Value::Bool(!origins.is_empty())), origins }
}

/// All values in order, each once.
pub(super) fn union(entries: &[Entry], name: &str) -> Row {
    let mut seen = HashSet::new();
    let mut values = Vec::new();
    let mut origins = Vec::new();
    for (entry, value) in truthy_values(entries, name) {
        let fresh: Vec<Value> = list(Some(value))
            .iter()
            .filter(|value| value.is_object() || value.is_array() || seen.insert(value.to_string()))
            .cloned()
            .collect();
        if !fresh.is_empty() {
            origins.push(entry.origin.clone());
        }
        values.extend(fresh);
    }
    Row::list(values, origins)
}

/// All values in order.
pub(super) fn collected(entries: &[Entry], name: &str) -> Row {
    let (origins, values) =
        truthy_values(entries, name).map(|(entry, value)| (entry.origin.clone(), value.clone())).unzip();
    Row::list(values, origins)
}

/// All mounts; of those with the same target the last one stays, at its place.
pub(super) fn mounts(entries: &[Entry]) -> Row {
    let all: Vec<(&Entry, &Value)> = truthy_values(entries, "mounts")
        .flat_map(|(entry, value)| list(Some(value)).iter().map(move |mount| (entry, mount)))
        .collect();
    let mut seen = HashSet::new();
    let mut kept: Vec<(&Entry, &Value)> =
        all.into_iter().rev().filter(|(_, mount)| seen.insert(target_key(mount))).collect();
    kept.reverse();
    let mut origins: Vec<Origin> = kept.iter().map(|(entry, _)| entry.origin.clone()).collect();
    origins.dedup();
    Row::list(kept.into_iter().map(|(_, mount)| mount.clone()).collect(), origins)
}

/// Per tool, a list of what every layer says.
pub(super) fn customizations(entries: &[Entry]) -> Row {
    let mut tools = Map::new();
    let mut origins = Vec::new();
    for (entry, value) in truthy_values(entries, "customizations") {
        let Some(said) = value.as_object().filter(|said| !said.is_empty()) else {
            continue;
        };
        origins.push(entry.origin.clone());
        for (tool, said) in said {
            if let Value::Array(list) = tools.entry(tool).or_insert_with(|| Value::Array(Vec::new())) {
                list.push(said.clone());
            }
        }
    }
    Row { value: (!tools.is_empty()).then_some(Value::Object(tools)), origins }
}

/// The last value that is not empty.
pub(super) fn last_truthy(entries: &[Entry], name: &str) -> Row {
    Row::last(truthy_values(entries, name).next_back())
}

/// The last value that is `true` or `false`.
pub(super) fn last_boolean(entries: &[Entry], name: &str) -> Row {
    let mut values =
        entries.iter().filter_map(|entry| Some((entry, entry.map.get(name).filter(|value| value.is_boolean())?)));
    Row::last(values.next_back())
}

/// Key by key, the last value; `null` is a value.
pub(super) fn per_key(entries: &[Entry], name: &str) -> Row {
    let mut merged = Map::new();
    let mut origins = Vec::new();
    for (entry, value) in truthy_values(entries, name) {
        let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
            continue;
        };
        origins.push(entry.origin.clone());
        merged.extend(map.clone());
    }
    Row { value: Some(Value::Object(merged)), origins }
}

/// All ports, each once. `3000` and `"localhost:3000"` are the same port.
pub(super) fn forward_ports(entries: &[Entry]) -> Row {
    const LOCAL: &str = "localhost:";
    let mut seen = HashSet::new();
    let mut ports = Vec::new();
    let mut origins = Vec::new();
    for (entry, value) in truthy_values(entries, "forwardPorts") {
        for port in list(Some(value)) {
            let name = match port {
                Value::Number(number) => format!("{LOCAL}{number}"),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if !seen.insert(name.clone()) {
                continue;
            }
            origins.push(entry.origin.clone());
            let number = name.strip_prefix(LOCAL).and_then(leading_number);
            ports.push(number.unwrap_or_else(|| port.clone()));
        }
    }
    origins.dedup();
    Row::list(ports, origins)
}

/// The digits a text starts with, as `parseInt` reads them.
fn leading_number(text: &str) -> Option<Value> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    text[..digits].parse::<u64>().ok().map(Value::from)
}
