//! The command line as a person uses it: a process each time.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::server;

/// Commands on the machine of a server.
#[derive(Debug, Clone)]
pub struct Cli {
    data_dir: PathBuf,
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// Standard output without white space around it.
    #[must_use]
    pub fn said(&self) -> &str {
        self.stdout.trim()
    }
}

impl Cli {
    /// Commands that find the server by its data folder.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned() }
    }

    /// A command that has not begun, with nothing of ours in its environment but the data folder.
    ///
    /// # Errors
    /// When the binary was not built.
    pub fn command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(server::binary()?);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STEADING_")) {
            command.env_remove(name);
        }
        command.args(args).env("STEADING_SERVER__DATA_DIR", &self.data_dir).current_dir(&self.data_dir);
        Ok(command)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be run; not when it fails.
    pub async fn run(&self, args: &[&str]) -> Result<Ended> {
        self.feed(args, "").await
    }

    /// The same with something to read.
    ///
    /// # Errors
    /// When it cannot be run; not when it fails.
    pub async fn feed(&self, args: &[&str], stdin: &str) -> Result<Ended> {
        use tokio::io::AsyncWriteExt as _;
        let mut command = tokio::process::Command::from(self.command(args)?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut input = child.stdin.take().context("no input")?;
        input.write_all(stdin.as_bytes()).await?;
        drop(input);
        let output = child.wait_with_output().await?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Ok(Ended { code, stdout: text(output.stdout), stderr: text(output.stderr) })
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// When it fails.
    pub async fn ok(&self, args: &[&str]) -> Result<Ended> {
        let ended = self.run(args).await?;
        ensure!(ended.code == 0, "steading {} ended with {}: {}", args.join(" "), ended.code, ended.stderr);
        Ok(ended)
    }

    /// Begins a command whose output is read later.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn begin(&self, args: &[&str]) -> Result<Child> {
        Ok(self.command(args)?.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    }
}
