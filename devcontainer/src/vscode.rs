//! What a configuration says to VS Code: `customizations.vscode`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::merged::Merged;

/// The fold of everything the layers say to VS Code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VsCode {
    /// Extensions to install, by their identifiers, each once.
    pub extensions: Vec<String>,
    /// Settings of the machine; a later layer's value replaces an earlier one's.
    pub settings: Map<String, Value>,
}

impl VsCode {
    /// Folds the layers in order. An extension written with a `-` before it takes back what an
    /// earlier layer asked for. The case of identifiers does not matter.
    #[must_use]
    pub fn of(merged: &Merged) -> Self {
        let mut folded = Self::default();
        let said = merged.customizations.get("vscode").map(Vec::as_slice).unwrap_or_default();
        for said in said {
            for id in crate::properties::list(said.get("extensions")).iter().filter_map(Value::as_str) {
                let (taken_back, id) = id.trim().strip_prefix('-').map_or((false, id.trim()), |id| (true, id));
                folded.extensions.retain(|known| !(taken_back && known.eq_ignore_ascii_case(id)));
                let known = folded.extensions.iter().any(|known| known.eq_ignore_ascii_case(id));
                // The bound keeps the comparison cheap for a list that no person wrote.
                if !taken_back && !known && !id.is_empty() && folded.extensions.len() < MAX_EXTENSIONS {
                    folded.extensions.push(id.to_owned());
                }
            }
            if let Some(Value::Object(settings)) = said.get("settings") {
                folded.settings.extend(settings.clone());
            }
        }
        folded
    }
}

/// Nobody works with more extensions than this.
const MAX_EXTENSIONS: usize = 500;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn folded(said: Vec<Value>) -> VsCode {
        let mut merged = Merged::default();
        merged.customizations.insert("vscode".to_owned(), said);
        VsCode::of(&merged)
    }

    #[test]
    fn extensions_add_up_and_can_be_taken_back() {
        let read = folded(vec![
            json!({"extensions": ["ms-python.python", "a.b"]}),
            json!({"extensions": ["MS-Python.Python", "-a.b", "c.d", 3, ""]}),
        ]);
        assert_eq!(read.extensions, ["ms-python.python", "c.d"]);
    }

    #[test]
    fn later_settings_win() {
        let read = folded(vec![
            json!({"settings": {"a": 1, "b": {"c": 1}}}),
            json!(null),
            json!({"settings": {"b": {"d": 2}}}),
        ]);
        assert_eq!(Value::Object(read.settings), json!({"a": 1, "b": {"d": 2}}));
        assert_eq!(VsCode::of(&Merged::default()), VsCode::default());
    }
}
