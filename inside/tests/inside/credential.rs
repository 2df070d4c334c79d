//! Credentials are delivered and asked for, as the one who drives and as Git do it.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

const ENTRIES: &str =
    r#"[{"protocol":"https","host":"h.example","paths":["/g/r.git"],"username":"me","password":"s3cret"}]"#;

fn inside(root: &Path, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_inside"))
        .arg("--root")
        .arg(root)
        .arg("credential")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn me() -> (u32, String) {
    let uid = std::fs::metadata("/proc/self").unwrap().uid();
    let gid = std::fs::metadata("/proc/self").unwrap().gid();
    (uid, format!("{uid}:{gid}"))
}

#[test]
fn what_was_delivered_is_answered_until_it_is_taken_away() {
    let root = tempfile::tempdir_in("/dev/shm").unwrap();
    std::fs::create_dir_all(root.path().join("dev/shm")).unwrap();
    let (uid, user) = me();
    let question = "protocol=https\nhost=h.example\npath=g/r.git\n\n";
    let get = || String::from_utf8(inside(root.path(), &["get"], question).stdout).unwrap();
    assert_eq!(get(), "");
    assert!(inside(root.path(), &["deliver", "--user", &user], ENTRIES).status.success());
    let file = root.path().join(format!("dev/shm/.steading-git-{uid}"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(get(), "username=me\npassword=s3cret\n");
    for word in ["store", "erase"] {
        assert!(inside(root.path(), &[word], question).status.success());
    }
    assert_eq!(get(), "username=me\npassword=s3cret\n");
    assert!(inside(root.path(), &["deliver", "--user", &user], "").status.success());
    assert_eq!((get().as_str(), file.exists()), ("", false));
}

#[test]
fn nothing_is_written_to_a_disk() {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::create_dir_all(root.path().join("dev/shm")).unwrap();
    let refused = inside(root.path(), &["deliver", "--user", &me().1], ENTRIES);
    assert_eq!(refused.status.code(), Some(71));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no-memory"), "{refused:?}");
    assert_eq!(std::fs::read_dir(root.path().join("dev/shm")).unwrap().count(), 0);
}

#[test]
fn there_is_no_moment_without_credentials_when_they_are_delivered_anew() {
    let root = tempfile::tempdir_in("/dev/shm").unwrap();
    std::fs::create_dir_all(root.path().join("dev/shm")).unwrap();
    let (uid, user) = me();
    let deliver = || assert!(inside(root.path(), &["deliver", "--user", &user], ENTRIES).status.success());
    deliver();
    let file = root.path().join(format!("dev/shm/.steading-git-{uid}"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let found = std::fs::read_to_string(&file);
                assert!(found.as_deref().is_ok_and(|text| text == ENTRIES), "{found:?}");
            }
        });
        (0..50).for_each(|_| deliver());
        over.store(true, Ordering::Relaxed);
        looking.join().unwrap();
    });
    assert_eq!(std::fs::read_dir(root.path().join("dev/shm")).unwrap().count(), 1);
}
