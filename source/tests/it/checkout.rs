//! A checkout, unpacked and looked at by git itself.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use steading_core::Secret;
use steading_core::config::Credential;
use steading_core::fault::Fault;
use steading_core::log::Silent;
use steading_source::{Checkout, Git};

use crate::world::{Repo, World, git_in, source, unpack};

async fn checked_out(world: &World, text: &str) -> Checkout {
    let git = world.git();
    let from = source(text);
    let pinned = git.pin(&from, &Silent).await.unwrap();
    git.checkout(&from, &pinned.commit, pinned.branch.as_deref(), (1000, 1001), &Silent).await.unwrap()
}

/// What every checkout promises.
fn is_sound(folder: &Path) {
    assert_eq!(git_in(folder, &["status", "--porcelain", "--ignored"]), "");
    git_in(folder, &["fsck", "--strict"]);
}

/// The same where large files are whole: the filter that the configuration names makes them pointers again.
fn is_sound_with_large_files(folder: &Path) {
    let filter = |name: &str| git_in(folder, &["config", "--local", &format!("filter.lfs.{name}")]);
    assert_eq!(filter("clean"), "/opt/steading/bin/inside lfs-clean %f");
    assert_eq!(filter("smudge"), "/opt/steading/bin/inside lfs-smudge %f");
    // The helper lies in workspaces; its own tests show that it does what this does.
    let clean = "f=$(mktemp); cat >$f; if grep -aq ^version $f; then cat $f; else printf 'version \
                 https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %s\n' $(sha256sum <$f | cut -c-64) $(wc -c <$f); fi; rm $f";
    let clean = format!("filter.lfs.clean={clean}");
    assert_eq!(git_in(folder, &["-c", &clean, "status", "--porcelain", "--ignored"]), "");
    git_in(folder, &["fsck", "--strict"]);
}

