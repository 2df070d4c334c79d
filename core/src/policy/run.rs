//! Which arguments of `docker run` are left when those about rights, mounts and ports are gone.

use devcontainer::run_args::RunArgs;

use super::{Notes, PORTS, PORTS_HINT};

/// Parameters that the kernel keeps for each container by itself.
const OWN_PARAMETERS: [&str; 6] = ["net.", "kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.", "user."];

pub(super) fn admit(args: &RunArgs, notes: &mut Notes<'_>) -> RunArgs {
    let mut left = RunArgs {
        cap_drop: args.cap_drop.clone(),
        user: args.user.clone(),
        hostname: args.hostname.clone().filter(|name| is_host_name(name)),
        add_hosts: args.add_hosts.clone(),
        shm_size: args.shm_size,
        memory: args.memory,
        cpus: args.cpus,
        pids_limit: args.pids_limit,
        ulimits: args.ulimits.clone(),
        group_add: args.group_add.clone(),
        workdir: args.workdir.clone(),
        entrypoint: args.entrypoint.clone(),
        ..RunArgs::default()
    };
    environment(args, &mut left, notes);
    namespaces(args, notes);
    for (name, value) in &args.sysctls {
        if OWN_PARAMETERS.iter().any(|own| name.starts_with(own)) {
            left.sysctls.insert(name.clone(), value.clone());
        } else {
            refuse(notes, "--sysctl", name, "a parameter of the host's kernel");
        }
    }
    for (name, value) in &args.labels {
        if name.starts_with("dev.steading/") {
            refuse(notes, "--label", name, "a label of Steading's own");
        } else {
            left.labels.insert(name.clone(), value.clone());
        }
    }
    if !args.publish.is_empty() || args.publish_all == Some(true) {
        notes.tell("ports-not-published", PORTS.to_owned(), PORTS_HINT);
    }
    without_effect(args, notes);
    left
}

fn environment(args: &RunArgs, left: &mut RunArgs, notes: &mut Notes<'_>) {
    for (name, value) in &args.env {
        match value {
            Some(_) => {
                left.env.insert(name.clone(), value.clone());
            }
            None => notes.tell(
                "environment-not-passed",
                format!("\"--env {name}\" would pass on a variable of the server, which is not done"),
                "write the value, or use \"${localEnv:NAME}\" and ask for the name in policy.local_env",
            ),
        }
    }
    for file in &args.env_files {
        notes.tell(
            "environment-file-not-read",
            format!("\"--env-file {file}\" names a file of the machine that starts the container; it is not read"),
            "use containerEnv, or read the file in a lifecycle command",
        );
    }
}

/// A namespace of the host's or of another container's is a way out of this one.
fn namespaces(args: &RunArgs, notes: &mut Notes<'_>) {
    let harmless = |value: &str| matches!(value, "" | "private" | "shareable" | "default" | "bridge" | "none");
    let asked = [
        ("--network", &args.network),
        ("--pid", &args.pid),
        ("--ipc", &args.ipc),
        ("--uts", &args.uts),
        ("--userns", &args.userns),
        ("--cgroupns", &args.cgroupns),
    ];
    for (option, value) in asked {
        let Some(value) = value else { continue };
        if harmless(value) || (option == "--userns" && value.starts_with("keep-id")) {
            notes.tell(
                "run-argument-without-effect",
                format!("\"{option}={value}\" has no effect: a workspace has namespaces of its own"),
                "remove it from \"runArgs\"",
            );
        } else {
            refuse(notes, option, value, "a namespace of the host or of another container");
        }
    }
}

fn refuse(notes: &mut Notes<'_>, option: &str, value: &str, what: &str) {
    let value: String = value.chars().take(80).collect();
    notes.refuse(
        "run-argument-refused",
        format!("\"{option}={value}\" asks for {what}; the workspace runs without"),
        "remove it from \"runArgs\"; no setting allows it",
    );
}

fn without_effect(args: &RunArgs, notes: &mut Notes<'_>) {
    let given = [
        ("--read-only", args.read_only == Some(true)),
        ("--network-alias", !args.network_aliases.is_empty()),
        ("--dns", !args.dns.is_empty()),
        ("--dns-search", !args.dns_search.is_empty()),
        ("--dns-option", !args.dns_options.is_empty()),
        ("--memory-reservation", args.memory_reservation.is_some()),
        ("--memory-swap", args.memory_swap.is_some()),
        ("--cpu-shares", args.cpu_shares.is_some()),
        ("--cpuset-cpus", args.cpuset_cpus.is_some()),
        ("--gpus", args.gpus.is_some()),
        ("--name", args.name.is_some()),
        ("--restart", args.restart.is_some()),
        ("--rm", args.rm == Some(true)),
        ("--platform", args.platform.is_some()),
        ("--runtime", args.runtime.is_some()),
    ];
    for (option, _) in given.into_iter().filter(|(_, given)| *given) {
        notes.tell(
            "run-argument-without-effect",
            format!("\"{option}\" has no effect: Steading decides this for every workspace"),
            "remove it from \"runArgs\"",
        );
    }
}

fn is_host_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    !name.is_empty() && name.len() <= 63 && name.chars().all(fine) && !name.starts_with(['-', '.'])
}
