//! Commands in containers.

use std::time::Duration;

use async_trait::async_trait;
use bollard::exec::ResizeExecOptions;
use bollard::models::ExecConfig;
use bytes::Bytes;
use futures::StreamExt as _;
use steading_core::WorkspaceId;
use steading_core::runtime::{Chunk, Exec, Process, ProcessControl, Result, RuntimeError};

use super::{Docker, hijack};
use crate::error;

/// Between questions whether a command whose output has ended has ended itself.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Docker {
    /// Runs a command in a container of the workspace.
    pub(super) async fn run(&self, id: WorkspaceId, exec: Exec) -> Result<Process> {
        let client = self.engine.client().await?;
        let tty = exec.tty.is_some();
        let config = ExecConfig {
            attach_stdin: Some(exec.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(tty),
            // Engines from 23 on begin with the right size; older ones ignore it.
            console_size: exec.tty.map(|(columns, rows)| vec![rows.into(), columns.into()]),
            env: Some(exec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            cmd: Some(exec.command),
            user: exec.user,
            working_dir: exec.folder,
            ..ExecConfig::default()
        };
        let mut container = self.container(id, exec.container.as_ref()).await?;
        let made = match client.create_exec(&container, config.clone()).await {
            // The container was replaced since we last looked.
            Err(missing) if error::is_missing(&missing) => {
                self.places.forget(id);
                container = self.container(id, exec.container.as_ref()).await?;
                client.create_exec(&container, config).await
            }
            other => other,
        };
        let made = made.map_err(error::container)?;
        let streams = match hijack::start(&self.engine, &client, &made.id, tty).await {
            Ok(streams) => streams,
            Err(refused) => {
                let text = error::message(&refused);
                if error::is_no_program(&text) {
                    return Ok(not_found(&text));
                }
                return Err(error::container(refused));
            }
        };
        let control = Control { client, exec: made.id };
        if let Some((columns, rows)) = exec.tty {
            // The command may have ended already, and then its size does not matter.
            let _ = control.resize(columns, rows).await;
        }
        Ok(Process {
            stdin: exec.stdin.then(|| Box::new(streams.stdin) as _),
            output: streams.output,
            control: Box::new(control),
        })
    }
}

/// What a shell would say. Older engines start the command before they look for its program.
fn not_found(text: &str) -> Process {
    let exit = if text.contains("permission denied") { 126 } else { 127 };
    Process {
        stdin: None,
        output: futures::stream::iter([Ok(Chunk::Stderr(Bytes::from(format!("{text}\n"))))]).boxed(),
        control: Box::new(Ended(exit)),
    }
}

struct Ended(i64);

#[async_trait]
impl ProcessControl for Ended {
    async fn resize(&self, _columns: u16, _rows: u16) -> Result<()> {
        Ok(())
    }

    async fn exit_code(&self) -> Result<i64> {
        Ok(self.0)
    }
}

struct Control {
    client: bollard::Docker,
    exec: String,
}

#[async_trait]
impl ProcessControl for Control {
    async fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let size = ResizeExecOptions { height: rows, width: columns };
        self.client.resize_exec(&self.exec, size).await.map_err(error::container)
    }

    async fn exit_code(&self) -> Result<i64> {
        let mut pause = FIRST_PAUSE;
        loop {
            let seen = self.client.inspect_exec(&self.exec).await.map_err(|gone| {
                // An engine forgets the commands of a container that it removed.
                if error::is_missing(&gone) { RuntimeError::Gone } else { error::engine(gone) }
            })?;
            if seen.running != Some(true)
                && let Some(exit) = seen.exit_code
            {
                return Ok(exit);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