fn read(folder: &Path, path: &str) -> String {
    std::fs::read_to_string(folder.join(path)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_as_if_cloned() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1"), ("bin/run", "#!/bin/sh\n"), ("empty", "")]);
    let long = format!("{}/{}", "deep/".repeat(20).trim_end_matches('/'), "n".repeat(150));
    repo.write(&[(&long, "long")]);
    std::fs::set_permissions(repo.path.join("bin/run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(format!("../{long}"), repo.path.join("bin/link")).unwrap();
    repo.commit(&[(".gitignore", "ignored\n")]);
    repo.git(&["tag", "-a", "v1", "-m", "one"]);
    repo.git(&["branch", "other"]);
    let checkout = checked_out(&world, &world.url("r").replace("http://", "http://me:pw@")).await;
    let codes: Vec<_> = checkout.diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes, ["git-push-needs-credentials"]);
    let (folder, owners) = unpack(checkout).await;
    let folder = folder.path();
    assert_eq!(owners, [(1000, 1001)]);
    is_sound(folder);
    assert_eq!(git_in(folder, &["status", "-sb"]), "## main...origin/main");
    assert_eq!(git_in(folder, &["rev-parse", "HEAD"]), repo.head());
    assert_eq!(git_in(folder, &["rev-list", "--count", "HEAD"]), "2");
    assert_eq!(git_in(folder, &["remote", "get-url", "origin"]), world.url("r"));
    assert_eq!(git_in(folder, &["describe", "--tags"]), "v1");
    assert_eq!(git_in(folder, &["rev-parse", "--abbrev-ref", "origin/HEAD"]), "origin/main");
    assert_eq!(git_in(folder, &["branch", "-r", "--format=%(refname)"]).lines().count(), 3);
    assert_eq!(read(folder, "bin/link"), "long");
    assert_eq!(std::fs::metadata(folder.join("bin/run")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(std::fs::metadata(folder.join("a")).unwrap().permissions().mode() & 0o777, 0o644);
    repo.commit(&[("a", "2")]);
    assert!(git_in(folder, &["pull", "-q", "--ff-only"]).is_empty());
    assert_eq!(read(folder, "a"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_requests_are_checked_out() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    repo.git(&["tag", "v1"]);
    repo.git(&["checkout", "-q", "--detach"]);
    let request = repo.commit(&[("a", "2")]);
    repo.git(&["update-ref", "refs/pull/7/head", &request]);
    repo.git(&["checkout", "-q", "main"]);
    let (folder, _) = unpack(checked_out(&world, &format!("{}#v1", world.url("r"))).await).await;
    is_sound(folder.path());
    assert_eq!(git_in(folder.path(), &["status", "-sb"]), "## HEAD (no branch)");
    let (folder, _) = unpack(checked_out(&world, &format!("{}#refs/pull/7/head", world.url("r"))).await).await;
    is_sound(folder.path());
    assert_eq!(git_in(folder.path(), &["status", "-sb"]), "## pr-7...origin/pull/7/head");
    assert_eq!(read(folder.path(), "a"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn line_ends_of_windows_are_where_they_are_wanted() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    repo.git(&["checkout", "-q", "-b", "develop"]);
    repo.write(&[(".gitattributes", "*.bat text eol=crlf\nraw.bat -text\n")]);
    repo.commit(&[
        ("run.bat", "a\r\nb\r\n"),
        ("raw.bat", "a\nb\n"),
        ("x.sh", "a\n"),
        ("dir/.gitattributes", "* eol=crlf\n"),
        ("dir/y", "y\n"),
    ]);
    let (folder, _) = unpack(checked_out(&world, &world.url("r")).await).await;
    is_sound(folder.path());
    assert_eq!(read(folder.path(), "run.bat"), "a\r\nb\r\n");
    assert_eq!(read(folder.path(), "raw.bat"), "a\nb\n");
    assert_eq!(read(folder.path(), "x.sh"), "a\n");
    assert_eq!(read(folder.path(), "dir/y"), "y\r\n");
    assert_eq!(git_in(folder.path(), &["rev-parse", "--abbrev-ref", "origin/HEAD"]), "origin/develop");
}

fn add_submodule(repo: &Repo, url: &str, path: &str, name: &str) {
    repo.git(&["submodule", "-q", "add", "--name", name, url, path]);
    repo.commit(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn submodules_come_along() {
    let world = World::new().await;
    let inner = world.repo("inner.git", &[("deep", "deep")]);
    let lib = world.repo("lib.git", &[("lib", "lib")]);
    add_submodule(&lib, inner.path.to_str().unwrap(), "sub/inner", "sub/inner");
    lib.git(&["config", "-f", ".gitmodules", "submodule.sub/inner.url", "../inner.git"]);
    lib.commit(&[]);
    let repo = world.repo("r", &[("a", "1")]);
    add_submodule(&repo, lib.path.to_str().unwrap(), "vendor/lib", "my/lib");
    repo.git(&["config", "-f", ".gitmodules", "submodule.my/lib.url", "../lib.git"]);
    repo.commit(&[]);
    let checkout = checked_out(&world, &world.url("r")).await;
    assert_eq!(checkout.diagnostics, []);
    let (folder, _) = unpack(checkout).await;
    let folder = folder.path();
    is_sound(folder);
    assert_eq!(read(folder, "vendor/lib/lib"), "lib");
    assert_eq!(read(folder, "vendor/lib/sub/inner/deep"), "deep");
    let status = git_in(folder, &["submodule", "status", "--recursive"]);
    assert_eq!(status.lines().count(), 2, "{status}");
    assert!(git_in(&folder.join("vendor/lib"), &["status", "--porcelain"]).is_empty());
    assert_eq!(git_in(&folder.join("vendor/lib"), &["remote", "get-url", "origin"]), world.url("lib.git"));
    git_in(folder, &["submodule", "update", "--init", "--recursive"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submodule_that_cannot_be_had_is_told() {
    let world = World::new().await;
    let lib = world.repo("lib.git", &[("lib", "lib")]);
    let repo = world.repo("r", &[("a", "1")]);
    add_submodule(&repo, lib.path.to_str().unwrap(), "lib", "lib");
    add_submodule(&repo, lib.path.to_str().unwrap(), "gone", "gone");
    repo.git(&["config", "-f", ".gitmodules", "submodule.gone.url", "../gone.git"]);
    repo.commit(&[]);
    let checkout = checked_out(&world, &world.url("r")).await;
    let found: Vec<_> = checkout.diagnostics.iter().map(|d| (d.code.as_str(), d.message.as_str())).collect();
    // A repository from the network gets nothing from this machine's disk.
    assert_eq!(
        found[0],
        ("submodule-not-fetched", "the submodule at lib is empty: its address is not one that is fetched from")
    );
    assert!(found[1].1.starts_with("the submodule at gone is empty: http://"), "{found:?}");
    let (folder, _) = unpack(checkout).await;
    is_sound(folder.path());
    assert!(folder.path().join("gone").is_dir());
}

fn pointer(content: &[u8]) -> (String, String) {
    let oid = hex::encode(Sha256::digest(content));
    let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n", content.len());
    (oid, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_are_fetched_or_told() {
    let world = World::new().await;
    let content = vec![7_u8; 300_000];
    let (oid, text) = pointer(&content);
    let (_, other) = pointer(b"nowhere");
    world.repo("r", &[("big.bin", &text), (".gitattributes", "*.bin filter=lfs -text\n"), ("not-lfs", &text)]);
    world.repo("half", &[("big.bin", &text), ("b.bin", &other), (".gitattributes", "*.bin filter=lfs\n")]);
    let checkout = checked_out(&world, &world.url("r")).await;
    assert_eq!(checkout.diagnostics[0].code, "lfs-not-fetched");
    assert!(checkout.diagnostics[0].message.contains("it has no Git LFS"), "{:?}", checkout.diagnostics);
    let (folder, _) = unpack(checkout).await;
    assert_eq!(read(folder.path(), "big.bin"), text);
    is_sound(folder.path());

    world.server.add_large(&oid, &content);
    let checkout = checked_out(&world, &world.url("r")).await;
    assert_eq!(checkout.diagnostics[0].code, "lfs-files");
    let (folder, _) = unpack(checkout).await;
    assert_eq!(std::fs::read(folder.path().join("big.bin")).unwrap(), content);
    is_sound_with_large_files(folder.path());

    let checkout = checked_out(&world, &world.url("half")).await;
    assert_eq!(checkout.diagnostics[0].code, "lfs-not-fetched");
    assert!(checkout.diagnostics[0].message.starts_with("1 of 2 large files are only pointers (b.bin)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_large_file_is_not_taken_and_does_not_stop_the_others() {
    let world = World::new().await;
    let (oid, text) = pointer(b"what it should be");
    let (sound, other) = pointer(b"what it is");
    let files = [("a.bin", &*text), ("b.bin", &*other), (".gitattributes", "*.bin filter=lfs\n")];
    world.repo("r", &files);
    world.server.add_large(&oid, b"what somebody made");
    world.server.add_large(&sound, b"what it is");
    let checkout = checked_out(&world, &world.url("r")).await;
    assert_eq!(checkout.diagnostics[0].code, "lfs-not-fetched");
    let said = &checkout.diagnostics[0].message;
    assert!(said.starts_with("1 of 2 large files are only pointers (a.bin)"), "{said}");
    let (folder, _) = unpack(checkout).await;
    assert_eq!(read(folder.path(), "b.bin"), "what it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_of_large_files_does_not_choose_what_is_fetched() {
    let world = World::new().await;
    let ((oid, text), (grown, short), (unasked, _)) = (pointer(b"wanted"), pointer(b"small"), pointer(b"unasked"));
    world.repo("r", &[("a.bin", &text), ("b.bin", &short), (".gitattributes", "*.bin filter=lfs\n")]);
    world.server.add_large(&oid, b"wanted");
    world.server.add_large(&grown, &vec![7; 4 << 20]);
    world.server.add_large(&unasked, b"unasked");
    world.server.pad(2 << 20);
    let checkout = checked_out(&world, &world.url("r")).await;
    let said = &checkout.diagnostics[0].message;
    assert!(said.contains("its Git LFS answer is longer than 1024 KiB"), "{said}");

    world.server.pad(0);
    let checkout = checked_out(&world, &world.url("r")).await;
    let said = &checkout.diagnostics[0].message;
    assert!(said.starts_with("1 of 2 large files are only pointers (b.bin)"), "{said}");
    let (folder, _) = unpack(checkout).await;
    assert_eq!(read(folder.path(), "a.bin"), "wanted");
    let asked = world.server.requests();
    assert!(!asked.contains(&format!("GET /large/{unasked}")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_are_followed_to_where_they_lie() {
    let world = World::new().await;
    let (oid, text) = pointer(b"far away");
    world.repo("r.git", &[("big.bin", &text), (".gitattributes", "*.bin filter=lfs\n")]);
    world.server.add_large(&oid, b"far away");
    // A repository that was renamed sends even the question on.
    let checkout = checked_out(&world, &world.url("moved/r.git")).await;
    assert_eq!(checkout.diagnostics[0].code, "lfs-files", "{:?}", checkout.diagnostics);
    let asked = world.server.requests();
    assert!(asked.contains(&format!("GET /large/{oid}")), "{asked:?}");
    assert!(asked.contains(&"POST /r.git/info/lfs/objects/batch".to_owned()), "{asked:?}");
    // What the host wants to be asked with is for nobody else.
    assert_eq!(world.server.secrets(), [format!("/moved/large/{oid} Bearer here-alone")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_links_are_kept_byte_for_byte() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1"), ("dir/b", "2")]);
    let odd = |bytes: &[u8]| repo.path.join(std::ffi::OsStr::from_bytes(bytes));
    std::fs::create_dir(odd(b"caf\xe9")).unwrap();
    std::fs::write(odd(b"caf\xe9/\xff\xfe"), "odd").unwrap();
    std::os::unix::fs::symlink("dir//b", odd(b"doubled")).unwrap();
    std::os::unix::fs::symlink("./dir/./b", odd(b"dotted")).unwrap();
    std::os::unix::fs::symlink("dir/", odd(b"folder")).unwrap();
    std::os::unix::fs::symlink(odd(b"\xff").file_name().unwrap(), odd(b"dangling")).unwrap();
    let long = format!("{}dir//b", "./".repeat(80));
    std::os::unix::fs::symlink(&long, odd(b"long")).unwrap();
    repo.commit(&[]);
    let checkout = checked_out(&world, &world.url("r")).await;
    assert_eq!(checkout.diagnostics, []);
    let (folder, _) = unpack(checkout).await;
    is_sound(folder.path());
    assert_eq!(std::fs::read_link(folder.path().join("doubled")).unwrap().as_os_str(), "dir//b");
    assert_eq!(std::fs::read_link(folder.path().join("long")).unwrap().as_os_str(), &*long);
    assert_eq!(read(folder.path(), "long"), "2");
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9/\xff\xfe");
    assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), b"odd");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_beyond_the_limit_are_refused_before_the_first_byte() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    // Next to nothing as it is fetched.
    std::fs::write(repo.path.join("zeros"), vec![0; 3 << 20]).unwrap();
    repo.commit(&[]);
    let from = source(&world.url("r"));
    let mut config = world.config();
    config.source.max_mib = 2;
    let git = Git::new(&config).unwrap();
    let pinned = git.pin(&from, &Silent).await.unwrap();
    let error = git.checkout(&from, &pinned.commit, None, (0, 0), &Silent).await.unwrap_err();
    assert_eq!(error.code(), "repository-too-large");
    assert_eq!(error.to_string(), "the files of the repository are larger than 2 MiB");
    assert!(error.hint().unwrap().contains("source.max_mib"));
    config.source.max_mib = 4;
    let git = Git::new(&config).unwrap();
    assert!(git.checkout(&from, &pinned.commit, None, (0, 0), &Silent).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn git_is_led_to_the_credentials_of_the_origin_alone() {
    let world = World::new().await;
    world.repo("private/r", &[("a", "1")]);
    let with = |in_workspaces| {
        let mut config = world.config();
        let password = Secret::new("secret".into());
        let credential = Credential { username: "me".into(), password, in_workspaces, ..Credential::default() };
        config.source.credentials.insert(world.server.host(), credential);
        Git::new(&config).unwrap()
    };
    let from = source(&world.url("private/r"));
    for (in_workspaces, codes) in [(false, vec!["git-push-needs-credentials"]), (true, vec![])] {
        let git = with(in_workspaces);
        let pinned = git.pin(&from, &Silent).await.unwrap();
        let checkout = git.checkout(&from, &pinned.commit, Some("main"), (0, 0), &Silent).await.unwrap();
        let found: Vec<_> = checkout.diagnostics.iter().map(|d| d.code.as_str()).collect();
        assert_eq!(found, codes);
        let (folder, _) = unpack(checkout).await;
        let key = format!("credential.{}.helper", world.server.url);
        assert_eq!(git_in(folder.path(), &["config", "--local", &key]), "/opt/steading/bin/inside credential");
        let config = read(folder.path(), ".git/config");
        assert!(config.contains("useHttpPath = true") && !config.contains("secret"), "{config}");
    }
    world.repo("r", &[("a", "1")]);
    let (folder, _) = unpack(checked_out(&world, &world.url("r")).await).await;
    assert!(!read(folder.path(), ".git/config").contains("credential"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_made_by_hand_is_refused() {
    let world = World::new().await;
    let repo = world.repo("r", &[("a", "1")]);
    let blob = repo.git(&["hash-object", "-w", "a"]);
    let raw = |entries: &[(&str, &str, &str)]| {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            bytes.extend(hex::decode(id).unwrap());
        }
        std::fs::write(repo.path.join("../tree"), bytes).unwrap();
        repo.git(&["hash-object", "-w", "-t", "tree", "--literally", "../tree"])
    };
    let hooks = raw(&[("100755", "post-checkout", &blob)]);
    let evil =
        raw(&[("40000", "..", &hooks), ("40000", ".GIT", &hooks), ("100644", "a", &blob), ("40000", "a", &hooks)]);
    let commit = repo.git(&["commit-tree", &evil, "-m", "evil"]);
    repo.git(&["update-ref", "refs/heads/main", &commit]);
    let git = world.git();
    let from = source(&world.url("r"));
    let commit = commit.parse().unwrap();
    let error = git.checkout(&from, &commit, None, (0, 0), &Silent).await.unwrap_err();
    assert_eq!(error.code(), "repository-unsafe");
}
