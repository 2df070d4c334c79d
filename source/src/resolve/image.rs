//! Where the image of a configuration comes from, with variables filled in and paths from the root of
//! the repository.

use devcontainer::scenario::Build;
use devcontainer::{BuildError, DevContainer, Diagnostic, Scenario, Severity, Tree, Variables, build, config_hash};
use steading_core::ImageRef;
use steading_core::resolution::ImageSource;

use super::{Place, ResolveError, Rules, default_image};

/// Where the image comes from, and what decides it.
pub(super) struct Found {
    /// Where it comes from.
    pub image: ImageSource,
    /// Names what decides it, where the files have names.
    pub config_hash: Option<String>,
    /// What is worth telling.
    pub diagnostics: Vec<Diagnostic>,
}

/// Where the image comes from. `tree` has the Dockerfile; templates have none.
pub(super) fn of(
    config: &DevContainer,
    tree: Option<&dyn Tree>,
    place: &Place,
    rules: &Rules,
) -> Result<Found, ResolveError> {
    let filled = filled(config, place, rules)?;
    let (image, diagnostics) = match filled.scenario() {
        Scenario::Image(image) if image.trim().is_empty() => (default_image(rules), vec![no_image(config, rules)]),
        Scenario::Image(image) => (ImageSource::Pull { image: ImageRef::new(image.trim()) }, Vec::new()),
        Scenario::Build(build) => (from_build(&filled, tree, build.clone())?, options(config, &build)),
        Scenario::Compose(_) => return Err(ResolveError::Compose { file: config.file.clone() }),
        // Only templates may leave the image to the server without a word.
        Scenario::None if tree.is_none() => (default_image(rules), Vec::new()),
        Scenario::None => (default_image(rules), vec![no_image(config, rules)]),
    };
    let config_hash = tree.and_then(|tree| config_hash(&filled, tree, &rules.default_image));
    Ok(Found { image, config_hash, diagnostics })
}

/// The configuration with its variables filled in, as far as they are known before there is a container.
fn filled(config: &DevContainer, place: &Place, rules: &Rules) -> Result<DevContainer, ResolveError> {
    let local = format!("/workspaces/{}", place.folder);
    let workspace = devcontainer::workspace::of_config(config, &local, &local);
    let variables = Variables::local(rules.local_env.clone(), Some(&local), Some(&workspace.folder));
    variables.and_then(|variables| variables.apply(config)).map_err(ResolveError::Variable)
}

fn no_image(config: &DevContainer, rules: &Rules) -> Diagnostic {
    let message = format!("the configuration names no image; {} is used", rules.default_image);
    Diagnostic::warning(&config.file, "no-image", message).hint("Add \"image\" or \"build\" to the configuration.")
}

fn options(config: &DevContainer, build: &Build) -> Vec<Diagnostic> {
    if build.options.is_empty() {
        return Vec::new();
    }
    let message = format!("build.options is not used: {}", build.options.join(" "));
    vec![Diagnostic::new(Severity::Warning, &config.file, "build-options-not-used", message)]
}

fn from_build(config: &DevContainer, tree: Option<&dyn Tree>, build: Build) -> Result<ImageSource, ResolveError> {
    let file = config.file.clone();
    let paths = match build::paths(config) {
        Ok(paths) => paths,
        Err(BuildError::OutsideRepository(path)) => return Err(ResolveError::Outside { file, path }),
        Err(_) => return Err(ResolveError::NoDockerfile { file, dockerfile: build.dockerfile }),
    };
    if tree.is_none_or(|tree| !has_file(tree, &paths.dockerfile)) {
        return Err(ResolveError::NoDockerfile { file, dockerfile: paths.dockerfile });
    }
    Ok(ImageSource::Build {
        dockerfile: paths.dockerfile,
        context: paths.context,
        target: build.target,
        args: build.args.into_iter().collect(),
        cache_from: build.cache_from,
    })
}

fn has_file(tree: &dyn Tree, path: &str) -> bool {
    tree.read(path).is_some()
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::folder::Listed;

    fn image(text: &str) -> Result<(ImageSource, Vec<Diagnostic>), ResolveError> {
        let config = DevContainer::parse(".devcontainer/devcontainer.json", text).config.unwrap();
        let tree = Listed::of(&[".devcontainer/Dockerfile", "docker/Dockerfile"]);
        let rules = Rules {
            default_image: "default:1".into(),
            local_env: IndexMap::from([("TAG".to_owned(), "7".to_owned())]),
        };
        let place = Place { folder: "repo".into(), ..Place::default() };
        of(&config, Some(&tree), &place, &rules).map(|found| (found.image, found.diagnostics))
    }

    fn build(text: &str) -> (String, String) {
        match image(text).unwrap().0 {
            ImageSource::Build { dockerfile, context, .. } => (dockerfile, context),
            other @ ImageSource::Pull { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn paths_start_at_the_folder_of_the_configuration() {
        let of = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            build(r#"{"build": {"dockerfile": "Dockerfile"}}"#),
            of(".devcontainer/Dockerfile", ".devcontainer")
        );
        assert_eq!(
            build(r#"{"build": {"dockerfile": "Dockerfile", "context": ".."}}"#),
            of(".devcontainer/Dockerfile", "")
        );
        assert_eq!(build(r#"{"build": {"dockerfile": "../docker/Dockerfile"}}"#), of("docker/Dockerfile", "docker"));
        assert_eq!(
            build(r#"{"dockerFile": "Dockerfile", "context": "../docker"}"#),
            of(".devcontainer/Dockerfile", "docker")
        );
    }

    #[test]
    fn what_leads_out_or_is_missing_is_refused() {
        let refused = |text: &str| image(text).unwrap_err();
        assert!(matches!(refused(r#"{"build": {"dockerfile": "../../Dockerfile"}}"#), ResolveError::Outside { .. }));
        assert!(matches!(
            refused(r#"{"build": {"dockerfile": "Dockerfile", "context": "../.."}}"#),
            ResolveError::Outside { .. }
        ));
        assert!(matches!(refused(r#"{"build": {"dockerfile": "/Dockerfile"}}"#), ResolveError::Outside { .. }));
        assert!(matches!(refused(r#"{"build": {"dockerfile": "Nope"}}"#), ResolveError::NoDockerfile { .. }));
        assert!(matches!(refused(r#"{"dockerComposeFile": "c.yml"}"#), ResolveError::Compose { .. }));
    }

    #[test]
    fn variables_are_filled_in_from_what_is_allowed() {
        let pulled = |text: &str| match image(text).unwrap().0 {
            ImageSource::Pull { image } => image.to_string(),
            other @ ImageSource::Build { .. } => panic!("{other:?}"),
        };
        assert_eq!(pulled(r#"{"image": "a:${localEnv:TAG}"}"#), "a:7");
        assert_eq!(pulled(r#"{"image": "a:${localEnv:HOME}x"}"#), "a:x");
        assert_eq!(pulled(r#"{"image": "${localWorkspaceFolderBasename}:1"}"#), "repo:1");
    }

    #[test]
    fn without_an_image_the_default_is_used_and_said() {
        let (source, diagnostics) = image(r#"{"forwardPorts": [1]}"#).unwrap();
        assert_eq!(source, ImageSource::Pull { image: ImageRef::new("default:1") });
        assert_eq!(diagnostics[0].code, "no-image");
    }
}
