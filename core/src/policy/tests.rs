use devcontainer::run_args;

use super::*;

fn args(words: &[&str]) -> RunArgs {
    run_args::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
}

fn codes(merged: &Merged, words: &[&str], policy: &Policy) -> Vec<String> {
    admit("devcontainer.json", merged, &args(words), policy).1.into_iter().map(|d| d.code).collect()
}

fn mounts(written: &[&str], policy: &Policy) -> (Vec<String>, Vec<String>) {
    let merged = Merged { mounts: written.iter().map(|m| Mount::parse(m).unwrap()).collect(), ..Merged::default() };
    let (admitted, notes) = admit("devcontainer.json", &merged, &RunArgs::default(), policy);
    (admitted.mounts().iter().map(|m| m.target.clone()).collect(), notes.into_iter().map(|d| d.code).collect())
}

#[test]
fn a_stranger_gets_nothing_of_the_host() {
    let merged = Merged { privileged: true, cap_add: vec!["SYS_ADMIN".into()], ..Merged::default() };
    let words = [
        "--cap-add=CAP_SYS_PTRACE",
        "--security-opt",
        "seccomp=unconfined",
        "--device=/dev/kvm",
        "--network=host",
        "--pid=host",
        "--ipc=container:other",
        "--sysctl=vm.swappiness=1",
        "--label=dev.steading/workspace=x",
        "-v/:/host",
    ];
    let (admitted, notes) = admit("devcontainer.json", &merged, &args(&words), &Policy::default());
    assert!(!admitted.privileged());
    assert!(admitted.cap_add().is_empty() && admitted.security_opt().is_empty() && admitted.devices().is_empty());
    assert!(admitted.mounts().is_empty() && admitted.args().sysctls.is_empty() && admitted.args().labels.is_empty());
    assert_eq!(notes.len(), 11, "{notes:#?}");
    assert!(notes.iter().all(|n| n.severity == Severity::Warning && n.hint.is_some()));
}

#[test]
fn an_administrator_can_allow_each_by_name() {
    let policy = Policy {
        privileged: true,
        capabilities: vec!["cap_sys_ptrace".into()],
        security_options: vec!["seccomp=unconfined".into()],
        devices: vec!["/dev/kvm".into()],
        host_mounts: vec!["/srv/data".into()],
        ..Policy::default()
    };
    let words = [
        "--privileged",
        "--cap-add=SYS_PTRACE",
        "--security-opt=seccomp:unconfined",
        "--device=/dev/kvm:/dev/kvm:rw",
        "-v",
        "/srv/data/:/data",
    ];
    let (admitted, notes) = admit("devcontainer.json", &Merged::default(), &args(&words), &policy);
    assert_eq!(notes, []);
    assert!(admitted.privileged());
    assert_eq!(admitted.cap_add(), ["SYS_PTRACE"]);
    assert_eq!(admitted.security_opt(), ["seccomp=unconfined"]);
    assert_eq!((admitted.devices().len(), admitted.mounts().len()), (1, 1));
}

#[test]
fn every_refusal_names_the_setting() {
    let merged = Merged { privileged: true, ..Merged::default() };
    let words = ["--cap-add=NET_ADMIN", "--security-opt=apparmor=unconfined", "--device=/dev/fuse", "-v/a:/b"];
    let (_, notes) = admit("devcontainer.json", &merged, &args(&words), &Policy::default());
    let hints: Vec<String> = notes.into_iter().filter_map(|n| n.hint).collect();
    for key in
        ["policy.privileged", "policy.capabilities", "policy.security_options", "policy.devices", "policy.host_mounts"]
    {
        assert!(hints.iter().any(|hint| hint.contains(key)), "{key} in {hints:?}");
    }
}

#[test]
fn the_engine_socket_is_refused_even_below_an_allowed_folder() {
    let mount = ["type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock"];
    let wide = Policy { host_mounts: vec!["/var/run".into(), "/".into()], ..Policy::default() };
    assert_eq!(mounts(&mount, &wide), (vec![], vec!["engine-socket-refused".to_owned()]));
    let exact = Policy { host_mounts: vec!["/var/run/docker.sock".into()], ..Policy::default() };
    assert_eq!(mounts(&mount, &exact).1, Vec::<String>::new());
}

