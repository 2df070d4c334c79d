//! The process that stays with a job: in a session of its own, holding its lock, collecting its output, noting its end.
//! It keeps collecting while anything the command left in the background still writes.

use crate::args::{Args, Opt};
use crate::failure::{Failure, Result, TIMED_OUT};
use crate::job::{Exit, Job, Run};
use crate::journal::Journal;
use crate::place::Place;
use crate::process;
use crate::room::Room;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Output kept of a hook.
const HOOK_LIMIT: u64 = 16 << 20;
/// Output kept of a service.
const SERVICE_LIMIT: u64 = 1 << 20;
/// Between "please end" and "end".
const GRACE: Duration = Duration::from_secs(2);
/// Between two tries to record an end.
const AGAIN: Duration = Duration::from_secs(1);
/// More than a pipe holds: having read this much after the end, we have read all the command wrote.
const PIPE: usize = 128 << 10;

const OPTIONS: &[Opt] =
    &[Opt::Value("job"), Opt::Value("user"), Opt::Value("cwd"), Opt::Value("timeout"), Opt::Value("keep")];

/// `inside runner`: internal; started by `hook run`, `service start` and `main`.
pub fn command(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let _ = nix::unistd::setsid();
    match begin(place, &Args::parse(words, &[OPTIONS])?) {
        Ok(Some(begun)) => {
            tell("begun");
            begun.follow();
            Ok(0)
        }
        Ok(None) => {
            tell("begun");
            Ok(0)
        }
        Err(failure) => {
            tell(&failure.to_string());
            Ok(failure.exit)
        }
    }
}

/// Answers whoever started us, and hangs up.
fn tell(word: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{word}").and_then(|()| out.flush());
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdout(&null);
    }
}

struct Begun {
    claim: Option<File>,
    journal: Journal,
    output: PipeReader,
    child: Child,
    run: Run,
    /// Where the end is recorded.
    room: Room,
    /// A thread waits for the child; the pipe it drops is how poll hears of it.
    gone: PipeReader,
    going: PipeWriter,
    timeout: Option<Duration>,
}

fn begin(place: &Place, args: &Args) -> Result<Option<Begun>> {
    let job = Job::at(Path::new(&args.needed("job")?));
    let Some(claim) = job.claim()? else { return Ok(None) };
    let log = |e| Failure::system("open the log", e);
    let journal = match args.text("keep")?.as_deref() {
        Some("tail") => Journal::tail(&job.log(), SERVICE_LIMIT).map_err(log)?,
        _ => Journal::head(&job.log(), HOOK_LIMIT).map_err(log)?,
    };
    let (gone, going) = std::io::pipe().map_err(|e| Failure::system("make a pipe", e))?;
    let timeout = args.seconds("timeout")?;
    // Before the command, so that neither a death of ours nor a full disk can let it run a second time.
    let (run_room, room) = (job.room_for_run()?, job.room_for_exit()?);
    let mut run = Run { pid: None, ticks: None, started_at: process::now_ms() };
    job.record_run(&run)?;
    let (output, child) = match spawn(place, args) {
        Ok(spawned) => spawned,
        Err(failure) => {
            job.forget(true);
            return Err(failure);
        }
    };
    run.pid = i32::try_from(child.id()).ok();
    run.ticks = run.pid.and_then(process::start_ticks);
    // It runs by now, whatever becomes of this: without it nobody but we can end it, and that is all.
    let _ = run_room.fill(&run);
    Ok(Some(Begun { claim: Some(claim), journal, output, child, run, room, gone, going, timeout }))
}

fn spawn(place: &Place, args: &Args) -> Result<(PipeReader, Child)> {
    let pipe = || -> std::io::Result<_> {
        let (output, input) = std::io::pipe()?;
        Ok((output, input.try_clone()?, input))
    };
    let (output, out, err) = pipe().map_err(|e| Failure::system("make a pipe", e))?;
    let mut command: Command = place.me(&["as", "--exact", "--user", &args.needed("user")?]);
    if let Some(cwd) = args.one("cwd") {
        command.arg("--cwd").arg(cwd);
    }
    command.arg("--").args(&args.tail).process_group(0);
    let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
    Ok((output, child.map_err(|e| Failure::system("start the command", e))?))
}

