//! Values that come as text: from the environment and from the command line.

use serde::Deserialize as _;
use toml::{Table, Value};

use super::layers::{ConfigError, Layer, Origin, PREFIX};
use super::schema::{flatten, map_around, sample, schema_of, settable};

impl Layer {
    /// Reads the variables whose names start with [`PREFIX`] and contain `__`; others are not ours, unless
    /// they are one underscore away from it.
    ///
    /// # Errors
    /// When a value does not fit its key, or a name means an entry of a map: names of hosts have dots,
    /// which no variable's name can hold, so that a map comes whole, as text.
    pub fn environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let sample = sample();
        let mut values = Vec::new();
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let Some(key) = key(&sample, rest) else { continue };
            let origin = Origin::Environment(name);
            if let Some(map) = map_around(&sample, &key) {
                return Err(ConfigError::InsideMap { key, origin: origin.to_string(), map });
            }
            add(&sample, &key, &text, &origin, &mut values)?;
        }
        Ok(Self::new(values))
    }

    /// Flags of the command line: name, key, text.
    ///
    /// # Errors
    /// When a text does not fit its key.
    pub fn flags<'a>(flags: impl IntoIterator<Item = (&'a str, &'a str, String)>) -> Result<Self, ConfigError> {
        let sample = sample();
        let mut values = Vec::new();
        for (flag, key, text) in flags {
            add(&sample, key, &text, &Origin::Flag(flag.to_owned()), &mut values)?;
        }
        Ok(Self::new(values))
    }
}

/// The key that a variable means, by its name without [`PREFIX`].
fn key(sample: &Table, rest: &str) -> Option<String> {
    let lower = rest.to_ascii_lowercase();
    // A section's name alone is no setting: STEADING_SERVER is where the commands find a server.
    let is_map = |key: &str| schema_of(sample, key).and_then(Value::as_table).is_some_and(|t| t.contains_key("*"));
    if lower.contains("__") || is_map(&lower) {
        return Some(lower.replace("__", "."));
    }
    // Refused as unknown, with the right one as the nearest, when the layers are folded.
    settable().iter().any(|key| key.replace('.', "_") == lower).then_some(lower)
}

/// Adds what a text says: one value, or each entry of a map, so that maps of several layers become one.
fn add(
    sample: &Table,
    key: &str,
    text: &str,
    origin: &Origin,
    values: &mut Vec<(String, Value, Origin)>,
) -> Result<(), ConfigError> {
    let expected = schema_of(sample, key);
    let value = typed(expected, text).map_err(|reason| ConfigError::BadValue {
        key: key.to_owned(),
        origin: origin.to_string(),
        reason,
    })?;
    match (expected.and_then(Value::as_table), value.as_table()) {
        (Some(schema), Some(table)) => {
            flatten(schema, table, key, &mut |key, value| values.push((key, value, origin.clone())));
        }
        _ => values.push((key.to_owned(), value, origin.clone())),
    }
    Ok(())
}

/// Text as what the key wants: lists are separated by commas; maps are `a=b` pairs separated by commas, or a
/// table as TOML or JSON writes it.
fn typed(expected: Option<&Value>, text: &str) -> Result<Value, String> {
    let items = || text.split(',').map(str::trim).filter(|t| !t.is_empty());
    Ok(match expected {
        Some(Value::Boolean(_)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Value::Boolean(true),
            "false" | "0" | "no" | "off" => Value::Boolean(false),
            _ => return Err("must be true or false".to_owned()),
        },
        Some(Value::Integer(_)) => Value::Integer(text.trim().parse().map_err(|_| "must be a whole number")?),
        Some(Value::Float(_)) => Value::Float(text.trim().parse().map_err(|_| "must be a number")?),
        Some(Value::Array(_)) => Value::Array(items().map(|t| Value::String(t.to_owned())).collect()),
        Some(Value::Table(_)) if text.trim_start().starts_with('{') => Value::Table(table(text)?),
        Some(Value::Table(schema)) if schema.get("*").is_some_and(Value::is_str) => {
            let mut map = Table::new();
            for pair in items() {
                let (name, value) = pair.split_once('=').ok_or("must be `name=value` pairs, or a table in braces")?;
                map.insert(name.trim().to_owned(), Value::String(value.trim().to_owned()));
            }
            Value::Table(map)
        }
        Some(Value::Table(_)) => return Err("must be a table in braces, as TOML or JSON writes it".to_owned()),
        _ => Value::String(text.to_owned()),
    })
}

/// A table in braces. What is wrong with it is told without its text, which may hold a secret.
fn table(text: &str) -> Result<Table, String> {
    if let Ok(map) = serde_json::from_str(text) {
        return Ok(map);
    }
    let value = Value::deserialize(toml::de::ValueDeserializer::parse(text).map_err(|e| unreadable(&e))?);
    match value.map_err(|e| unreadable(&e))? {
        Value::Table(map) => Ok(map),
        _ => Err("must be a table in braces, as TOML or JSON writes it".to_owned()),
    }
}

fn unreadable(error: &toml::de::Error) -> String {
    format!("is no table, neither in TOML nor in JSON: {}", error.message())
}
