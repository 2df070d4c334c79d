//! From a spec to the body of a create call. No call is made here.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, HostConfig, HostConfigLogConfig, Mount as EngineMount, MountTmpfsOptions,
    MountType, MountVolumeOptions, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use steading_core::image::ImageRef;
use steading_core::pod::{ContainerSpec, Mount, PodSpec, VolumeRole};
use steading_core::runtime::RuntimeInfo;

use crate::labels::Names;

/// What a create call needs beside the spec.
pub struct Surroundings<'a> {
    /// Names and labels of the installation.
    pub names: &'a Names,
    /// The engine and its host.
    pub host: &'a RuntimeInfo,
    /// The volume to mount for tools of this name.
    pub tools: &'a HashMap<String, String>,
    /// The image by the name that it has on this engine.
    pub image: &'a ImageRef,
    /// The network, or `container:<id>` to share another container's.
    pub network: &'a str,
}

/// The body of the call that makes a container.
pub fn body(spec: &PodSpec, container: &ContainerSpec, around: &Surroundings<'_>) -> ContainerCreateBody {
    let mut labels: HashMap<String, String> = container.labels.clone().into_iter().collect();
    labels.retain(|name, _| !name.starts_with("dev.steading/"));
    labels.extend(around.names.of_container(spec, &container.name, &spec.hash));
    // The engine refuses both for a container that joins another's network.
    let joined = around.network.starts_with("container:");
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    ContainerCreateBody {
        hostname: (!joined && !container.hostname.is_empty()).then(|| container.hostname.clone()),
        user: Some(container.user.clone()),
        env: Some(container.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        // An empty entry point is spelled as one empty string: an empty list means the image's own.
        entrypoint: Some(if container.entrypoint.is_empty() {
            vec![String::new()]
        } else {
            container.entrypoint.clone()
        }),
        cmd: some(&container.command),
        image: Some(around.image.to_string()),
        working_dir: container.folder.clone(),
        labels: Some(labels),
        attach_stdin: Some(false),
        attach_stdout: Some(false),
        attach_stderr: Some(false),
        host_config: Some(HostConfig {
            extra_hosts: if joined { None } else { some(&container.extra_hosts) },
            network_mode: Some(around.network.to_owned()),
            mounts: Some(container.mounts.iter().map(|m| mount(spec, m, around)).collect()),
            init: Some(container.init),
            privileged: Some(container.privileged),
            cap_add: some(&container.cap_add),
            cap_drop: some(&container.cap_drop),
            devices: Some(container.devices.iter().map(|text| device(text)).collect()),
            security_opt: some(&container.security_opt),
            group_add: some(&container.group_add),
            shm_size: container.shm_size.map(size),
            ulimits: Some(container.ulimits.iter().map(|(name, &(soft, hard))| limit(name, soft, hard)).collect()),
            sysctls: Some(container.sysctls.clone().into_iter().collect()),
            restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
            // People read the first process's last output after it died; the rest is in the IDE.
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), "1m".to_owned()),
                    ("max-file".to_owned(), "2".to_owned()),
                ])),
            }),
            ..limits(spec, around.host)
        }),
        ..ContainerCreateBody::default()
    }
}

/// An engine refuses more CPUs than the host has, and gives twice the memory where swap is not named.
fn limits(spec: &PodSpec, host: &RuntimeInfo) -> HostConfig {
    let cpus = if host.cpus == 0 { spec.limits.cpus } else { spec.limits.cpus.min(f64::from(host.cpus)) };
    #[expect(clippy::cast_possible_truncation, reason = "a count of CPUs is far below 2^53 / 10^9")]
    let nano = (cpus * 1e9) as i64;
    let memory = (spec.limits.memory > 0).then(|| size(spec.limits.memory));
    HostConfig {
        nano_cpus: (nano > 0).then_some(nano),
        memory,
        memory_swap: memory,
        pids_limit: (spec.limits.processes > 0).then(|| i64::from(spec.limits.processes)),
        ..HostConfig::default()
    }
}

fn mount(spec: &PodSpec, mount: &Mount, around: &Surroundings<'_>) -> EngineMount {
    let volume = |name: String, target: &str, read_only: bool, options: MountVolumeOptions| EngineMount {
        typ: Some(MountType::VOLUME),
        source: Some(name),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        volume_options: Some(options),
        ..EngineMount::default()
    };
    match mount {
        Mount::Own { role, target } => {
            let options = MountVolumeOptions {
                // A home begins as the image's; the others begin empty, which saves the engine a look.
                no_copy: Some(*role != VolumeRole::Home),
                labels: Some(around.names.of_volume(spec, Some(*role))),
                ..MountVolumeOptions::default()
            };
            volume(around.names.volume(spec, *role), target, false, options)
        }
        Mount::Named { name, target, read_only } => {
            let labels = Some(around.names.of_volume(spec, None));
            let options = MountVolumeOptions { labels, ..MountVolumeOptions::default() };
            volume(around.names.named(spec, name), target, *read_only, options)
        }
        Mount::Tools { name, target } => {
            let name = around.tools.get(name).unwrap_or(name).clone();
            let options = MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() };
            volume(name, target, true, options)
        }
        Mount::Bind { source, target, read_only } => EngineMount {
            typ: Some(MountType::BIND),
            source: Some(source.clone()),
            target: Some(target.clone()),
            read_only: Some(*read_only),
            ..EngineMount::default()
        },
        Mount::Tmpfs { target, size: bytes } => EngineMount {
            typ: Some(MountType::TMPFS),
            target: Some(target.clone()),
            tmpfs_options: bytes
                .map(|bytes| MountTmpfsOptions { size_bytes: Some(size(bytes)), ..MountTmpfsOptions::default() }),
            ..EngineMount::default()
        },
    }
}

/// A device as `docker run --device` writes it; the middle part may be left out.
fn device(text: &str) -> DeviceMapping {
    let mut parts = text.split(':');
    let host = parts.next().unwrap_or_default();
    let (inside, rights) = match (parts.next(), parts.next()) {
        (Some(inside), Some(rights)) => (inside, rights),
        (Some(last), None) if last.starts_with('/') => (last, "rwm"),
        (Some(rights), None) => (host, rights),
        _ => (host, "rwm"),
    };
    DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(inside.to_owned()),
        cgroup_permissions: Some(rights.to_owned()),
    }
}

fn limit(name: &str, soft: i64, hard: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) }
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_docker_reads_them() {
        let of = |text: &str| {
            let device = device(text);
            [device.path_on_host, device.path_in_container, device.cgroup_permissions].map(Option::unwrap).join(" ")
        };
        assert_eq!(of("/dev/fuse"), "/dev/fuse /dev/fuse rwm");
        assert_eq!(of("/dev/a:/dev/b"), "/dev/a /dev/b rwm");
        assert_eq!(of("/dev/a:/dev/b:r"), "/dev/a /dev/b r");
        assert_eq!(of("/dev/a:rw"), "/dev/a /dev/a rw");
    }
}
