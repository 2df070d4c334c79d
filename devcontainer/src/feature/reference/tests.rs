#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use super::*;

fn place() -> Place {
    Place { root: String::new(), folder: ".devcontainer".to_owned() }
}

fn parse(id: &str) -> Result<Reference, ReferenceError> {
    Reference::parse(id, &place())
}

fn oci(id: &str) -> Oci {
    match parse(id) {
        Ok(Reference::Oci(oci)) => oci,
        other => panic!("{other:?}"),
    }
}

fn code(id: &str) -> &'static str {
    parse(id).unwrap_err().code()
}

#[test]
fn a_registrys_reference_has_a_tag_a_digest_or_the_latest_tag() {
    let git = oci("ghcr.io/devcontainers/features/git:1.2");
    assert_eq!(
        (git.registry.as_str(), git.namespace.as_str(), git.id.as_str()),
        ("ghcr.io", "devcontainers/features", "git")
    );
    assert_eq!(
        (git.path().as_str(), git.owner(), git.version()),
        ("devcontainers/features/git", "devcontainers", "1.2")
    );
    assert_eq!(git.resource, "ghcr.io/devcontainers/features/git");
    assert_eq!(oci("ghcr.io/a/b").tag.as_deref(), Some("latest"));
    let empty = oci("ghcr.io/a/b:");
    assert_eq!((empty.tag.as_deref(), empty.version(), empty.to_string().as_str()), (None, "latest", "ghcr.io/a/b:"));
    let pinned = oci("ghcr.io/a/b@sha256:abc");
    assert_eq!((pinned.tag.as_deref(), pinned.version()), (None, "sha256:abc"));
    assert_eq!(pinned.to_string(), "ghcr.io/a/b@sha256:abc");
    for elsewhere in ["ghcr.io/a/b@sha256:../../x", "ghcr.io/a/b@sha256:", "ghcr.io/a/b@sha256:a?b"] {
        assert_eq!(Oci::parse(elsewhere), None, "{elsewhere}");
    }
    for nowhere in ["evil.example?x=.y/a/b", "a.b#/a/b", "a.b\n/a/b", "localhost:x/a/b"] {
        assert!(Oci::parse(nowhere).is_none_or(|oci| !oci.names_a_host()), "{nowhere:?}");
    }
}

#[test]
fn a_colon_before_the_last_slash_is_a_ports() {
    let local = oci("localhost:5000/ns/git");
    assert_eq!((local.registry.as_str(), local.version()), ("localhost:5000", "latest"));
    assert_eq!(oci("localhost:5000/ns/git:2").version(), "2");
    assert!(local.is_plain_http());
    assert!(!oci("example.com:5000/ns/git").is_plain_http());
    assert!(!oci("127.0.0.1:5000/ns/git").is_plain_http());
}

#[test]
fn case_does_not_matter_in_a_registry() {
    assert_eq!(oci("GHCR.IO/DevContainers/Features/Git:1"), oci("ghcr.io/devcontainers/features/git:1"));
}

#[test]
fn a_namespace_that_moved_is_found_where_it_is() {
    let moved = oci("ghcr.io/devcontainers-contrib/features/poetry:2");
    assert_eq!(moved.path(), "devcontainers-extra/features/poetry");
    assert_eq!(moved.resource, "ghcr.io/devcontainers-contrib/features/poetry");
}

#[test]
fn old_short_names_stand_for_references() {
    assert_eq!(oci("git").to_string(), "ghcr.io/devcontainers/features/git:1");
    assert_eq!(oci("golang").id, "go");
    assert_eq!(code("fish"), "unknown-feature-name");
    assert_eq!(code("git:1"), "unknown-feature-name");
}

