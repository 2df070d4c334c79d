//! The door into a workspace.

use std::time::Duration;

use steading_core::runtime::{Duplex, RuntimeError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Kept, SERVICE, Trial, ensure};

/// Dials until the service listens, as whoever drives a workspace does.
async fn dial(trial: &Trial<'_>) -> Result<Box<dyn Duplex>, RuntimeError> {
    for _ in 0..500 {
        match trial.runtime.dial(trial.id(), SERVICE).await {
            Err(RuntimeError::NoListener(SERVICE)) => tokio::time::sleep(Duration::from_millis(10)).await,
            other => return other,
        }
    }
    Err(RuntimeError::NoListener(SERVICE))
}

async fn get(mut stream: Box<dyn Duplex>) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await?;
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

pub async fn a_service_answers(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let answer = get(dial(trial).await?).await?;
    ensure!(answer == "HTTP/1.1 200 OK", "it says {answer:?}");
    // The next container of the workspace is found as well.
    trial.runtime.down(trial.id(), Duration::from_secs(5)).await?;
    trial.runtime.up(&trial.spec).await?;
    let answer = get(dial(trial).await?).await?;
    ensure!(answer == "HTTP/1.1 200 OK", "after a start it says {answer:?}");
    Ok(())
}

pub async fn a_closed_port_has_no_listener(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    match trial.runtime.dial(trial.id(), 9).await {
        Err(RuntimeError::NoListener(9)) => Ok(()),
        Err(other) => Err(format!("it says {other:?}").into()),
        Ok(_) => Err("it answers".into()),
    }
}

pub async fn a_stopped_workspace_has_no_ports(trial: &Trial<'_>) -> Kept {
    let gone = |result: Result<Box<dyn Duplex>, RuntimeError>| matches!(result, Err(RuntimeError::Gone));
    ensure!(gone(trial.runtime.dial(trial.id(), SERVICE).await), "without a container it is not gone");
    trial.runtime.up(&trial.spec).await?;
    drop(dial(trial).await?);
    trial.runtime.down(trial.id(), Duration::from_secs(5)).await?;
    ensure!(gone(trial.runtime.dial(trial.id(), SERVICE).await), "when it is down it is not gone");
    Ok(())
}

pub async fn many_connections_at_once(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    drop(dial(trial).await?);
    let one = || async { Ok::<_, Box<dyn std::error::Error + Send + Sync>>(get(dial(trial).await?).await?) };
    let answers = futures::future::try_join_all((0..20).map(|_| one())).await?;
    ensure!(answers.iter().all(|answer| answer == "HTTP/1.1 200 OK"), "they say {answers:?}");
    Ok(())
}
