//! Says which Features of a configuration cannot be meant, before anything is looked up.

use super::{Place, Reference, shorthand};
use crate::{
    config::{Checker, short},
    diagnostic::{Diagnostic, Severity},
    jsonc::Node,
};

/// Checks the references of a configuration file. Its path is relative to the repository.
pub(crate) fn references(checker: &mut Checker<'_>, file: &str, root: &Node) {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    // Where paths start at the root of a machine, nobody knows where the repository does.
    let is_relative = !file.starts_with('/');
    let place = Place { root: String::new(), folder };
    let features = root.member("features").map(|features| features.node.members()).unwrap_or_default();
    for member in features.iter().take(super::MAX_FEATURES) {
        let finding = match Reference::parse(&member.name, &place) {
            Err(_) if shorthand::is_absorbed(&member.name) => old(file, &member.name, "an option of another Feature"),
            Err(super::ReferenceError::Outside(_)) if !is_relative => continue,
            Err(error) => Diagnostic::warning(file, error.code(), error.to_string()).hint(error.hint()),
            Ok(reference) => match shorthand::expand(&member.name) {
                full if full != member.name.as_str() => old(file, &member.name, &format!("called \"{full}\"")),
                _ if matches!(reference, Reference::Release(_)) => {
                    old(file, &member.name, "expected in a registry, and only looked for in a GitHub release")
                }
                _ => continue,
            },
        };
        checker.say(finding, member.start, member.end);
    }
}

fn old(file: &str, id: &str, now: &str) -> Diagnostic {
    let message = format!("the Feature \"{}\" is now {now}", short(id));
    Diagnostic::new(Severity::Info, file, "old-feature-name", message)
}

#[cfg(test)]
mod tests {
    use crate::config::DevContainer;

    fn codes(features: &str) -> Vec<String> {
        let text = format!("{{\"image\": \"debian\", \"features\": {features}}}");
        DevContainer::parse(".devcontainer/devcontainer.json", &text).diagnostics.into_iter().map(|d| d.code).collect()
    }

    #[test]
    fn features_that_cannot_be_meant_are_named() {
        assert!(codes(r#"{"ghcr.io/a/b/c:1": {}, "./a": {}, "https://a/devcontainer-feature-x.tgz": {}}"#).is_empty());
        assert_eq!(codes(r#"{"fish": {}}"#), ["unknown-feature-name"]);
        assert_eq!(codes(r#"{"../a": {}, "/a": {}}"#), ["feature-outside-folder", "absolute-feature-path"]);
        assert_eq!(codes(r#"{"ghcr.io/a/b/node:^18": {}}"#), ["invalid-feature-reference"]);
        assert_eq!(codes(r#"{"git": {}, "maven": {}, "a/b/c@v1": {}}"#), ["old-feature-name"; 3]);
    }
}
