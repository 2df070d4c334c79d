//! A `steading` process.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::client::Api;

/// A running `steading serve`.
#[derive(Debug)]
pub struct Steading {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub address: String,
    /// The one-time sign-in link it printed.
    pub link: String,
    /// The token for commands on this machine.
    pub token: String,
    /// Its installation id.
    pub installation: String,
    data_dir: PathBuf,
    env: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Local {
    server: String,
    token: String,
    installation: String,
}

/// The binary beside this test's own, or the one that STEADING_BIN names.
pub fn binary() -> Result<PathBuf> {
    if let Ok(path) = std::env::var("STEADING_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("a test has no folder")?;
    let path = folder.join("steading");
    if !path.exists() {
        bail!("{} is missing: cargo build -p steading", path.display());
    }
    Ok(path)
}

impl Steading {
    /// Starts a server on a data folder and a port of its own.
    pub fn start(data_dir: &Path, env: &[(String, String)], port: u16) -> Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(data_dir.join("server.log"))?;
        let mut command = Command::new(binary()?);
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--domain", "localhost", "--data-dir"])
            .arg(data_dir)
            .current_dir(data_dir)
            .envs(env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // A group of its own, so that nothing sent to the tests reaches it.
            .process_group(0);
        let mut child = command.spawn().context("steading cannot be started")?;
        let stdout = child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(link) = line.split_whitespace().find(|word| word.contains("/sign-in?link=")) else {
            let _ = child.kill();
            let log = std::fs::read_to_string(data_dir.join("server.log")).unwrap_or_default();
            bail!("steading did not start: {line}\n{log}");
        };
        let text = std::fs::read_to_string(data_dir.join("local.json"))?;
        let Local { server, token, installation } = serde_json::from_str(&text)?;
        Ok(Self {
            child,
            address: server,
            link: link.to_owned(),
            token,
            installation,
            data_dir: data_dir.to_owned(),
            env: env.to_vec(),
        })
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().and_then(|p| p.parse().ok()).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The API with the local token.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(&self.address, Some(&self.token))
    }

    /// SIGKILL, now.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits for it to end.
    pub fn stop(&mut self) -> Result<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts again after [`Self::kill`] or [`Self::stop`], on the same folder and port.
    pub fn restart(&mut self) -> Result<()> {
        let fresh = Self::start(&self.data_dir, &self.env, self.port())?;
        *self = fresh;
        Ok(())
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data_dir.join("server.log")).unwrap_or_default()
    }
}

impl Drop for Steading {
    fn drop(&mut self) {
        self.kill();
    }
}
