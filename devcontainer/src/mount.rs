//! Mounts, written as a string or as an object.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A folder or file of the host.
    Bind,
    /// A named or anonymous volume of the container engine.
    Volume,
    /// Memory.
    Tmpfs,
}

impl MountKind {
    /// The word in a mount string.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Volume => "volume",
            Self::Tmpfs => "tmpfs",
        }
    }
}

/// One mount. Serialises as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// A path of the host or the name of a volume; `None` for an anonymous volume or memory.
    pub source: Option<String>,
    /// The path in the container.
    pub target: String,
    /// Whether the container may only read it.
    pub read_only: bool,
    /// Every other option, such as `consistency`; the value is `None` for a bare word.
    pub options: IndexMap<String, Option<String>>,
    written: Value,
}

/// Why a mount cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// Neither a string nor an object.
    #[error("a mount is a string such as \"type=volume,source=cache,target=/cache\" or an object")]
    Shape,
    /// Not the short form of a volume.
    #[error("a volume is written as [source:]target[:options]")]
    Volume,
    /// There is no `target`.
    #[error("the mount has no target")]
    NoTarget,
    /// The `type` is not `bind`, `volume` or `tmpfs`.
    #[error("the mount type \"{0}\" is not known; use bind, volume or tmpfs")]
    Kind(String),
    /// A quote of the string form is not closed.
    #[error("the mount has a quote that is not closed")]
    Quote,
}

impl Mount {
    /// A mount with no further options.
    #[must_use]
    pub fn new(kind: MountKind, source: Option<&str>, target: &str, read_only: bool) -> Self {
        let mut mount = Self {
            kind,
            source: source.map(str::to_owned),
            target: target.to_owned(),
            read_only,
            options: IndexMap::new(),
            written: Value::Null,
        };
        mount.written = Value::String(mount.to_text());
        mount
    }

    /// The same mount with one more option.
    #[must_use]
    pub fn with_option(mut self, name: &str, value: Option<&str>) -> Self {
        self.options.insert(name.to_owned(), value.map(str::to_owned));
        self.written = Value::String(self.to_text());
        self
    }

    /// Reads either form.
    ///
    /// # Errors
    /// See [`MountError`].
    pub fn from_json(value: &Value) -> Result<Self, MountError> {
        match value {
            Value::String(text) => Self::from_fields(fields_of_text(text)?, value),
            Value::Object(entries) => {
                let fields = entries.iter().map(|(key, entry)| (key.clone(), plain(entry))).collect();
                Self::from_fields(fields, value)
            }
            _ => Err(MountError::Shape),
        }
    }

    /// Reads the string form, `type=bind,source=/a,target=/b`.
    ///
    /// # Errors
    /// See [`MountError`].
    pub fn parse(text: &str) -> Result<Self, MountError> {
        Self::from_json(&Value::String(text.to_owned()))
    }

    /// Reads what `docker run --volume` takes: `[source:]target[:options]`. A source that starts
    /// with `/`, `.` or `~` is a path of the host, any other is the name of a volume.
    ///
    /// # Errors
    /// [`MountError::NoTarget`] for an empty text or target, [`MountError::Volume`] for too many parts.
    pub fn parse_volume(text: &str) -> Result<Self, MountError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts.as_slice() {
            [target] => (None, *target, ""),
            [source, target] => (Some(*source), *target, ""),
            [source, target, options] => (Some(*source), *target, *options),
            _ => return Err(MountError::Volume),
        };
        if target.is_empty() {
            return Err(MountError::NoTarget);
        }
        let is_path = source.is_some_and(|s| s.starts_with(['/', '.', '~', '$']));
        let kind = if is_path { MountKind::Bind } else { MountKind::Volume };
        let mut mount = Self::new(kind, source.filter(|s| !s.is_empty()), target, false);
        for option in options.split(',').filter(|o| !o.is_empty()) {
            match option {
                "ro" => mount.read_only = true,
                "rw" => {}
                other => {
                    mount.options.insert(other.to_owned(), None);
                }
            }
        }
        mount.written = Value::String(mount.to_text());
        Ok(mount)
    }

    /// The string form in a canonical order. A part with a comma in it is quoted as a whole.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut parts = vec![format!("type={}", self.kind.as_str())];
        if let Some(source) = &self.source {
            parts.push(format!("source={source}"));
        }
        parts.push(format!("target={}", self.target));
        if self.read_only {
            parts.push("readonly".to_owned());
        }
        for (key, value) in &self.options {
            parts.push(value.as_ref().map_or_else(|| key.clone(), |v| format!("{key}={v}")));
        }
        let quoted: Vec<String> = parts
            .into_iter()
            .map(|part| if part.contains([',', '"']) { format!("\"{}\"", part.replace('"', "\"\"")) } else { part })
            .collect();
        quoted.join(",")
    }

    /// The JSON value as it was written.
    #[must_use]
    pub const fn written(&self) -> &Value {
        &self.written
    }

    fn from_fields(fields: Vec<(String, Option<String>)>, written: &Value) -> Result<Self, MountError> {
        let mut mount = Self {
            kind: MountKind::Volume,
            source: None,
            target: String::new(),
            read_only: false,
            options: IndexMap::new(),
            written: written.clone(),
        };
        for (key, value) in fields {
            match (key.as_str(), &value) {
                ("type", Some(kind)) => {
                    mount.kind = match kind.to_ascii_lowercase().as_str() {
                        "bind" => MountKind::Bind,
                        "volume" => MountKind::Volume,
                        "tmpfs" => MountKind::Tmpfs,
                        _ => return Err(MountError::Kind(kind.clone())),
                    };
                }
                ("source" | "src", Some(source)) => mount.source = (!source.is_empty()).then(|| source.clone()),
                ("target" | "dst" | "destination", Some(target)) => mount.target.clone_from(target),
                ("readonly" | "ro" | "readOnly", flag) => {
                    mount.read_only = !matches!(flag.as_deref(), Some("false" | "0"));
                }
                _ => {
                    mount.options.insert(key, value);
                }
            }
        }
        if mount.target.is_empty() {
            return Err(MountError::NoTarget);
        }
        Ok(mount)
    }
}

