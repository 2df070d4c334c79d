//! Folds layers of configuration and remembers which layer gave each value.
//!
//! Later layers win, key by key. A key that no part of Steading reads is refused, with the nearest one
//! that exists as a hint: a misspelt setting that is silently ignored costs an afternoon.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use super::{Auth, Config, Credential, Database, Queue, Server, Source, check};
use crate::fault::{Class, Fault};
use crate::secret::{REDACTED, Secret};

/// What the names of environment variables that are configuration start with.
pub const PREFIX: &str = "STEADING_";

/// Keys whose values are secrets and never shown.
const SECRETS: [&str; 3] = ["database.url", "queue.url", "auth.admin_token"];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A TOML file, by its path.
    File(String),
    /// An environment variable, by its name.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not TOML.
    #[error("{file} is not valid TOML: {reason}")]
    Syntax {
        /// Which file.
        file: String,
        /// Where and why.
        reason: String,
    },
    /// Nothing reads this key.
    #[error("unknown key `{key}` ({origin})")]
    UnknownKey {
        /// The key.
        key: String,
        /// Who gave it.
        origin: String,
        /// The nearest key that exists.
        near: Option<String>,
    },
    /// The value cannot be read.
    #[error("`{key}` ({origin}) {reason}")]
    BadValue {
        /// The key.
        key: String,
        /// Who gave it.
        origin: String,
        /// What is expected.
        reason: String,
    },
}

impl Fault for ConfigError {
    fn class(&self) -> Class {
        Class::Permanent
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "config-syntax",
            Self::UnknownKey { .. } => "config-unknown-key",
            Self::BadValue { .. } => "config-bad-value",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { near: Some(near), .. } => Some(format!("Did you mean `{near}`?")),
            Self::UnknownKey { near: None, .. } | Self::BadValue { .. } => {
                Some("`steading config` lists every key, its value and where it comes from.".to_owned())
            }
            Self::Syntax { .. } => Some("Keys stand under sections: `[server]`, then `listen = \"…\"`.".to_owned()),
        }
    }
}

/// Values by dotted key, from one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer(Vec<(String, Value, Origin)>);

/// A configuration, and where each of its values came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What everything else reads.
    pub config: Config,
    /// Every key with its value as shown to people, and its origin.
    pub shown: BTreeMap<String, (String, Origin)>,
}

impl Layer {
    /// Reads a TOML file's text.
    pub fn file(path: &str, text: &str) -> Result<Self, ConfigError> {
        let table: Table = text
            .parse()
            .map_err(|e: toml::de::Error| ConfigError::Syntax { file: path.to_owned(), reason: e.to_string() })?;
        let origin = Origin::File(path.to_owned());
        let mut values = Vec::new();
        flatten(&sample(), &table, "", &mut |key, value| values.push((key, value, origin.clone())));
        Ok(Self(values))
    }

