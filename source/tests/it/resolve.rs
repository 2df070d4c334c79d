//! What sources turn out to be, and why.

use async_trait::async_trait;
use devcontainer::{Diagnostic, Layer};
use steading_core::ImageRef;
use steading_core::Source;
use steading_core::config::Policy;
use steading_core::fault::Fault;
use steading_core::id::PrebuildId;
use steading_core::log::Silent;
use steading_core::policy::admit;
use steading_core::prebuild::Prebuild;
use steading_core::resolution::{ImageSource, Resolution, ResolutionKind};
use steading_core::source::Commit;
use steading_core::workspace::Wishes;
use steading_source::folder::Listed;
use steading_source::{NoPrebuilds, Place, PrebuildLookup, ResolveError};

use crate::world::{World, git_in, unpack};

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
async fn a_heading_of_the_readme_is_no_branch() {
    let world = World::new().await;
    let repo = world.repo("r", &[("readme.md", "")]);
    let found = resolve(&world, "r#readme", &Wishes::default()).await.unwrap();
    assert_eq!((found.commit.unwrap().as_str(), found.branch.as_deref()), (repo.head().as_str(), Some("main")));
    assert_eq!(codes(&found.diagnostics), ["heading-not-a-ref"]);
    // Where there is such a branch, it is meant.
    repo.git(&["branch", "readme"]);
    let found = resolve(&world, "r#readme", &Wishes::default()).await.unwrap();
    assert_eq!((found.branch.as_deref(), codes(&found.diagnostics)), (Some("readme"), vec![]));
    assert!(resolve(&world, "r#redme", &Wishes::default()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_its_folder() {
    let world = World::new().await;
    world.repo("o/r", &[("readme.md", ""), ("docs/guide/a.md", ""), ("docs/b.md", "")]);
    let opened = async |link: &str| {
        let found = resolve(&world, &format!("o/r{link}"), &Wishes::default()).await.unwrap();
        let codes: Vec<String> = found.diagnostics.iter().map(|d| d.code.clone()).collect();
        (found.path, found.folder, codes.join(" "))
    };
    let of =
        |path: Option<&str>, folder: Option<&str>| (path.map(str::to_owned), folder.map(str::to_owned), String::new());
    assert_eq!(opened("").await, of(None, None));
    assert_eq!(opened("/tree/main/docs/guide").await, of(Some("docs/guide"), Some("docs/guide")));
    assert_eq!(opened("/blob/main/docs/b.md#install").await, of(Some("docs/b.md"), Some("docs")));
    assert_eq!(opened("/blob/main/readme.md").await, of(Some("readme.md"), None));
    let gone = opened("/tree/main/src").await;
    assert_eq!((gone.1, gone.2.as_str()), (None, "linked-path-not-found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_made_ahead_serves_every_commit_with_the_same_configuration() {
    let world = World::new().await;
    let build = r#"{"build": {"dockerfile": "Dockerfile"}}"#;
    let repo = world.repo("r", &[(CONFIG, build), (".devcontainer/Dockerfile", "FROM a")]);
    let hash = resolve(&world, "r", &Wishes::default()).await.unwrap().config_hash.unwrap();
    let prebuild = Prebuild {
        id: PrebuildId::new(),
        repository: format!("{}/r", world.server.host()),
        commit: None,
        config_hash: Some(hash.clone()),
        image: ImageRef::new("made:1"),
        created_at: chrono::DateTime::UNIX_EPOCH,
    };
    let source = Source::parse(&world.url("r"), true).unwrap();
    let resolver = world.resolver();
    let find =
        async |wishes: Wishes| resolver.resolve(&source, &wishes, &One(prebuild.clone()), &Silent).await.unwrap();
    repo.commit(&[("src/main.rs", "")]);
    let found = find(Wishes::default()).await;
    let kind = ResolutionKind::Prebuilt { image: ImageRef::new("made:1"), path: Some(CONFIG.into()) };
    assert_eq!((found.kind, found.image, found.config_hash), (kind, pull("made:1"), Some(hash)));
    assert_eq!(found.because, "The image made:1 was registered for this configuration.");
    let wished = find(Wishes { config: Some(CONFIG.into()), ..Wishes::default() }).await;
    assert_eq!(wished.kind_name(), "prebuilt");
    assert_eq!(find(Wishes { template: Some("go".into()), ..Wishes::default() }).await.kind_name(), "template");
    repo.commit(&[(".devcontainer/Dockerfile", "FROM b")]);
    assert_eq!(find(Wishes::default()).await.kind_name(), "devcontainer");
}

/// How many commits are in the cache, by the end of the mirrors' names.
fn commits(world: &World, end: &str) -> usize {
    let folder = world.root.path().join("data/git");
    let mirrors = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let of_kind = mirrors.filter(|path| path.is_dir() && path.to_str().unwrap().ends_with(end));
    of_kind.map(|mirror| git_in(&mirror, &["rev-list", "--all", "--count"]).parse::<usize>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn resolving_fetches_no_history_and_a_checkout_all_of_it() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    let first = repo.head();
    for n in 0..4 {
        repo.commit(&[("a", &n.to_string()), ("Cargo.toml", "")]);
    }
    let resolver = world.resolver();
    let source = Source::parse(&world.url("r"), true).unwrap();
    let found = resolver.resolve(&source, &Wishes::default(), &NoPrebuilds, &Silent).await.unwrap();
    assert_eq!(found.kind, ResolutionKind::Template { template: "rust".into() });
    assert_eq!((commits(&world, ".tips.git"), commits(&world, ".git")), (1, 1));
    // The next commit, and the one after it, each without what lies between.
    repo.commit(&[("b", "1")]);
    let last = repo.commit(&[("b", "2")]);
    let found = resolver.resolve(&source, &Wishes::default(), &NoPrebuilds, &Silent).await.unwrap();
    assert_eq!(found.commit.as_ref().unwrap().as_str(), last);
    assert_eq!(commits(&world, ".tips.git"), 2);

    let Source::Git(git) = &source else { panic!() };
    let checkout = resolver.git().checkout(git, &found.commit.unwrap(), Some("main"), (0, 0), &Silent).await.unwrap();
    let (folder, _) = unpack(checkout).await;
    assert_eq!(git_in(folder.path(), &["rev-list", "--count", "HEAD"]), "7");
    assert!(!folder.path().join(".git/shallow").exists());
    git_in(folder.path(), &["fsck", "--strict"]);
    // What is there with its history needs no fetching: an old commit, too.
    world.server.requests();
    let old = Source::parse(&format!("{}#{first}", world.url("r")), true).unwrap();
    let found = resolver.resolve(&old, &Wishes::default(), &NoPrebuilds, &Silent).await.unwrap();
    assert_eq!(found.commit.unwrap().as_str(), first);
    assert_eq!(world.server.requests(), Vec::<String>::new());
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
    async fn find(&self, repository: &str, commit: Option<&Commit>, hash: Option<&str>) -> Option<Prebuild> {
        let at_commit = commit.is_some() && self.0.commit.as_ref() == commit;
        let by_hash = hash.is_some() && self.0.config_hash.as_deref() == hash;
        (self.0.repository == repository && (at_commit || by_hash)).then(|| self.0.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_made_ahead_goes_first() {
    let world = World::new().await;
    let repo =
        world.repo("r", &[(CONFIG, r#"{"image": "a", "features": {"ghcr.io/devcontainers/features/git:1": {}}}"#)]);
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
async fn our_own_configuration_is_carried_out_to_the_letter() {
    let world = World::new().await;
    let files = Listed::default()
        .with(CONFIG, include_str!("../../../.devcontainer/devcontainer.json"))
        .with(".devcontainer/Dockerfile", include_str!("../../../.devcontainer/Dockerfile"));
    let place = Place { folder: "steading".into(), ..Place::default() };
    let found = world.resolver().resolve_files(&files, place, &Wishes::default()).unwrap();
    assert!(matches!(found.image, ImageSource::Build { .. }));
    assert_eq!(found.diagnostics, []);
    let merged = devcontainer::merge(&[Layer::from_config(&found.config)]);
    let args = devcontainer::run_args::parse(&merged.run_args);
    assert_eq!(admit(CONFIG, &merged, &args, &Policy::default()).1, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_reads_the_files_of_the_workspace() {
    let world = World::new().await;
    let files = Listed::default().with(CONFIG, r#"{"image": "changed"}"#);
    let place = Place { branch: Some("main".into()), folder: "r".into(), ..Place::default() };
    let found = world.resolver().resolve_files(&files, place, &Wishes::default()).unwrap();
    assert_eq!((found.image, found.branch.as_deref()), (pull("changed"), Some("main")));
}
