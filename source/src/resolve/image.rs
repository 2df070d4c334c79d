//! Where the image of a configuration comes from, with variables filled in and paths from the root of
//! the repository.

use devcontainer::variables::Variables;
use devcontainer::{DevContainer, Diagnostic, Severity, Tree};
use devcontainer::{Scenario, scenario::Build};
use steading_core::ImageRef;
use steading_core::resolution::ImageSource;

use super::{Place, ResolveError, Rules, default_image};

/// Where the image comes from. `tree` has the Dockerfile; templates have none.
pub(super) fn of(
    config: &DevContainer,
    tree: Option<&dyn Tree>,
    place: &Place,
    rules: &Rules,
) -> Result<(ImageSource, Vec<Diagnostic>), ResolveError> {
    let local = format!("/workspaces/{}", place.folder);
    let workspace = devcontainer::workspace::of_config(config, &local, &local);
    let variables = Variables::local(rules.local_env.clone(), Some(&local), Some(&workspace.folder));
    let variables = variables.map_err(ResolveError::Variable)?;
    let filled = variables.apply(config).map_err(ResolveError::Variable)?;
    match filled.scenario() {
        Scenario::Image(image) if image.trim().is_empty() => Ok((default_image(rules), vec![no_image(config, rules)])),
        Scenario::Image(image) => Ok((ImageSource::Pull { image: ImageRef::new(image.trim()) }, Vec::new())),
        Scenario::Build(build) => {
            let diagnostics = options(config, &build);
            Ok((from_build(config, tree, build)?, diagnostics))
        }
        Scenario::Compose(_) => Err(ResolveError::Compose { file: config.file.clone() }),
        // Only templates may leave the image to the server without a word.
        Scenario::None if tree.is_none() => Ok((default_image(rules), Vec::new())),
        Scenario::None => Ok((default_image(rules), vec![no_image(config, rules)])),
    }
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
    let outside = |path: &str| ResolveError::Outside { file: config.file.clone(), path: path.to_owned() };
    let dockerfile = join(config.folder(), &build.dockerfile).ok_or_else(|| outside(&build.dockerfile))?;
    let context = match &build.context {
        Some(context) => join(config.folder(), context).ok_or_else(|| outside(context))?,
        None => dockerfile.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned()),
    };
    if dockerfile.is_empty() || tree.is_none_or(|tree| !has_file(tree, &dockerfile)) {
        return Err(ResolveError::NoDockerfile { file: config.file.clone(), dockerfile });
    }
    Ok(ImageSource::Build {
        dockerfile,
        context,
        target: build.target,
        args: build.args.into_iter().collect(),
        cache_from: build.cache_from,
    })
}

fn has_file(tree: &dyn Tree, path: &str) -> bool {
    tree.read(path).is_some()
}

/// A path from the root, for one written from a folder; `None` if it leads out.
fn join(folder: &str, path: &str) -> Option<String> {
    // The reference implementation mounts the repository under its own name; an absolute path means this machine.
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
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
        of(&config, Some(&tree), &place, &rules)
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
