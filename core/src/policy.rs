//! What a configuration may ask of the host.
//!
//! A repository is written by a stranger, and so is the image it names. [`admit`] takes what they ask
//! for, keeps what is harmless or allowed, and says for each refusal which setting an administrator
//! would have to change. Rendering a pod takes the [`Admitted`] that comes out: without having asked,
//! there is nothing to render.

use devcontainer::run_args::RunArgs;
use devcontainer::{Diagnostic, Merged, Mount, Severity};

use crate::config::Policy;

mod mounts;
mod run;

/// A configuration within the policy. Only [`admit`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted {
    /// With everything refused taken out.
    merged: Merged,
    /// Likewise; its mounts are in `mounts`.
    args: RunArgs,
    mounts: Vec<Mount>,
    privileged: bool,
    cap_add: Vec<String>,
    security_opt: Vec<String>,
    devices: Vec<String>,
}

impl Admitted {
    /// The configuration, except for what the other methods tell.
    #[must_use]
    pub const fn merged(&self) -> &Merged {
        &self.merged
    }

    /// The arguments of `docker run` that are left.
    #[must_use]
    pub const fn args(&self) -> &RunArgs {
        &self.args
    }

    /// The mounts beside the repository's own; each target occurs once.
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Whether the container gets the host.
    #[must_use]
    pub const fn privileged(&self) -> bool {
        self.privileged
    }

    /// Capabilities to add, without `CAP_`.
    #[must_use]
    pub fn cap_add(&self) -> &[String] {
        &self.cap_add
    }

    /// Security options.
    #[must_use]
    pub fn security_opt(&self) -> &[String] {
        &self.security_opt
    }

    /// Devices of the host.
    #[must_use]
    pub fn devices(&self) -> &[String] {
        &self.devices
    }
}

/// Collects what there is to say about one file.
struct Notes<'a> {
    file: &'a str,
    notes: Vec<Diagnostic>,
}

impl Notes<'_> {
    fn refuse(&mut self, code: &str, message: String, hint: &str) {
        self.notes.push(Diagnostic::warning(self.file, code, message).hint(hint));
    }

    fn tell(&mut self, code: &str, message: String, hint: &str) {
        self.notes.push(Diagnostic::new(Severity::Info, self.file, code, message).hint(hint));
    }
}

/// Holds a configuration, its variables filled in, and its run arguments against the policy.
/// `file` is what the diagnostics name. Refusals are warnings: the workspace starts without.
#[must_use]
pub fn admit(file: &str, merged: &Merged, args: &RunArgs, policy: &Policy) -> (Admitted, Vec<Diagnostic>) {
    let mut notes = Notes { file, notes: args.diagnostics.clone() };
    let privileged = merged.privileged || args.privileged == Some(true);
    if privileged && !policy.privileged {
        notes.refuse(
            "privileged-refused",
            "the configuration asks for a privileged container, which would own the host; it runs without".to_owned(),
            "an administrator can allow it with policy.privileged = true",
        );
    }
    let wished = merged.cap_add.iter().chain(&args.cap_add);
    let cap_add = wished.filter_map(|capability| admit_capability(capability, policy, &mut notes)).collect();
    let wished = merged.security_opt.iter().chain(&args.security_opt);
    let security_opt = wished.filter_map(|option| admit_security_option(option, policy, &mut notes)).collect();
    let devices = args.devices.iter().filter_map(|device| admit_device(device, policy, &mut notes)).collect();
    let mounts = mounts::admit(merged, args, policy, &mut notes);
    if !merged.app_port.is_empty() {
        notes.tell("ports-not-published", PORTS.to_owned(), PORTS_HINT);
    }
    let args = run::admit(args, &mut notes);
    let merged = Merged { mounts: Vec::new(), run_args: Vec::new(), ..merged.clone() };
    let admitted = Admitted {
        merged,
        args,
        mounts,
        privileged: privileged && policy.privileged,
        cap_add: unique(cap_add),
        security_opt: unique(security_opt),
        devices,
    };
    let mut said = std::collections::BTreeSet::new();
    notes.notes.retain(|note| said.insert((note.code.clone(), note.message.clone())));
    (admitted, notes.notes)
}

const PORTS: &str = "ports are not published on the host";
const PORTS_HINT: &str = "every port of the workspace has a URL of its own: <port>-<workspace>.<domain>";

/// What the engine gives every container anyway (Docker's default set): adding these adds nothing.
const DEFAULT_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn admit_capability(written: &str, policy: &Policy, notes: &mut Notes<'_>) -> Option<String> {
    let bare = |text: &str| text.trim().to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    let name = bare(written);
    if DEFAULT_CAPABILITIES.contains(&name.as_str()) || policy.capabilities.iter().any(|c| bare(c) == name) {
        return Some(name);
    }
    notes.refuse(
        "capability-refused",
        format!("the configuration asks for the capability {name}; it runs without"),
        &format!("an administrator can allow it by adding \"{name}\" to policy.capabilities"),
    );
    None
}

fn admit_security_option(written: &str, policy: &Policy, notes: &mut Notes<'_>) -> Option<String> {
    // Docker takes `:` for `=`, an old spelling.
    let plain = |text: &str| text.trim().replacen(':', "=", 1);
    let option = plain(written);
    let tightens = matches!(option.as_str(), "no-new-privileges" | "no-new-privileges=true");
    if tightens || policy.security_options.iter().any(|o| plain(o) == option) {
        return Some(option);
    }
    notes.refuse(
        "security-option-refused",
        format!("the configuration asks for the security option {option}; it runs without"),
        &format!("an administrator can allow it by adding \"{option}\" to policy.security_options"),
    );
    None
}

fn admit_device(written: &str, policy: &Policy, notes: &mut Notes<'_>) -> Option<String> {
    let host = written.split(':').next().unwrap_or_default();
    if policy.devices.iter().any(|device| device == host) {
        return Some(written.to_owned());
    }
    notes.refuse(
        "device-refused",
        format!("the configuration asks for the device {host} of the host; it runs without"),
        &format!("an administrator can allow it by adding \"{host}\" to policy.devices"),
    );
    None
}

fn unique(mut all: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|one| seen.insert(one.clone()));
    all
}

#[cfg(test)]
mod tests;
