//! Large files in an image without git-lfs, as git itself sees them.

use std::path::Path;
use std::process::Command;

/// A PATH with git and a shell, and without git-lfs.
fn bare(root: &Path) -> String {
    let bin = root.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for name in ["git", "sh"] {
        let found =
            std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|p| p.join(name)).find(|p| p.exists());
        std::os::unix::fs::symlink(found.unwrap(), bin.join(name)).unwrap();
    }
    bin.display().to_string()
}

struct Repo {
    root: tempfile::TempDir,
    path: String,
}

impl Repo {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = bare(root.path());
        let repo = Self { root, path };
        std::fs::create_dir(repo.work()).unwrap();
        repo.git(&["init", "-q"]);
        let inside = env!("CARGO_BIN_EXE_inside");
        repo.git(&["config", "filter.lfs.clean", &format!("{inside} lfs-clean %f")]);
        repo.git(&["config", "filter.lfs.smudge", &format!("{inside} lfs-smudge %f")]);
        std::fs::write(repo.work().join(".gitattributes"), "*.bin filter=lfs -text\n").unwrap();
        repo
    }

    fn work(&self) -> std::path::PathBuf {
        self.root.path().join("work")
    }

    fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
            .args(words)
            .current_dir(self.work())
            .env_clear()
            .envs([("PATH", self.path.as_str()), ("HOME", "/nonexistent"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.work().join(name), content).unwrap();
    }
}

#[test]
fn a_large_file_is_committed_as_its_pointer_and_not_lost() {
    let repo = Repo::new();
    let (one, two) = (vec![1; 100_000], vec![2; 200_000]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:";
    // As a checkout has it: the pointer is in the commit, the file in the folder.
    repo.write("a file.bin", &one);
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "one"]);
    assert!(repo.git(&["show", "HEAD:a file.bin"]).starts_with(pointer));
    std::fs::remove_dir_all(repo.work().join(".git/lfs")).unwrap();
    repo.git(&["update-index", "--really-refresh"]);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert!(!repo.work().join(".git/lfs").exists(), "what was fetched is not kept twice");

    repo.write("a file.bin", &two);
    assert_eq!(repo.git(&["status", "--porcelain"]), " M \"a file.bin\"\n");
    repo.git(&["commit", "-qam", "two"]);
    assert!(repo.git(&["show", "HEAD:a file.bin"]).contains("size 200000"));
    repo.write("a file.bin", b"");
    repo.git(&["checkout", "a file.bin"]);
    assert_eq!(std::fs::read(repo.work().join("a file.bin")).unwrap(), two);

    // One that was never fetched, and one that is not kept here.
    repo.git(&["checkout", "-q", "HEAD~1"]);
    assert!(std::fs::read_to_string(repo.work().join("a file.bin")).unwrap().starts_with(pointer));
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}
