//! The image label `devcontainer.metadata`.

use serde_json::{Map, Value};

use crate::{
    diagnostic::Diagnostic,
    layer::{Layer, Origin},
    properties::Properties,
};

/// The name of the label.
pub const LABEL: &str = "devcontainer.metadata";

/// What a `devcontainer.json` contributes to the label of an image built from it.
pub const CONFIG_PROPERTIES: [&str; 24] = [
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
    "postAttachCommand",
    "waitFor",
    "customizations",
    "mounts",
    "containerEnv",
    "containerUser",
    "init",
    "privileged",
    "capAdd",
    "securityOpt",
    "remoteUser",
    "userEnvProbe",
    "remoteEnv",
    "overrideCommand",
    "portsAttributes",
    "otherPortsAttributes",
    "forwardPorts",
    "shutdownAction",
    "updateRemoteUserUID",
    "hostRequirements",
];

/// What a Feature contributes.
pub const FEATURE_PROPERTIES: [&str; 12] = [
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
    "postAttachCommand",
    "init",
    "privileged",
    "capAdd",
    "securityOpt",
    "entrypoint",
    "mounts",
    "customizations",
];

/// Reads the value of the label: a list of entries, or a single one. A label that is not JSON, and
/// entries that are not objects, count as nothing; [`check`] says so.
#[must_use]
pub fn read(label: &str) -> Vec<Layer> {
    entries(label)
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(index, map)| {
            let origin = match map.get("id") {
                Some(Value::String(id)) => Origin::Feature(id.clone()),
                _ => Origin::Image(index),
            };
            Layer { origin, properties: Properties(map) }
        })
        .collect()
}

/// What is wrong with the value of a label, if anything. `image` names the image.
#[must_use]
pub fn check(image: &str, label: &str) -> Option<Diagnostic> {
    entries(label).err().map(|reason| {
        Diagnostic::warning(
            image,
            "invalid-metadata",
            format!("the label {LABEL} of the image cannot be read: {reason}"),
        )
        .hint("the image was probably built by a script; its settings are ignored")
    })
}

/// The value of the label for these layers: always a list, one entry per layer, with the
/// properties that belong into a label, as written and with their variables. Layers that
/// contribute nothing are left out.
#[must_use]
pub fn write(layers: &[Layer]) -> String {
    let entries: Vec<Value> = layers.iter().filter_map(entry).map(Value::Object).collect();
    Value::Array(entries).to_string()
}

/// The `LABEL` instruction of a Dockerfile for these layers, one entry per line; empty if there is
/// nothing to say. `escape` is the Dockerfile's escape character, mostly a backslash.
#[must_use]
pub fn instruction(layers: &[Layer], escape: char) -> String {
    let lines: Vec<String> = layers
        .iter()
        .filter_map(entry)
        .map(|map| format!(" {escape}\n{}", escaped(&Value::Object(map).to_string(), escape)))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("LABEL {LABEL}=\"[{} {escape}\n]\"", lines.join(","))
}

/// The entry of one layer, or `None` if it is empty.
pub(crate) fn entry(layer: &Layer) -> Option<Map<String, Value>> {
    let map = match &layer.origin {
        Origin::File(_) => pick(&layer.properties.0, &CONFIG_PROPERTIES),
        // An image's entries are passed on as they are.
        Origin::Image(_) | Origin::Feature(_) => layer.properties.0.clone(),
    };
    (!map.is_empty()).then_some(map)
}

pub(crate) fn pick(map: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), map.get(*name)?.clone()))).collect()
}

fn entries(label: &str) -> Result<Vec<Map<String, Value>>, String> {
    let value: Value = serde_json::from_str(label).map_err(|error| error.to_string())?;
    let values = match value {
        Value::Array(values) => values,
        object @ Value::Object(_) => vec![object],
        _ => return Err("it is neither a list nor an object".to_owned()),
    };
    Ok(values
        .into_iter()
        .filter_map(|value| match value {
            Value::Object(map) => Some(map),
            _ => None,
        })
        .collect())
}

fn escaped(json: &str, escape: char) -> String {
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if matches!(c, '"' | '$') || c == escape {
            out.push(escape);
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(value: Value) -> Layer {
        Layer {
            origin: Origin::File("devcontainer.json".into()),
            properties: serde_json::from_value(value).unwrap_or_default(),
        }
    }

    #[test]
    fn a_list_and_a_single_entry_are_read() {
        let layers = read(r#"[{"id": "git"}, {"remoteUser": "node"}, 3]"#);
        assert_eq!(
            layers.iter().map(|l| l.origin.clone()).collect::<Vec<_>>(),
            [Origin::Feature("git".into()), Origin::Image(1)]
        );
        assert_eq!(read(r#"{"init": true}"#)[0].properties.boolean("init"), Some(true));
    }

    #[test]
    fn a_label_that_is_no_json_counts_as_nothing_and_is_reported() {
        assert!(read("[{]").is_empty());
        assert_eq!(check("debian", "[{]").map(|d| d.code), Some("invalid-metadata".to_owned()));
        assert_eq!(check("debian", "[]"), None);
    }

    #[test]
    fn only_what_belongs_into_a_label_is_written() {
        let layers = [
            read(r#"[{"id": "git", "init": true}]"#).remove(0),
            file(json!({"name": "x", "image": "y", "remoteUser": "${localEnv:USER}", "initializeCommand": "rm"})),
            file(json!({"name": "only"})),
        ];
        assert_eq!(write(&layers), r#"[{"id":"git","init":true},{"remoteUser":"${localEnv:USER}"}]"#);
    }

    #[test]
    fn the_instruction_escapes_what_a_dockerfile_would_expand() {
        let layers = [file(json!({"postCreateCommand": "echo \"$HOME\""})), file(json!({"init": true}))];
        assert_eq!(
            instruction(&layers, '\\'),
            "LABEL devcontainer.metadata=\"[ \\\n{\\\"postCreateCommand\\\":\\\"echo \\\\\\\"\\$HOME\\\\\\\"\\\"}, \\\n{\\\"init\\\":true} \\\n]\""
        );
        assert_eq!(instruction(&[], '\\'), "");
    }
}
