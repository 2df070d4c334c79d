//! How Features get into an image: one layer each, in their order.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Feature, options};
use crate::merged::Merged;

mod script;

/// The folder in the build context that has everything Features need. What is called so in a repository
/// must give way.
pub const FOLDER: &str = ".devcontainer-features";
/// Where the files of Features are while they are installed. Installation scripts know it.
const WORK: &str = "/tmp/dev-container-features";
/// Where the build context is seen meanwhile.
const SOURCE: &str = "/tmp/build-features-src";
/// The variables that all Features see.
const SHARED: &str = "devcontainer-features.builtin.env";
/// The variables of one Feature.
const OWN: &str = "devcontainer-features.env";
const SCRIPT: &str = "devcontainer-features-install.sh";
/// The build argument with the user that the image ends with.
const USER: &str = "_DEV_CONTAINERS_IMAGE_USER";

/// The users that Features are told about. They need not exist yet: a Feature may make them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// The one that the container runs as.
    pub container: String,
    /// The one that people work as.
    pub remote: String,
    /// The one that the image has before and after.
    pub image: String,
}

impl Users {
    /// The users of a configuration. `service` is what a Compose file says, `image` what the image or the
    /// end of its Dockerfile does.
    #[must_use]
    pub fn of(merged: &Merged, service: Option<&str>, image: Option<&str>) -> Self {
        let said = |user: Option<&str>| user.filter(|user| !user.is_empty()).map(str::to_owned);
        let image = said(image).unwrap_or_else(|| "root".to_owned());
        let container =
            said(merged.container_user.as_deref()).or_else(|| said(service)).unwrap_or_else(|| image.clone());
        let remote = said(merged.remote_user.as_deref()).unwrap_or_else(|| container.clone());
        Self { container, remote, image }
    }
}

/// A file to lay into the build context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextFile {
    /// Its path from the root of the context.
    pub path: String,
    /// What it contains.
    pub text: String,
}

/// Where to lay the files of one Feature. Those of the plan go over them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextFolder {
    /// Its path from the root of the context.
    pub path: String,
    /// Its place in the order of installation.
    pub feature: usize,
    /// What tells one version of the files from another: a digest, or a path.
    pub content: String,
}

/// What it takes to install Features.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Instructions of a Dockerfile, to follow the `FROM` of a stage of its own. They need BuildKit.
    pub instructions: String,
    /// Build arguments.
    pub args: IndexMap<String, String>,
    /// Files to lay into the build context, all below [`FOLDER`].
    pub files: Vec<ContextFile>,
    /// Folders to lay there, one for each Feature.
    pub folders: Vec<ContextFolder>,
}

/// What cannot be said in a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// A name of a user with a line break or the like in it.
    #[error("{0:?} cannot be the name of a user")]
    User(String),
    /// A variable whose name or value no instruction can have.
    #[error("the environment variable {name:?} of {by} cannot be part of an image")]
    Variable {
        /// Its name.
        name: String,
        /// Whose it is.
        by: String,
    },
}

impl Installation {
    /// Plans the installation of Features in their order. `container_env` is the configuration's, whose
    /// variables are substituted; `escape` is the Dockerfile's escape character, mostly a backslash.
    ///
    /// # Errors
    /// See [`InstallError`].
    pub fn plan(
        features: &[Feature],
        users: &Users,
        container_env: &IndexMap<String, String>,
        escape: char,
    ) -> Result<Self, InstallError> {
        let mut plan = Self::default();
        let mut writer = Writer { text: String::new(), escape };
        plan.share(&mut writer, users)?;
        let places: Vec<Place<'_>> =
            features.iter().enumerate().map(|(index, feature)| Place::of(feature, index)).collect();
        // Features of the old form come first, as in the reference.
        for place in places.iter().filter(|place| place.feature.is_old) {
            let lines = options::old_environment(&place.feature.manifest, &place.feature.options, &place.name);
            plan.lay(place, lines, None);
            writer.install(&place.name, "install.sh");
        }
        for place in places.iter().filter(|place| !place.feature.is_old) {
            let lines = options::environment(&place.feature.manifest, &place.feature.options);
            plan.lay(place, lines, Some(script::install(place.feature)));
            writer.environment(&place.feature.container_env(), &place.feature.id, false)?;
            writer.install(&place.name, SCRIPT);
        }
        for place in places.iter().filter(|place| place.feature.is_old && crate::config::truthy(&place.feature.options))
        {
            writer.environment(&place.feature.container_env(), &place.feature.id, false)?;
        }
        writer.line(&format!("ARG {USER}=root\nUSER ${USER}"));
        writer.environment(container_env, "the configuration", true)?;
        plan.instructions = writer.text;
        plan.args.insert(USER.to_owned(), users.image.clone());
        Ok(plan)
    }

