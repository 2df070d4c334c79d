//! The server's settings from their layers, and the file by which the local server is found.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steading_core::config::layers::{Layer, Loaded, Origin, fold};
use steading_runtime::bundle::{self, Place, Tool};

use crate::args::{CONFIG, ClientArgs, ServerArgs};
use crate::error::{CliError, Kind};

/// The file in the data folder by which commands on the same machine find the server.
const LOCAL_FILE: &str = "local.json";
/// The settings file that is read when none is named.
const DEFAULT_FILE: &str = "steading.toml";

/// Where a server is, and a token that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// `http://127.0.0.1:8080`
    pub server: String,
    /// An API token with all rights, for whoever may read this file.
    pub token: String,
    /// The installation's id: a label on everything it creates on a container engine.
    #[serde(default)]
    pub installation: String,
}

/// Folds file, environment and flags.
pub fn load(args: &ServerArgs) -> Result<Loaded, CliError> {
    let refuse = |e: steading_core::config::layers::ConfigError| CliError::fault(Kind::User, &e);
    let mut layers = Vec::new();
    let path = args.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    match std::fs::read_to_string(&path) {
        Ok(text) => layers.push(Layer::file(&path.display().to_string(), &text).map_err(refuse)?),
        Err(error) if args.config.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let message = format!("{} cannot be read: {error}", path.display());
            return Err(CliError::new(Kind::User, "config-unreadable", message)
                .hint("Give an existing file with --config, or leave it out.".to_owned()));
        }
    }
    let variables = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    layers.push(Layer::environment(variables).map_err(refuse)?);
    let flags = [
        ("--listen", "server.listen", &args.listen),
        ("--data-dir", "server.data_dir", &args.data_dir),
        ("--domain", "server.domain", &args.domain),
    ];
    let flags = flags.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value.clone()?)));
    layers.push(Layer::flags(flags).map_err(refuse)?);
    fold(layers).map_err(refuse)
}

/// Puts the tools that would be used among the settings that are shown.
pub fn show_tools(loaded: &mut Loaded) {
    let found = [
        ("ide.bundle", bundle::ide(&loaded.config, bundle::own_arch())),
        ("ide.inside", bundle::inside(&loaded.config)),
    ];
    for (key, tool) in found {
        let shown = match tool {
            Ok(Tool { place: Place::Configured, .. }) => continue,
            Ok(Tool { path, place }) => (format!("{:?}", path.display().to_string()), Origin::Found(place.to_string())),
            Err(_) => ("(not found)".to_owned(), Origin::Default),
        };
        loaded.shown.insert(key.to_owned(), shown);
    }
}

impl Local {
    /// Leaves the file for commands on this machine, readable by this user alone.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = data_dir.join(LOCAL_FILE);
        let fresh = data_dir.join(format!("{LOCAL_FILE}.new"));
        let _ = std::fs::remove_file(&fresh);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(serde_json::to_string(self)?.as_bytes())?;
        std::fs::rename(fresh, path)
    }

    /// Reads the file, if it is there.
    #[must_use]
    pub fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(data_dir.join(LOCAL_FILE)).ok()?).ok()
    }

    /// Which server a client command means: flags and environment first, then the local server's file in the
    /// data folder that the settings here name.
    pub fn of(args: &ClientArgs) -> Result<Self, CliError> {
        let (server, token) = match &args.server {
            Some(server) => (server.clone(), args.token.clone()),
            None => {
                let settings = ServerArgs {
                    config: std::env::var_os(CONFIG).map(PathBuf::from),
                    data_dir: args.data_dir.clone(),
                    ..ServerArgs::default()
                };
                let local = Self::here(&load(&settings)?.config.server.data_dir)?;
                (local.server, args.token.clone().or(Some(local.token)))
            }
        };
        let Some(token) = token else {
            return Err(CliError::new(Kind::Auth, "no-token", "no token is given for that server")
                .hint("Set STEADING_TOKEN; `steading token create` makes one on the server's machine.".to_owned()));
        };
        Ok(Self { server: server.trim_end_matches('/').to_owned(), token, installation: String::new() })
    }

    /// The server that has left its address in this data folder.
    pub fn here(data_dir: &Path) -> Result<Self, CliError> {
        Self::read(data_dir).ok_or_else(|| {
            let message = format!("no server is named, and none has left its address in {}", data_dir.display());
            CliError::new(Kind::User, "no-server", message).hint(
                "Go to the folder where the server runs, name its folder with --data-dir, \
                 or set STEADING_SERVER and STEADING_TOKEN."
                    .to_owned(),
            )
        })
    }
}