#[test]
fn a_folder_within_a_listed_one_may_be_a_link_by_the_time_it_is_mounted() {
    let below = ["type=bind,source=/srv/data/l,target=/x"];
    let refused = (vec![], vec!["nested-host-mount-refused".to_owned()]);
    let one = Policy { host_mounts: vec!["/srv/data".into()], ..Policy::default() };
    assert_eq!(mounts(&below, &one), refused);
    // Listed itself, it can still be swapped by whoever has the other.
    let both = Policy { host_mounts: vec!["/srv/data/l".into(), "/srv/data".into()], ..Policy::default() };
    assert_eq!(mounts(&below, &both), refused);
    let alone = Policy { host_mounts: vec!["/srv/data/l".into(), "/srv/data/m".into()], ..Policy::default() };
    assert_eq!(mounts(&below, &alone), (vec!["/x".to_owned()], vec![]));
}

#[test]
fn mounts_with_tricks_are_refused() {
    let policy = Policy { host_mounts: vec!["/srv".into()], ..Policy::default() };
    for (mount, code) in [
        ("type=bind,source=/srv/../etc,target=/x", "host-mount-refused"),
        ("type=bind,source=/srvx,target=/x", "host-mount-refused"),
        ("type=bind,source=relative,target=/x", "host-mount-refused"),
        ("type=volume,source=v,target=/x,volume-opt=type=none,volume-opt=device=/", "volume-options-refused"),
        ("type=volume,source=../v,target=/x", "invalid-volume-name"),
        ("type=volume,source=v,target=/", "invalid-mount-target"),
        ("type=volume,source=v,target=/x/../opt/steading", "invalid-mount-target"),
        ("type=volume,source=v,target=x", "invalid-mount-target"),
        ("type=volume,source=v,target=/opt/steading/bin/", "reserved-mount-target"),
        ("type=volume,source=v,target=/etc", "reserved-mount-target"),
    ] {
        assert_eq!(mounts(&[mount], &policy), (vec![], vec![code.to_owned()]), "{mount}");
    }
}

#[test]
fn volumes_and_memory_are_fine_and_the_last_of_one_target_counts() {
    let written = ["type=volume,source=a,target=/c", "type=tmpfs,target=/t", "type=volume,source=b,target=/c/"];
    let (targets, notes) = mounts(&written, &Policy::default());
    assert_eq!((targets, notes), (vec!["/t".to_owned(), "/c/".to_owned()], vec![]));
}

#[test]
fn what_has_no_effect_is_told_and_no_warning() {
    let merged = Merged { app_port: vec![devcontainer::AppPort::Number(3000)], ..Merged::default() };
    let words = ["-p", "80:80", "--name=x", "--env", "TOKEN", "--network=bridge", "--add-host=db:10.0.0.1"];
    assert_eq!(
        codes(&merged, &words, &Policy::default()),
        ["ports-not-published", "environment-not-passed", "run-argument-without-effect", "run-argument-without-effect"]
    );
    let (admitted, _) = admit("devcontainer.json", &merged, &args(&words), &Policy::default());
    assert_eq!(admitted.args().add_hosts, ["db:10.0.0.1"]);
}

#[test]
fn default_capabilities_and_tighter_rules_need_no_permission() {
    let words = ["--cap-add=NET_BIND_SERVICE", "--security-opt=no-new-privileges:true", "--cap-drop=ALL"];
    let (admitted, notes) = admit("devcontainer.json", &Merged::default(), &args(&words), &Policy::default());
    assert_eq!(notes, []);
    assert_eq!((admitted.cap_add().len(), admitted.security_opt().len()), (1, 1));
    assert_eq!(admitted.args().cap_drop, ["ALL"]);
}

#[test]
fn the_command_for_a_persons_own_machine_is_told_of_where_the_file_is_read_and_not_again() {
    let command = devcontainer::LifecycleCommand::Shell("make".to_owned());
    let merged = Merged { initialize_command: Some(command), ..Merged::default() };
    assert_eq!(codes(&merged, &[], &Policy::default()), Vec::<String>::new());
}
