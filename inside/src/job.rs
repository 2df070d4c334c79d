//! A job is one command that outlives whoever asked for it: a hook or a service. Its folder is the whole truth:
//!
//! ```text
//! start      locked by whoever decides whether to start it
//! lock       locked by its runner as long as the command runs; the kernel lets go when the runner dies
//! run.json   {"pid", "ticks", "started_at"}: written before the command starts, and again with its pid
//! exit.json  {"code", "signal", "timed_out", "ended_at"}: written whole, when the command has ended
//! *.room     what the two will be written into, taken before the command starts: it may fill the disk
//! log        its output
//! follower   who follows it alone: whoever wrote this last
//! ```
//!
//! A run without an end whose lock is free was interrupted: the container was stopped, or somebody killed the runner.

use crate::failure::{Failure, Result};
use crate::place::{Place, write_whole};
use crate::process;
use crate::room::Room;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Who runs, since when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The command's process, also the leader of its process group. Absent for the moment before it starts.
    pub pid: Option<i32>,
    /// Start of that process in clock ticks, so that a reused pid is not mistaken for it.
    pub ticks: Option<u64>,
    /// Milliseconds since 1970.
    pub started_at: u64,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit status; 128 + signal when killed; 124 when out of time.
    pub code: u8,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Whether it ran into its time limit.
    pub timed_out: bool,
    /// Milliseconds since 1970.
    pub ended_at: u64,
}

/// What can be said about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It was never started.
    Absent,
    /// It runs.
    Running(Run),
    /// It ended.
    Done(Run, Exit),
    /// It was interrupted, and nobody knows how far it came.
    Lost(Run),
}

impl State {
    /// `absent`, `running`, `done` or `lost`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Running(_) => "running",
            Self::Done(..) => "done",
            Self::Lost(_) => "lost",
        }
    }

    /// The run, when there was one.
    pub fn run(&self) -> Option<&Run> {
        match self {
            Self::Absent => None,
            Self::Running(run) | Self::Done(run, _) | Self::Lost(run) => Some(run),
        }
    }

    /// The end, when it was reached.
    pub fn exit(&self) -> Option<&Exit> {
        match self {
            Self::Done(_, exit) => Some(exit),
            _ => None,
        }
    }
}

/// One job, by its folder, which need not exist.
#[derive(Clone, Debug)]
pub struct Job {
    folder: PathBuf,
}

impl Job {
    /// The job of this kind (`hooks`, `services`) and key.
    pub fn new(place: &Place, kind: &str, key: &str) -> Result<Self> {
        let folder = place.folder(kind)?.join(file_name(key)?);
        Ok(Self { folder })
    }

    /// The job in this folder, which is there.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its output.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Has whoever followed it alone before leave; what names us in their place. `None` if it never started.
    pub fn take_over(&self) -> Result<Option<String>> {
        if !self.folder.exists() {
            return Ok(None);
        }
        let turn = format!("{} {}", std::process::id(), process::now_ms());
        write_whole(&self.follower_file(), turn.as_bytes(), 0o644)?;
        Ok(Some(turn))
    }

    /// Who follows it alone; empty if nobody ever did.
    pub fn follower(&self) -> String {
        fs::read_to_string(self.follower_file()).unwrap_or_default()
    }

    fn follower_file(&self) -> PathBuf {
        self.folder.join("follower")
    }

