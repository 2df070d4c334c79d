//! Repositories over SSH, from a real `sshd`.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use devcontainer::Tree as _;
use steading_core::Secret;
use steading_core::config::{Config, Credential};
use steading_core::fault::Fault as _;
use steading_core::log::Silent;
use steading_source::{Git, GitError, Pinned};
use tokio::net::TcpListener;

use crate::world::{World, git_in, source, unpack};

/// A server for the user who runs the test, on a port of its own.
struct Sshd {
    child: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn key(folder: &Path, name: &str, passphrase: &str) -> PathBuf {
    let path = folder.join(name);
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", passphrase, "-f", path.to_str().unwrap()]);
    path
}

fn sshd(folder: &Path, host_key: &Path, port: u16) -> Sshd {
    // Where it is started by root it wants this folder, which its service would make.
    let _ = std::fs::create_dir_all("/run/sshd");
    let config = folder.join("sshd_config");
    let text = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n",
        host_key.display(),
        folder.join("authorized_keys").display()
    );
    std::fs::write(&config, text).unwrap();
    let child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f", config.to_str().unwrap()])
        .stderr(Stdio::null())
        .spawn()
        .expect("openssh-server is needed; script/bootstrap test installs it");
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "sshd does not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
    Sshd { child, port }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

struct Ssh {
    world: World,
    folder: PathBuf,
    server: Sshd,
}

impl Ssh {
    /// A server that lets two keys in: `id`, and `locked` with the passphrase `open sesame`.
    async fn new() -> Self {
        let world = World::new().await;
        let folder = world.root.path().join("ssh");
        std::fs::create_dir(&folder).unwrap();
        let host = key(&folder, "host", "");
        for (name, phrase) in [("id", ""), ("locked", "open sesame"), ("stranger", "")] {
            key(&folder, name, phrase);
        }
        let public = |name: &str| std::fs::read_to_string(folder.join(name).with_extension("pub")).unwrap();
        std::fs::write(folder.join("authorized_keys"), public("id") + &public("locked")).unwrap();
        let server = sshd(&folder, &host, free_port());
        Self { world, folder, server }
    }

    fn url(&self, name: &str) -> String {
        let path = self.world.root.path().join("repos").join(name);
        format!("ssh://{}@127.0.0.1:{}{}", run("id", &["-un"]), self.server.port, path.display())
    }

    fn config(&self, name: &str, passphrase: &str) -> Config {
        let mut config = self.world.config();
        // A busy machine takes its time over a handshake.
        config.source.timeout_seconds = 20;
        let credential = Credential {
            ssh_key: self.folder.join(name),
            ssh_passphrase: Secret::new(passphrase.to_owned()),
            ..Credential::default()
        };
        config.source.credentials.insert(format!("127.0.0.1:{}", self.server.port), credential);
        config
    }

