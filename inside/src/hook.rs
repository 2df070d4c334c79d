//! `inside hook`: commands that run once per key, whoever asks and however often, and outlive whoever asked.

use crate::args::{Args, Opt};
use crate::failure::{ABSENT, Failure, INTERRUPTED, Result, SYSTEM, say};
use crate::job::{Job, State, start_runner};
use crate::launch::{self, Launch};
use crate::place::Place;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::json;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// Exit status when whoever read our output is gone: as if SIGPIPE had ended us.
const UNREAD: u8 = 141;

const RUN: &[Opt] = &[Opt::Value("key"), Opt::Value("timeout"), Opt::Flag("again"), Opt::Flag("detach")];
const FOLLOW: &[Opt] = &[Opt::Value("from"), Opt::Flag("alone")];
const KILL: &[Opt] = &[Opt::Value("grace")];

/// `hook run | follow | status | kill`
pub fn command(place: &Place, mut words: Vec<OsString>) -> Result<u8> {
    let verb = if words.is_empty() { OsString::new() } else { words.remove(0) };
    match verb.to_str() {
        Some("run") => run(place, words),
        Some("follow") => {
            let args = Args::parse(words, &[FOLLOW])?;
            let job = Job::new(place, "hooks", &args.word("key")?)?;
            follow(&job, &args)
        }
        Some("status") => status(&Job::new(place, "hooks", &Args::parse(words, &[])?.word("key")?)?),
        Some("kill") => {
            let args = Args::parse(words, &[KILL])?;
            let job = Job::new(place, "hooks", &args.word("key")?)?;
            job.stop(args.seconds("grace")?.unwrap_or(Duration::from_secs(5)));
            status(&job)
        }
        _ => Err(Failure::usage("hook run | follow | status | kill; see inside/README.md")),
    }
}

fn run(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let args = Args::parse(words, &[launch::OPTIONS, RUN, FOLLOW])?;
    args.no_words()?;
    args.number("from")?;
    let job = Job::new(place, "hooks", &args.needed("key")?)?;
    let argv = argv(&args.tail)?;
    {
        let _starting = job.start_lock()?;
        let state = job.state();
        let again = args.has("again") && matches!(state, State::Lost(_));
        if again {
            job.forget(false);
        }
        if again || state == State::Absent {
            start(place, &job, &args, &argv)?;
        }
    }
    if args.has("detach") { status(&job) } else { follow(&job, &args) }
}

/// `--shell TEXT`, or the words of a command.
fn argv(tail: &[OsString]) -> Result<Vec<OsString>> {
    match tail {
        [flag, text] if flag == "--shell" => Ok(vec!["/bin/sh".into(), "-c".into(), text.clone()]),
        [flag, ..] if flag == "--shell" => Err(Failure::usage("--shell wants exactly one text")),
        [] => Err(Failure::usage("no command: write it behind a --")),
        argv => Ok(argv.to_vec()),
    }
}

fn start(place: &Place, job: &Job, args: &Args, argv: &[OsString]) -> Result<()> {
    let launch = Launch::parse(place, args)?;
    args.seconds("timeout")?;
    let mut runner = place.me(&["runner", "--keep", "head", "--user", &launch.user, "--job"]);
    runner.arg(job.folder());
    for option in ["cwd", "timeout"] {
        if let Some(value) = args.one(option) {
            runner.arg(format!("--{option}")).arg(value);
        }
    }
    runner.arg("--").args(argv).env_clear().envs(launch.environment(place));
    start_runner(runner)
}

/// Prints the output from an offset on, until the end, and returns how it ended. `--alone` takes over from
/// whoever followed so before: an engine tells nobody in here that the other end is gone.
fn follow(job: &Job, args: &Args) -> Result<u8> {
    let from = args.number("from")?.unwrap_or(0);
    let turn = if args.has("alone") { job.take_over()? } else { None };
    let mut out = std::io::stdout().lock();
    let mut log: Option<File> = None;
    let mut pause = Duration::from_millis(1);
    let mut buffer = vec![0; 64 << 10];
    loop {
        // Looked at before the output is read: an end seen now leaves nothing to come.
        let state = job.state();
        if log.is_none() && state != State::Absent {
            log = File::open(job.log()).ok();
            if let Some(log) = &mut log {
                log.seek(SeekFrom::Start(from)).map_err(|e| Failure::system("read the log", e))?;
            }
        }
        while let Some(Ok(n @ 1..)) = log.as_mut().map(|log| log.read(&mut buffer)) {
            pause = Duration::from_millis(1);
            match out.write_all(&buffer[..n]).and_then(|()| out.flush()) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(UNREAD),
                Err(error) => return Err(Failure::system("write output", error)),
            }
        }
        match state {
            State::Absent => return Err(Failure::new("no-such-hook", ABSENT, "this hook was never started")),
            State::Done(_, exit) => return Ok(exit.code),
            State::Lost(_) => {
                say("hook-interrupted: hook was interrupted");
                return Ok(INTERRUPTED);
            }
            State::Running(_) if unread(&out) || turn.as_ref().is_some_and(|turn| job.follower() != *turn) => {
                return Ok(UNREAD);
            }
            State::Running(_) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Whether nobody reads our output any more.
pub fn unread(out: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(out.as_fd(), PollFlags::empty())];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1))
        && fds[0].revents().is_some_and(|e| e.contains(PollFlags::POLLERR))
}

fn status(job: &Job) -> Result<u8> {
    let state = job.state();
    let bytes = match &state {
        State::Absent => 0,
        _ => std::fs::metadata(job.log()).map_or(0, |log| log.len()),
    };
    let (run, exit) = (state.run(), state.exit());
    crate::print_json(&json!({
        "state": state.word(),
        "exit": exit.map(|e| e.code),
        "signal": exit.and_then(|e| e.signal),
        "timed_out": exit.is_some_and(|e| e.timed_out),
        "pid": run.and_then(|r| r.pid),
        "started_at": run.map(|r| r.started_at),
        "ended_at": exit.map(|e| e.ended_at),
        "bytes": bytes,
    }))
    .map_err(|failure| Failure { exit: SYSTEM, ..failure })
}