    /// Holds off everybody else who wants to start it, until the file is dropped.
    pub fn start_lock(&self) -> Result<File> {
        match fs::create_dir(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Failure::system(format_args!("make {}", self.folder.display()), error));
            }
            _ => {}
        }
        let file = self.open_lock("start")?;
        file.lock().map_err(|e| Failure::system("lock the job", e))?;
        Ok(file)
    }

    /// Claims the job for a runner: none when another runner was faster.
    pub fn claim(&self) -> Result<Option<File>> {
        let file = self.open_lock("lock")?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // Somebody looks at the state for a moment, or another runner has it for good.
                Err(TryLockError::WouldBlock) if self.run_file().exists() => return Ok(None),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
                Err(TryLockError::Error(error)) => return Err(Failure::system("lock the job", error)),
            }
        }
        match self.run_file().exists() {
            true => Ok(None),
            false => Ok(Some(file)),
        }
    }

    fn open_lock(&self, name: &str) -> Result<File> {
        let path = self.folder.join(name);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        opened.map_err(|e| Failure::system(format_args!("open {}", path.display()), e))
    }

    fn run_file(&self) -> PathBuf {
        self.folder.join("run.json")
    }

    fn exit_file(&self) -> PathBuf {
        self.folder.join("exit.json")
    }

    /// Records the run.
    pub fn record_run(&self, run: &Run) -> Result<()> {
        write_whole(&self.run_file(), &to_json(run)?, 0o644)
    }

    /// Takes the room in which the run is recorded once more, with its pid.
    pub fn room_for_run(&self) -> Result<Room> {
        Room::take(&self.run_file())
    }

    /// Takes the room in which the end will be recorded.
    pub fn room_for_exit(&self) -> Result<Room> {
        Room::take(&self.exit_file())
    }

    /// Forgets an earlier run; the caller holds the start lock. Should the runner alone have been killed, what it left
    /// is ended first: two of one job at a time would fight over the same files and ports.
    pub fn forget(&self, keep_log: bool) {
        if let State::Lost(Run { pid: Some(pid), ticks, .. }) = self.state() {
            process::signal_group(pid, ticks, Signal::SIGKILL);
        }
        let _ = fs::remove_file(self.exit_file());
        Room::forget(&self.exit_file());
        Room::forget(&self.run_file());
        if !keep_log {
            let _ = fs::remove_file(self.log());
        }
        let _ = fs::remove_file(self.run_file());
    }

    /// Looks.
    pub fn state(&self) -> State {
        let Some(run) = read_json::<Run>(&self.run_file()) else { return State::Absent };
        let ended = || read_json::<Exit>(&self.exit_file());
        if let Some(exit) = ended() {
            return State::Done(run, exit);
        }
        let held = match OpenOptions::new().write(true).open(self.folder.join("lock")) {
            Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        };
        match (held, ended()) {
            // The end may have come between the two looks.
            (_, Some(exit)) => State::Done(run, exit),
            (true, None) => State::Running(run),
            (false, None) => State::Lost(run),
        }
    }

    /// Terminates it: politely, and after the grace for good. Returns what is true then.
    pub fn stop(&self, grace: Duration) -> State {
        let begun = Instant::now();
        let (mut asked, mut forced) = (false, false);
        loop {
            let state = self.state();
            let State::Running(run) = &state else { return state };
            if let Some(pid) = run.pid {
                if !asked {
                    process::signal_group(pid, run.ticks, Signal::SIGTERM);
                    asked = true;
                }
                if begun.elapsed() >= grace && !forced {
                    process::signal_group(pid, run.ticks, Signal::SIGKILL);
                    forced = true;
                }
            }
            if begun.elapsed() >= grace + Duration::from_secs(5) {
                return state;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Starts a runner and waits for its word that the job has begun (or had begun already).
pub fn start_runner(mut runner: Command) -> Result<()> {
    let spawned = runner.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = spawned.map_err(|e| Failure::system("start the runner", e))?;
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        let _ = out.read_to_string(&mut said);
    }
    match said.trim() {
        "begun" => Ok(()),
        other => {
            Err(Failure::new("runner-failed", crate::failure::SYSTEM, format!("the runner did not start: {other}")))
        }
    }
}

/// A key as a file name: letters, digits and `._-` stay, all else becomes %XX.
fn file_name(key: &str) -> Result<String> {
    let mut name = String::new();
    for (at, byte) in key.bytes().enumerate() {
        match byte {
            b'.' if at == 0 => name.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    match name.len() {
        1..=200 => Ok(name),
        _ => Err(Failure::usage("a key has 1 to 200 letters (others than a-z A-Z 0-9 . _ - count three times)")),
    }
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Failure::system("write JSON", std::io::Error::from(e)))
}

fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_safe_file_names() {
        assert_eq!(file_name("postCreate.0_a-b").unwrap(), "postCreate.0_a-b");
        assert_eq!(file_name("../x y").unwrap(), "%2E.%2Fx%20y");
        assert!(file_name("").is_err());
        assert!(file_name(&"x".repeat(201)).is_err());
    }

    #[test]
    fn a_free_lock_without_an_end_is_a_loss() {
        let folder = tempfile::tempdir().unwrap();
        let job = Job::at(folder.path());
        assert_eq!(job.state(), State::Absent);
        let claim = job.claim().unwrap().unwrap();
        job.record_run(&Run::default()).unwrap();
        assert_eq!(job.state().word(), "running");
        assert!(job.claim().unwrap().is_none());
        drop(claim);
        assert_eq!(job.state().word(), "lost");
        let room = job.room_for_exit().unwrap();
        assert_eq!(job.state().word(), "lost", "room is no record");
        room.fill(&Exit { code: 3, signal: None, timed_out: false, ended_at: 1 }).unwrap();
        assert_eq!(job.state().exit().map(|e| e.code), Some(3));
        job.forget(false);
        assert_eq!(job.state(), State::Absent);
    }
}
