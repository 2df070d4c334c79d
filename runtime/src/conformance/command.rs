//! Commands in containers.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use steading_core::runtime::{Chunk, Exec, RuntimeError};
use tokio::io::AsyncWriteExt as _;

use super::{Kept, Trial, ensure, words};

pub async fn a_command_says_how_it_ended(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    for code in [0, 1, 3, 127] {
        let ended = trial.shell(&format!("exit {code}")).await?;
        ensure!(ended.exit == code, "exit {code} became {}", ended.exit);
    }
    Ok(())
}

pub async fn outputs_are_told_apart(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let ended = trial.shell("echo out; echo err >&2").await?;
    ensure!(ended.stdout == "out\n" && ended.stderr == "err\n", "it printed {ended:?}");
    Ok(())
}

pub async fn a_command_has_both_environments(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let env = BTreeMap::from([("OF_THE_COMMAND".to_owned(), "a b=c".to_owned())]);
    for (name, expected) in [("OF_THE_CONTAINER", "yes\n"), ("OF_THE_COMMAND", "a b=c\n")] {
        let ended =
            trial.run(Exec { command: words(&["printenv", name]), env: env.clone(), ..Exec::default() }).await?;
        ensure!(ended.stdout == expected, "{name} is {ended:?}");
    }
    let folder = Some("/workspaces".to_owned());
    let ended = trial.run(Exec { command: words(&["pwd"]), folder, ..Exec::default() }).await?;
    ensure!(ended.stdout == "/workspaces\n", "its folder is {ended:?}");
    Ok(())
}

pub async fn input_goes_in_and_ends(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let exec = Exec { command: words(&["cat"]), stdin: true, ..Exec::default() };
    let mut process = trial.runtime.exec(trial.id(), exec).await?;
    let mut stdin = process.stdin.take().ok_or("it has no input")?;
    // Every byte there is, more than any buffer holds.
    let sent: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let write = async {
        stdin.write_all(&sent).await?;
        stdin.shutdown().await
    };
    let read = async {
        let mut got = Vec::new();
        while let Some(chunk) = process.output.next().await {
            if let Chunk::Stdout(bytes) = chunk? {
                got.extend_from_slice(&bytes);
            }
        }
        Ok(got)
    };
    let ((), got) = tokio::try_join!(write, read)?;
    ensure!(got == sent, "{} bytes went in and {} came out, or others", sent.len(), got.len());
    let exit = process.control.exit_code().await?;
    ensure!(exit == 0, "it ended with {exit}");
    Ok(())
}

pub async fn input_ends_with_whoever_gave_it(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let command = words(&["sh", "-c", "cat; echo over > /over"]);
    let process = trial.runtime.exec(trial.id(), Exec { command, stdin: true, ..Exec::default() }).await?;
    drop(process);
    for _ in 0..100 {
        if trial.shell("cat /over").await?.stdout == "over\n" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the command waits for input that nobody gives".into())
}

pub async fn a_terminal_has_a_size(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let command = words(&["sh", "-c", "sleep 0.5; stty size; echo err >&2"]);
    let exec = Exec { command, tty: Some((132, 43)), stdin: true, ..Exec::default() };
    let ended = trial.run(exec).await?;
    let text = ended.stdout.replace("\r\n", "\n");
    ensure!(text == "43 132\nerr\n" && ended.stderr.is_empty(), "the terminal shows {ended:?}");
    Ok(())
}

pub async fn an_unknown_program_is_not_found(trial: &Trial<'_>) -> Kept {
    trial.runtime.up(&trial.spec).await?;
    let ended = trial.run(Exec { command: words(&["no-such-program-anywhere"]), ..Exec::default() }).await?;
    ensure!(matches!(ended.exit, 126 | 127), "it ended with {}", ended.exit);
    Ok(())
}

pub async fn nothing_runs_in_a_stopped_container(trial: &Trial<'_>) -> Kept {
    let run = || trial.runtime.exec(trial.id(), Exec { command: words(&["true"]), ..Exec::default() });
    let absent = run().await;
    ensure!(matches!(absent, Err(RuntimeError::Gone)), "without a container it says {absent:?}");
    trial.runtime.up(&trial.spec).await?;
    trial.runtime.down(trial.id(), Duration::from_secs(5)).await?;
    let down = run().await;
    ensure!(matches!(down, Err(RuntimeError::Gone)), "when it is down it says {down:?}");
    Ok(())
}
