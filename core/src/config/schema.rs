//! The keys that exist, and how a dotted key finds its value.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{Auth, Config, Credential, Database, Queue, Server, Source};
use crate::secret::Secret;

/// A configuration in which every key has a value, to know the keys and their kinds.
pub(super) fn sample() -> Table {
    let config = Config {
        server: Server { public_port: Some(1), ..Server::default() },
        database: Database { url: Secret::new(String::new()) },
        queue: Queue { url: Secret::new(String::new()) },
        auth: Auth::default(),
        source: Source {
            allow_private: Some(true),
            allow_local: Some(true),
            credentials: BTreeMap::from([("*".to_owned(), Credential::default())]),
            ..Source::default()
        },
        mirrors: BTreeMap::from([("*".to_owned(), String::new())]),
        ..Config::default()
    };
    // A struct of plain values; an empty table would refuse every key, which a test would notice.
    Table::try_from(config).unwrap_or_default()
}

/// Every key there is, dotted; `*` stands for any name.
#[must_use]
pub fn keys() -> Vec<String> {
    let sample = sample();
    let mut keys = Vec::new();
    flatten(&sample, &sample, "", &mut |key, _| keys.push(key));
    keys
}

/// The keys that can be written as they are: a map's own key stands for its entries.
pub(super) fn settable() -> Vec<String> {
    keys().into_iter().filter_map(|key| key.split(".*").next().map(str::to_owned)).collect()
}

/// The key that a person may have meant.
pub(super) fn nearest(key: &str) -> Option<String> {
    settable()
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&k, key), k))
        .min()
        .filter(|(distance, _)| *distance <= 4)
        .map(|(_, k)| k)
}

/// Walks a table down to the values that the schema has no table for.
pub(super) fn flatten(schema: &Table, table: &Table, prefix: &str, out: &mut impl FnMut(String, Value)) {
    for (name, value) in table {
        // Names of a map's entries may hold dots; quoting them keeps the dotted key readable.
        let part = if name.contains('.') { format!("\"{name}\"") } else { name.clone() };
        let key = if prefix.is_empty() { part } else { format!("{prefix}.{part}") };
        let below = schema.get(name).or_else(|| schema.get("*"));
        match (below.and_then(Value::as_table), value.as_table()) {
            (Some(below), Some(table)) => flatten(below, table, &key, out),
            _ => out(key, value.clone()),
        }
    }
}

/// The parts of a dotted key; dots between quotes belong to a name.
pub(super) fn split(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in key.chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => {
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    parts
}

pub(super) fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let parts = split(key);
    let (last, folders) = parts.split_last()?;
    let mut at = table;
    for part in folders {
        at = at.get(part)?.as_table()?;
    }
    at.get(last)
}

/// What the schema has for a key: a value of the kind that is expected.
pub(super) fn schema_of<'a>(sample: &'a Table, key: &str) -> Option<&'a Value> {
    let mut table = Some(sample);
    let mut at = None;
    for part in split(key) {
        let value = table?.get(&part).or_else(|| table?.get("*"))?;
        at = Some(value);
        table = value.as_table();
    }
    at
}

/// The key of the map that a key lies in.
pub(super) fn map_around(sample: &Table, key: &str) -> Option<String> {
    let parts = split(key);
    let mut table = sample;
    for (depth, part) in parts.iter().enumerate() {
        if table.contains_key("*") {
            return Some(parts[..depth].join("."));
        }
        table = table.get(part)?.as_table()?;
    }
    None
}

pub(super) fn set(table: &mut Table, key: &str, value: Value) {
    let mut parts = split(key);
    let Some(last) = parts.pop() else { return };
    let mut at = table;
    for part in parts {
        let slot = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        if !slot.is_table() {
            *slot = Value::Table(Table::new());
        }
        let Some(below) = slot.as_table_mut() else { return };
        at = below;
    }
    at.insert(last, value);
}
