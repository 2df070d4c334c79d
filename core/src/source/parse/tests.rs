use proptest::prelude::*;

use super::*;
use crate::fault::Fault;

fn git(text: &str) -> GitSource {
    match Source::parse(text, true) {
        Ok(Source::Git(git)) => git,
        other => panic!("{text}: {other:?}"),
    }
}

/// URL, reference and path as one text each, for short tables.
fn read(text: &str) -> (String, Reference, Option<String>) {
    let git = git(text);
    (git.url.reveal().to_string(), git.reference, git.path)
}

fn code(text: &str) -> &'static str {
    match Source::parse(text, false) {
        Err(error) => {
            assert!(error.hint().is_some(), "{text}");
            error.code()
        }
        Ok(source) => panic!("{text}: {source:?}"),
    }
}

fn name(text: &str) -> Reference {
    Reference::Name(text.to_owned())
}

fn request(number: u64, full_ref: &str) -> Reference {
    Reference::Request { number, full_ref: full_ref.to_owned() }
}

fn either(text: &str) -> Reference {
    Reference::RefAndPath(text.to_owned())
}

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn repositories_are_read_in_every_form() {
    for (text, url) in [
        ("https://github.com/owner/repo", "https://github.com/owner/repo"),
        (" https://github.com/owner/repo.git/ ", "https://github.com/owner/repo.git"),
        ("https://github.com/owner/repo?tab=readme-ov-file#", "https://github.com/owner/repo"),
        ("git+https://github.com/owner/repo", "https://github.com/owner/repo"),
        ("http://git.example.com:3000/a/b/c/d.git", "http://git.example.com:3000/a/b/c/d.git"),
        ("https://gitlab.com/group/sub/deeper/repo", "https://gitlab.com/group/sub/deeper/repo"),
        ("https://git.example.com/repo.git", "https://git.example.com/repo.git"),
        ("git@github.com:owner/repo.git", "ssh://git@github.com/owner/repo.git"),
        ("ssh://git@example.com:2222/owner/repo.git", "ssh://git@example.com:2222/owner/repo.git"),
        ("me@host:/srv/git/x", "ssh://me@host/srv/git/x"),
        ("https://bücher.example/a/b", "https://xn--bcher-kva.example/a/b"),
        ("/srv/git/my repo", "file:///srv/git/my%20repo"),
        ("file:///srv/git/x/", "file:///srv/git/x"),
    ] {
        assert_eq!(read(text), (url.to_owned(), Reference::Head, None), "{text}");
    }
}

#[test]
fn a_fragment_chooses_the_revision() {
    assert_eq!(git("https://h.example/o/r#feature/x").reference, name("feature/x"));
    assert_eq!(git("git@h.example:o/r.git#v1.0").reference, name("v1.0"));
    assert_eq!(git("/srv/r#main").reference, name("main"));
    assert_eq!(git(&format!("https://h.example/o/r#{SHA}")).reference, Reference::Commit(SHA.into()));
    assert_eq!(git("https://h.example/o/r#refs/pull/7/head").reference, request(7, "refs/pull/7/head"));
    let with_path = git("https://h.example/o/r#main:docs/a%20b.md");
    assert_eq!((with_path.reference, with_path.path.as_deref()), (name("main"), Some("docs/a b.md")));
    // A link to a line of a file is not a revision.
    assert_eq!(git("https://github.com/o/r/blob/main/a.rs#L10-L20").reference, either("main/a.rs"));
}

