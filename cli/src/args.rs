//! The command line. Doc comments are the help text.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Self-hosted cloud development environments: paste a Git URL, work in the browser.
#[derive(Debug, Parser)]
#[command(name = "steading", version, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process: API, page, gateway and worker.
    Serve(ServerArgs),
    /// Run the API and the page only.
    Api(ServerArgs),
    /// Run the gateway to workspaces only.
    Gateway(ServerArgs),
    /// Run a worker only.
    Worker(ServerArgs),
    /// Show every setting, its value and where it comes from.
    Config(ServerArgs),
    /// Print the OpenAPI document.
    Openapi,

    /// Make a workspace from a Git URL and wait until it is ready.
    Up(UpArgs),
    /// Say what a Git URL would become, and why, without making anything.
    Resolve(SourceArgs),
    /// List your workspaces.
    Ls(ListArgs),
    /// Show one workspace.
    Show(NameArgs),
    /// Open a workspace in the browser, starting it if it is stopped.
    Open(OpenArgs),
    /// Print a workspace's log.
    Logs(LogsArgs),
    /// Run a command in a workspace; its exit code becomes ours, and 125 says that we failed.
    Exec(ExecArgs),
    /// Stop a workspace. Its files stay.
    Stop(ChangeArgs),
    /// Start a stopped workspace, or try again what failed.
    Start(ChangeArgs),
    /// Replace the container by one from today's configuration, or from another one. The repository stays as it is.
    Rebuild(RebuildArgs),
    /// Delete a workspace: container, volumes and records.
    Rm(RemoveArgs),
    /// Manage API tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print a new one-time sign-in link of the server whose data folder is here.
    SignIn(ServerArgs),
}

/// The environment variable that names a settings file.
pub const CONFIG: &str = "STEADING_CONFIG";

/// Settings of a server; they win over environment and file.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct ServerArgs {
    /// A TOML file with settings; steading.toml here if there is one.
    #[arg(long, env = CONFIG)]
    pub config: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long)]
    pub listen: Option<String>,
    /// Folder for the database, logs, caches and tools.
    #[arg(long)]
    pub data_dir: Option<String>,
    /// The domain that workspaces live under.
    #[arg(long)]
    pub domain: Option<String>,
    /// Log as JSON.
    #[arg(long)]
    pub log_json: bool,
}

/// Which server, and how to be recognised there.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct ClientArgs {
    /// The server's address; the local server's if absent.
    #[arg(long, env = "STEADING_SERVER", global = true)]
    pub server: Option<String>,
    /// An API token; the local server's own if absent.
    #[arg(long, env = "STEADING_TOKEN", global = true, hide_env_values = true)]
    pub token: Option<String>,
    /// Folder of the local server, to find its address and token; as the settings here say if absent.
    #[arg(long, global = true)]
    pub data_dir: Option<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// A source and how to read it.
#[derive(Debug, Clone, ClapArgs)]
pub struct SourceArgs {
    /// A Git URL, a link to a page of a forge, or a path on the server's own machine.
    pub source: String,
    /// A branch, tag or commit.
    #[arg(long, short)]
    pub branch: Option<String>,
    /// Which configuration of several, by its path in the repository.
    #[arg(long)]
    pub config: Option<String>,
    /// A fallback template, whatever the repository contains.
    #[arg(long)]
    pub template: Option<String>,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `steading up`.
#[derive(Debug, Clone, ClapArgs)]
pub struct UpArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Return at once instead of waiting until it is ready.
    #[arg(long)]
    pub detach: bool,
    /// Open it in the browser once it is ready.
    #[arg(long)]
    pub open: bool,
}

/// `steading ls`.
#[derive(Debug, Clone, ClapArgs)]
pub struct ListArgs {
    /// Everybody's, for an administrator.
    #[arg(long, short)]
    pub all: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// A workspace.
#[derive(Debug, Clone, ClapArgs)]
pub struct NameArgs {
    /// Its name or id.
    pub name: String,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `steading open`.
#[derive(Debug, Clone, ClapArgs)]
pub struct OpenArgs {
    /// Its name or id.
    pub name: String,
    /// A port of a program in it, instead of the IDE.
    #[arg(long, short)]
    pub port: Option<u16>,
    /// Print the address instead of opening a browser.
    #[arg(long)]
    pub print: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// A change to a workspace.
#[derive(Debug, Clone, ClapArgs)]
pub struct ChangeArgs {
    /// Its name or id.
    pub name: String,
    /// Return at once instead of waiting.
    #[arg(long)]
    pub detach: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `steading rebuild`.
#[derive(Debug, Clone, ClapArgs)]
pub struct RebuildArgs {
    #[command(flatten)]
    pub change: ChangeArgs,
    /// Another configuration of the repository, by its path in it. It stays chosen for later rebuilds.
    #[arg(long)]
    pub config: Option<String>,
}

/// `steading rm`.
#[derive(Debug, Clone, ClapArgs)]
pub struct RemoveArgs {
    /// Names or ids.
    #[arg(required = true)]
    pub names: Vec<String>,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
    /// Return at once instead of waiting.
    #[arg(long)]
    pub detach: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `steading logs`.
#[derive(Debug, Clone, ClapArgs)]
pub struct LogsArgs {
    /// Its name or id.
    pub name: String,
    /// Wait for more.
    #[arg(long, short)]
    pub follow: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `steading exec`.
#[derive(Debug, Clone, ClapArgs)]
pub struct ExecArgs {
    /// Its name or id.
    pub name: String,
    /// The user; the one that people work as if absent.
    #[arg(long, short)]
    pub user: Option<String>,
    /// The folder; the workspace's if absent.
    #[arg(long, short)]
    pub workdir: Option<String>,
    /// NAME=VALUE for the command.
    #[arg(long = "env", short, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Send our standard input to the command.
    #[arg(long, short)]
    pub interactive: bool,
    /// Seconds before it is ended; 3600 if not given, and at most. So does Ctrl-C end it.
    #[arg(long)]
    pub timeout: Option<u32>,
    #[command(flatten)]
    pub client: ClientArgs,
    /// Program and arguments; one argument is run by a shell.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub cmd: Vec<String>,
}

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeArg {
    /// Everything its owner may do.
    All,
    /// Looking, never changing.
    Read,
    /// Registering prebuilds, nothing else: for CI.
    Prebuild,
}

/// `steading token …`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, once.
    Create {
        /// What it is for.
        name: String,
        /// What it may be used for.
        #[arg(long, value_enum, default_value_t = ScopeArg::All)]
        scope: ScopeArg,
        /// Days until it ends; never if absent.
        #[arg(long)]
        days: Option<u32>,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// List your tokens, without their texts.
    Ls {
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Revoke a token, at once.
    Rm {
        /// Its id.
        id: String,
        #[command(flatten)]
        client: ClientArgs,
    },
}