/// The key under which mounts replace one another: their target, read as the reference reads it.
pub(crate) fn target_key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text
            .split(',')
            .filter_map(|part| {
                let mut pieces = part.split('=');
                let key = pieces.next()?;
                matches!(key, "target" | "dst" | "destination").then(|| pieces.next().unwrap_or_default().to_owned())
            })
            .next_back(),
        Value::Object(entries) => {
            entries.get("target").map(|t| t.as_str().map_or_else(|| t.to_string(), str::to_owned))
        }
        _ => None,
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// Splits at commas outside quotes, as CSV does; the engine reads the string form in that way.
fn fields_of_text(text: &str) -> Result<Vec<(String, Option<String>)>, MountError> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    if quoted {
        return Err(MountError::Quote);
    }
    fields.push(field);
    Ok(fields
        .into_iter()
        .map(|field| field.trim().to_owned())
        .filter(|field| !field.is_empty())
        .map(|field| match field.split_once('=') {
            Some((key, value)) => (key.trim().to_owned(), Some(value.to_owned())),
            None => (field, None),
        })
        .collect())
}

impl Serialize for Mount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Mount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let text = Mount::parse("source=cache,target=/cache,type=volume").ok();
        let object = Mount::from_json(&json!({"type": "volume", "source": "cache", "target": "/cache"})).ok();
        let facts = |m: Option<Mount>| m.map(|m| (m.kind, m.source, m.target, m.read_only));
        assert_eq!(facts(text.clone()), facts(object));
        assert_eq!(serde_json::to_value(text).ok(), Some(json!("source=cache,target=/cache,type=volume")));
    }

    #[test]
    fn short_keys_read_only_and_quotes_are_understood() {
        let mount = Mount::parse("type=bind,\"src=/a,b\",dst=/c,readonly,consistency=cached").ok();
        let mount = mount.unwrap_or_else(|| Mount::new(MountKind::Tmpfs, None, "/wrong", false));
        assert_eq!((mount.kind, mount.source.as_deref(), mount.target.as_str()), (MountKind::Bind, Some("/a,b"), "/c"));
        assert!(mount.read_only);
        assert_eq!(mount.options.get("consistency"), Some(&Some("cached".to_owned())));
        assert_eq!(mount.to_text(), "type=bind,\"source=/a,b\",target=/c,readonly,consistency=cached");
    }

    #[test]
    fn what_cannot_be_mounted_is_an_error() {
        assert_eq!(Mount::parse("type=bind,source=/a"), Err(MountError::NoTarget));
        assert_eq!(Mount::parse("type=npipe,target=/a"), Err(MountError::Kind("npipe".into())));
        assert_eq!(Mount::parse("\"target=/a"), Err(MountError::Quote));
        assert_eq!(Mount::from_json(&json!(3)), Err(MountError::Shape));
    }

    #[test]
    fn volume_arguments_are_binds_volumes_or_anonymous() {
        let kind = |text| Mount::parse_volume(text).map(|m| (m.kind, m.source, m.target, m.read_only));
        assert_eq!(kind("/a:/b:ro"), Ok((MountKind::Bind, Some("/a".into()), "/b".into(), true)));
        assert_eq!(kind("cache:/b"), Ok((MountKind::Volume, Some("cache".into()), "/b".into(), false)));
        assert_eq!(kind("/b"), Ok((MountKind::Volume, None, "/b".into(), false)));
        assert_eq!(kind(""), Err(MountError::NoTarget));
    }
}
