//! Moves the properties of old files to where they belong now.

use serde_json::{Map, Value};

/// Moves `extensions`, `settings` and `devPort` into `customizations.vscode`. Old extensions
/// follow the new ones, and new settings win over old ones, as in the reference.
pub(crate) fn move_old_properties(mut map: Map<String, Value>) -> Map<String, Value> {
    map = move_editor_properties(map);
    let mut vscode = child(map.get("customizations"), "vscode");
    if !vscode.contains_key("devPort")
        && let Some(port) = map.shift_remove("devPort")
    {
        vscode.insert("devPort".to_owned(), port);
        set_vscode(&mut map, vscode);
    }
    map
}

/// Moves `extensions` and `settings` only, which is what the reference does for Features.
pub(crate) fn move_editor_properties(mut map: Map<String, Value>) -> Map<String, Value> {
    let wanted = |map: &Map<String, Value>, key: &str| map.get(key).is_some_and(truthy);
    if !wanted(&map, "extensions") && !wanted(&map, "settings") {
        return map;
    }
    let mut vscode = child(map.get("customizations"), "vscode");
    if wanted(&map, "extensions") {
        let mut all = as_list(vscode.get("extensions").filter(|v| truthy(v)).cloned());
        all.extend(as_list(map.shift_remove("extensions")));
        vscode.insert("extensions".to_owned(), Value::Array(all));
    }
    if wanted(&map, "settings") {
        let mut settings = as_map(map.shift_remove("settings"));
        settings.extend(as_map(vscode.get("settings").cloned()));
        vscode.insert("settings".to_owned(), Value::Object(settings));
    }
    set_vscode(&mut map, vscode);
    map
}

fn set_vscode(map: &mut Map<String, Value>, vscode: Map<String, Value>) {
    let mut customizations = as_map(map.get("customizations").cloned());
    customizations.insert("vscode".to_owned(), Value::Object(vscode));
    map.insert("customizations".to_owned(), Value::Object(customizations));
}

/// Whether JavaScript would take a value for true.
pub(crate) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64().is_some_and(|n| n != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn child(parent: Option<&Value>, key: &str) -> Map<String, Value> {
    as_map(parent.and_then(|p| p.get(key)).cloned())
}

fn as_map(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn as_list(value: Option<Value>) -> Vec<Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(values)) => values,
        Some(one) => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn moved(value: Value) -> Value {
        Value::Object(move_old_properties(as_map(Some(value))))
    }

    #[test]
    fn old_properties_go_under_vscode() {
        let old = json!({
            "extensions": ["old"],
            "settings": {"a": 1, "b": 1},
            "devPort": 0,
            "customizations": {"vscode": {"extensions": ["new"], "settings": {"b": 2}}, "other": 1}
        });
        let new = json!({"customizations": {
            "vscode": {"extensions": ["new", "old"], "settings": {"a": 1, "b": 2}, "devPort": 0},
            "other": 1
        }});
        assert_eq!(moved(old), new);
    }

    #[test]
    fn an_empty_list_moves_and_null_stays() {
        assert_eq!(moved(json!({"extensions": []})), json!({"customizations": {"vscode": {"extensions": []}}}));
        assert_eq!(moved(json!({"extensions": null})), json!({"extensions": null}));
        assert_eq!(
            moved(json!({"devPort": 1, "customizations": {"vscode": {"devPort": 2}}})),
            json!({"devPort": 1, "customizations": {"vscode": {"devPort": 2}}})
        );
    }
}