impl Begun {
    fn follow(mut self) {
        let mut deadline = self.timeout.map(|limit| Instant::now() + limit);
        let mut timed_out = false;
        let (gone, going) = (self.gone, self.going);
        let mut child = self.child;
        let waiter = std::thread::spawn(move || {
            let status = child.wait();
            drop(going);
            status
        });
        let mut waiter = Some(waiter);
        let (mut ended, mut open, mut since_end) = (false, true, 0);
        // An end that is on no record yet. Until it is, we keep the claim: it would count as an interruption.
        let mut told: Option<Exit> = None;
        let mut buffer = vec![0; 64 << 10];
        while open || waiter.is_some() || told.is_some() {
            let wait = match (ended, &waiter, deadline) {
                (false, _, Some(at)) => until(at),
                // What the command wrote is in the pipe by now: take it, wait for nothing, note the end.
                (true, Some(_), _) => PollTimeout::ZERO,
                _ if told.is_some() => until(Instant::now() + AGAIN),
                _ => PollTimeout::NONE,
            };
            let (readable, now_ended) = look(open.then_some(&self.output), (!ended).then_some(&gone), wait);
            if readable {
                match self.output.read(&mut buffer) {
                    Ok(0) => open = false,
                    Ok(n) => {
                        self.journal.add(&buffer[..n]);
                        since_end += if ended { n } else { 0 };
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => open = false,
                }
            }
            if ended
                && (!readable || since_end >= PIPE)
                && let Some(status) = waiter.take().and_then(|waiter| waiter.join().ok())
            {
                told = Some(exit(status.ok(), timed_out));
            }
            if let Some(end) = told.take() {
                match self.room.fill(&end) {
                    Ok(()) => self.claim = None,
                    Err(_) => told = Some(end),
                }
            }
            // Counts from the next look on: this one may have missed what came just before the end.
            ended |= now_ended;
            if !ended && deadline.is_some_and(|at| Instant::now() >= at) {
                let signal = if timed_out { Signal::SIGKILL } else { Signal::SIGTERM };
                if let (false, Some(limit)) = (timed_out, self.timeout) {
                    self.journal.note(&format!("[timed out after {} s]", limit.as_secs_f64()));
                }
                deadline = (!timed_out).then(|| Instant::now() + GRACE);
                timed_out = true;
                if let Some(pid) = self.run.pid {
                    process::signal_group(pid, self.run.ticks, signal);
                }
            }
        }
    }
}

fn until(at: Instant) -> PollTimeout {
    let left = at.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}

/// Waits: is there output (or its end), has the command ended?
fn look(output: Option<&PipeReader>, gone: Option<&PipeReader>, wait: PollTimeout) -> (bool, bool) {
    let fds = [output, gone].into_iter().flatten();
    let mut fds: Vec<PollFd> = fds.map(|p| PollFd::new(p.as_fd(), PollFlags::POLLIN)).collect();
    if poll(&mut fds, wait).is_err() {
        return (false, false);
    }
    let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
    let readable = output.is_some() && ready.next().unwrap_or(false);
    (readable, gone.is_some() && ready.next().unwrap_or(false))
}

fn exit(status: Option<ExitStatus>, timed_out: bool) -> Exit {
    let signal = status.and_then(|s| s.signal());
    let code = match (timed_out, status.and_then(|s| s.code()), signal) {
        (true, _, _) => i32::from(TIMED_OUT),
        (false, Some(code), _) => code,
        (false, None, Some(signal)) => 128 + signal,
        (false, None, None) => 255,
    };
    Exit { code: u8::try_from(code).unwrap_or(255), signal, timed_out, ended_at: process::now_ms() }
}
