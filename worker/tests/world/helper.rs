//! The helper in the containers, as far as the worker calls it. What a hook does is in its command:
//! `exit N`, `be-killed` (with its runner), `take-too-long`, or `stay` until [`Helper::over`] says so.

use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use steading_core::WorkspaceId;
use steading_core::pod::inside::BINARY;
use steading_core::runtime::{Chunk, Exec, Process, ProcessControl, Result};
use steading_runtime::fake::{Answer, Fake};
use tokio::sync::watch;

/// What the helper did.
#[derive(Default)]
pub struct Helper {
    /// Command lines of hooks in the order in which they really ran.
    pub commands: Vec<(WorkspaceId, String)>,
    /// Extensions that were installed.
    pub extensions: Vec<String>,
    /// What was done with services: `start`, `stop`.
    pub services: Vec<String>,
    /// Every call.
    pub calls: Vec<Exec>,
    /// Hooks that stay end now, with exit code 3.
    pub over: watch::Sender<bool>,
    /// What hooks that stay have printed after their first line.
    pub more: watch::Sender<String>,
}

/// Makes it answer in every container of the fake.
pub fn install(fake: &Fake) -> Arc<Mutex<Helper>> {
    let helper = Arc::new(Mutex::new(Helper::default()));
    let (answering, containers) = (helper.clone(), fake.clone());
    fake.on_exec(move |id, exec| answering.lock().unwrap().answer(&containers, id, exec));
    let (streaming, containers) = (helper.clone(), fake.clone());
    fake.on_process(move |id, exec| streaming.lock().unwrap().stream(&containers, id, exec));
    helper
}

fn value<'a>(exec: &'a Exec, name: &str) -> Option<&'a str> {
    let at = exec.command.iter().position(|word| word == name)?;
    exec.command.get(at + 1).map(String::as_str)
}

/// Its memory is a file of the container, as the real one's is.
fn memory(key: &str) -> String {
    format!("/run/steading/hooks/{key}")
}