#[test]
fn links_of_forges_are_understood() {
    let gh = "https://github.com/o/r";
    let table: Vec<(String, &str, Reference, Option<&str>)> = vec![
        (format!("{gh}/tree/main"), gh, name("main"), None),
        (format!("{gh}/tree/feature/x/src"), gh, either("feature/x/src"), None),
        (format!("{gh}/tree/refs/heads/a/b"), gh, either("refs/heads/a/b"), None),
        (format!("{gh}/tree/refs/tags/v1"), gh, Reference::Tag("v1".into()), None),
        (format!("{gh}/blob/HEAD/docs/a.md"), gh, Reference::Head, Some("docs/a.md")),
        (format!("{gh}/tree/HEAD"), gh, Reference::Head, None),
        (format!("{gh}/releases/tag/api/v1.2"), gh, Reference::Tag("api/v1.2".into()), None),
        (format!("{gh}/releases/tag/api%2Fv1.2"), gh, Reference::Tag("api/v1.2".into()), None),
        (format!("{gh}/releases/download/api/v1.2/x.tgz"), gh, Reference::Tag("api/v1.2".into()), None),
        (format!("{gh}/releases/latest"), gh, Reference::Head, None),
        (format!("{gh}/tags"), gh, Reference::Head, None),
        (format!("{gh}/discussions/9"), gh, Reference::Head, None),
        (format!("{gh}/compare/main...x"), gh, Reference::Head, None),
        (format!("{gh}?ref=newsletter"), gh, Reference::Head, None),
        (format!("{gh}.git?ref=v1"), "https://github.com/o/r.git", name("v1"), None),
        (format!("{gh}/blob/{SHA}/src/a%20b.rs"), gh, Reference::Commit(SHA.into()), Some("src/a b.rs")),
        (format!("{gh}/commit/0123abc"), gh, Reference::Commit("0123abc".into()), None),
        (format!("{gh}/releases/tag/v1.2"), gh, Reference::Tag("v1.2".into()), None),
        (format!("{gh}/pull/42/files"), gh, request(42, "refs/pull/42/head"), None),
        (format!("{gh}/issues/5"), gh, Reference::Head, None),
        (format!("{gh}/wiki"), gh, Reference::Head, None),
        (
            "https://gitlab.example.com/a/b/c/-/tree/main?ref_type=heads".into(),
            "https://gitlab.example.com/a/b/c",
            Reference::Branch("main".into()),
            None,
        ),
        (
            "https://gitlab.com/a/b/-/merge_requests/3/diffs".into(),
            "https://gitlab.com/a/b",
            request(3, "refs/merge-requests/3/head"),
            None,
        ),
        ("https://gitlab.com/a/b/-/tags/v2".into(), "https://gitlab.com/a/b", Reference::Tag("v2".into()), None),
        (
            "https://gitlab.com/a/b/c/-/tags/api/v2".into(),
            "https://gitlab.com/a/b/c",
            Reference::Tag("api/v2".into()),
            None,
        ),
        (
            "https://gitlab.com/a/b/-/releases/api%2Fv2/evidences/1".into(),
            "https://gitlab.com/a/b",
            Reference::Tag("api/v2".into()),
            None,
        ),
        (
            "https://gitlab.com/a/b/-/tree/v1/docs?ref_type=tags".into(),
            "https://gitlab.com/a/b",
            either("refs/tags/v1/docs"),
            None,
        ),
        ("https://gitlab.com/a/b/-/pipelines?ref=dev".into(), "https://gitlab.com/a/b", name("dev"), None),
        ("https://gitlab.com/a/b?ref=dev".into(), "https://gitlab.com/a/b", name("dev"), None),
        ("https://gitlab.com/a/b/c/tree/main/src".into(), "https://gitlab.com/a/b/c", either("main/src"), None),
        ("https://gitlab.com/a/b/-/issues/1".into(), "https://gitlab.com/a/b", Reference::Head, None),
        ("https://gitlab.com/a/b/-/blob/x/y/z.md".into(), "https://gitlab.com/a/b", either("x/y/z.md"), None),
        (
            "https://codeberg.org/o/r/src/branch/main".into(),
            "https://codeberg.org/o/r",
            Reference::Branch("main".into()),
            None,
        ),
        (
            "https://codeberg.org/o/r/releases/tag/api/v1".into(),
            "https://codeberg.org/o/r",
            Reference::Tag("api/v1".into()),
            None,
        ),
        ("https://codeberg.org/o/r?ref=dev".into(), "https://codeberg.org/o/r", name("dev"), None),
        (
            "https://git.example.org/o/r/src/tag/v1/docs".into(),
            "https://git.example.org/o/r",
            either("refs/tags/v1/docs"),
            None,
        ),
        (
            "https://git.example.org/o/r/commits/tag/v1".into(),
            "https://git.example.org/o/r",
            Reference::Tag("v1".into()),
            None,
        ),
        ("https://git.example.org/o/r/issues/5".into(), "https://git.example.org/o/r", Reference::Head, None),
        (
            "https://git.sr.ht/~me/r/tree/feature/x/item/src/a.c".into(),
            "https://git.sr.ht/~me/r",
            name("feature/x"),
            Some("src/a.c"),
        ),
        ("https://git.sr.ht/~me/r/tree/feature/x".into(), "https://git.sr.ht/~me/r", name("feature/x"), None),
        ("https://git.sr.ht/~me/r/refs/v1".into(), "https://git.sr.ht/~me/r", Reference::Tag("v1".into()), None),
        (
            "https://git.sr.ht/~me/r/commit/0123abc".into(),
            "https://git.sr.ht/~me/r",
            Reference::Commit("0123abc".into()),
            None,
        ),
        (
            format!("https://git.example.org/o/r/src/commit/{SHA}/docs"),
            "https://git.example.org/o/r",
            Reference::Commit(SHA.into()),
            Some("docs"),
        ),
        (
            "https://git.example.org/o/r/pulls/8".into(),
            "https://git.example.org/o/r",
            request(8, "refs/pull/8/head"),
            None,
        ),
        ("https://bitbucket.org/w/r/src/main/a/b.py".into(), "https://bitbucket.org/w/r", either("main/a/b.py"), None),
        (
            "https://bitbucket.org/w/r/branch/feature/x".into(),
            "https://bitbucket.org/w/r",
            Reference::Branch("feature/x".into()),
            None,
        ),
        (
            "https://bitbucket.org/w/r/commits/branch/feature%2Fx".into(),
            "https://bitbucket.org/w/r",
            Reference::Branch("feature/x".into()),
            None,
        ),
        (
            "https://bitbucket.org/w/r/commits/tag/api/v1".into(),
            "https://bitbucket.org/w/r",
            Reference::Tag("api/v1".into()),
            None,
        ),
        (
            format!("https://bitbucket.org/w/r/src/{SHA}/a/?at=feature%2Fx"),
            "https://bitbucket.org/w/r",
            name("feature/x"),
            Some("a"),
        ),
        (
            format!("https://bitbucket.org/w/r/commits/{SHA}"),
            "https://bitbucket.org/w/r",
            Reference::Commit(SHA.into()),
            None,
        ),
        (
            "https://bb.example.com/projects/P/repos/r/browse/src?at=refs%2Fheads%2Fdev".into(),
            "https://bb.example.com/scm/P/r.git",
            Reference::Branch("dev".into()),
            Some("src"),
        ),
        (
            "https://bb.example.com/projects/P/repos/r/browse?at=refs%2Ftags%2Fapi%2Fv1".into(),
            "https://bb.example.com/scm/P/r.git",
            Reference::Tag("api/v1".into()),
            None,
        ),
        (
            "https://bb.example.com/projects/P/repos/r/pull-requests/3/overview?commentId=7".into(),
            "https://bb.example.com/scm/P/r.git",
            request(3, "refs/pull-requests/3/from"),
            None,
        ),
        (
            "https://dev.azure.com/org/p/_git/r?version=GBmain&path=/src".into(),
            "https://dev.azure.com/org/p/_git/r",
            Reference::Branch("main".into()),
            Some("src"),
        ),
        ("https://h.example/x/r.git/tree/main".into(), "https://h.example/x/r.git", name("main"), None),
    ];
    for (text, url, reference, path) in table {
        assert_eq!(read(&text), (url.to_owned(), reference, path.map(str::to_owned)), "{text}");
    }
}

