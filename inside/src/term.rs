//! `inside term`: a terminal for somebody who sits far away.
//!
//! The exec has no terminal of the engine's: an engine tells nobody inside when the other end of such an exec is
//! gone, and the shell would stay for ever. So the terminal is ours, and the end of standard input hangs it up.
//! One thread; nothing blocks, and everything is bounded: output that nobody reads never holds up what is typed.

pub mod session;

use crate::args::Args;
use crate::failure::{Failure, Result};
use crate::frame::{Decoder, Frame};
use crate::launch;
use crate::login;
use crate::place::Place;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The terminal is read while less than this waits for standard output.
const HIGH: usize = 256 << 10;
/// Standard input is read while less than this waits for the terminal.
const FULL: usize = 256 << 10;
/// Read at once.
const TURN: usize = 64 << 10;
/// After the shell's end, its last output is there when nothing came for this long.
const SILENCE: Duration = Duration::from_millis(100);

/// Runs until the shell ends, and exits as it did; or until nobody sits there any more.
pub fn command(place: &Place, words: Vec<OsString>) -> Result<u8> {
    Args::parse(words.iter().cloned(), &[launch::OPTIONS, login::OPTIONS])?.no_words()?;
    let system = |e| Failure::system("open a terminal", e);
    let (master, peer) = pair().map_err(system)?;
    let mut login = place.me(&["login"]);
    login.args(words).stdin(peer.try_clone().map_err(system)?);
    login.stdout(peer.try_clone().map_err(system)?).stderr(peer);
    let mut child = login.spawn().map_err(|e| Failure::system("start the shell", e))?;
    // It holds the other end of the terminal, which must be the shell's alone.
    drop(login);
    let leader = child.id();
    let (gone, going) = std::io::pipe().map_err(system)?;
    // A thread waits for the shell; the pipe it drops is how poll hears of it.
    let waiter = std::thread::spawn(move || {
        let status = child.wait();
        drop(going);
        status
    });
    let mut terminal = Terminal::new(master, gone).map_err(system)?;
    let ended = terminal.serve();
    // Hangs up: whoever still sits in the session hears of it from the kernel.
    drop(terminal);
    match ended {
        Ok(true) => Ok(status(waiter)),
        other => {
            session::clear(leader);
            other.map(|_| status(waiter))
        }
    }
}

/// Both ends of a new terminal; the second is the shell's.
fn pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    unlockpt(&master)?;
    let peer = ioctl_tiocgptpeer(&master, flags)?;
    Ok((master, peer))
}

