//! `inside relay`: many connections to loopback ports over one exec stream, in one thread.
//!
//! Nothing blocks and everything is bounded: what waits for a socket by its window, what waits for standard output by
//! a mark above which neither sockets nor standard input are read. Streams take turns.

mod frame;
mod stream;

use crate::args::Args;
use crate::failure::{Failure, Result};
use crate::unread::broken;
use frame::{Decoder, Frame, Kind, put};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::time::Instant;
use stream::Stream;

/// Sockets are read while less than this waits for standard output.
const HIGH: usize = 256 << 10;
/// Frames from the other end are taken while less than this waits for standard output.
const FULL: usize = 1 << 20;
/// Read from a socket at once; a turn.
const TURN: usize = 32 << 10;
/// Streams at a time.
const MOST: usize = 1024;

struct Relay {
    input: File,
    output: File,
    streams: BTreeMap<u32, Stream>,
    decoder: Decoder,
    out: Vec<u8>,
    /// Who had the last turn.
    last: u32,
}

/// Runs until standard input ends.
pub fn command(words: Vec<OsString>) -> Result<u8> {
    Args::parse(words, &[])?.no_words()?;
    let open = || -> std::io::Result<(File, File)> {
        let input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        let output = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        for file in [&input, &output] {
            let flags = OFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFL)?);
            fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        Ok((input, output))
    };
    let (input, output) = open().map_err(|e| Failure::system("use standard input and output", e))?;
    let mut relay =
        Relay { input, output, streams: BTreeMap::new(), decoder: Decoder::default(), out: Vec::new(), last: 0 };
    let mut buffer = vec![0; 64 << 10];
    while relay.turn(&mut buffer)? {}
    Ok(0)
}

impl Relay {
    /// Waits and does what can be done; false when the other end is gone.
    fn turn(&mut self, buffer: &mut [u8]) -> Result<bool> {
        let (readable, ready) = self.wait()?;
        if readable && !self.take(buffer)? {
            return Ok(false);
        }
        for id in ready {
            let room = self.out.len() < HIGH;
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.ready(room, &mut buffer[..TURN], &mut self.out);
                self.last = if room { id } else { self.last };
            }
        }
        self.streams.retain(|_, stream| !stream.over());
        self.flush()
    }

    /// Polls; whose turn it is, in a fair order.
    fn wait(&self) -> Result<(bool, Vec<u32>)> {
        let room = self.out.len() < HIGH;
        let mut ids = Vec::new();
        let mut fds = Vec::with_capacity(self.streams.len() + 2);
        let take = if self.out.len() < FULL { PollFlags::POLLIN } else { PollFlags::empty() };
        let give = if self.out.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
        fds.push(PollFd::new(self.output.as_fd(), give));
        if !take.is_empty() {
            fds.push(PollFd::new(self.input.as_fd(), take));
        }
        let before = fds.len();
        let mut deadline: Option<Instant> = None;
        let next = self.last.wrapping_add(1);
        for (id, stream) in self.streams.range(next..).chain(self.streams.range(..next)) {
            deadline = [deadline, stream.deadline()].into_iter().flatten().min();
            let interest = stream.interest(room);
            if !interest.is_empty() {
                ids.push(*id);
                fds.push(PollFd::new(stream.fd(), interest));
            }
        }
        let left =
            deadline.map(|at| at.saturating_duration_since(Instant::now()) + std::time::Duration::from_millis(1));
        let wait = left.map_or(PollTimeout::NONE, |left| PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, wait) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(Failure::system("wait for streams", error)),
        }
        let happened = |fd: &PollFd| fd.any().unwrap_or(false);
        let readable = !take.is_empty() && happened(&fds[1]);
        let late = deadline.is_some_and(|at| Instant::now() >= at);
        let ready = ids.into_iter().zip(&fds[before..]).filter(|(_, fd)| late || happened(fd)).map(|(id, _)| id);
        Ok((readable, ready.collect()))
    }

    /// Takes frames from standard input; false at its end.
    fn take(&mut self, buffer: &mut [u8]) -> Result<bool> {
        match self.input.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(n) => self.decoder.push(&buffer[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(true),
            Err(error) => return Err(Failure::system("read standard input", error)),
        }
        while let Some(frame) = self.decoder.next()? {
            self.obey(&frame)?;
        }
        Ok(true)
    }

    fn obey(&mut self, frame: &Frame) -> Result<()> {
        let (id, out) = (frame.id, &mut self.out);
        if frame.kind == Kind::Open {
            let port: [u8; 2] =
                frame.payload.as_slice().try_into().map_err(|_| broken("open wants a port of two bytes"))?;
            if self.streams.contains_key(&id) {
                return Err(broken(format!("stream {id} is open already")));
            }
            if self.streams.len() >= MOST {
                put(out, id, Kind::Refused, b"too many streams");
            } else if let Some(stream) = Stream::open(id, u16::from_be_bytes(port), out) {
                self.streams.insert(id, stream);
            }
            return Ok(());
        }
        // A frame for a stream that has just gone is no mistake: the two ends crossed.
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(()) };
        match frame.kind {
            Kind::Data => stream.data(&frame.payload, out),
            Kind::End => stream.end(out),
            Kind::Reset => stream.abort(),
            Kind::Window => {
                let bytes: [u8; 4] =
                    frame.payload.as_slice().try_into().map_err(|_| broken("window wants four bytes"))?;
                stream.grant(u32::from_be_bytes(bytes));
            }
            Kind::Open | Kind::Opened | Kind::Refused => return Err(broken("a frame only this end may send")),
        }
        if stream.over() {
            self.streams.remove(&id);
        }
        Ok(())
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
