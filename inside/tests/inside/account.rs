//! Becoming users, and the ids of the remote user, on a root of our own.

use crate::world::{World, me, root, text};
use std::fs;
use std::os::unix::fs::MetadataExt;

const PASSWD: &str =
    "root:x:0:0::/root:/bin/sh\nvscode:x:3000:3000::/home/vscode:/bin/bash\nother:x:4000:4000::/:/bin/sh\n";
const GROUP: &str = "root:x:0:\nvscode:x:3000:\ndocker:x:999:vscode\n";

fn image(world: &World) -> String {
    for folder in ["root/etc", "root/home/vscode/.config"] {
        fs::create_dir_all(world.path(folder)).unwrap();
    }
    fs::write(world.path("root/etc/passwd"), PASSWD).unwrap();
    fs::write(world.path("root/etc/group"), GROUP).unwrap();
    fs::write(world.path("root/home/vscode/.config/file"), "").unwrap();
    world.path("root").to_str().unwrap().to_owned()
}

#[test]
fn accounts_are_told_as_json() {
    let world = World::new();
    let image = image(&world);
    let user = world.json(&["--root", &image, "user", "vscode"]);
    assert_eq!(
        (&user["uid"], &user["home"], &user["shell"]),
        (&3000.into(), &"/home/vscode".into(), &"/bin/bash".into())
    );
    assert_eq!(user["groups"][0]["name"], "docker");
    let unknown = world.run(&["--root", &image, "user", "alice"]);
    assert_eq!(unknown.status.code(), Some(67));
    assert!(text(&unknown.stdout).contains("\"code\":\"no-such-user\""));
    assert_eq!(world.json(&["--root", &image, "look"])["passwd"], true);
}

#[test]
fn the_same_user_needs_no_rights() {
    let world = World::new();
    let output =
        world.run(&["as", "--user", &me(), "--cwd", "/", "--env", "A=b", "--", "sh", "-c", "echo $A; pwd; id -u"]);
    assert_eq!(text(&output.stdout), format!("b\n/\n{}\n", me()));
    for (words, code) in [
        (vec!["as", "--user", &me(), "--", "no-such-command-here"], 127),
        (vec!["as", "--user", &me(), "--", "/etc/passwd"], 126),
        (vec!["as", "--user", &me(), "--cwd", "/no/such", "--", "true"], 66),
        (vec!["as", "--user", "no-such-user", "--", "true"], 67),
        (vec!["as", "--user", &me()], 64),
        (vec!["as", "--nonsense", "--", "true"], 64),
        (vec!["nonsense"], 64),
        (vec![], 64),
    ] {
        let output = world.run(&words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
        assert!(text(&output.stderr).starts_with("inside: "), "{output:?}");
    }
    if !root() {
        let denied = world.run(&["as", "--user", "0:0", "--", "true"]);
        assert_eq!(denied.status.code(), Some(77), "{denied:?}");
    }
}

#[test]
fn root_becomes_a_user_with_its_groups_and_names() {
    if !root() {
        return;
    }
    let world = World::new();
    let image = image(&world);
    let script = "id -u; id -g; id -G; echo $HOME $USER $SHELL";
    let mut command = world.inside(&["--root", &image, "as", "--user", "vscode", "--", "sh", "-c", script]);
    let output = command.env("HOME", "/root").env_remove("USER").env_remove("SHELL").output().unwrap();
    assert_eq!(text(&output.stdout), "3000\n3000\n3000 999\n/home/vscode vscode /bin/bash\n");
    let back =
        world.run(&["--root", &image, "as", "--user", "vscode", "--", "/bin/sh", "-c", "echo > /etc/steading-test"]);
    assert!(!back.status.success());
}

#[test]
fn the_remote_user_gets_the_ids_of_its_person() {
    if !root() {
        return;
    }
    let world = World::new();
    let image = image(&world);
    let owner = |path: &str| fs::metadata(world.path(path)).map(|m| (m.uid(), m.gid())).unwrap();
    let update = |uid: u32, gid: u32| {
        let spec = format!(r#"{{"uid": {{"user": "vscode", "uid": {uid}, "gid": {gid}}}}}"#);
        let mut main = world.inside(&["--root", &image, "main"]);
        let mut main = main.env("STEADING_INSIDE", spec).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(main.stderr.take().unwrap()), &mut line).unwrap();
        main.kill().unwrap();
        main.wait().unwrap();
        line
    };
    assert!(update(5001, 5002).contains("vscode is now 5001:5002"));
    assert_eq!(world.read("root/etc/passwd"), PASSWD.replace("vscode:x:3000:3000", "vscode:x:5001:5002"));
    assert_eq!(world.read("root/etc/group"), GROUP.replace(":3000:", ":5002:"));
    for path in ["root/home/vscode", "root/home/vscode/.config", "root/home/vscode/.config/file"] {
        assert_eq!(owner(path), (5001, 5002), "{path}");
    }
    assert_eq!(owner("root/home"), (0, 0));
    assert!(update(5001, 5002).contains("the ids are right already"));
    assert!(update(4000, 5002).contains("uid 4000 belongs to other"));
    assert!(update(6000, 999).contains("vscode is now 6000:5002"), "the id of an existing group is left alone");
}