#[test]
fn a_place_on_a_page_is_no_revision() {
    for (page, place) in [
        ("https://github.com/o/r/pull/42", "issuecomment-1"),
        ("https://github.com/o/r/pull/42", "discussion_r1"),
        ("https://github.com/o/r/pull/42/files", "pullrequestreview-1"),
        ("https://github.com/o/r/commit/0123abc", "diff-0a1b"),
        ("https://github.com/o/r/blob/main/README.md", "install"),
        ("https://github.com/o/r/tree/main", "readme"),
        ("https://github.com/o/r/issues/5", "issuecomment-1"),
        ("https://github.com/o/r/wiki", "setup"),
        ("https://github.com/o/r?tab=readme-ov-file", "install"),
        ("https://gitlab.com/a/b/c/-/merge_requests/3", "note_3"),
        ("https://gitlab.com/a/b/-/issues/3", "note_3"),
        ("https://gitlab.example.com/a/b/-/blob/main/README.md", "install"),
        ("https://codeberg.org/o/r/pulls/8", "issuecomment-3"),
        ("https://git.example.org/o/r/issues/8", "issuecomment-3"),
        ("https://git.example.org/o/r/src/branch/main/a.md", "usage"),
        ("https://bitbucket.org/w/r/src/main/a.md", "lines-3"),
        ("https://bb.example.com/projects/P/repos/r/browse/a.rs", "12"),
        ("https://dev.azure.com/o/p/_git/r/pullrequest/4", "note"),
        ("https://git.sr.ht/~me/r/tree/main/item/a.c", "L4"),
    ] {
        assert_eq!(read(&format!("{page}#{place}")), read(page), "{page}#{place}");
    }
    // The address of a repository itself takes one.
    for repository in [
        "https://github.com/o/r",
        "https://github.com/o/r.git",
        "https://gitlab.com/a/b/c",
        "https://bb.example.com/projects/P/repos/r",
        "https://dev.azure.com/o/p/_git/r",
    ] {
        assert_eq!(git(&format!("{repository}#dev")).reference, name("dev"), "{repository}");
    }
    assert!(git("https://github.com/o/r#readme").reference.may_be_heading());
    assert!(!git("https://github.com/o/r#dev").reference.may_be_heading());
}

