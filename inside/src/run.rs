//! `inside run`: a command that somebody far away waits for, and that ends when nobody does any more.
//!
//! The exec alone would not do: an engine tells nobody inside when the other end of it is gone. Standard input does,
//! so what the command itself reads comes over it in frames. Its output goes straight to where ours goes.

use crate::args::Args;
use crate::failure::{Failure, Result};
use crate::frame::{Decoder, Frame};
use crate::launch;
use crate::place::Place;
use crate::process;
use crate::term::session;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

/// Standard input is read while less than this waits for the command.
const FULL: usize = 256 << 10;
/// Read at once.
const TURN: usize = 64 << 10;

/// Runs until the command ends, and exits as it did; or until whoever asked for it is gone.
pub fn command(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let args = Args::parse(words.iter().cloned(), &[launch::OPTIONS])?;
    args.no_words()?;
    if args.tail.is_empty() {
        return Err(Failure::usage("no command: write it behind a --"));
    }
    let system = |e| Failure::system("start the command", e);
    let (read, feed) = std::io::pipe().map_err(system)?;
    let mut starting = place.me(&["as", "--session"]);
    let mut child = starting.args(words).stdin(Stdio::from(read)).spawn().map_err(system)?;
    // It holds the other end of the pipe, which must be the command's alone.
    drop(starting);
    let leader = child.id();
    let pid = i32::try_from(leader).unwrap_or(0);
    let ticks = process::start_ticks(pid);
    let (gone, going) = std::io::pipe().map_err(system)?;
    // A thread waits for the command; the pipe it drops is how poll hears of it.
    let waiter = std::thread::spawn(move || {
        let status = child.wait();
        drop(going);
        status
    });
    let mut input = Input::new(feed).map_err(system)?;
    let ended = input.serve(&gone);
    drop(input);
    if !matches!(ended, Ok(true)) {
        process::signal_group(pid, ticks, Signal::SIGTERM);
        session::clear(leader);
        // It may not have made its session yet.
        process::signal_group(pid, ticks, Signal::SIGKILL);
    }
    let status = waiter.join().ok().and_then(std::io::Result::ok);
    ended?;
    let code = status.and_then(|s| s.code().or_else(|| s.signal().map(|signal| 128 + signal)));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

/// What the command reads, on its way.
struct Input {
    from: File,
    /// None once the command has all of it, or reads no more.
    to: Option<PipeWriter>,
    decoder: Decoder,
    waiting: Vec<u8>,
    /// No more will come.
    whole: bool,
}

impl Input {
    fn new(to: PipeWriter) -> std::io::Result<Self> {
        let from = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        for fd in [from.as_fd(), to.as_fd()] {
            let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
            fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        Ok(Self { from, to: Some(to), decoder: Decoder::default(), waiting: Vec::new(), whole: false })
    }

    /// True when the command has ended; false when nobody waits for it any more.
    fn serve(&mut self, gone: &PipeReader) -> Result<bool> {
        let mut buffer = vec![0; TURN];
        loop {
            let is_full = self.waiting.len() >= FULL;
            let wanted = if is_full { PollFlags::empty() } else { PollFlags::POLLIN };
            let mut fds = vec![PollFd::new(gone.as_fd(), PollFlags::POLLIN), PollFd::new(self.from.as_fd(), wanted)];
            let to = self.to.as_ref().filter(|_| !self.waiting.is_empty());
            fds.extend(to.map(|to| PollFd::new(to.as_fd(), PollFlags::POLLOUT)));
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(Failure::system("wait for the command", error)),
            }
            let happened = |at: usize| fds.get(at).is_some_and(|fd| fd.any().unwrap_or(false));
            let hung_up = |fd: &PollFd| fd.revents().is_some_and(|seen| seen.contains(PollFlags::POLLHUP));
            let (has_ended, has_come) = (happened(0), !is_full && happened(1));
            let is_gone = is_full && hung_up(&fds[1]);
            drop(fds);
            if has_ended {
                return Ok(true);
            }
            if is_gone || has_come && !self.take(&mut buffer)? {
                return Ok(false);
            }
            self.pass_on();
        }
    }

    /// Takes frames from standard input; false at its end.
    fn take(&mut self, buffer: &mut [u8]) -> Result<bool> {
        match self.from.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(n) => self.decoder.push(&buffer[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(true),
            Err(error) => return Err(Failure::system("read standard input", error)),
        }
        while let Some(frame) = self.decoder.next()? {
            match frame {
                Frame::Data(bytes) if self.to.is_some() && !self.whole => self.waiting.extend_from_slice(&bytes),
                Frame::Data(_) => {}
                Frame::End => self.whole = true,
                Frame::Size(..) => {}
            }
        }
        Ok(true)
    }

    /// Gives the command what has come, as far as it takes it.
    fn pass_on(&mut self) {
        let Some(to) = self.to.as_mut() else { return };
        let mut done = 0;
        let mut reads = true;
        while done < self.waiting.len() {
            match to.write(&self.waiting[done..]) {
                Ok(n) => done += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    reads = error.kind() == ErrorKind::WouldBlock;
                    break;
                }
            }
        }
        self.waiting.drain(..done);
        if !reads || (self.whole && self.waiting.is_empty()) {
            (self.to, self.waiting) = (None, Vec::new());
        }
    }
}
