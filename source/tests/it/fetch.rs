//! Pinning, caching, and everything that can be wrong with a remote.

use std::time::{Duration, Instant};

use devcontainer::Tree;
use steading_core::Secret;
use steading_core::config::Credential;
use steading_core::fault::{Class, Fault};
use steading_core::log::Silent;
use steading_core::source::Reference;
use steading_source::{Git, GitError, Pinned};
use tokio::net::TcpListener;

use crate::world::{Kept, World, git_in, source};

async fn pin(git: &Git, text: &str) -> Result<Pinned, GitError> {
    git.pin(&source(text), &Silent).await
}

async fn code(git: &Git, text: &str) -> &'static str {
    let error = pin(git, text).await.unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    error.code()
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_pinned_to_commits() {
    let world = World::new().await;
    let repo = world.repo("o/r", &[("a", "1")]);
    let first = repo.head();
    repo.git(&["tag", "-a", "v1", "-m", "one"]);
    repo.git(&["checkout", "-q", "-b", "feature/x"]);
    let second = repo.commit(&[("src/lib.rs", "2")]);
    repo.git(&["update-ref", "refs/pull/7/head", &second]);
    repo.git(&["checkout", "-q", "main"]);
    let git = world.git();
    let url = world.url("o/r");

    let head = pin(&git, &url).await.unwrap();
    assert_eq!((head.commit.as_str(), head.branch.as_deref()), (first.as_str(), Some("main")));
    let tag = pin(&git, &format!("{url}#v1")).await.unwrap();
    assert_eq!((tag.commit.as_str(), tag.branch.as_deref()), (first.as_str(), None));
    let branch = pin(&git, &format!("{url}/tree/feature/x/src")).await.unwrap();
    assert_eq!(branch.commit.as_str(), second);
    assert_eq!((branch.branch.as_deref(), branch.path.as_deref()), (Some("feature/x"), Some("src")));
    let request = pin(&git, &format!("{url}#refs/pull/7/head")).await.unwrap();
    assert_eq!((request.commit.as_str(), request.branch.as_deref()), (second.as_str(), Some("pr-7")));
    let short = pin(&git, &format!("{url}#{}", &second[..8])).await.unwrap();
    assert_eq!((short.commit.as_str(), short.branch), (second.as_str(), None));
    let full = pin(&git, &format!("{url}#{first}")).await.unwrap();
    assert_eq!(full.commit.as_str(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_names_no_branch_is_not_an_empty_repository() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    repo.git(&["symbolic-ref", "HEAD", "refs/heads/master"]);
    let git = world.git();
    for url in [world.url("r"), repo.path.to_str().unwrap().to_owned()] {
        let pinned = pin(&git, &url).await.unwrap();
        assert_eq!(pinned.branch.as_deref(), Some("main"), "{url}");
        let notes: Vec<_> = pinned.notes.iter().map(|note| note.code.as_str()).collect();
        assert_eq!(notes, ["default-branch-missing"], "{url}");
    }
    assert!(pin(&git, &format!("{}#main", world.url("r"))).await.unwrap().notes.is_empty());
    repo.git(&["branch", "one", "main"]);
    repo.git(&["branch", "-m", "main", "two"]);
    let error = pin(&git, &world.url("r")).await.unwrap_err();
    assert_eq!(error.code(), "default-branch-missing");
    assert_eq!(error.hint().as_deref(), Some("Put a branch after the address: `#one`, `#two`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_says_so() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    repo.git(&["branch", "develop"]);
    std::fs::create_dir_all(world.root.path().join("repos/empty")).unwrap();
    crate::world::git_in(&world.root.path().join("repos/empty"), &["init", "-q"]);
    let git = world.git();
    let error = pin(&git, &format!("{}#develpo", world.url("r"))).await.unwrap_err();
    assert_eq!((error.code(), error.hint().as_deref()), ("ref-not-found", Some("Did you mean develop?")));
    assert_eq!(code(&git, &format!("{}#{}", world.url("r"), "a".repeat(40))).await, "ref-not-found");
    assert_eq!(code(&git, &format!("{}#abcdef12", world.url("r"))).await, "ref-not-found");
    assert_eq!(code(&git, &world.url("nope")).await, "repository-not-found");
    assert_eq!(code(&git, &world.url("empty")).await, "repository-empty");
    assert_eq!(code(&git, &world.url("page/x")).await, "not-a-repository");
    assert_eq!(code(&git, &world.url("broken/x")).await, "host-failed");
    assert_eq!(code(&git, "/nonexistent/repo").await, "repository-not-found");
    let folder = world.root.path().to_str().unwrap();
    assert_eq!(code(&git, folder).await, "not-a-repository");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_with_longer_names_of_objects_says_so() {
    let world = World::new().await;
    let folder = world.root.path().join("repos/sha256");
    std::fs::create_dir_all(&folder).unwrap();
    git_in(&folder, &["init", "-q", "-b", "main", "--object-format=sha256"]);
    git_in(&folder, &["commit", "-q", "--allow-empty", "-m", "one"]);
    let git = world.git();
    for source in [world.url("sha256"), folder.display().to_string()] {
        let error = pin(&git, &source).await.unwrap_err();
        assert_eq!((error.code(), error.class()), ("object-format-not-supported", Class::Permanent), "{error}");
        assert!(error.hint().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn private_repositories_need_the_configured_credentials() {
    let world = World::new().await;
    world.repo("private/r", &[("a", "1")]);
    let url = world.url("private/r");
    let with = |password: &str| {
        let mut config = world.config();
        let credential =
            Credential { username: "me".into(), password: Secret::new(password.into()), ..Credential::default() };
        config.source.credentials.insert(world.server.host(), credential);
        Git::new(&config).unwrap()
    };
    let none = pin(&world.git(), &url).await.unwrap_err();
    assert_eq!(none.code(), "repository-not-found");
    assert!(
        none.hint().unwrap().contains(&format!("source.credentials.\"{}\"", world.server.host())),
        "{:?}",
        none.hint()
    );
    assert_eq!(code(&with("wrong-password"), &url).await, "credentials-refused");
    let git = with("secret");
    let pinned = pin(&git, &url).await.unwrap();
    assert!(git.tree(&source(&url), &pinned.commit, &Silent).await.unwrap().read("a").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_credentials_go_nowhere_else() {
    let world = World::new().await;
    world.repo("r", &[("a", "1")]);
    let with = |host: String, credential: Credential| {
        let mut config = world.config();
        config.source.credentials.insert(host, credential);
        Git::new(&config).unwrap()
    };
    let token = Credential { password: Secret::new("secret".into()), ..Credential::default() };
    // An entry without a port is for the scheme's own, and this is another one.
    pin(&with("127.0.0.1".into(), token.clone()), &world.url("r")).await.unwrap();
    assert_eq!(world.server.secrets(), Vec::<String>::new());
    pin(&with(world.server.host(), token), &world.url("r")).await.unwrap();
    assert_eq!(world.server.secrets().len(), 1);
    // A key and its passphrase are nothing for HTTP.
    let key = Credential {
        username: "git".into(),
        ssh_key: "/key".into(),
        ssh_passphrase: Secret::new("phrase".into()),
        ..Credential::default()
    };
    pin(&with(world.server.host(), key), &world.url("r")).await.unwrap();
    assert_eq!(world.server.secrets(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_url_is_used_and_never_shown() {
    let world = World::new().await;
    world.repo("private/r", &[("a", "1")]);
    let url = world.url("private/r");
    let own = url.replace("http://", "http://me:secret@");
    let log = Kept::default();
    let git = world.git();
    let pinned = git.pin(&source(&own), &log).await.unwrap();
    git.tree(&source(&own), &pinned.commit, &log).await.unwrap();
    let said = log.0.lock().unwrap().clone();
    assert!(said.contains("Fetching") && !said.contains("secret"), "{said}");
    // What was fetched with one secret is not given to those who have none.
    let stranger = source(&format!("{url}#{}", pinned.commit));
    assert!(git.pin(&stranger, &Silent).await.is_err());
    let wrong = pin(&git, &url.replace("http://", "http://me:hunter2@")).await.unwrap_err();
    assert!(!format!("{wrong:?} {wrong} {:?}", wrong.hint()).contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_is_given_up() {
    let world = World::new().await;
    let git = world.git();
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let started = Instant::now();
    assert_eq!(code(&git, &format!("http://127.0.0.1:{port}/a/b")).await, "host-timeout");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    drop(silent);
    assert_eq!(code(&git, &format!("http://127.0.0.1:{port}/a/b")).await, "host-unreachable");
    assert_eq!(code(&git, "http://no-such-host.invalid/a/b").await, "host-unreachable");
    assert_eq!(code(&git, "ssh://git@127.0.0.1/a/b").await, "credentials-needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_drips_or_falls_silent_in_the_middle_is_given_up() {
    let world = World::new().await;
    world.repo("r", &[("a", "1")]);
    let git = world.git();
    for (folder, code) in [("hang", "host-timeout"), ("drip", "host-too-slow")] {
        let from = source(&world.url(&format!("{folder}/r")));
        let pinned = git.pin(&from, &Silent).await.unwrap();
        let started = Instant::now();
        let error = git.tree(&from, &pinned.commit, &Silent).await.unwrap_err();
        assert_eq!((error.code(), error.hint().is_some()), (code, true), "{error}");
        assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    }
    // However steadily it goes on, there is an end.
    let mut config = world.config();
    config.source.fetch_minutes = 0;
    let error = pin(&Git::new(&config).unwrap(), &world.url("r")).await.unwrap_err();
    assert_eq!(error.code(), "fetch-too-long");
    assert!(error.hint().unwrap().contains("source.fetch_minutes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_where_they_are_not_allowed() {
    let world = World::new().await;
    world.repo("r", &[("a", "1")]);
    let mut config = world.config();
    config.source.allow_private = Some(false);
    config.source.allow_local = Some(false);
    let git = Git::new(&config).unwrap();
    assert_eq!(code(&git, &world.url("r")).await, "host-not-allowed");
    assert_eq!(code(&git, "http://localhost:1/a/b").await, "host-not-allowed");
    assert_eq!(code(&git, world.root.path().join("repos/r").to_str().unwrap()).await, "local-not-allowed");
    // A stand-in of the administrator may be anywhere, but it cannot send us on to anywhere.
    config.mirrors.insert("forge.example".into(), world.server.url.clone());
    let git = Git::new(&config).unwrap();
    assert!(pin(&git, "https://forge.example/r").await.is_ok());
    assert_eq!(code(&git, "https://forge.example/elsewhere/x").await, "host-not-allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    let git = world.git();
    let moved = source(&world.url("moved/r"));
    let pinned = git.pin(&moved, &Silent).await.unwrap();
    assert_eq!(pinned.commit.as_str(), repo.head());
    assert!(git.tree(&moved, &pinned.commit, &Silent).await.unwrap().read("a").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_beyond_the_limit_is_refused() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let noise: Vec<u8> = (0..3_000_000).map(|_| next()).collect();
    std::fs::write(repo.path.join("noise"), noise).unwrap();
    repo.commit(&[]);
    let mut config = world.config();
    config.source.max_mib = 1;
    // Packing that much takes the host a while on a busy machine.
    config.source.timeout_seconds = 30;
    let git = Git::new(&config).unwrap();
    let large = source(&world.url("r"));
    let pinned = git.pin(&large, &Silent).await.unwrap();
    let error = git.tree(&large, &pinned.commit, &Silent).await.unwrap_err();
    assert_eq!(error.code(), "repository-too-large");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_cache_is_not_fetched_again() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    let git = world.git();
    let from = source(&world.url("r"));
    let pinned = git.pin(&from, &Silent).await.unwrap();
    let (one, two) = tokio::join!(git.tree(&from, &pinned.commit, &Silent), git.tree(&from, &pinned.commit, &Silent));
    assert!(one.is_ok() && two.is_ok());
    let asked = world.server.requests().into_iter().filter(|r| r.starts_with("GET")).count();
    assert_eq!(asked, 2, "after pinning, two at the same time fetch once");
    let again = world.git();
    again.tree(&from, &pinned.commit, &Silent).await.unwrap();
    again.pin(&source(&format!("{}#{}", world.url("r"), pinned.commit)), &Silent).await.unwrap();
    assert_eq!(world.server.requests(), Vec::<String>::new());
    again.pin(&from, &Silent).await.unwrap();
    assert_eq!(world.server.requests().len(), 1);

    let next = repo.commit(&[("a", "2")]);
    let pinned = again.pin(&from, &Silent).await.unwrap();
    assert_eq!(pinned.commit.as_str(), next);
    assert_eq!(again.tree(&from, &pinned.commit, &Silent).await.unwrap().read("a").unwrap(), b"2");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_may_be_rewritten_and_branches_renamed() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    repo.git(&["branch", "x"]);
    let git = world.git();
    let from = source(&world.url("r"));
    let pinned = git.pin(&from, &Silent).await.unwrap();
    git.tree(&from, &pinned.commit, &Silent).await.unwrap();
    repo.git(&["branch", "-m", "x", "x/y"]);
    repo.git(&["commit", "-q", "--amend", "-m", "other"]);
    let pinned = git.pin(&from, &Silent).await.unwrap();
    assert!(git.tree(&from, &pinned.commit, &Silent).await.unwrap().read("a").is_some());
    assert_eq!(pin(&git, &format!("{}#x/y", world.url("r"))).await.unwrap().branch.as_deref(), Some("x/y"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_on_no_branch_is_asked_for_by_name() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    repo.git(&["checkout", "-q", "--detach"]);
    let lost = repo.commit(&[("a", "2")]);
    repo.git(&["checkout", "-q", "main"]);
    let git = world.git();
    let from = source(&format!("{}#{lost}", world.url("r")));
    assert_eq!(from.reference, Reference::Commit(lost.clone()));
    let pinned = git.pin(&from, &Silent).await.unwrap();
    assert_eq!(git.tree(&from, &pinned.commit, &Silent).await.unwrap().read("a").unwrap(), b"2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_this_machine_is_a_repository_too() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1"), ("dir/b", "2")]);
    std::os::unix::fs::symlink("dir", repo.path.join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", repo.path.join("out")).unwrap();
    repo.commit(&[]);
    let git = world.git();
    let from = source(repo.path.to_str().unwrap());
    let pinned = git.pin(&from, &Silent).await.unwrap();
    assert_eq!((pinned.commit.as_str(), pinned.branch.as_deref()), (repo.head().as_str(), Some("main")));
    let tree = git.tree(&from, &pinned.commit, &Silent).await.unwrap();
    assert_eq!(tree.read("link/b").unwrap(), b"2");
    assert_eq!(tree.read("link/../dir/b").unwrap(), b"2");
    assert_eq!(tree.read("out/passwd"), None);
    assert_eq!(tree.read("../x"), None);
    let entries = tree.entries("");
    let is_dir = |name: &str| entries.iter().find(|entry| entry.name == name).map(|entry| entry.is_dir);
    assert_eq!((is_dir("link"), is_dir("out"), is_dir("a")), (Some(true), Some(false), Some(false)));
}

#[test]
fn nobodys_configuration_or_environment_is_read() {
    let home = tempfile::tempdir().unwrap();
    let text = "[url \"http://127.0.0.1:1/\"]\n\tinsteadOf = http://127.0.0.1\n[core]\n\tautocrlf = true\n";
    std::fs::write(home.path().join(".gitconfig"), text).unwrap();
    // The same journey again, as a user whose configuration leads everything astray.
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "fetch::what_is_in_the_cache_is_not_fetched_again",
            "checkout::tags_and_requests_are_checked_out",
        ])
        .env("HOME", home.path())
        .env("http_proxy", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("2 passed"), "{said}");
}
