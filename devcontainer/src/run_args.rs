//! The arguments of `docker run` that a configuration asks for, with types.
//!
//! Nothing is passed on as text: what is not understood is reported instead, because an argument
//! can give a container the whole host.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{diagnostic::Diagnostic, mount::Mount};

mod options;
mod values;

/// Arguments of `docker run`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunArgs {
    /// `--cap-add`
    pub cap_add: Vec<String>,
    /// `--cap-drop`
    pub cap_drop: Vec<String>,
    /// `--security-opt`
    pub security_opt: Vec<String>,
    /// `--init`
    pub init: Option<bool>,
    /// `--privileged`
    pub privileged: Option<bool>,
    /// `--read-only`
    pub read_only: Option<bool>,
    /// `--env`; `None` means the value of the engine's client, which a server does not give away.
    pub env: IndexMap<String, Option<String>>,
    /// `--env-file`, paths relative to wherever the client was started.
    pub env_files: Vec<String>,
    /// `--user`; the last one counts.
    pub user: Option<String>,
    /// `--volume`, `--mount` and `--tmpfs`
    pub mounts: Vec<Mount>,
    /// `--network`; the last one counts.
    pub network: Option<String>,
    /// `--network-alias`
    pub network_aliases: Vec<String>,
    /// `--hostname`
    pub hostname: Option<String>,
    /// `--add-host`, each as `name:address`
    pub add_hosts: Vec<String>,
    /// `--dns`
    pub dns: Vec<String>,
    /// `--dns-search`
    pub dns_search: Vec<String>,
    /// `--dns-option`
    pub dns_options: Vec<String>,
    /// `--shm-size` in bytes
    pub shm_size: Option<u64>,
    /// `--memory` in bytes
    pub memory: Option<u64>,
    /// `--memory-reservation` in bytes
    pub memory_reservation: Option<u64>,
    /// `--memory-swap` in bytes; -1 is no limit.
    pub memory_swap: Option<i64>,
    /// `--cpus`, a number of processors
    pub cpus: Option<f64>,
    /// `--cpu-shares`
    pub cpu_shares: Option<u64>,
    /// `--cpuset-cpus`
    pub cpuset_cpus: Option<String>,
    /// `--pids-limit`; -1 is no limit.
    pub pids_limit: Option<i64>,
    /// `--ulimit`
    pub ulimits: Vec<Ulimit>,
    /// `--device`, as written
    pub devices: Vec<String>,
    /// `--gpus`, as written
    pub gpus: Option<String>,
    /// `--label`
    pub labels: IndexMap<String, String>,
    /// `--name`
    pub name: Option<String>,
    /// `--publish`, as written
    pub publish: Vec<String>,
    /// `--publish-all`
    pub publish_all: Option<bool>,
    /// `--expose`, as written
    pub expose: Vec<String>,
    /// `--pid`
    pub pid: Option<String>,
    /// `--ipc`
    pub ipc: Option<String>,
    /// `--uts`
    pub uts: Option<String>,
    /// `--userns`
    pub userns: Option<String>,
    /// `--cgroupns`
    pub cgroupns: Option<String>,
    /// `--group-add`
    pub group_add: Vec<String>,
    /// `--sysctl`
    pub sysctls: IndexMap<String, String>,
    /// `--workdir`
    pub workdir: Option<String>,
    /// `--entrypoint`
    pub entrypoint: Option<String>,
    /// `--rm`
    pub rm: Option<bool>,
    /// `--restart`
    pub restart: Option<String>,
    /// `--platform`
    pub platform: Option<String>,
    /// `--runtime`
    pub runtime: Option<String>,
    /// What was not understood, word by word.
    pub unknown: Vec<String>,
    /// What to say about the arguments.
    pub diagnostics: Vec<Diagnostic>,
}

/// A resource limit of processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Its name, for example `nofile`.
    pub name: String,
    /// The limit that applies; -1 is none.
    pub soft: i64,
    /// The highest limit a process may set for itself.
    pub hard: i64,
}

/// More findings than this are not worth reading.
const MAX_DIAGNOSTICS: usize = 100;

/// Reads arguments. The diagnostics name the file `devcontainer.json`; see [`parse_in`].
#[must_use]
pub fn parse(args: &[String]) -> RunArgs {
    parse_in("devcontainer.json", args)
}

/// Reads the arguments of a file.
#[must_use]
pub fn parse_in(file: &str, args: &[String]) -> RunArgs {
    let mut read = RunArgs::default();
    let mut words = args.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let unknown = |read: &mut RunArgs, code: &str, message: String, hint: &str| {
            read.unknown.push(word.to_owned());
            if read.diagnostics.len() < MAX_DIAGNOSTICS {
                read.diagnostics.push(Diagnostic::warning(file, code, message).hint(hint));
            }
        };
        let shown: String = word.chars().take(80).collect();
        let Some((option, attached)) = options::find(word) else {
            let hint = if word.starts_with('-') && word.contains(' ') {
                "an argument and its value are two entries of the list, or joined with \"=\""
            } else {
                "only arguments of docker run that this product knows are used"
            };
            let message = format!("the argument \"{shown}\" in \"runArgs\" is not known and has no effect");
            unknown(&mut read, "unknown-run-argument", message, hint);
            // Its value would otherwise be taken for another unknown argument.
            let takes_value = word.starts_with("--") && !word.contains(['=', ' ']);
            if takes_value && let Some(value) = words.next_if(|next| !next.starts_with('-')) {
                read.unknown.push(value.to_owned());
            }
            continue;
        };
        let value = match (option.takes_value(), attached) {
            (true, Some(value)) => value.to_owned(),
            (true, None) => match words.next() {
                Some(value) => value.to_owned(),
                None => {
                    let message = format!("the argument \"{shown}\" in \"runArgs\" has no value");
                    unknown(
                        &mut read,
                        "run-argument-without-value",
                        message,
                        "add its value as the next entry of the list",
                    );
                    continue;
                }
            },
            (false, value) => value.unwrap_or("true").to_owned(),
        };
        if let Err(reason) = values::set(&mut read, option, &value) {
            let message = format!("the argument \"{shown}\" in \"runArgs\" has no effect: {reason}");
            unknown(&mut read, "invalid-run-argument", message, "see the documentation of docker run");
            if attached.is_none() && option.takes_value() {
                read.unknown.push(value);
            }
        }
    }
    read
}

#[cfg(test)]
mod tests;