    fn git(&self, name: &str, passphrase: &str) -> Git {
        Git::new(&self.config(name, passphrase)).unwrap()
    }
}

async fn pin(git: &Git, url: &str) -> Result<Pinned, GitError> {
    git.pin(&source(url), &Silent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_a_repository() {
    let ssh = Ssh::new().await;
    let repo = ssh.world.repo("r", &[("a", "1")]);
    let (git, from) = (ssh.git("id", ""), source(&ssh.url("r")));
    let pinned = git.pin(&from, &Silent).await.unwrap();
    assert_eq!((pinned.commit.as_str(), pinned.branch.as_deref()), (repo.head().as_str(), Some("main")));
    assert_eq!(git.tree(&from, &pinned.commit, &Silent).await.unwrap().read("a").unwrap(), b"1");
    let checkout = git.checkout(&from, &pinned.commit, Some("main"), (0, 0), &Silent).await.unwrap();
    let codes: Vec<_> = checkout.diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes, ["git-push-needs-credentials"]);
    let (folder, _) = unpack(checkout).await;
    assert_eq!(git_in(folder.path(), &["status", "--porcelain"]), "");
    assert_eq!(git_in(folder.path(), &["remote", "get-url", "origin"]), ssh.url("r"));
    assert_eq!(pin(&git, &ssh.url("nope")).await.unwrap_err().code(), "repository-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_key_needs_its_passphrase() {
    let ssh = Ssh::new().await;
    ssh.world.repo("r", &[("a", "1")]);
    pin(&ssh.git("locked", "open sesame"), &ssh.url("r")).await.unwrap();
    for (name, phrase) in [("locked", "wrong"), ("locked", ""), ("stranger", ""), ("absent", "")] {
        let error = pin(&ssh.git(name, phrase), &ssh.url("r")).await.unwrap_err();
        assert_eq!(error.code(), "credentials-refused", "{name} {phrase}: {error}");
        assert!(!format!("{error:?} {error} {:?}", error.hint()).contains("wrong"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_changes_its_key_is_refused() {
    let mut ssh = Ssh::new().await;
    ssh.world.repo("r", &[("a", "1")]);
    let url = ssh.url("r");
    pin(&ssh.git("id", ""), &url).await.unwrap();
    let known = ssh.world.root.path().join("data/git/known_hosts");
    let line = std::fs::read_to_string(&known).unwrap();
    assert!(line.starts_with(&format!("127.0.0.1:{} ", ssh.server.port)), "{line}");
    pin(&ssh.git("id", ""), &url).await.unwrap();
    assert_eq!(std::fs::read_to_string(&known).unwrap(), line);

    let other = key(&ssh.folder, "other-host", "");
    let port = ssh.server.port;
    let _ = (ssh.server.child.kill(), ssh.server.child.wait());
    ssh.server = sshd(&ssh.folder, &other, port);
    let error = pin(&ssh.git("id", ""), &url).await.unwrap_err();
    assert_eq!(error.code(), "host-key-changed", "{error}");
    assert!(error.hint().unwrap().contains("known_hosts"));
    std::fs::remove_file(&known).unwrap();
    pin(&ssh.git("id", ""), &url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_host_is_given_up_over_ssh_too() {
    let ssh = Ssh::new().await;
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut config = ssh.config("id", "");
    config.source.timeout_seconds = 1;
    let credential = Credential { ssh_key: ssh.folder.join("id"), ..Credential::default() };
    config.source.credentials.insert(format!("127.0.0.1:{port}"), credential);
    let git = Git::new(&config).unwrap();
    let error = pin(&git, &format!("ssh://git@127.0.0.1:{port}/a/b")).await.unwrap_err();
    assert_eq!(error.code(), "host-timeout", "{error}");
    drop(silent);
    let error = pin(&git, &format!("ssh://git@127.0.0.1:{port}/a/b")).await.unwrap_err();
    assert_eq!(error.code(), "host-unreachable", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submodule_of_the_same_host_uses_the_same_key() {
    let ssh = Ssh::new().await;
    let lib = ssh.world.repo("lib.git", &[("lib", "lib")]);
    let repo = ssh.world.repo("r", &[("a", "1")]);
    repo.git(&["submodule", "-q", "add", lib.path.to_str().unwrap(), "lib"]);
    repo.git(&["config", "-f", ".gitmodules", "submodule.lib.url", &ssh.url("lib.git")]);
    repo.commit(&[]);
    let (git, from) = (ssh.git("id", ""), source(&ssh.url("r")));
    let pinned = git.pin(&from, &Silent).await.unwrap();
    let checkout = git.checkout(&from, &pinned.commit, Some("main"), (0, 0), &Silent).await.unwrap();
    let urls: Vec<_> = checkout.submodules.iter().map(|url| url.to_string()).collect();
    assert_eq!(urls, [ssh.url("lib.git")]);
    let (folder, _) = unpack(checkout).await;
    assert_eq!(std::fs::read_to_string(folder.path().join("lib/lib")).unwrap(), "lib");
}