    /// What all Features see. The homes are asked for once, before any of them: so the reference does, and
    /// the home of a user whom a Feature makes is empty.
    fn share(&mut self, writer: &mut Writer, users: &Users) -> Result<(), InstallError> {
        for user in [&users.container, &users.remote, &users.image] {
            if user.is_empty() || user.chars().any(char::is_control) {
                return Err(InstallError::User(user.clone()));
            }
        }
        let text = format!(
            "_CONTAINER_USER={}\n_REMOTE_USER={}\n",
            script::quote(&users.container),
            script::quote(&users.remote)
        );
        self.files.push(ContextFile { path: format!("{FOLDER}/{SHARED}"), text });
        let home = |variable: &str, user: &str| {
            format!("echo \"{variable}=$({} | cut -d: -f6)\" >> {WORK}/{SHARED}", script::passwd_entry(user))
        };
        writer.line("USER root");
        writer.run(
            SHARED,
            &[
                format!("mkdir -p {WORK}"),
                format!("cp {SOURCE}/{SHARED} {WORK}/{SHARED}"),
                format!("chmod -R 0755 {WORK}"),
                home("_CONTAINER_USER_HOME", &users.container),
                home("_REMOTE_USER_HOME", &users.remote),
            ],
        );
        Ok(())
    }

    fn lay(&mut self, place: &Place<'_>, environment: Vec<String>, script: Option<String>) {
        let folder = format!("{FOLDER}/{}", place.name);
        let content = place.feature.digest.clone().unwrap_or_else(|| place.feature.reference.to_string());
        self.files.push(ContextFile { path: format!("{folder}/{OWN}"), text: environment.join("\n") });
        self.files.extend(script.map(|text| ContextFile { path: format!("{folder}/{SCRIPT}"), text }));
        self.folders.push(ContextFolder { path: folder, feature: place.index, content });
    }
}

struct Place<'a> {
    feature: &'a Feature,
    index: usize,
    /// The name of its folder, which is part of paths and instructions, so it takes only harmless letters.
    name: String,
}

impl<'a> Place<'a> {
    fn of(feature: &'a Feature, index: usize) -> Self {
        let name = feature.folder(index);
        let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_harmless = name.len() <= 100 && !name.starts_with('.') && name.chars().all(harmless);
        Self { feature, index, name: if is_harmless { name } else { format!("feature_{index}") } }
    }
}

impl Feature {
    /// The variables that it adds to the image, before it is installed.
    fn container_env(&self) -> IndexMap<String, String> {
        let env = self.manifest.0.object("containerEnv").into_iter();
        env.map(|(name, value): (String, Value)| (name, options::text(&value))).collect()
    }
}

/// Writes instructions.
struct Writer {
    text: String,
    escape: char,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// One instruction that sees something of the context while it runs.
    fn run(&mut self, source: &str, commands: &[String]) {
        let next = format!(" {}\n && ", self.escape);
        self.line(&format!(
            "RUN --mount=type=bind,source={FOLDER}/{source},target={SOURCE}/{source} {}\n    {}",
            self.escape,
            commands.join(&next)
        ));
    }

    /// The files are copied because scripts write beside them, and removed in the same layer.
    fn install(&mut self, name: &str, script: &str) {
        self.run(
            name,
            &[
                format!("cp -ar {SOURCE}/{name} {WORK}"),
                format!("chmod -R 0755 {WORK}/{name}"),
                format!("cd {WORK}/{name}"),
                format!("chmod +x ./{script}"),
                format!("./{script}"),
                format!("rm -rf {WORK}/{name}"),
            ],
        );
    }

    /// Variables of the image. Features may use earlier ones in their values, configurations may not.
    fn environment(
        &mut self,
        env: &IndexMap<String, String>,
        by: &str,
        escape_dollar: bool,
    ) -> Result<(), InstallError> {
        for (name, value) in env {
            let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '=' | '"' | '\'' | '$') && c != self.escape;
            if name.is_empty() || !name.chars().all(fits) || value.contains(['\n', '\r']) {
                let by = by.chars().take(200).collect();
                return Err(InstallError::Variable { name: name.chars().take(100).collect(), by });
            }
            let mut quoted = String::new();
            for c in value.chars() {
                if c == '"' || c == self.escape || c == '$' && escape_dollar {
                    quoted.push(self.escape);
                }
                quoted.push(c);
            }
            self.line(&format!("ENV {name}=\"{quoted}\""));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
