//! The values of a Feature's options, and the environment its installation script sees.

use serde_json::{Map, Value};

use super::{Manifest, Wish};
use crate::{
    config::{short, truthy},
    diagnostic::Diagnostic,
    jsonc,
};

/// The option that a value means which is no object.
const MAIN: &str = "version";

/// The values of all options: the defaults, then what was given. One value that is no object is the
/// option `version`, where the Feature has one, and nothing otherwise.
///
/// As in the reference, values that the Feature does not know or allow pass; [`check`] names them.
#[must_use]
pub fn values(manifest: &Manifest, given: &Value) -> Map<String, Value> {
    let options = manifest.0.object("options");
    let mut values: Map<String, Value> =
        options.iter().filter_map(|(name, option)| Some((name.clone(), option.get("default")?.clone()))).collect();
    match given {
        Value::Object(given) => values.extend(given.clone()),
        Value::Array(given) => {
            values.extend(given.iter().enumerate().map(|(index, value)| (index.to_string(), value.clone())));
        }
        Value::Null => {}
        given => {
            if has_main(manifest) {
                values.insert(MAIN.to_owned(), given.clone());
            }
        }
    }
    values
}

/// The lines of a Feature's `devcontainer-features.env`, in the order of its options. A shell reads them,
/// and expands what is in the values: the reference writes them so, and Features have come to use it.
#[must_use]
pub fn environment(manifest: &Manifest, given: &Value) -> Vec<String> {
    let values = values(manifest, given);
    let mut lines: Vec<String> = values.iter().map(|(name, value)| line(&variable(name), value)).collect();
    lines.extend(build_argument(manifest, given));
    lines
}

/// The lines for a Feature in the form of before there was `devcontainer-feature.json`: each variable
/// bears the name of the Feature. A value that means no leaves nothing.
#[must_use]
pub fn old_environment(manifest: &Manifest, given: &Value, folder: &str) -> Vec<String> {
    if !truthy(given) {
        return Vec::new();
    }
    let prefix = format!("_BUILD_ARG_{}", variable(&manifest.id().unwrap_or_default()));
    let values = values(manifest, given);
    let mut lines: Vec<String> =
        values.iter().map(|(name, value)| line(&format!("{prefix}_{}", variable(name)), value)).collect();
    lines.push(format!("{prefix}=true"));
    lines.extend(build_argument(manifest, given));
    lines.push(format!("{prefix}_TARGETPATH=/usr/local/devcontainer-features/{folder}"));
    lines
}

/// The name of the environment variable for an option: in capitals, with `_` for everything but letters
/// and digits, and one `_` for all of those and digits that it starts with.
#[must_use]
pub fn variable(option: &str) -> String {
    // JavaScript counts UTF-16 units, so what is beyond the first plane has two.
    let safe: String = option
        .chars()
        .flat_map(|c| {
            let safe = c.is_ascii_alphanumeric() || c == '_';
            std::iter::repeat_n(if safe { c } else { '_' }, if safe { 1 } else { c.len_utf16() })
        })
        .collect();
    let rest = safe.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
    let start = if rest.len() < safe.len() { "_" } else { "" };
    format!("{start}{}", rest.to_ascii_uppercase())
}

/// What is wrong with the options that a configuration gives to a Feature. `text` is the configuration's,
/// to find the place.
#[must_use]
pub fn check(file: &str, text: &str, wish: &Wish, manifest: &Manifest) -> Vec<Diagnostic> {
    let options = manifest.options();
    let root = jsonc::parse(file, text).root;
    let node = root.as_ref().and_then(|root| Some(&root.member("features")?.node.member(&wish.id)?.node));
    let mut found = Vec::new();
    let mut say = |name: &str, code: &str, message: String, hint: Option<String>| {
        let place = node.map(|node| node.member(name).map_or_else(|| node.locate(text), |member| member.locate(text)));
        let mut finding = Diagnostic::warning(file, code, message).at(place);
        finding.hint = hint;
        found.push(finding);
    };
    let feature = short(&wish.id);
    if manifest.is_deprecated() {
        say("", "deprecated-feature", format!("the Feature \"{feature}\" is deprecated"), None);
    }
    let given = match &wish.options {
        Value::Object(given) => given.clone(),
        Value::Null | Value::Array(_) => Map::new(),
        // Old files say "latest" or true to every Feature, and mean nothing by it.
        _ if !has_main(manifest) => Map::new(),
        version => Map::from_iter([(MAIN.to_owned(), version.clone())]),
    };
    for (name, value) in given.iter().take(MAX_FINDINGS) {
        let shown = short(name);
        match options.get(name) {
            None => {
                let known: Vec<&str> = options.keys().map(String::as_str).take(MAX_FINDINGS).collect();
                let hint = match near(name, &known) {
                    Some(known) => format!("did you mean \"{known}\"?"),
                    None if known.is_empty() => "it has no options".to_owned(),
                    None => format!("it has {}", short_list(&known)),
                };
                say(name, "unknown-option", format!("the Feature \"{feature}\" has no option \"{shown}\""), Some(hint));
            }
            Some(option) => {
                if let Some(expected) = option.objection(value).filter(|_| !has_variable(value)) {
                    let message = format!("the option \"{shown}\" of the Feature \"{feature}\" should be {expected}");
                    say(name, "invalid-option", message, None);
                }
            }
        }
    }
    found
}

/// More than this about one Feature is not worth reading.
const MAX_FINDINGS: usize = 50;

fn has_variable(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("${"))
}

fn near<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    if written.len() > 40 {
        return None;
    }
    let lower = written.to_lowercase();
    let distances = known.iter().map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), *known));
    distances
        .filter(|(distance, known)| *distance <= known.len() / 4 + 1)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

fn short_list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(8).map(|name| format!("\"{}\"", short(name))).collect();
    format!("{}{}", shown.join(", "), if names.len() > 8 { " and more" } else { "" })
}

fn has_main(manifest: &Manifest) -> bool {
    manifest.0.object("options").get(MAIN).is_some_and(truthy)
}

fn line(name: &str, value: &Value) -> String {
    format!("{name}=\"{}\"", text(value))
}

/// An old property names one more variable, for the value of the option `version`.
fn build_argument(manifest: &Manifest, given: &Value) -> Option<String> {
    let name = manifest.0.get("buildArg").filter(|name| truthy(name))?;
    let default = || manifest.options().get(MAIN).and_then(|option| option.default.clone());
    let value = match given {
        _ if !has_main(manifest) => Some(Value::Bool(truthy(given))),
        Value::Object(given) => given.get(MAIN).cloned().or_else(default),
        other => Some(other.clone()),
    };
    Some(format!("{}={}", text(name), value.map_or_else(|| "undefined".to_owned(), |value| text(&value))))
}

/// A value as JavaScript makes a text of it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(double) if double.fract() == 0.0 && double.abs() < 1e21 => format!("{double:.0}"),
            _ => number.to_string(),
        },
        Value::Array(values) => {
            let texts = values.iter().map(|value| if value.is_null() { String::new() } else { text(value) });
            texts.collect::<Vec<_>>().join(",")
        }
        Value::Object(_) => "[object Object]".to_owned(),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests;
