//! What the user's shell makes of the environment.

use crate::world::{World, me};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A shell that makes its own environment, and counts how often it is asked.
fn shell(world: &World, body: &str) -> String {
    let path = world.path("fake-shell");
    let count = world.path("count");
    let text = format!("#!/bin/sh\necho x >> {}\necho welcome to the shell\n{body}\n", count.display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_shell_is_asked_once_per_start_and_mode() {
    let world = World::new();
    let shell = shell(&world, "export NEW=\"a\nb\" PATH=/opt/tool:$PATH WORDS=\"$1\"; exec /bin/sh -c \"$2\"");
    let ask = |mode: &str| {
        let me = me();
        let mut command = world.inside(&["probe", "--user", &me, "--mode", mode]);
        let output = command.env("SHELL", &shell).env("PATH", "/usr/bin:/bin").output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    for _ in 0..2 {
        let env = ask("loginInteractiveShell");
        assert_eq!(
            (&env["NEW"], &env["WORDS"], &env["PWD"]),
            (&"a\nb".into(), &"-lic".into(), &serde_json::Value::Null)
        );
        assert_eq!(env["PATH"], "/opt/tool:/usr/bin:/bin");
    }
    assert_eq!(world.read("count"), "x\n");
    assert_eq!(ask("loginShell")["WORDS"], "-lc");
    assert_eq!(world.read("count"), "x\nx\n");
    assert_eq!(ask("none"), serde_json::json!({}));
}

#[test]
fn hooks_see_what_the_shell_makes_and_what_is_set_wins() {
    let world = World::new();
    let shell = shell(&world, "export A=shell B=shell C=shell; exec /bin/sh -c \"$2\"");
    let script = "echo $A $B $C";
    let options = ["--probe", "interactiveShell", "--env", "B=set", "--pass", "C"];
    let output = world.hook("k", &options, script).env("SHELL", &shell).env("C", "exec").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "shell set exec\n");
}

#[test]
fn a_shell_that_hangs_or_fails_is_ignored() {
    let world = World::new();
    let begun = Instant::now();
    let hung = shell(&world, "sleep 60");
    let me = me();
    let ask = |shell: &str, mode: &str| {
        let mut command = world.inside(&["probe", "--user", &me, "--mode", mode, "--timeout", "0.3"]);
        command.env("SHELL", shell).stdout(Stdio::piped()).output().unwrap()
    };
    let output = ask(&hung, "loginShell");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"{}\n".as_slice()));
    assert!(String::from_utf8_lossy(&output.stderr).contains("took longer"));
    assert_eq!(ask("/no/such/shell", "interactiveShell").stdout, b"{}\n");
    assert!(begun.elapsed() < Duration::from_secs(5));
}
