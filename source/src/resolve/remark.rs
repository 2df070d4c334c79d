//! What is worth telling about a configuration that can be used.

use devcontainer::{DevContainer, Diagnostic, Severity};

/// The code of the remark about Features.
pub(super) const FEATURES: &str = "features-not-supported-yet";

/// Remarks about what is in the configuration and is not carried out.
pub(super) fn on(config: &DevContainer) -> Vec<Diagnostic> {
    let mut remarks = Vec::new();
    let features: Vec<String> = config.properties.object("features").into_keys().collect();
    if !features.is_empty() {
        let message = format!("Features are not installed yet: {}", features.join(", "));
        remarks.push(
            Diagnostic::warning(&config.file, FEATURES, message)
                .hint("Install what is missing in a Dockerfile or in onCreateCommand for now."),
        );
    }
    if config.properties.get("initializeCommand").is_some_and(|command| !command.is_null()) {
        let message = "initializeCommand is not run: it would run on the server, not in the workspace";
        remarks.push(
            Diagnostic::new(Severity::Info, &config.file, "initialize-command-not-run", message)
                .hint("Move what the workspace needs to onCreateCommand."),
        );
    }
    remarks
}
