//! `devcontainer.json` itself.

use serde::{Deserialize, Serialize};

use crate::{
    diagnostic::{Diagnostic, Severity},
    jsonc,
    properties::Properties,
    scenario::Scenario,
};

pub(crate) use check::{Checker, short};
pub(crate) use legacy::{move_editor_properties, truthy};
pub(crate) use vocabulary::Form;

mod check;
mod legacy;
mod vocabulary;

/// One configuration file, with every property as written; unknown ones are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DevContainer {
    /// Its path, relative to the repository.
    pub file: String,
    /// All its properties, after the old ones were moved to their new places.
    pub properties: Properties,
}

/// A file that was read: the configuration, if there is one in it, and everything to say about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parsed {
    /// The configuration; `None` if the file does not contain an object.
    pub config: Option<DevContainer>,
    /// What was found, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl DevContainer {
    /// Reads a file as the reference implementation does: comments, trailing commas and even
    /// broken syntax are tolerated, as long as the file starts with an object. Whatever was
    /// skipped, is unknown or has the wrong type is a diagnostic.
    #[must_use]
    pub fn parse(file: &str, text: &str) -> Parsed {
        let document = jsonc::parse(file, text);
        let mut diagnostics = document.diagnostics;
        let Some(root) = document.root else {
            // Whatever was found last is why there is no value.
            if let Some(last) = diagnostics.last_mut() {
                last.severity = Severity::Error;
            }
            return Parsed { config: None, diagnostics };
        };
        let Some(map) = root.to_object() else {
            diagnostics.push(
                Diagnostic::error(file, "not-an-object", "the configuration must be a JSON object")
                    .at(Some(root.locate(text)))
                    .hint("start the file with \"{\" and end it with \"}\""),
            );
            return Parsed { config: None, diagnostics };
        };
        diagnostics.extend(check::check(file, text, &root, &map));
        diagnostics.sort_by_key(|d| d.span.map_or(0, |s| s.start));
        let properties = Properties(legacy::move_old_properties(map));
        let config = Self { file: file.to_owned(), properties };
        Parsed { config: Some(config), diagnostics }
    }

    /// Where the image comes from.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        Scenario::of(&self.properties)
    }

    /// The name for people.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.properties.string("name")
    }

    /// The folder that holds the file, relative to the repository; empty for its root.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.file.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

#[cfg(test)]
mod tests;
