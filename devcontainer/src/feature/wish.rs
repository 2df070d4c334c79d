//! The Features somebody asks for.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shorthand;
use crate::config::DevContainer;

/// One Feature that a configuration asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// The reference as written.
    pub id: String,
    /// The options as written: an object, or one value for the option `version`.
    pub options: Value,
}

impl Wish {
    /// The Features of a configuration in the order of the file, then those in `additional` that it does
    /// not have itself. Old names for what is now an option of another Feature are replaced.
    #[must_use]
    pub fn all(config: &DevContainer, additional: &IndexMap<String, Value>) -> Vec<Self> {
        let mut wishes = entries(config.properties.get("features"));
        for (id, options) in additional {
            if !wishes.iter().any(|wish| wish.id == *id) {
                wishes.push(Self { id: id.clone(), options: options.clone() });
            }
        }
        shorthand::absorb(&mut wishes);
        wishes
    }
}

/// A list has its indices for names, as in JavaScript; nothing is called so, and an error tells.
fn entries(features: Option<&Value>) -> Vec<Wish> {
    match features {
        Some(Value::Object(map)) => {
            map.iter().map(|(id, options)| Wish { id: id.clone(), options: options.clone() }).collect()
        }
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(index, options)| Wish { id: index.to_string(), options: options.clone() })
            .collect(),
        Some(Value::String(text)) if !text.is_empty() => {
            vec![Wish { id: "0".to_owned(), options: Value::String(text.clone()) }]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(config: &str, additional: Value) -> Vec<String> {
        let config = DevContainer::parse("devcontainer.json", config).config.unwrap_or_default();
        let additional = serde_json::from_value(additional).unwrap_or_default();
        Wish::all(&config, &additional).into_iter().map(|wish| wish.id).collect()
    }

    #[test]
    fn additional_features_follow_and_never_replace() {
        assert_eq!(ids(r#"{"features": {"b": 1, "a": 2}}"#, json!({"c": {}, "a": {}})), ["b", "a", "c"]);
        assert_eq!(ids("{}", json!({"c": {}})), ["c"]);
    }

    #[test]
    fn what_is_no_object_has_no_known_names() {
        assert!(ids(r#"{"features": null}"#, json!({})).is_empty());
        assert!(ids(r#"{"features": true}"#, json!({})).is_empty());
        assert_eq!(ids(r#"{"features": ["git", "node"]}"#, json!({})), ["0", "1"]);
        assert_eq!(ids(r#"{"features": "git"}"#, json!({})), ["0"]);
    }
}
