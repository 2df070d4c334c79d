//! The names of the arguments.

/// An argument of `docker run` that we understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    AddHost,
    CapAdd,
    CapDrop,
    Cgroupns,
    CpuShares,
    Cpus,
    CpusetCpus,
    Device,
    Dns,
    DnsOption,
    DnsSearch,
    Entrypoint,
    Env,
    EnvFile,
    Expose,
    Gpus,
    GroupAdd,
    Hostname,
    Init,
    Ipc,
    Label,
    Memory,
    MemoryReservation,
    MemorySwap,
    Mount,
    Name,
    Network,
    NetworkAlias,
    Pid,
    PidsLimit,
    Platform,
    Privileged,
    Publish,
    PublishAll,
    ReadOnly,
    Restart,
    Rm,
    Runtime,
    SecurityOpt,
    ShmSize,
    Sysctl,
    /// Arguments about terminals and output, which mean nothing to a container in the background.
    Terminal,
    Tmpfs,
    Ulimit,
    User,
    Userns,
    Uts,
    Volume,
    Workdir,
}

const LONG: &[(&str, Argument)] = &[
    ("add-host", Argument::AddHost),
    ("cap-add", Argument::CapAdd),
    ("cap-drop", Argument::CapDrop),
    ("cgroupns", Argument::Cgroupns),
    ("cpu-shares", Argument::CpuShares),
    ("cpus", Argument::Cpus),
    ("cpuset-cpus", Argument::CpusetCpus),
    ("detach", Argument::Terminal),
    ("device", Argument::Device),
    ("dns", Argument::Dns),
    ("dns-opt", Argument::DnsOption),
    ("dns-option", Argument::DnsOption),
    ("dns-search", Argument::DnsSearch),
    ("entrypoint", Argument::Entrypoint),
    ("env", Argument::Env),
    ("env-file", Argument::EnvFile),
    ("expose", Argument::Expose),
    ("gpus", Argument::Gpus),
    ("group-add", Argument::GroupAdd),
    ("hostname", Argument::Hostname),
    ("init", Argument::Init),
    ("interactive", Argument::Terminal),
    ("ipc", Argument::Ipc),
    ("label", Argument::Label),
    ("memory", Argument::Memory),
    ("memory-reservation", Argument::MemoryReservation),
    ("memory-swap", Argument::MemorySwap),
    ("mount", Argument::Mount),
    ("name", Argument::Name),
    ("net", Argument::Network),
    ("net-alias", Argument::NetworkAlias),
    ("network", Argument::Network),
    ("network-alias", Argument::NetworkAlias),
    ("pid", Argument::Pid),
    ("pids-limit", Argument::PidsLimit),
    ("platform", Argument::Platform),
    ("privileged", Argument::Privileged),
    ("publish", Argument::Publish),
    ("publish-all", Argument::PublishAll),
    ("read-only", Argument::ReadOnly),
    ("restart", Argument::Restart),
    ("rm", Argument::Rm),
    ("runtime", Argument::Runtime),
    ("security-opt", Argument::SecurityOpt),
    ("shm-size", Argument::ShmSize),
    ("sysctl", Argument::Sysctl),
    ("tmpfs", Argument::Tmpfs),
    ("tty", Argument::Terminal),
    ("ulimit", Argument::Ulimit),
    ("user", Argument::User),
    ("userns", Argument::Userns),
    ("uts", Argument::Uts),
    ("volume", Argument::Volume),
    ("workdir", Argument::Workdir),
];

const SHORT: &[(char, Argument)] = &[
    ('P', Argument::PublishAll),
    ('d', Argument::Terminal),
    ('e', Argument::Env),
    ('h', Argument::Hostname),
    ('i', Argument::Terminal),
    ('l', Argument::Label),
    ('m', Argument::Memory),
    ('p', Argument::Publish),
    ('t', Argument::Terminal),
    ('u', Argument::User),
    ('v', Argument::Volume),
    ('w', Argument::Workdir),
];

impl Argument {
    /// Whether a value follows. Those that do not take one still accept `=true` and `=false`.
    pub(super) const fn takes_value(self) -> bool {
        !matches!(self, Self::Init | Self::Privileged | Self::PublishAll | Self::ReadOnly | Self::Rm | Self::Terminal)
    }
}

/// The argument a word names, and the value attached to it.
pub(super) fn find(word: &str) -> Option<(Argument, Option<&str>)> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let (_, option) = LONG.iter().find(|(known, _)| *known == name)?;
        return Some((*option, value));
    }
    let short = word.strip_prefix('-')?;
    let letter = short.chars().next()?;
    let (_, option) = SHORT.iter().find(|(known, _)| *known == letter)?;
    let rest = &short[letter.len_utf8()..];
    if option.takes_value() {
        // `-eA=1`, `-e=A=1` and `-e A=1` are the same.
        let value = rest.strip_prefix('=').unwrap_or(rest);
        return Some((*option, (!value.is_empty()).then_some(value)));
    }
    // `-it` is two arguments; only those without a meaning here come together in practice.
    let harmless = rest.chars().all(|c| matches!(c, 'd' | 'i' | 't'));
    (rest.is_empty() || *option == Argument::Terminal && harmless).then_some((*option, None))
}
