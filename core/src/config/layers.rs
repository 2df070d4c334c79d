//! Folds layers of configuration and remembers which layer gave each value.
//!
//! Later layers win, key by key. A key that no part of Steading reads is refused, with the nearest one
//! that exists as a hint: a misspelt setting that is silently ignored costs an afternoon.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

pub use super::schema::keys;
use super::schema::{flatten, get, nearest, sample, schema_of, set};
use super::{Config, check};
use crate::fault::{Class, Fault};
use crate::secret::REDACTED;

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
    /// Nobody set it, and the server found it; the text says where.
    Found(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Found(place) => f.write_str(place),
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
    /// A variable's name means an entry of a map.
    #[error("`{key}` ({origin}) cannot be set by a variable of its own")]
    InsideMap {
        /// The key.
        key: String,
        /// Who gave it.
        origin: String,
        /// The map's own key.
        map: String,
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
            Self::InsideMap { .. } => "config-inside-map",
            Self::BadValue { .. } => "config-bad-value",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { near: Some(near), origin, .. } if origin.starts_with("environment ") => {
                Some(format!("Did you mean `{near}`? Its variable is {}.", variable(near)))
            }
            Self::UnknownKey { near: Some(near), .. } => Some(format!("Did you mean `{near}`?")),
            Self::InsideMap { map, .. } => Some(format!(
                "Names in it may have dots, which variables cannot: give the map whole, \
                 {}='{{\"git.example.com\" = …}}', or use a settings file.",
                variable(map)
            )),
            Self::UnknownKey { near: None, .. } | Self::BadValue { .. } => {
                Some("`steading config` lists every key, its value and where it comes from.".to_owned())
            }
            Self::Syntax { .. } => Some("Keys stand under sections: `[server]`, then `listen = \"…\"`.".to_owned()),
        }
    }
}

/// The variable that sets a key.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
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

    pub(super) const fn new(values: Vec<(String, Value, Origin)>) -> Self {
        Self(values)
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
        assert_eq!(error.hint().unwrap(), "Did you mean `server.listen`? Its variable is STEADING_SERVER__LISTEN.");
        let error = fold([environment(&[("STEADING_SERVER_DATA_DIR", "/srv")]).unwrap()]).unwrap_err();
        assert_eq!(error.hint().unwrap(), "Did you mean `server.data_dir`? Its variable is STEADING_SERVER__DATA_DIR.");
        // What commands and scripts read is not ours to judge.
        let others = [("STEADING_SERVER", "http://localhost"), ("STEADING_STATE", "/s"), ("STEADING_TEST_IMAGE", "x")];
        fold([environment(&others).unwrap()]).unwrap();
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
    }

    #[test]
    fn maps_of_several_layers_become_one() {
        let file =
            Layer::file("a.toml", "[mirrors]\n\"ghcr.io\" = \"file.test\"\n\"quay.io\" = \"file.test\"\n").unwrap();
        let env = environment(&[("STEADING_MIRRORS", "docker.io=env.test/hub, ghcr.io=env.test")]).unwrap();
        let loaded = fold([file, env]).unwrap();
        let mirrors: Vec<_> = loaded.config.mirrors.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(mirrors, ["docker.io=env.test/hub", "ghcr.io=env.test", "quay.io=file.test"]);
        assert_eq!(loaded.shown["mirrors.\"ghcr.io\""].1.to_string(), "environment STEADING_MIRRORS");
        assert_eq!(loaded.shown["mirrors.\"quay.io\""].1.to_string(), "file a.toml");
    }

    #[test]
    fn credentials_come_from_the_environment_as_a_table() {
        let toml = r#"{ "git.example.com" = { username = "me", password = "s3cret" } }"#;
        let json = r#"{"git.example.com": {"username": "me", "password": "s3cret"}}"#;
        for text in [toml, json] {
            let loaded = fold([environment(&[("STEADING_SOURCE__CREDENTIALS", text)]).unwrap()]).unwrap();
            let credential = &loaded.config.source.credentials["git.example.com"];
            assert_eq!((credential.username.as_str(), credential.password.reveal().as_str()), ("me", "s3cret"));
            assert!(!format!("{:?}", loaded.shown).contains("s3cret"));
        }
        for text in ["git.example.com=s3cret", "{ s3cret", r#"{"git.example.com" = {password = s3cret}}"#] {
            let error = environment(&[("STEADING_SOURCE__CREDENTIALS", text)]).unwrap_err();
            assert!(error.to_string().starts_with("`source.credentials` (environment"), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        let wrong = r#"{"git.example.com" = {pasword = "x"}}"#;
        let error = fold([environment(&[("STEADING_SOURCE__CREDENTIALS", wrong)]).unwrap()]).unwrap_err();
        assert_eq!(error.code(), "config-unknown-key");
    }

    #[test]
    fn an_entry_of_a_map_has_no_variable_of_its_own() {
        for name in ["STEADING_SOURCE__CREDENTIALS__GIT_EXAMPLE_COM__PASSWORD", "STEADING_MIRRORS__GHCR_IO"] {
            let error = environment(&[(name, "x")]).unwrap_err();
            assert_eq!(error.code(), "config-inside-map");
            let map = if name.contains("MIRRORS") { "STEADING_MIRRORS='" } else { "STEADING_SOURCE__CREDENTIALS='" };
            assert!(error.hint().unwrap().contains(map), "{:?}", error.hint());
        }
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
