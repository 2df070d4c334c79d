//! How we recognise our own objects on an engine that others use too.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use steading_core::WorkspaceId;
use steading_core::pod::{ContainerName, PodSpec, SpecHash, VolumeRole};
use steading_core::runtime::VolumeId;

/// The installation that made the object.
pub const INSTALLATION: &str = "dev.steading/installation";
/// The workspace that it belongs to.
pub const WORKSPACE: &str = "dev.steading/workspace";
/// The readable name of that workspace, for people.
pub const SLUG: &str = "dev.steading/slug";
/// The hash of the spec that a container was made from.
pub const SPEC: &str = "dev.steading/spec";
/// A container's name within its pod.
pub const CONTAINER: &str = "dev.steading/container";
/// What a volume is for.
pub const ROLE: &str = "dev.steading/role";
/// What makes a volume this one and not another of the same name.
pub const VOLUME: &str = "dev.steading/volume";
/// The ports that listen on every address by contract, so that a refusal there is final.
pub const SERVICES: &str = "dev.steading/services";

/// The role of a container that fills a volume.
const FILLER: &str = "filler";

/// Names and labels of one installation.
#[derive(Debug, Clone)]
pub struct Names {
    installation: String,
}

impl Names {
    /// Names of the installation with this id.
    pub fn new(installation: &str) -> Self {
        Self { installation: installation.to_owned() }
    }

    /// The network of its workspaces.
    pub fn network(&self) -> String {
        format!("steading-{}", self.installation)
    }

    /// The network's interface on the host; the kernel allows 15 characters.
    pub fn bridge(&self) -> String {
        format!("st-{}", self.installation.chars().take(12).collect::<String>())
    }

    /// The port that keeps the interface awake.
    pub fn sink(&self) -> String {
        format!("sk-{}", self.installation.chars().take(12).collect::<String>())
    }

    /// The chain of its firewall rules; iptables allows 28 characters.
    pub fn chain(&self) -> String {
        format!("STEADING-{}", self.installation.chars().take(12).collect::<String>())
    }

    /// The chain of those for builds.
    pub fn build_chain(&self) -> String {
        format!("{}-BUILD", self.chain())
    }

    /// An image with nothing in it.
    pub fn empty_image(&self) -> String {
        format!("steading-{}/empty", self.installation)
    }

    /// Whether an image's name is one that only we give.
    pub fn is_own_image(&self, name: &str) -> bool {
        name.strip_prefix("steading-")
            .and_then(|rest| rest.strip_prefix(self.installation.as_str()))
            .is_some_and(|rest| rest.starts_with('/'))
    }

    /// A volume of tools with this content.
    pub fn tools(&self, fingerprint: &str) -> String {
        format!("{}{}", self.tools_prefix(), &fingerprint[..fingerprint.len().min(12)])
    }

    /// What the names of all volumes of tools start with.
    pub fn tools_prefix(&self) -> String {
        format!("steading-{}-tools-", self.installation)
    }

    /// A container of a pod.
    pub fn container(&self, spec: &PodSpec, name: &ContainerName) -> String {
        self.container_of(spec.slug.as_str(), &name.0)
    }

    fn container_of(&self, slug: &str, name: &str) -> String {
        let base = format!("steading-{}-{slug}", self.installation);
        if name == ContainerName::main().0 { base } else { format!("{base}-{}", tidy(name)) }
    }

    /// A container that fills a volume of tools.
    pub fn filler(&self, volume: &str) -> String {
        format!("{volume}-{FILLER}")
    }

    /// Whether a container with these labels and one of these names (as the engine lists them) was made by
    /// us. Labels alone say little: whatever is made from an image inherits them, and images of ours have
    /// some; so has what people make from a workspace with `docker commit`.
    pub fn is_own_container(&self, labels: &HashMap<String, String>, names: &[String]) -> bool {
        if !self.are_ours(labels) {
            return false;
        }
        let mut names = names.iter().map(|name| name.trim_start_matches('/'));
        if labels.get(ROLE).is_some_and(|role| role == FILLER) {
            return names.any(|name| name.starts_with(&self.tools_prefix()) && name.ends_with(FILLER));
        }
        let (Some(slug), Some(container)) = (labels.get(SLUG), labels.get(CONTAINER)) else { return false };
        let own = self.container_of(slug, container);
        names.any(|name| name == own)
    }

    /// One of a workspace's own volumes.
    pub fn volume(&self, spec: &PodSpec, role: VolumeRole) -> String {
        format!("steading-{}-{}-{}", self.installation, spec.slug, role.as_str())
    }

    /// A volume that the configuration names.
    pub fn named(&self, spec: &PodSpec, name: &str) -> String {
        format!("steading-{}-{}-named-{}", self.installation, spec.slug, tidy(name))
    }

    /// Labels of everything that is ours.
    pub fn own(&self) -> HashMap<String, String> {
        HashMap::from([(INSTALLATION.to_owned(), self.installation.clone())])
    }

    /// The same as instructions of a Dockerfile.
    pub fn as_changes(&self) -> Vec<String> {
        self.own().into_iter().map(|(name, value)| format!("LABEL {name}={value}")).collect()
    }

