//! The fallback templates, and which of them a repository gets that has no configuration of its own.

use std::fmt;

use devcontainer::{DevContainer, Tree};
use serde::Deserialize;

mod detect;

pub use detect::Detected;
use detect::Rules;

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        [$((
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/", $name, "/devcontainer-template.json")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/", $name, "/.devcontainer/devcontainer.json")),
        )),+]
    };
}

const EMBEDDED: [(&str, &str, &str); 11] =
    embedded!["universal", "rust", "node", "python", "go", "java", "ruby", "php", "dotnet", "cpp", "r"];
const DETECT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/detect.toml"));

/// A configuration for repositories that have none.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// What it is chosen by.
    pub id: String,
    /// What people read.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// The configuration.
    pub config: DevContainer,
}

/// The part of `devcontainer-template.json` that we read.
#[derive(Debug, Deserialize)]
struct About {
    name: String,
    #[serde(default)]
    description: String,
}

/// All templates, and the rules that choose one.
#[derive(Debug, Clone)]
pub struct Templates {
    all: Vec<Template>,
    rules: Rules,
}

/// A template that cannot be used: only a mistake in the program can cause it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError(String);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the template {} cannot be read", self.0)
    }
}

impl std::error::Error for TemplateError {}

impl Templates {
    /// The templates that are part of the program.
    ///
    /// # Errors
    /// If one of them is malformed; a test keeps it from being so.
    pub fn embedded() -> Result<Self, TemplateError> {
        let read = |(id, about, config): (&str, &str, &str)| {
            let about: About = serde_json::from_str(about).ok()?;
            let config = DevContainer::parse(".devcontainer/devcontainer.json", config).config?;
            Some(Template { id: id.to_owned(), name: about.name, description: about.description, config })
        };
        let all = EMBEDDED.into_iter().map(|one| read(one).ok_or_else(|| TemplateError(one.0.to_owned())));
        let all = all.collect::<Result<Vec<_>, _>>()?;
        let rules = Rules::parse(DETECT).map_err(TemplateError)?;
        Ok(Self { all, rules })
    }

    /// All of them, the most general one first.
    #[must_use]
    pub fn list(&self) -> &[Template] {
        &self.all
    }

    /// One by its id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Template> {
        self.all.iter().find(|template| template.id == id)
    }

    /// Which template fits the files of a repository, and why.
    #[must_use]
    pub fn detect(&self, tree: &dyn Tree) -> Detected {
        self.rules.detect(tree)
    }
}

#[cfg(test)]
mod tests {
    use devcontainer::{Layer, Scenario, Severity};
    use steading_core::config::Policy;
    use steading_core::policy::admit;

    use super::*;

    #[test]
    fn every_template_is_sound() {
        let templates = Templates::embedded().unwrap();
        for ((id, _, text), template) in EMBEDDED.into_iter().zip(templates.list()) {
            let parsed = DevContainer::parse("devcontainer.json", text);
            let findings: Vec<_> = parsed.diagnostics.iter().filter(|d| d.severity != Severity::Info).collect();
            assert!(findings.is_empty(), "{id}: {findings:?}");
            // What nobody allows is a warning at every start of every such repository.
            let merged = devcontainer::merge(&[Layer::from_config(&template.config)]);
            let args = devcontainer::run_args::parse(&merged.run_args);
            let (_, refused) = admit("devcontainer.json", &merged, &args, &Policy::default());
            assert_eq!(refused, [], "{id}");
            assert!(!template.description.is_empty(), "{id}");
            match template.config.scenario() {
                Scenario::Image(image) => assert!(image.contains('/') && image.contains(':'), "{id}: {image}"),
                other => assert!(id == "universal" && other == Scenario::None, "{id}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_rule_names_a_template() {
        let templates = Templates::embedded().unwrap();
        for id in templates.rules.templates() {
            assert!(templates.find(id).is_some(), "{id}");
        }
    }
}
