//! Every property of `devcontainer.json`, with the form of its value.

/// The forms a value can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Anything; opaque to the specification.
    Any,
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// A number.
    Number,
    /// A size such as `4gb`.
    Size,
    /// An object.
    Object,
    /// A list of strings.
    Texts,
    /// A string or a list of strings.
    TextOrTexts,
    /// An object of strings.
    Environment,
    /// An object of strings and nulls.
    NullableEnvironment,
    /// A lifecycle command.
    Command,
    /// A list of mounts.
    Mounts,
    /// A list of ports.
    Ports,
    /// A port, or something to publish, or a list of them.
    AppPort,
    /// An object of port attributes.
    PortsAttributes,
    /// Port attributes.
    PortAttributes,
    /// Requirements of the host.
    Host,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

const STAGES: &[&str] = &[
    "initializeCommand",
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
    "postAttachCommand",
];

/// The properties of the file.
pub(super) const PROPERTIES: &[(&str, Form)] = &[
    ("$schema", Form::Text),
    ("name", Form::Text),
    ("image", Form::Text),
    ("build", Form::Object),
    ("dockerFile", Form::Text),
    ("context", Form::Text),
    ("dockerComposeFile", Form::TextOrTexts),
    ("service", Form::Text),
    ("runServices", Form::Texts),
    ("workspaceFolder", Form::Text),
    ("workspaceMount", Form::Text),
    ("runArgs", Form::Texts),
    ("appPort", Form::AppPort),
    ("features", Form::Object),
    ("overrideFeatureInstallOrder", Form::Texts),
    ("customizations", Form::Object),
    ("forwardPorts", Form::Ports),
    ("portsAttributes", Form::PortsAttributes),
    ("otherPortsAttributes", Form::PortAttributes),
    ("containerEnv", Form::Environment),
    ("remoteEnv", Form::NullableEnvironment),
    ("containerUser", Form::Text),
    ("remoteUser", Form::Text),
    ("updateRemoteUserUID", Form::Flag),
    ("userEnvProbe", Form::OneOf(&["none", "loginShell", "interactiveShell", "loginInteractiveShell"])),
    ("overrideCommand", Form::Flag),
    ("shutdownAction", Form::OneOf(&["none", "stopContainer", "stopCompose"])),
    ("init", Form::Flag),
    ("privileged", Form::Flag),
    ("capAdd", Form::Texts),
    ("securityOpt", Form::Texts),
    ("mounts", Form::Mounts),
    ("initializeCommand", Form::Command),
    ("onCreateCommand", Form::Command),
    ("updateContentCommand", Form::Command),
    ("postCreateCommand", Form::Command),
    ("postStartCommand", Form::Command),
    ("postAttachCommand", Form::Command),
    ("waitFor", Form::OneOf(STAGES)),
    ("hostRequirements", Form::Host),
    ("secrets", Form::Object),
    // Old places, read and moved.
    ("extensions", Form::Texts),
    ("settings", Form::Object),
    ("devPort", Form::Any),
];

/// The properties of `build`.
pub(super) const BUILD: &[(&str, Form)] = &[
    ("dockerfile", Form::Text),
    ("context", Form::Text),
    ("target", Form::Text),
    ("args", Form::Environment),
    ("cacheFrom", Form::TextOrTexts),
    ("options", Form::Texts),
];

/// The properties of `hostRequirements`.
pub(super) const HOST: &[(&str, Form)] =
    &[("cpus", Form::Number), ("memory", Form::Size), ("storage", Form::Size), ("gpu", Form::Any)];

/// The members of port attributes.
pub(super) const PORT: &[(&str, Form)] = &[
    ("label", Form::Text),
    ("protocol", Form::OneOf(&["http", "https"])),
    ("onAutoForward", Form::OneOf(&["notify", "openBrowser", "openBrowserOnce", "openPreview", "silent", "ignore"])),
    ("requireLocalPort", Form::Flag),
    ("elevateIfNeeded", Form::Flag),
];