    /// Labels of a container that exists to fill a volume with tools.
    pub fn of_filler(&self) -> HashMap<String, String> {
        let mut labels = self.own();
        labels.insert(ROLE.to_owned(), FILLER.to_owned());
        labels
    }

    /// Labels of a container.
    pub fn of_container(&self, spec: &PodSpec, name: &ContainerName, hash: &SpecHash) -> HashMap<String, String> {
        let mut labels = self.of_workspace(spec);
        labels.insert(SPEC.to_owned(), hash.to_string());
        labels.insert(CONTAINER.to_owned(), name.0.clone());
        if *name == ContainerName::main() {
            let ports: Vec<_> = spec.services.iter().map(|service| service.port.to_string()).collect();
            labels.insert(SERVICES.to_owned(), ports.join(","));
        }
        labels
    }

    /// Labels of a volume that is about to be made. An engine ignores them if the volume is there.
    pub fn of_volume(&self, spec: &PodSpec, role: Option<VolumeRole>) -> HashMap<String, String> {
        let mut labels = self.of_workspace(spec);
        labels.insert(VOLUME.to_owned(), uuid::Uuid::new_v4().simple().to_string());
        if let Some(role) = role {
            labels.insert(ROLE.to_owned(), role.as_str().to_owned());
        }
        labels
    }

    fn of_workspace(&self, spec: &PodSpec) -> HashMap<String, String> {
        let mut labels = self.own();
        labels.insert(WORKSPACE.to_owned(), spec.workspace.to_string());
        labels.insert(SLUG.to_owned(), spec.slug.to_string());
        labels
    }

    /// The filter for everything that is ours.
    pub fn filter(&self) -> HashMap<String, Vec<String>> {
        HashMap::from([("label".to_owned(), vec![format!("{INSTALLATION}={}", self.installation)])])
    }

    /// The filter for everything of a workspace.
    pub fn filter_workspace(&self, id: WorkspaceId) -> HashMap<String, Vec<String>> {
        let mut filter = self.filter();
        filter.entry("label".to_owned()).or_default().push(format!("{WORKSPACE}={id}"));
        filter
    }

    /// The filter for containers that fill volumes.
    pub fn filter_fillers(&self) -> HashMap<String, Vec<String>> {
        let mut filter = self.filter();
        filter.entry("label".to_owned()).or_default().push(format!("{ROLE}={FILLER}"));
        filter
    }

    /// Whether labels are of this installation.
    pub fn are_ours(&self, labels: &HashMap<String, String>) -> bool {
        labels.get(INSTALLATION) == Some(&self.installation)
    }
}

/// The workspace that labels speak of.
pub fn workspace(labels: &HashMap<String, String>) -> Option<WorkspaceId> {
    labels.get(WORKSPACE)?.parse().ok()
}

/// The role and identity of a volume, if it is one of a workspace's own.
pub fn volume(labels: &HashMap<String, String>) -> Option<(VolumeRole, VolumeId)> {
    let role = labels.get(ROLE)?;
    let role = [VolumeRole::Workspace, VolumeRole::State, VolumeRole::Home].into_iter().find(|r| r.as_str() == role)?;
    Some((role, VolumeId(labels.get(VOLUME)?.clone())))
}

/// A text as part of an engine's name; texts that had to be changed stay distinct.
fn tidy(text: &str) -> String {
    let clean: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '-' }).collect();
    if clean == text && clean.len() <= 100 {
        return clean;
    }
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    format!("{}-{}", clean.chars().take(100).collect::<String>(), &digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_configurations_stay_distinct() {
        assert_eq!(tidy("cargo-cache_1.0"), "cargo-cache_1.0");
        assert_ne!(tidy("a/b"), tidy("a-b"));
        assert_ne!(tidy("a/b"), tidy("a b"));
        assert!(tidy(&"ä".repeat(500)).len() < 120);
    }

    #[test]
    fn a_container_is_ours_by_its_labels_and_its_name() {
        let names = Names::new("0123abcd");
        let of = |container: &str| {
            let mut labels = names.own();
            labels.insert(SLUG.to_owned(), "quiet-fox-7k2p".to_owned());
            labels.insert(CONTAINER.to_owned(), container.to_owned());
            labels
        };
        let is_own = |labels: &HashMap<String, String>, name: &str| names.is_own_container(labels, &[name.to_owned()]);
        assert!(is_own(&of("main"), "/steading-0123abcd-quiet-fox-7k2p"));
        assert!(is_own(&of("db"), "/steading-0123abcd-quiet-fox-7k2p-db"));
        let filler = names.filler(&names.tools("00112233445566"));
        assert!(is_own(&names.of_filler(), &filler), "{filler}");
        for (labels, name) in [
            (of("main"), "/sleepy_joliot"),
            (of("main"), "/steading-0123abcd-quiet-fox-7k2p-db"),
            (names.own(), "/steading-0123abcd-quiet-fox-7k2p"),
            (names.of_filler(), "/sleepy_joliot"),
            (HashMap::new(), "/steading-0123abcd-quiet-fox-7k2p"),
        ] {
            assert!(!is_own(&labels, name), "{labels:?} {name}");
        }
    }

    #[test]
    fn interface_names_fit_the_kernel() {
        assert_eq!(Names::new("0123abcd").bridge(), "st-0123abcd");
        assert!(Names::new("a-rather-long-name").bridge().len() <= 15);
    }
}
