//! Says what is unknown in the description of a Feature, or has a form that cannot be used.

use serde_json::{Map, Value};

use super::FeatureOption;
use crate::{
    config::{Checker, Form},
    diagnostic::Diagnostic,
    jsonc::Node,
};

const PROPERTIES: &[(&str, Form)] = &[
    ("$schema", Form::Text),
    ("id", Form::Text),
    ("version", Form::Text),
    ("name", Form::Text),
    ("description", Form::Text),
    ("documentationURL", Form::Text),
    ("licenseURL", Form::Text),
    ("keywords", Form::Texts),
    ("options", Form::Object),
    ("containerEnv", Form::Environment),
    ("privileged", Form::Flag),
    ("init", Form::Flag),
    ("capAdd", Form::Texts),
    ("securityOpt", Form::Texts),
    ("entrypoint", Form::Text),
    ("mounts", Form::Mounts),
    ("customizations", Form::Object),
    ("installsAfter", Form::Texts),
    ("dependsOn", Form::Object),
    ("legacyIds", Form::Texts),
    ("currentId", Form::Text),
    ("deprecated", Form::Flag),
    ("onCreateCommand", Form::Command),
    ("updateContentCommand", Form::Command),
    ("postCreateCommand", Form::Command),
    ("postStartCommand", Form::Command),
    ("postAttachCommand", Form::Command),
    // Read, but nobody should write them any more.
    ("buildArg", Form::Text),
    ("include", Form::Texts),
    ("exclude", Form::Texts),
    ("extensions", Form::Texts),
    ("settings", Form::Object),
];

const OPTION: &[(&str, Form)] = &[
    ("type", Form::OneOf(&["string", "boolean"])),
    ("default", Form::Any),
    ("description", Form::Text),
    ("enum", Form::Texts),
    ("proposals", Form::Texts),
];

pub(super) fn check(file: &str, text: &str, root: &Node, map: &Map<String, Value>) -> Vec<Diagnostic> {
    let mut checker = Checker::new(file, text);
    checker.members(root, PROPERTIES, "");
    if map.get("id").is_none_or(|id| id.as_str().is_some_and(str::is_empty)) {
        let finding = Diagnostic::warning(file, "feature-without-id", "the Feature does not say its \"id\"");
        checker.say(finding, root.start, root.start);
    }
    for option in root.member("options").map(|options| options.node.members()).unwrap_or_default() {
        let name = format!("options.{}.", crate::config::short(&option.name));
        checker.members(&option.node, OPTION, &name);
        default(&mut checker, file, &option.node, &name);
    }
    checker.findings()
}

fn default(checker: &mut Checker<'_>, file: &str, option: &Node, name: &str) {
    let Some(default) = option.member("default") else { return };
    let written = FeatureOption::of(&option.to_value());
    // Nobody but people reads the default as a value of the type; installation scripts see a text.
    if let Some(expected) = written.objection(&default.node.to_value()) {
        let message = format!("\"{name}default\" should be {expected}; it is used as it is");
        let finding = Diagnostic::warning(file, "invalid-option-default", message);
        checker.say(finding, default.node.start, default.node.end);
    }
}
