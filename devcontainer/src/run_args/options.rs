//! The names of the arguments.

/// An argument of `docker run` that we understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opt {
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

const LONG: &[(&str, Opt)] = &[
    ("add-host", Opt::AddHost),
    ("cap-add", Opt::CapAdd),
    ("cap-drop", Opt::CapDrop),
    ("cgroupns", Opt::Cgroupns),
    ("cpu-shares", Opt::CpuShares),
    ("cpus", Opt::Cpus),
    ("cpuset-cpus", Opt::CpusetCpus),
    ("detach", Opt::Terminal),
    ("device", Opt::Device),
    ("dns", Opt::Dns),
    ("dns-opt", Opt::DnsOption),
    ("dns-option", Opt::DnsOption),
    ("dns-search", Opt::DnsSearch),
    ("entrypoint", Opt::Entrypoint),
    ("env", Opt::Env),
    ("env-file", Opt::EnvFile),
    ("expose", Opt::Expose),
    ("gpus", Opt::Gpus),
    ("group-add", Opt::GroupAdd),
    ("hostname", Opt::Hostname),
    ("init", Opt::Init),
    ("interactive", Opt::Terminal),
    ("ipc", Opt::Ipc),
    ("label", Opt::Label),
    ("memory", Opt::Memory),
    ("memory-reservation", Opt::MemoryReservation),
    ("memory-swap", Opt::MemorySwap),
    ("mount", Opt::Mount),
    ("name", Opt::Name),
    ("net", Opt::Network),
    ("net-alias", Opt::NetworkAlias),
    ("network", Opt::Network),
    ("network-alias", Opt::NetworkAlias),
    ("pid", Opt::Pid),
    ("pids-limit", Opt::PidsLimit),
    ("platform", Opt::Platform),
    ("privileged", Opt::Privileged),
    ("publish", Opt::Publish),
    ("publish-all", Opt::PublishAll),
    ("read-only", Opt::ReadOnly),
    ("restart", Opt::Restart),
    ("rm", Opt::Rm),
    ("runtime", Opt::Runtime),
    ("security-opt", Opt::SecurityOpt),
    ("shm-size", Opt::ShmSize),
    ("sysctl", Opt::Sysctl),
    ("tmpfs", Opt::Tmpfs),
    ("tty", Opt::Terminal),
    ("ulimit", Opt::Ulimit),
    ("user", Opt::User),
    ("userns", Opt::Userns),
    ("uts", Opt::Uts),
    ("volume", Opt::Volume),
    ("workdir", Opt::Workdir),
];

const SHORT: &[(char, Opt)] = &[
    ('P', Opt::PublishAll),
    ('d', Opt::Terminal),
    ('e', Opt::Env),
    ('h', Opt::Hostname),
    ('i', Opt::Terminal),
    ('l', Opt::Label),
    ('m', Opt::Memory),
    ('p', Opt::Publish),
    ('t', Opt::Terminal),
    ('u', Opt::User),
    ('v', Opt::Volume),
    ('w', Opt::Workdir),
];

impl Opt {
    /// Whether a value follows. Those that do not take one still accept `=true` and `=false`.
    pub(super) const fn takes_value(self) -> bool {
        !matches!(self, Self::Init | Self::Privileged | Self::PublishAll | Self::ReadOnly | Self::Rm | Self::Terminal)
    }
}

/// The argument a word names, and the value attached to it.
pub(super) fn find(word: &str) -> Option<(Opt, Option<&str>)> {
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
    (rest.is_empty() || *option == Opt::Terminal && harmless).then_some((*option, None))
}
