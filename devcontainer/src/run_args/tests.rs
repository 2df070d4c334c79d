use super::*;
use crate::mount::MountKind;

fn read(words: &[&str]) -> RunArgs {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    parse(&words)
}

#[test]
fn values_follow_or_are_attached() {
    let args =
        read(&["--cap-add", "SYS_PTRACE", "--cap-add=NET_ADMIN", "-eA=1", "-e", "B", "-u", "node", "--user=root"]);
    assert_eq!(args.cap_add, ["SYS_PTRACE", "NET_ADMIN"]);
    assert_eq!(args.env.get("A"), Some(&Some("1".to_owned())));
    assert_eq!(args.env.get("B"), Some(&None));
    assert_eq!(args.user.as_deref(), Some("root"));
    assert!(args.unknown.is_empty() && args.diagnostics.is_empty());
}

#[test]
fn flags_stand_alone_or_say_what_they_are() {
    let args = read(&["--init", "--privileged=false", "--rm", "-it", "-d", "-P"]);
    assert_eq!(
        (args.init, args.privileged, args.rm, args.publish_all),
        (Some(true), Some(false), Some(true), Some(true))
    );
    assert!(args.unknown.is_empty());
    assert_eq!(read(&["--init=maybe"]).unknown, ["--init=maybe"]);
}

#[test]
fn the_three_kinds_of_mounts_are_one_list() {
    let args = read(&[
        "-v",
        "/var/run/docker.sock:/var/run/docker.sock",
        "--volume=cache:/cache:ro",
        "--mount",
        "type=volume,source=a,target=/b",
        "--tmpfs",
        "/tmp:size=64m,exec",
    ]);
    let seen: Vec<_> = args.mounts.iter().map(|m| (m.kind, m.target.as_str(), m.read_only)).collect();
    assert_eq!(
        seen,
        [
            (MountKind::Bind, "/var/run/docker.sock", false),
            (MountKind::Volume, "/cache", true),
            (MountKind::Volume, "/b", false),
            (MountKind::Tmpfs, "/tmp", false),
        ]
    );
    assert_eq!(args.mounts[3].options.get("tmpfs-size"), Some(&Some("64m".to_owned())));
}

#[test]
fn sizes_and_numbers_are_read() {
    let args = read(&[
        "--shm-size",
        "1.5g",
        "-m",
        "512m",
        "--cpus=1.5",
        "--memory-swap=-1",
        "--ulimit",
        "nofile=1024:2048",
        "--pids-limit=-1",
    ]);
    assert_eq!((args.shm_size, args.memory, args.cpus), (Some(3 << 29), Some(512 << 20), Some(1.5)));
    assert_eq!((args.memory_swap, args.pids_limit), (Some(-1), Some(-1)));
    assert_eq!(args.ulimits, [Ulimit { name: "nofile".into(), soft: 1024, hard: 2048 }]);
}

#[test]
fn names_places_and_rules_are_read() {
    let args = read(&[
        "--network=host",
        "--hostname",
        "box",
        "--add-host=db:10.0.0.1",
        "--add-host=api=host-gateway",
        "--name=x",
        "-p",
        "8080:80",
        "--gpus",
        "all",
        "--device=/dev/fuse",
        "--pid=host",
        "--ipc=host",
        "--userns=keep-id",
        "--group-add",
        "docker",
        "--sysctl",
        "net.a=1",
        "-w",
        "/w",
        "--entrypoint=",
        "--platform",
        "linux/amd64",
        "--label",
        "a=b",
        "--dns=1.1.1.1",
        "--env-file",
        ".env",
        "--security-opt",
        "seccomp=unconfined",
    ]);
    assert!(args.unknown.is_empty(), "{:?}", args.unknown);
    assert_eq!(
        (args.network.as_deref(), args.hostname.as_deref(), args.name.as_deref()),
        (Some("host"), Some("box"), Some("x"))
    );
    assert_eq!(args.add_hosts, ["db:10.0.0.1", "api:host-gateway"]);
    assert_eq!((args.publish.len(), args.devices.len(), args.env_files.len()), (1, 1, 1));
    assert_eq!((args.entrypoint.as_deref(), args.labels.get("a").map(String::as_str)), (Some(""), Some("b")));
    assert_eq!(args.sysctls.get("net.a").map(String::as_str), Some("1"));
}

#[test]
fn what_is_not_understood_is_reported_and_kept_apart() {
    let args = read(&[
        "--blkio-weight",
        "3",
        "--oom-kill-disable",
        "--init",
        "word",
        "--cpus=many",
        "--env-file .env",
        "--memory",
    ]);
    assert_eq!(
        args.unknown,
        ["--blkio-weight", "3", "--oom-kill-disable", "word", "--cpus=many", "--env-file .env", "--memory"]
    );
    let codes: Vec<&str> = args.diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "unknown-run-argument",
            "unknown-run-argument",
            "unknown-run-argument",
            "invalid-run-argument",
            "unknown-run-argument",
            "run-argument-without-value"
        ]
    );
    assert_eq!(args.init, Some(true));
}