#[test]
fn everything_else_is_refused_with_a_code() {
    assert_eq!(code(""), "source-empty");
    assert_eq!(code("  "), "source-empty");
    assert_eq!(code(&"x".repeat(5000)), "source-too-long");
    assert_eq!(code("not a url"), "source-unprintable");
    assert_eq!(code("https://h.example/o/r\u{0}"), "source-unprintable");
    assert_eq!(code("https://h.example/o/r#a%0Ab"), "source-unprintable");
    assert_eq!(code("hello"), "source-not-a-url");
    assert_eq!(code("owner/repo"), "source-not-a-url");
    assert_eq!(code("https://"), "source-not-a-url");
    assert_eq!(code("-oProxyCommand=x@host:y"), "source-not-a-url");
    assert_eq!(code("git@-oProxyCommand=x:y"), "source-not-a-url");
    assert_eq!(code("ftp://h.example/o/r"), "source-scheme-not-supported");
    assert_eq!(code("git://h.example/o/r"), "source-scheme-not-supported");
    assert_eq!(code("ext::sh -c x"), "source-unprintable");
    assert_eq!(code("https://github.com/"), "source-without-repository");
    assert_eq!(code("https://github.com/owner"), "source-without-repository");
    assert_eq!(code("git@github.com:"), "source-without-repository");
    assert_eq!(code("/srv/git/x"), "source-local-not-allowed");
    assert_eq!(code("file:///etc"), "source-local-not-allowed");
    assert_eq!(code("https://h.example/o/r#a..b"), "source-reference-invalid");
    assert_eq!(code("https://github.com/o/r/commit/xyz"), "source-reference-invalid");
    assert_eq!(code("https://h.example/o/r#main:../x"), "source-path-invalid");
    assert_eq!(code("https://bitbucket.org/w/r/pull-requests/4"), "source-request-without-ref");
    assert_eq!(Source::parse("./x", true).unwrap_err().code(), "source-path-not-absolute");
    assert_eq!(Source::parse("file://other/x", true).unwrap_err().code(), "source-not-a-url");
}