#[test]
fn what_no_registry_takes_may_be_a_release() {
    let release = |id: &str| match parse(id) {
        Ok(Reference::Release(release)) => release,
        other => panic!("{other:?}"),
    };
    let latest = release("owner/repository/git");
    assert_eq!(latest.tag, None);
    assert_eq!(latest.api_url(), "https://api.github.com/repos/owner/repository/releases/latest");
    assert_eq!(release("owner/repository/git@latest"), latest);
    let tagged = release("owner/repository/git@v1");
    assert_eq!(tagged.archives()[0], "https://github.com/owner/repository/releases/download/v1/git.tgz");
    assert_eq!(tagged.to_string(), "owner/repository/git@v1");
    for id in ["a/b", "a/b/c/d", "a//c", "a/b/c@1@2", "a/b/c:1", "a\\b", "ghcr.io/a/node:^18", "ghcr.io/a/b/c@md5:1"] {
        assert_eq!(code(id), "invalid-feature-reference", "{id}");
    }
    // Three parts are read again as a release if their registry does not have them.
    assert!(matches!(parse("ghcr.io/a/b"), Ok(Reference::Oci(_))));
    assert!(matches!(Reference::fallback("ghcr.io/a/b"), Ok(Reference::Release(_))));
    assert!(Reference::fallback("ghcr.io/a/b/c:1").is_err());
}

#[test]
fn an_archive_is_named_after_its_feature() {
    let Ok(Reference::Tarball(tarball)) = parse("https://Example.com/a/../devcontainer-feature-git_2.tgz?x=1") else {
        return assert_eq!("a tarball", "");
    };
    assert_eq!(
        (tarball.id.as_str(), tarball.url.as_str()),
        ("git_2", "https://example.com/devcontainer-feature-git_2.tgz?x=1")
    );
    for id in [
        "https://",
        "https://a/features.tgz",
        "https://a/devcontainer-feature-.tgz",
        "https://a/devcontainer-feature-a.b.tgz",
    ] {
        assert_eq!(code(id), "invalid-feature-url", "{id}");
    }
    assert_eq!(code("http://a/devcontainer-feature-git.tgz"), "invalid-feature-reference");
}

#[test]
fn a_folder_is_below_the_folder_of_configurations() {
    let local = |id: &str, folder: &str| {
        let place = Place { root: String::new(), folder: folder.to_owned() };
        match Reference::parse(id, &place) {
            Ok(Reference::Local(local)) => Ok((local.path, local.id)),
            Ok(other) => Ok((other.to_string(), String::new())),
            Err(error) => Err(error.code()),
        }
    };
    let folder = ".devcontainer";
    assert_eq!(local("./git", folder), Ok((".devcontainer/git".into(), "git".into())));
    assert_eq!(local("./a/../b/git", folder), Ok((".devcontainer/b/git".into(), "git".into())));
    assert_eq!(local("../b", ".devcontainer/a"), Ok((".devcontainer/b".into(), "b".into())));
    assert_eq!(local("./.devcontainer/git", ""), Ok((".devcontainer/git".into(), "git".into())));
    // The reference compares paths as texts, and this one has a slash more.
    assert_eq!(local("./git/", folder), Ok((".devcontainer/git/".into(), "git".into())));
    for (id, folder) in
        [("../git", folder), ("../../git", folder), ("./git", ""), ("./a..b", folder), ("./x", ".devcontainers")]
    {
        assert_eq!(local(id, folder), Err("feature-outside-folder"), "{id}");
    }
    assert_eq!(local("/tmp/git", folder), Err("absolute-feature-path"));
    let absolute = Place { root: "/home/ada".to_owned(), folder: "/home/ada/.devcontainer".to_owned() };
    assert_eq!(Reference::parse("./git", &absolute).unwrap().to_string(), "/home/ada/.devcontainer/git");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_reference_that_was_read_is_written_and_read_as_the_same(
            text in "(localhost:5000|ghcr\\.io|Ghcr\\.io|owner)/[a-z0-9._-]{1,8}(/[a-zA-Z0-9._-]{1,8}){1,2}([:@][a-zA-Z0-9._:-]{0,12})?",
        ) {
            if let Ok(reference) = parse(&text) {
                prop_assert_eq!(parse(&reference.to_string()), Ok(reference));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            for text in [text.clone(), format!("./{text}"), format!("https://{text}"), format!("ghcr.io/{text}")] {
                if let Err(error) = parse(&text) {
                    prop_assert!(error.to_string().len() < 1000 && !error.hint().is_empty());
                }
            }
        }
    }
}