impl Helper {
    fn answer(&mut self, containers: &Fake, id: WorkspaceId, exec: &Exec) -> Option<Answer> {
        self.calls.push(exec.clone());
        let words: Vec<&str> = exec.command.iter().map(String::as_str).collect();
        match words.as_slice() {
            [BINARY, "hook", "run", ..] => Some(self.run(containers, id, exec)),
            [BINARY, "hook", "follow", key, ..] => {
                let command = containers.file(id, &memory(key));
                Some(command.map_or(Answer::exit(69), |command| self.told(&command, exec)))
            }
            [BINARY, "hook", "status", key] => {
                Some(Answer::text(self.status(containers.file(id, &memory(key)).as_deref()).to_string()))
            }
            [BINARY, "service", verb @ ("start" | "stop"), ..] => {
                self.services.push((*verb).to_owned());
                Some(Answer::text("{}"))
            }
            [BINARY, "service", "log", ..] => Some(Answer::text("the last words of the IDE\n")),
            [BINARY, "credential", "deliver", ..] => Some(Answer::text("")),
            [BINARY, "look", ..] => Some(Answer::text(r#"{"tools": {"git": "/usr/bin/git", "sh": "/bin/sh"}}"#)),
            _ => None,
        }
    }

    /// Runs a hook unless its key was used; what it does.
    fn begin(&mut self, containers: &Fake, id: WorkspaceId, exec: &Exec) -> String {
        let memory = memory(value(exec, "--key").unwrap());
        let known = containers.file(id, &memory);
        let is_lost = self.status(known.as_deref())["state"] == "lost";
        let again = is_lost && exec.command.iter().any(|word| word == "--again");
        if let Some(known) = known.filter(|_| !again) {
            return known;
        }
        let tail = exec.command.iter().position(|word| word == "--").unwrap();
        let command = exec.command[tail + 1..].join(" ");
        let command = command.trim_start_matches("/bin/sh -c ").to_owned();
        containers.put_file(id, &memory, &command);
        match value(exec, "--install-extension") {
            Some(extension) => self.extensions.push(extension.to_owned()),
            None => self.commands.push((id, command.clone())),
        }
        command
    }

    fn run(&mut self, containers: &Fake, id: WorkspaceId, exec: &Exec) -> Answer {
        let command = self.begin(containers, id, exec);
        let status = self.status(Some(&command));
        if exec.command.iter().any(|word| word == "--detach") {
            return Answer::text(status.to_string());
        }
        self.told(&command, exec)
    }

    /// All that a command has printed.
    fn output(&self, command: &str) -> String {
        let more = if command.contains("stay") { self.more.borrow().clone() } else { String::new() };
        format!("ran {command}\n{more}")
    }

    /// The output of a command that has ended, and how it did.
    fn told(&self, command: &str, exec: &Exec) -> Answer {
        let status = self.status(Some(command));
        let output = self.output(command);
        let from = value(exec, "--from").map_or(0, |from| from.parse().unwrap());
        let stdout = output.get(from..).unwrap_or_default().to_owned();
        if status["state"] == "lost" {
            let stderr = "inside: hook-interrupted: hook was interrupted\n".to_owned();
            return Answer { stdout, stderr, exit: 125 };
        }
        Answer { stdout, stderr: String::new(), exit: status["exit"].as_i64().unwrap_or_default() }
    }

    fn status(&self, command: Option<&str>) -> Value {
        let Some(command) = command else { return json!({"state": "absent", "exit": null, "timed_out": false}) };
        let exit = command.split_once("exit ").and_then(|(_, code)| code.trim().parse().ok());
        let bytes = self.output(command).len();
        let done =
            |exit: i64, timed_out: bool| json!({"state": "done", "exit": exit, "timed_out": timed_out, "bytes": bytes});
        match command {
            installer if installer.contains("missing") => done(1, false),
            installer if installer.contains("silent") => done(124, true),
            killed if killed.contains("be-killed") => json!({"state": "lost", "exit": null, "timed_out": false}),
            long if long.contains("take-too-long") => done(124, true),
            stay if stay.contains("stay") && *self.over.borrow() => done(3, false),
            stay if stay.contains("stay") => json!({"state": "running", "exit": null, "timed_out": false}),
            _ => done(exit.unwrap_or(0), false),
        }
    }

    /// A hook that stays prints what it is told to, and goes on.
    fn stream(&mut self, containers: &Fake, id: WorkspaceId, exec: &Exec) -> Option<Process> {
        let words: Vec<&str> = exec.command.iter().map(String::as_str).collect();
        let follows = match words.as_slice() {
            [_, "hook", "run", ..] => !words.contains(&"--detach") && words.last()?.contains("stay"),
            [_, "hook", "follow", key, ..] => containers.file(id, &memory(key))?.contains("stay"),
            _ => false,
        };
        if !follows || *self.over.borrow() {
            return None;
        }
        self.calls.push(exec.clone());
        let command = match words[2] {
            "run" => self.begin(containers, id, exec),
            _ => containers.file(id, &memory(words[3]))?,
        };
        let at = value(exec, "--from").map_or(0, |from| from.parse().unwrap());
        let (over, more) = (self.over.subscribe(), self.more.subscribe());
        let output = stream::unfold((over, more, at), move |(mut over, mut more, at)| {
            let first = format!("ran {command}\n");
            async move {
                loop {
                    let text = first.clone() + &more.borrow_and_update();
                    if let Some(new @ [_, ..]) = text.as_bytes().get(at..) {
                        let new: io::Result<Chunk> = Ok(Chunk::Stdout(new.to_vec().into()));
                        return Some((new, (over, more, text.len())));
                    }
                    tokio::select! {
                        ended = over.wait_for(|over| *over) => ended.map(drop).ok()?,
                        changed = more.changed() => {
                            changed.ok()?;
                            continue;
                        }
                    }
                    return None;
                }
            }
        });
        Some(Process { stdin: None, output: output.boxed(), control: Box::new(Three) })
    }
}

struct Three;

#[async_trait]
impl ProcessControl for Three {
    async fn resize(&self, _columns: u16, _rows: u16) -> Result<()> {
        Ok(())
    }

    async fn exit_code(&self) -> Result<i64> {
        Ok(3)
    }
}
