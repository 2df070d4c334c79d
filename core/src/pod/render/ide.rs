//! How the IDE is started.

use std::collections::BTreeMap;

use devcontainer::Merged;

use super::{Folders, STATE, Setting};
use crate::config::Config;
use crate::service::{Service, ServiceName};

/// Where the bundle is mounted; it is relocated for this path (templates/ide).
const BUNDLE: &str = "/opt/steading/ide";

/// The IDE as a service of the main container.
pub(super) fn service(setting: &Setting<'_>, merged: &Merged, user: &str, folders: &Folders) -> Service {
    let config = setting.config;
    let port = config.ide.port;
    let data = format!("{STATE}/ide");
    let words = [
        &format!("{BUNDLE}/bin/node"),
        &format!("{BUNDLE}/entry.js"),
        "--auth",
        "none",
        "--bind-addr",
        &format!("0.0.0.0:{port}"),
        "--user-data-dir",
        &data,
        "--extensions-dir",
        &format!("{data}/extensions"),
        "--disable-telemetry",
        "--disable-update-check",
        "--disable-workspace-trust",
        "--disable-getting-started-override",
        "--ignore-last-opened",
        // Our own asking whether it is ready must not become the folder that people get.
        "--ignore-last-opened",
        "--reconnection-grace-time",
        "300",
        folders.linked.as_ref().unwrap_or(&folders.open),
    ];
    // What the configuration adds to every tool's environment; what it unsets, `inside` cannot
    // unset for a service, and the terminals do it themselves.
    let mut env: BTreeMap<String, String> =
        merged.remote_env.iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect();
    env.extend(environment(config, setting.workspace.slug.as_str()));
    Service {
        name: ServiceName::ide(),
        port,
        ready_path: "/?folder=/".to_owned(),
        user: user.to_owned(),
        command: words.map(str::to_owned).to_vec(),
        env,
        // The mount is always there; the folder that is opened may not be.
        folder: folders.root.clone(),
    }
}

fn environment(config: &Config, slug: &str) -> [(String, String); 2] {
    let url = config.public_url();
    let port = url.port.map(|p| format!(":{p}")).unwrap_or_default();
    let gallery = config.ide.gallery.trim_end_matches('/');
    let gallery = serde_json::json!({
        "serviceUrl": format!("{gallery}/gallery"),
        "itemUrl": format!("{gallery}/item"),
        "resourceUrlTemplate": format!("{gallery}/unpkg/{{publisher}}/{{name}}/{{version}}/{{path}}"),
    });
    [
        // VS Code puts the number in the place of {{port}}, so that its own port list has our URLs.
        ("VSCODE_PROXY_URI".to_owned(), format!("{}://{{{{port}}}}-{slug}.{}{port}/", url.scheme, url.domain)),
        ("EXTENSIONS_GALLERY".to_owned(), gallery.to_string()),
    ]
}
