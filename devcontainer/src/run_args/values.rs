//! The values of the arguments.

use super::{RunArgs, Ulimit, options::Argument};
use crate::mount::{Mount, MountKind};

/// Sets what an argument says. The error is a reason in words.
pub(super) fn set(args: &mut RunArgs, option: Argument, value: &str) -> Result<(), String> {
    let text = value.to_owned();
    match option {
        Argument::AddHost => args.add_hosts.push(host(value)?),
        Argument::CapAdd => args.cap_add.push(text),
        Argument::CapDrop => args.cap_drop.push(text),
        Argument::Cgroupns => args.cgroupns = Some(text),
        Argument::CpuShares => args.cpu_shares = Some(number(value)?),
        Argument::Cpus => args.cpus = Some(cpus(value)?),
        Argument::CpusetCpus => args.cpuset_cpus = Some(text),
        Argument::Device => args.devices.push(text),
        Argument::Dns => args.dns.push(text),
        Argument::DnsOption => args.dns_options.push(text),
        Argument::DnsSearch => args.dns_search.push(text),
        Argument::Entrypoint => args.entrypoint = Some(text),
        Argument::Env => {
            let (name, value) = pair(value);
            if name.is_empty() {
                return Err("the variable has no name".to_owned());
            }
            args.env.insert(name, value);
        }
        Argument::EnvFile => args.env_files.push(text),
        Argument::Expose => args.expose.push(text),
        Argument::Gpus => args.gpus = Some(text),
        Argument::GroupAdd => args.group_add.push(text),
        Argument::Hostname => args.hostname = Some(text),
        Argument::Init => args.init = Some(flag(value)?),
        Argument::Ipc => args.ipc = Some(text),
        Argument::Label => {
            let (name, value) = pair(value);
            args.labels.insert(name, value.unwrap_or_default());
        }
        Argument::Memory => args.memory = Some(size(value)?),
        Argument::MemoryReservation => args.memory_reservation = Some(size(value)?),
        Argument::MemorySwap if value == "-1" => args.memory_swap = Some(-1),
        Argument::MemorySwap => args.memory_swap = Some(i64::try_from(size(value)?).unwrap_or(i64::MAX)),
        Argument::Mount => args.mounts.push(Mount::parse(value).map_err(|e| e.to_string())?),
        Argument::Name => args.name = Some(text),
        Argument::Network => args.network = Some(text),
        Argument::NetworkAlias => args.network_aliases.push(text),
        Argument::Pid => args.pid = Some(text),
        Argument::PidsLimit => args.pids_limit = Some(number(value)?),
        Argument::Platform => args.platform = Some(text),
        Argument::Privileged => args.privileged = Some(flag(value)?),
        Argument::Publish => args.publish.push(text),
        Argument::PublishAll => args.publish_all = Some(flag(value)?),
        Argument::ReadOnly => args.read_only = Some(flag(value)?),
        Argument::Restart => args.restart = Some(text),
        Argument::Rm => args.rm = Some(flag(value)?),
        Argument::Runtime => args.runtime = Some(text),
        Argument::SecurityOpt => args.security_opt.push(text),
        Argument::ShmSize => args.shm_size = Some(size(value)?),
        Argument::Sysctl => {
            let (name, value) = pair(value);
            args.sysctls.insert(name, value.unwrap_or_default());
        }
        Argument::Terminal => {}
        Argument::Tmpfs => args.mounts.push(tmpfs(value)?),
        Argument::Ulimit => args.ulimits.push(ulimit(value)?),
        Argument::User => args.user = Some(text),
        Argument::Userns => args.userns = Some(text),
        Argument::Uts => args.uts = Some(text),
        Argument::Volume => args.mounts.push(Mount::parse_volume(value).map_err(|e| e.to_string())?),
        Argument::Workdir => args.workdir = Some(text),
    }
    Ok(())
}

fn pair(value: &str) -> (String, Option<String>) {
    match value.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (value.to_owned(), None),
    }
}

fn flag(value: &str) -> Result<bool, String> {
    match value {
        "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(true),
        "false" | "0" | "f" | "F" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("\"{value}\" is neither true nor false")),
    }
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("\"{value}\" is not a number"))
}

fn cpus(value: &str) -> Result<f64, String> {
    let number: f64 = number(value)?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err(format!("\"{value}\" is not a number of processors"))
    }
}

/// The engine writes `name:address`, its newer form is `name=address`.
fn host(value: &str) -> Result<String, String> {
    let at = value.find(['=', ':']).filter(|at| *at > 0);
    let (name, address) = at.map(|at| (&value[..at], &value[at + 1..])).ok_or("it needs a name and an address")?;
    Ok(format!("{name}:{address}"))
}

/// Sizes of the engine: a number, maybe with a fraction, and a unit of powers of 1024.
fn size(value: &str) -> Result<u64, String> {
    let wrong = || format!("\"{value}\" is not a size such as 512m or 2g");
    let lower = value.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match lower[digits.len()..].trim() {
        "" | "b" => 1_u64,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(unit).ok_or_else(wrong);
    }
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let bytes = number * unit as f64;
    if !(0.0..9e18).contains(&bytes) {
        return Err(wrong());
    }
    Ok(bytes as u64)
}

fn ulimit(value: &str) -> Result<Ulimit, String> {
    let wrong = || format!("\"{value}\" is not a limit such as nofile=1024:2048");
    let (name, limits) = value.split_once('=').ok_or_else(wrong)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| text.parse().map_err(|_| wrong());
    Ok(Ulimit { name: name.to_owned(), soft: number(soft)?, hard: number(hard)? })
}

/// `--tmpfs target[:options]`
fn tmpfs(value: &str) -> Result<Mount, String> {
    let (target, options) = value.split_once(':').unwrap_or((value, ""));
    if target.is_empty() {
        return Err("it needs a target".to_owned());
    }
    let mut mount = Mount::new(MountKind::Tmpfs, None, target, false);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let (name, value) = pair(option);
        // The two notations name the same things differently.
        match name.as_str() {
            "ro" => mount.read_only = true,
            "rw" => {}
            "size" => mount = mount.with_option("tmpfs-size", value.as_deref()),
            "mode" => mount = mount.with_option("tmpfs-mode", value.as_deref()),
            _ => mount = mount.with_option(&name, value.as_deref()),
        }
    }
    Ok(mount)
}
