//! What the layers of a configuration amount to: the part of it that a product acts on.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    command::LifecycleCommand,
    host::HostRequirements,
    layer::Origin,
    mount::Mount,
    port::{AppPort, ForwardPort, PortAttributes},
    scenario::Scenario,
    stage::Stage,
};

/// How the environment of the remote user is found out (`userEnvProbe`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserEnvProbe {
    /// Not at all.
    None,
    /// `sh -l`.
    LoginShell,
    /// `sh -i`.
    InteractiveShell,
    /// `sh -l -i`.
    #[default]
    LoginInteractiveShell,
}

impl UserEnvProbe {
    /// The flags of the shell that shows the environment, such as `-lic`, a command following
    /// them; `None` means that nothing is probed.
    #[must_use]
    pub const fn shell_flags(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::LoginShell => Some("-lc"),
            Self::InteractiveShell => Some("-ic"),
            Self::LoginInteractiveShell => Some("-lic"),
        }
    }
}

/// What happens when the person is done (`shutdownAction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ShutdownAction {
    /// Nothing.
    None,
    /// The container is stopped.
    StopContainer,
    /// All services are stopped.
    StopCompose,
}

/// A secret the configuration would like to have (`secrets`). Its value is never in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretWish {
    /// What it is for.
    pub description: Option<String>,
    /// Where to read about it.
    pub documentation_url: Option<String>,
}

/// The fold of all layers, and the properties that only the file itself can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Merged {
    /// Whether an init process reaps orphans.
    pub init: bool,
    /// Whether full access to the host is wished for.
    pub privileged: bool,
    /// Capabilities to add.
    pub cap_add: Vec<String>,
    /// Security options.
    pub security_opt: Vec<String>,
    /// Programs to start before the container's own command, in order.
    pub entrypoints: Vec<String>,
    /// Mounts; each target occurs once.
    pub mounts: Vec<Mount>,
    /// Per tool, what each layer says to it, in order.
    pub customizations: IndexMap<String, Vec<Value>>,
    /// Per stage, the commands in the order in which they run.
    pub commands: BTreeMap<Stage, Vec<(Origin, LifecycleCommand)>>,
    /// The last stage to wait for before a person may work; `None` is `initializeCommand`: wait
    /// for no stage.
    pub wait_for: Option<Stage>,
    /// The user that tools and commands run as; `None` means the container's.
    pub remote_user: Option<String>,
    /// The user the container runs as; `None` means the image's.
    pub container_user: Option<String>,
    /// How the remote user's environment is found out.
    pub user_env_probe: UserEnvProbe,
    /// Whether the container's command is replaced by one that waits. The default depends on the
    /// scenario: see [`Merged::overrides_command`].
    pub override_command: Option<bool>,
    /// Whether the remote user's ids follow those of the local user; the default is yes.
    #[serde(rename = "updateRemoteUserUID")]
    pub update_remote_user_uid: Option<bool>,
    /// Environment of tools and commands; `None` removes a variable.
    pub remote_env: IndexMap<String, Option<String>>,
    /// Environment of the container.
    pub container_env: IndexMap<String, String>,
    /// Ports to forward.
    pub forward_ports: Vec<ForwardPort>,
    /// What to do with particular ports.
    pub ports_attributes: IndexMap<String, PortAttributes>,
    /// What to do with all others.
    pub other_ports_attributes: Option<PortAttributes>,
    /// What the machine must have.
    pub host_requirements: Option<HostRequirements>,
    /// What happens at the end.
    pub shutdown_action: Option<ShutdownAction>,
    /// A name for people.
    pub name: Option<String>,
    /// Where the image comes from.
    pub scenario: Scenario,
    /// The folder to open, in the container.
    pub workspace_folder: Option<String>,
    /// How the sources are mounted; `Some("")` asks for no mount at all.
    pub workspace_mount: Option<String>,
    /// Arguments of `docker run`; read them with [`crate::run_args::parse`].
    pub run_args: Vec<String>,
    /// Ports published in the old way.
    pub app_port: Vec<AppPort>,
    /// Host code. Kept so that a tool can say that it was not run.
    pub initialize_command: Option<LifecycleCommand>,
    /// Secrets wished for, by name.
    pub secrets: IndexMap<String, SecretWish>,
    /// Features by their reference as typed, with their options.
    pub features: IndexMap<String, Value>,
    /// Features to install first.
    pub override_feature_install_order: Vec<String>,
    /// By the name of a property, which layers its value comes from.
    pub because: BTreeMap<String, Vec<Origin>>,
}

impl Default for Merged {
    fn default() -> Self {
        Self {
            init: false,
            privileged: false,
            cap_add: Vec::new(),
            security_opt: Vec::new(),
            entrypoints: Vec::new(),
            mounts: Vec::new(),
            customizations: IndexMap::new(),
            commands: BTreeMap::new(),
            wait_for: Some(Stage::UpdateContent),
            remote_user: None,
            container_user: None,
            user_env_probe: UserEnvProbe::default(),
            override_command: None,
            update_remote_user_uid: None,
            remote_env: IndexMap::new(),
            container_env: IndexMap::new(),
            forward_ports: Vec::new(),
            ports_attributes: IndexMap::new(),
            other_ports_attributes: None,
            host_requirements: None,
            shutdown_action: None,
            name: None,
            scenario: Scenario::None,
            workspace_folder: None,
            workspace_mount: None,
            run_args: Vec::new(),
            app_port: Vec::new(),
            initialize_command: None,
            secrets: IndexMap::new(),
            features: IndexMap::new(),
            override_feature_install_order: Vec::new(),
            because: BTreeMap::new(),
        }
    }
}

impl Merged {
    /// The commands of one stage, in order.
    #[must_use]
    pub fn commands_of(&self, stage: Stage) -> &[(Origin, LifecycleCommand)] {
        self.commands.get(&stage).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the container's own command is replaced: yes unless said otherwise, except for
    /// Compose, where it stays.
    #[must_use]
    pub fn overrides_command(&self) -> bool {
        self.override_command.unwrap_or(!matches!(self.scenario, Scenario::Compose(_)))
    }

    /// Whether the remote user's ids should follow those of the local user.
    #[must_use]
    pub fn updates_remote_user_uid(&self) -> bool {
        self.update_remote_user_uid.unwrap_or(true)
    }

    /// Why a property has its value, in words; `None` if nobody set it.
    #[must_use]
    pub fn reason(&self, property: &str) -> Option<String> {
        let origins = self.because.get(property)?;
        Some(origins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_configured_is_sensible_and_survives_storage() {
        let merged = Merged::default();
        assert_eq!(merged.wait_for, Some(Stage::UpdateContent));
        assert!(merged.overrides_command() && merged.updates_remote_user_uid());
        let text = serde_json::to_string(&merged).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Merged>(&text).ok(), Some(merged.clone()));
        assert_eq!(serde_json::from_str::<Merged>("{}").ok(), Some(merged));
    }

    #[test]
    fn waiting_for_nothing_survives_storage() {
        let merged = Merged { wait_for: None, ..Merged::default() };
        let text = serde_json::to_string(&merged).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Merged>(&text).ok(), Some(merged));
    }

    #[test]
    fn compose_keeps_its_command() {
        let merged = Merged { scenario: Scenario::Compose(crate::scenario::Compose::default()), ..Merged::default() };
        assert!(!merged.overrides_command());
    }
}