fn status(waiter: JoinHandle<std::io::Result<ExitStatus>>) -> u8 {
    let status = waiter.join().ok().and_then(std::io::Result::ok);
    let code = status.and_then(|s| s.code().or_else(|| s.signal().map(|signal| 128 + signal)));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

struct Terminal {
    input: File,
    output: File,
    /// Our end of the terminal; none once everything has been read from it.
    master: Option<File>,
    /// None once the shell has ended.
    gone: Option<PipeReader>,
    decoder: Decoder,
    /// Waits for the terminal.
    typed: Vec<u8>,
    /// Waits for standard output.
    out: Vec<u8>,
    /// When the terminal was last heard of.
    heard: Instant,
}

/// What can be done now.
struct Ready {
    input: bool,
    hung_up: bool,
    master: bool,
}

impl Terminal {
    fn new(master: OwnedFd, gone: PipeReader) -> std::io::Result<Self> {
        let input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        let output = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        let master = File::from(master);
        for file in [&input, &output, &master] {
            let flags = OFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFL)?);
            fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        Ok(Self {
            input,
            output,
            master: Some(master),
            gone: Some(gone),
            decoder: Decoder::default(),
            typed: Vec::new(),
            out: Vec::new(),
            heard: Instant::now(),
        })
    }

    /// True when the shell has ended and all it said is out; false when nobody sits there any more.
    fn serve(&mut self) -> Result<bool> {
        let mut buffer = vec![0; TURN];
        loop {
            let ready = self.wait()?;
            if ready.hung_up || ready.input && !self.take(&mut buffer)? {
                return Ok(false);
            }
            if ready.master {
                self.hear(&mut buffer);
            }
            self.type_in();
            if !self.flush()? {
                return Ok(false);
            }
            if self.gone.is_none() && self.heard.elapsed() >= SILENCE {
                self.master = None;
            }
            if self.master.is_none() && self.gone.is_none() && self.out.is_empty() {
                return Ok(true);
            }
        }
    }

    fn wait(&mut self) -> Result<Ready> {
        let when = |wanted: bool, flag| if wanted { flag } else { PollFlags::empty() };
        let of_master =
            when(self.out.len() < HIGH, PollFlags::POLLIN) | when(!self.typed.is_empty(), PollFlags::POLLOUT);
        // With no wish of ours a pipe still tells that its other end is gone.
        let mut fds = vec![
            PollFd::new(self.input.as_fd(), when(self.typed.len() < FULL, PollFlags::POLLIN)),
            PollFd::new(self.output.as_fd(), when(!self.out.is_empty(), PollFlags::POLLOUT)),
        ];
        // A terminal that nobody has open tells so all the time; it is asked only when there is something to do.
        let master = self.master.as_ref().filter(|_| !of_master.is_empty());
        fds.extend(master.map(|master| PollFd::new(master.as_fd(), of_master)));
        fds.extend(self.gone.as_ref().map(|gone| PollFd::new(gone.as_fd(), PollFlags::POLLIN)));
        let wait = match (&self.gone, &self.master) {
            (None, Some(_)) => SILENCE.saturating_sub(self.heard.elapsed()) + Duration::from_millis(1),
            _ => Duration::MAX,
        };
        match poll(&mut fds, PollTimeout::try_from(wait).unwrap_or(PollTimeout::NONE)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(Failure::system("wait for the terminal", error)),
        }
        let has = |at: usize, flags| fds[at].revents().is_some_and(|seen: PollFlags| seen.intersects(flags));
        let happened = |at: usize| fds[at].any().unwrap_or(false);
        let is_full = self.typed.len() >= FULL;
        let ready = Ready {
            input: !is_full && happened(0),
            hung_up: has(1, PollFlags::POLLERR) || is_full && has(0, PollFlags::POLLHUP | PollFlags::POLLERR),
            master: master.is_some() && happened(2),
        };
        let ended = self.gone.is_some() && happened(fds.len() - 1);
        if ended {
            self.gone = None;
            self.heard = Instant::now();
        }
        Ok(ready)
    }

    /// Takes frames from standard input; false at its end.
    fn take(&mut self, buffer: &mut [u8]) -> Result<bool> {
        match self.input.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(n) => self.decoder.push(&buffer[..n]),
            Err(error) if is_for_now(&error) => return Ok(true),
            Err(error) => return Err(Failure::system("read standard input", error)),
        }
        while let Some(frame) = self.decoder.next()? {
            match (frame, &self.master) {
                (Frame::Data(bytes), Some(_)) => self.typed.extend_from_slice(&bytes),
                (Frame::Size(columns, rows), Some(master)) => {
                    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
                    let _ = tcsetwinsize(master, size);
                }
                (_, None) | (Frame::End, _) => {}
            }
        }
        Ok(true)
    }

    /// Takes what the terminal shows.
    fn hear(&mut self, buffer: &mut [u8]) {
        let Some(master) = self.master.as_mut().filter(|_| self.out.len() < HIGH) else { return };
        match master.read(buffer) {
            Ok(n @ 1..) => {
                self.out.extend_from_slice(&buffer[..n]);
                self.heard = Instant::now();
            }
            Err(error) if is_for_now(&error) => {}
            // Nobody has the other end open any more: the shell has ended, or is about to.
            Ok(_) | Err(_) => (self.master, self.typed) = (None, Vec::new()),
        }
    }

    /// Gives the terminal what was typed, as far as it takes it.
    fn type_in(&mut self) {
        let Some(master) = self.master.as_mut() else { return };
        let mut done = 0;
        while done < self.typed.len() {
            match master.write(&self.typed[done..]) {
                Ok(n) => done += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.typed.drain(..done);
    }

    /// Writes what standard output takes; false when nobody reads it any more.
    fn flush(&mut self) -> Result<bool> {
        let mut done = 0;
        while done < self.out.len() {
            match self.output.write(&self.out[done..]) {
                Ok(n) => done += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(false),
                Err(error) => return Err(Failure::system("write standard output", error)),
            }
        }
        self.out.drain(..done);
        Ok(true)
    }
}

fn is_for_now(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
