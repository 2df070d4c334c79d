//! What sources turn out to be, and why.

use async_trait::async_trait;
use devcontainer::Diagnostic;
use steading_core::ImageRef;
use steading_core::Source;
use steading_core::fault::Fault;
use steading_core::id::PrebuildId;
use steading_core::log::Silent;
use steading_core::prebuild::Prebuild;
use steading_core::resolution::{ImageSource, Resolution, ResolutionKind};
use steading_core::source::Commit;
use steading_core::workspace::Wishes;
use steading_source::folder::Listed;
use steading_source::{NoPrebuilds, Place, PrebuildLookup, ResolveError};

use crate::world::World;

const CONFIG: &str = ".devcontainer/devcontainer.json";

async fn resolve(world: &World, name: &str, wishes: &Wishes) -> Result<Resolution, ResolveError> {
    let source = Source::parse(&world.url(name), true).unwrap();
    world.resolver().resolve(&source, wishes, &NoPrebuilds, &Silent).await
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|d| d.code.as_str()).collect()
}

fn pull(image: &str) -> ImageSource {
    ImageSource::Pull { image: ImageRef::new(image) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_goes_before_a_template() {
    let world = World::new().await;
    let repo =
        world.repo("r", &[(CONFIG, r#"{"image": "debian:bookworm", "forwardPorts": [3000]}"#), ("Cargo.toml", "")]);
    let found = resolve(&world, "r", &Wishes::default()).await.unwrap();
    assert_eq!(found.kind, ResolutionKind::Devcontainer { path: CONFIG.into() });
    assert_eq!(found.image, pull("debian:bookworm"));
    assert_eq!(found.commit.unwrap().as_str(), repo.head());
    assert_eq!(found.branch.as_deref(), Some("main"));
    assert_eq!(found.because, format!("The repository has {CONFIG}."));
    assert_eq!(found.diagnostics, []);

    world.repo("t", &[("Cargo.toml", "")]);
    let found = resolve(&world, "t", &Wishes::default()).await.unwrap();
    assert_eq!(found.kind, ResolutionKind::Template { template: "rust".into() });
    assert_eq!(found.image, pull("mcr.microsoft.com/devcontainers/rust:1"));
    assert_eq!(found.because, "The template Rust is used: Cargo.toml is in the root.");

    world.repo("u", &[("readme.md", "")]);
    let found = resolve(&world, "u", &Wishes::default()).await.unwrap();
    assert_eq!(found.kind, ResolutionKind::Template { template: "universal".into() });
    assert_eq!(found.image, pull("mcr.microsoft.com/devcontainers/universal:2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_configurations_are_a_choice() {
    let world = World::new().await;
    let python = ".devcontainer/python/devcontainer.json";
    world.repo(
        "r",
        &[(CONFIG, r#"{"image": "a"}"#), (".devcontainer.json", r#"{"image": "b"}"#), (python, r#"{"image": "c"}"#)],
    );
    let first = resolve(&world, "r", &Wishes::default()).await.unwrap();
    assert_eq!(first.choices, [CONFIG, ".devcontainer.json", python]);
    assert_eq!(first.image, pull("a"));
    let wish = |config: &str| Wishes { config: Some(config.into()), template: None };
    assert_eq!(resolve(&world, "r", &wish(python)).await.unwrap().image, pull("c"));
    assert_eq!(resolve(&world, "r", &wish("./.devcontainer.json")).await.unwrap().image, pull("b"));
    let missing = resolve(&world, "r", &wish("nope.json")).await.unwrap_err();
    assert_eq!(missing.code(), "configuration-not-found");
    assert!(missing.hint().unwrap().contains(python));
    let template = Wishes { template: Some("go".into()), config: None };
    assert_eq!(resolve(&world, "r", &template).await.unwrap().kind, ResolutionKind::Template { template: "go".into() });
    let template = Wishes { template: Some("cobol".into()), config: None };
    assert_eq!(resolve(&world, "r", &template).await.unwrap_err().code(), "template-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_says_where_and_why() {
    let world = World::new().await;
    let code = |name: &'static str, text: &'static str| {
        world.repo(name, &[(CONFIG, text)]);
        let world = &world;
        async move {
            let error = resolve(world, name, &Wishes::default()).await.unwrap_err();
            assert!(error.hint().is_some(), "{error}");
            (error.code(), error.to_string())
        }
    };
    let (found, text) = code("jsonc", "// nothing\n[1, 2]").await;
    assert_eq!(found, "broken-configuration");
    assert!(text.starts_with(&format!("{CONFIG}:2:1: ")), "{text}");
    assert_eq!(code("blank", "").await.0, "broken-configuration");
    assert_eq!(
        code("compose", r#"{"dockerComposeFile": "c.yml", "service": "x"}"#).await.0,
        "compose-not-supported-yet"
    );
    assert_eq!(code("missing", r#"{"build": {"dockerfile": "Dockerfile"}}"#).await.0, "dockerfile-not-found");
    assert_eq!(code("outside", r#"{"build": {"dockerfile": "../../x"}}"#).await.0, "path-outside-repository");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_carried_out_is_told() {
    let world = World::new().await;
    let text =
        r#"{"image": "a", "features": {"ghcr.io/devcontainers/features/go:1": {}}, "initializeCommand": "make"}"#;
    world.repo("r", &[(CONFIG, text)]);
    let found = resolve(&world, "r", &Wishes::default()).await.unwrap();
    assert_eq!(codes(&found.diagnostics), ["features-not-supported-yet", "initialize-command-not-run"]);
    world.repo("n", &[(CONFIG, r#"{"forwardPorts": [1]}"#)]);
    let found = resolve(&world, "n", &Wishes::default()).await.unwrap();
    assert_eq!(codes(&found.diagnostics), ["no-image"]);
    assert_eq!(found.image, pull("mcr.microsoft.com/devcontainers/universal:2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_names_its_files_from_the_root() {
    let world = World::new().await;
    let text = r#"{"build": {"dockerfile": "Dockerfile", "context": "..", "args": {"V": "1"}, "target": "dev"}}"#;
    world.repo("r", &[(CONFIG, text), (".devcontainer/Dockerfile", "FROM a AS dev")]);
    let found = resolve(&world, "r", &Wishes::default()).await.unwrap();
    let expected = ImageSource::Build {
        dockerfile: ".devcontainer/Dockerfile".into(),
        context: String::new(),
        target: Some("dev".into()),
        args: vec![("V".into(), "1".into())],
        cache_from: vec![],
    };
    assert_eq!(found.image, expected);
}

struct One(Prebuild);

#[async_trait]
impl PrebuildLookup for One {
    async fn find(&self, repository: &str, commit: &Commit, _: Option<&str>) -> Option<Prebuild> {
        (self.0.repository == repository && self.0.commit.as_ref() == Some(commit)).then(|| self.0.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_made_ahead_goes_first() {
    let world = World::new().await;
    let repo = world.repo("r", &[(CONFIG, r#"{"image": "a", "features": {"x": {}}}"#)]);
    let prebuild = Prebuild {
        id: PrebuildId::new(),
        repository: format!("{}/r", world.server.host()),
        commit: Some(repo.head().parse().unwrap()),
        config_hash: None,
        image: ImageRef::new("made:1"),
        created_at: chrono::DateTime::UNIX_EPOCH,
    };
    let source = Source::parse(&world.url("r"), true).unwrap();
    let resolver = world.resolver();
    let found = resolver.resolve(&source, &Wishes::default(), &One(prebuild.clone()), &Silent).await.unwrap();
    let kind = ResolutionKind::Prebuilt { image: ImageRef::new("made:1"), path: Some(CONFIG.into()) };
    assert_eq!((found.kind, found.image, found.diagnostics), (kind, pull("made:1"), vec![]));
    repo.commit(&[("b", "2")]);
    let found = resolver.resolve(&source, &Wishes::default(), &One(prebuild), &Silent).await.unwrap();
    assert_eq!(found.kind_name(), "devcontainer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_reads_the_files_of_the_workspace() {
    let world = World::new().await;
    let files = Listed::default().with(CONFIG, r#"{"image": "changed"}"#);
    let place = Place { branch: Some("main".into()), folder: "r".into(), ..Place::default() };
    let found = world.resolver().resolve_files(&files, place, &Wishes::default()).unwrap();
    assert_eq!((found.image, found.branch.as_deref()), (pull("changed"), Some("main")));
}