#[test]
fn hints_guess_what_was_meant() {
    let hint = |text: &str| Source::parse(text, false).unwrap_err().hint().unwrap();
    assert_eq!(hint("github.com/o/r"), "Did you mean https://github.com/o/r?");
    assert_eq!(hint("o/r"), "Did you mean https://github.com/o/r?");
}

#[test]
fn secrets_are_kept_for_the_fetch_and_never_shown() {
    let text = "https://me:hunter2@git.example.com/o/r#main";
    let source = Source::parse(text, false).unwrap();
    assert_eq!(git(text).url.reveal().password(), Some("hunter2"));
    assert!(!format!("{source} {source:?}").contains("hunter2"));
    let lone = Source::parse("https://ghp_token@github.com/o/r", false).unwrap();
    assert!(!format!("{lone} {lone:?}").contains("ghp_token"));
    // What was printed can be pasted again; the secret is gone from it.
    assert_eq!(git(&lone.to_string()).url.reveal().as_str(), "https://github.com/o/r");
    for bad in [
        "ftp://me:hunter2@h.example/x",
        "https://me:hunter2@github.com/",
        "https://me:hunter2@github.com/o/r/commit/zzz",
        "https://me:hunter2@[bad/x/y",
        "me:hunter2@h.example/x",
        "https://h.example/?token=hunter2",
        "file://me:hunter2@h.example/x",
    ] {
        let error = Source::parse(bad, false).unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"), "{bad}: {error:?}");
    }
}

fn printed_means_the_same(text: &str) {
    if let Ok(source) = Source::parse(text, true) {
        let printed = source.to_string();
        if printed.contains(REDACTED) {
            return;
        }
        assert_eq!(Source::parse(&printed, true).as_ref(), Ok(&source), "{text} → {printed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(text in any::<String>(), local in any::<bool>()) {
        let _ = Source::parse(&text, local);
        printed_means_the_same(&text);
    }

    #[test]
    fn what_is_printed_means_the_same(
        start in prop::sample::select(vec![
            "https://github.com/", "https://gitlab.com/", "https://bitbucket.org/", "http://h.example:3000/",
            "git@h.example:", "ssh://git@h.example:22/", "/", "file:///", "https://u@h/",
        ]),
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "o", "r", "r.git", "-", "tree", "blob", "src", "branch", "tag", "commit", "pull", "7", "main",
                "releases", "merge_requests", "0123abc", "refs", "heads", "projects", "repos", "_git", "a b", "%2F",
                "a%20b", "%25", "..", "ü", "~u", "item", "log", "HEAD", "tags", "issues", "download", "é:x", "commits", "raw", "browse", "*",
            ]),
            0..8,
        ),
        end in prop::sample::select(vec![
            "", "#main", "#a/b", "#:x", "#a/b:", "#v1:docs/a%20b", "#L10", "#refs/heads/x", "#refs/pull/1/head",
            "#0123abc^{commit}", "?at=x", "?ref=x", "?tab=x#y", "?version=GBx&path=/y", "?ref_type=tags", "#%23", "#a%25b",
        ]),
    ) {
        printed_means_the_same(&format!("{start}{}{end}", parts.join("/")));
    }
}