    /// Reads the variables whose names start with [`PREFIX`] and contain `__`; others are not ours.
    pub fn environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut values = Vec::new();
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            if !rest.contains("__") && !rest.eq_ignore_ascii_case("mirrors") {
                continue;
            }
            let key = rest.to_ascii_lowercase().replace("__", ".");
            let origin = Origin::Environment(name);
            let value = typed(&key, &text, &origin)?;
            values.push((key, value, origin));
        }
        Ok(Self(values))
    }

    /// Flags of the command line: name, key, text.
    pub fn flags<'a>(flags: impl IntoIterator<Item = (&'a str, &'a str, String)>) -> Result<Self, ConfigError> {
        flags
            .into_iter()
            .map(|(flag, key, text)| {
                let origin = Origin::Flag(flag.to_owned());
                Ok((key.to_owned(), typed(key, &text, &origin)?, origin))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Folds layers, the weakest first.
pub fn fold(layers: impl IntoIterator<Item = Layer>) -> Result<Loaded, ConfigError> {
    let sample = sample();
    let mut origins: BTreeMap<String, Origin> = BTreeMap::new();
    let mut table = Table::new();
    for (key, value, origin) in layers.into_iter().flat_map(|layer| layer.0) {
        check(&sample, &key, &value, &origin)?;
        set(&mut table, &key, value);
        origins.insert(key, origin);
    }
    let config = check::normalised(read(&table, &origins)?).map_err(|wrong| wrong.given_by(&origins))?;
    let shown = show(&config, &origins);
    Ok(Loaded { config, shown })
}

fn read(table: &Table, origins: &BTreeMap<String, Origin>) -> Result<Config, ConfigError> {
    // Read key by key, so that an error names its key.
    let whole: Result<Config, _> = Value::Table(table.clone()).try_into();
    whole.map_err(|whole_error| {
        let culprit = origins.iter().find_map(|(key, origin)| {
            let mut alone = Table::new();
            set(&mut alone, key, get(table, key)?.clone());
            let alone: Result<Config, toml::de::Error> = Value::Table(alone).try_into();
            Some((key, origin, alone.err()?))
        });
        let (key, origin, reason) = culprit.map_or_else(
            || (String::new(), String::new(), whole_error.message().to_owned()),
            |(key, origin, error)| (key.clone(), origin.to_string(), format!("cannot be read: {}", error.message())),
        );
        ConfigError::BadValue { key, origin, reason }
    })
}

/// A configuration in which every key has a value, to know the keys and their kinds.
fn sample() -> Table {
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

/// Walks a table down to the values that the schema has no table for.
fn flatten(schema: &Table, table: &Table, prefix: &str, out: &mut impl FnMut(String, Value)) {
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

fn split(key: &str) -> Vec<String> {
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

fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let parts = split(key);
    let (last, folders) = parts.split_last()?;
    let mut at = table;
    for part in folders {
        at = at.get(part)?.as_table()?;
    }
    at.get(last)
}

fn schema_of<'a>(sample: &'a Table, key: &str) -> Option<&'a Value> {
    let mut at: Option<&Value> = None;
    let mut table = sample;
    for part in split(key) {
        let value = table.get(&part).or_else(|| table.get("*"))?;
        at = Some(value);
        static EMPTY: std::sync::LazyLock<Table> = std::sync::LazyLock::new(Table::new);
        table = value.as_table().unwrap_or(&EMPTY);
    }
    at
}

fn set(table: &mut Table, key: &str, value: Value) {
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

fn check(sample: &Table, key: &str, value: &Value, origin: &Origin) -> Result<(), ConfigError> {
    let Some(expected) = schema_of(sample, key) else {
        return Err(ConfigError::UnknownKey { key: key.to_owned(), origin: origin.to_string(), near: nearest(key) });
    };
    let fits = expected.same_type(value) || (expected.is_float() && value.is_integer());
    if fits {
        return Ok(());
    }
    Err(ConfigError::BadValue {
        key: key.to_owned(),
        origin: origin.to_string(),
        reason: format!("must be {}, not {}", kind(expected), kind(value)),
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
        Value::Datetime(_) => "a date",
    }
}

fn nearest(key: &str) -> Option<String> {
    keys()
        .into_iter()
        .filter(|k| !k.contains('*'))
        .map(|k| (strsim::damerau_levenshtein(&k, key), k))
        .min()
        .filter(|(distance, _)| *distance <= 4)
        .map(|(_, k)| k)
}

/// Text from the environment or the command line, as what the key wants: lists are separated by commas,
/// maps are `a=b` pairs separated by commas.
fn typed(key: &str, text: &str, origin: &Origin) -> Result<Value, ConfigError> {
    let sample = sample();
    let expected = schema_of(&sample, key);
    let bad = |reason: &str| ConfigError::BadValue {
        key: key.to_owned(),
        origin: origin.to_string(),
        reason: reason.to_owned(),
    };
    let items = || text.split(',').map(str::trim).filter(|t| !t.is_empty());
    Ok(match expected {
        Some(Value::Boolean(_)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Value::Boolean(true),
            "false" | "0" | "no" | "off" => Value::Boolean(false),
            _ => return Err(bad("must be true or false")),
        },
        Some(Value::Integer(_)) => Value::Integer(text.trim().parse().map_err(|_| bad("must be a whole number"))?),
        Some(Value::Float(_)) => Value::Float(text.trim().parse().map_err(|_| bad("must be a number"))?),
        Some(Value::Array(_)) => Value::Array(items().map(|t| Value::String(t.to_owned())).collect()),
        Some(Value::Table(_)) => {
            let mut map = Table::new();
            for pair in items() {
                let (name, value) = pair.split_once('=').ok_or_else(|| bad("must be `name=value` pairs"))?;
                map.insert(name.trim().to_owned(), Value::String(value.trim().to_owned()));
            }
            Value::Table(map)
        }
        _ => Value::String(text.to_owned()),
    })
}

fn show(config: &Config, origins: &BTreeMap<String, Origin>) -> BTreeMap<String, (String, Origin)> {
    let sample = sample();
    let values = Table::try_from(config).unwrap_or_default();
    let mut shown = BTreeMap::new();
    flatten(&sample, &values, "", &mut |key, value| {
        let origin = origins
            .get(&key)
            .or_else(|| origins.iter().find(|(k, _)| key.starts_with(&format!("{k}."))).map(|(_, o)| o));
        let secret = SECRETS.contains(&key.as_str()) && value.as_str() == Some(REDACTED);
        let is_set = origin.is_some();
        let text = match value {
            _ if secret && !is_set => "\"\"".to_owned(),
            value => value.to_string(),
        };
        shown.insert(key, (text, origin.cloned().unwrap_or(Origin::Default)));
    });
    for key in keys().into_iter().filter(|k| !k.contains('*')) {
        shown.entry(key).or_insert_with(|| ("(unset)".to_owned(), Origin::Default));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Result<Layer, ConfigError> {
        Layer::environment(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn later_layers_win_and_say_so() {
        let file =
            Layer::file("steading.toml", "[server]\nlisten = \"0.0.0.0:80\"\ndomain = \"ws.example.com\"\n").unwrap();
        let env =
            environment(&[("STEADING_SERVER__LISTEN", "127.0.0.1:9"), ("STEADING_TOKEN", "x"), ("HOME", "/")]).unwrap();
        let flags = Layer::flags([("--domain", "server.domain", "localhost".to_owned())]).unwrap();
        let loaded = fold([file, env, flags]).unwrap();
        assert_eq!(loaded.config.server.listen.to_string(), "127.0.0.1:9");
        assert_eq!(loaded.config.server.domain, "localhost");
        assert_eq!(loaded.shown["server.listen"].1.to_string(), "environment STEADING_SERVER__LISTEN");
        assert_eq!(loaded.shown["server.domain"].1.to_string(), "flag --domain");
        assert_eq!(loaded.shown["server.scheme"], ("\"http\"".to_owned(), Origin::Default));
    }

    #[test]
    fn a_misspelt_key_is_refused_with_a_hint() {
        let layer = environment(&[("STEADING_SERVER__LISTN", "127.0.0.1:9")]).unwrap();
        let error = fold([layer]).unwrap_err();
        assert_eq!(error.code(), "config-unknown-key");
        assert_eq!(error.hint().unwrap(), "Did you mean `server.listen`?");
        let error = fold([Layer::file("a.toml", "[server]\nliste = \"x\"").unwrap()]).unwrap_err();
        assert_eq!(error.to_string(), "unknown key `server.liste` (file a.toml)");
    }

    #[test]
    fn a_value_of_the_wrong_kind_names_its_key() {
        let error = fold([Layer::file("a.toml", "[worker]\nconcurrency = \"many\"").unwrap()]).unwrap_err();
        assert_eq!(error.to_string(), "`worker.concurrency` (file a.toml) must be a whole number, not text");
        let error = fold([environment(&[("STEADING_SERVER__LISTEN", "nonsense")]).unwrap()]).unwrap_err();
        assert!(
            error.to_string().starts_with("`server.listen` (environment STEADING_SERVER__LISTEN) cannot be read"),
            "{error}"
        );
        assert!(environment(&[("STEADING_POLICY__PRIVILEGED", "maybe")]).is_err());
    }

    #[test]
    fn maps_and_lists_come_from_every_layer() {
        let file = Layer::file(
            "a.toml",
            "[mirrors]\n\"ghcr.io\" = \"mirror.test/ghcr\"\n[source.credentials.\"git.example.com:3000\"]\nusername = \"me\"\npassword = \"secret\"\n",
        )
        .unwrap();
        let env = environment(&[("STEADING_POLICY__CAPABILITIES", "SYS_PTRACE, NET_ADMIN")]).unwrap();
        let loaded = fold([file, env]).unwrap();
        assert_eq!(loaded.config.mirrors["ghcr.io"], "mirror.test/ghcr");
        assert_eq!(loaded.config.source.credentials["git.example.com:3000"].password.reveal(), "secret");
        assert_eq!(loaded.config.policy.capabilities, ["SYS_PTRACE", "NET_ADMIN"]);
        assert!(!format!("{:?}", loaded.shown).contains("secret\""));
        let env = environment(&[("STEADING_MIRRORS", "docker.io=mirror.test/hub")]).unwrap();
        assert_eq!(fold([env]).unwrap().config.mirrors["docker.io"], "mirror.test/hub");
    }

    #[test]
    fn secrets_are_read_and_not_shown() {
        let env = environment(&[("STEADING_AUTH__ADMIN_TOKEN", "hunter2")]).unwrap();
        let loaded = fold([env]).unwrap();
        assert_eq!(loaded.config.auth.admin_token.reveal(), "hunter2");
        assert!(!loaded.shown["auth.admin_token"].0.contains("hunter2"));
        assert_eq!(fold([]).unwrap().shown["auth.admin_token"].0, "\"\"");
    }
}
