//! One connection to a loopback port, never blocking, with credit in both directions.

use super::frame::{Kind, put};
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, connect, setsockopt, socket, sockopt,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddrV4, SocketAddrV6, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Bytes a side may send before the other asks for more.
pub const WINDOW: usize = 256 << 10;
/// Credit is given back in pieces of at least this size.
const PIECE: usize = WINDOW / 4;
/// Longest wait for a listener whose queue is full.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(PartialEq, Eq)]
enum Phase {
    Connecting { sixth: bool, deadline: Instant },
    Open,
    Over,
}

/// One stream.
pub struct Stream {
    id: u32,
    port: u16,
    socket: TcpStream,
    phase: Phase,
    /// For the socket.
    waiting: Vec<u8>,
    /// Bytes we may still send to the other end.
    credit: usize,
    /// Bytes written to the socket and not yet given back as credit.
    owed: usize,
    theirs_ended: bool,
    ours_ended: bool,
    shut: bool,
}

impl Stream {
    /// Begins to connect; a failure is put into a refusal.
    pub fn open(id: u32, port: u16, out: &mut Vec<u8>) -> Option<Self> {
        match start(port, false)
            .map(|s| (s, false))
            .or_else(|first| start(port, true).map(|s| (s, true)).map_err(|_| first))
        {
            Ok((socket, sixth)) => {
                let phase = Phase::Connecting { sixth, deadline: Instant::now() + PATIENCE };
                let mut stream = Self {
                    id,
                    port,
                    socket,
                    phase,
                    waiting: Vec::new(),
                    credit: WINDOW,
                    owed: 0,
                    theirs_ended: false,
                    ours_ended: false,
                    shut: false,
                };
                // On loopback a connection is mostly there at once.
                stream.connected(out);
                (!stream.over()).then_some(stream)
            }
            Err(error) => {
                put(out, id, Kind::Refused, error.to_string().as_bytes());
                None
            }
        }
    }

    /// Whether it can be forgotten.
    pub fn over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// For poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// When to look again although nothing happened.
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Connecting { deadline, .. } => Some(deadline),
            _ => None,
        }
    }

    /// What we wait for; nothing at all while the other end has to move first.
    pub fn interest(&self, room: bool) -> PollFlags {
        let mut flags = PollFlags::empty();
        match self.phase {
            Phase::Connecting { .. } => flags |= PollFlags::POLLOUT,
            Phase::Open => {
                if room && self.credit > 0 && !self.ours_ended {
                    flags |= PollFlags::POLLIN;
                }
                if !self.waiting.is_empty() {
                    flags |= PollFlags::POLLOUT;
                }
            }
            Phase::Over => {}
        }
        flags
    }

    /// The socket is ready, or the time is over.
    pub fn ready(&mut self, room: bool, buffer: &mut [u8], out: &mut Vec<u8>) {
        if matches!(self.phase, Phase::Connecting { .. }) {
            self.connected(out);
        }
        if self.phase == Phase::Open {
            self.write(out);
        }
        if self.phase == Phase::Open && room && self.credit > 0 && !self.ours_ended {
            self.read(buffer, out);
        }
    }

    /// Bytes from the other end.
    pub fn data(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.theirs_ended || self.waiting.len() + self.owed + bytes.len() > WINDOW {
            return self.fail("more bytes than the window allows", out);
        }
        self.waiting.extend_from_slice(bytes);
        if self.phase == Phase::Open {
            self.write(out);
        }
    }

    /// The other end sends no more.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.theirs_ended = true;
        if self.phase == Phase::Open {
            self.write(out);
        }
    }

    /// The other end takes more.
    pub fn grant(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes as usize).min(1 << 30);
    }

    /// Ends the connection as if the program at the other end had died.
    pub fn abort(&mut self) {
        let now = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = setsockopt(&self.socket, sockopt::Linger, &now);
        self.phase = Phase::Over;
    }

    fn fail(&mut self, why: &str, out: &mut Vec<u8>) {
        put(out, self.id, Kind::Reset, why.as_bytes());
        self.abort();
    }

    fn connected(&mut self, out: &mut Vec<u8>) {
        let Phase::Connecting { sixth, deadline } = self.phase else { return };
        let error = match (self.socket.take_error(), self.socket.peer_addr()) {
            (Ok(None), Ok(_)) => {
                let _ = self.socket.set_nodelay(true);
                self.phase = Phase::Open;
                put(out, self.id, Kind::Opened, b"");
                return self.write(out);
            }
            (Ok(None), Err(_)) if Instant::now() < deadline => return,
            (Ok(None), Err(_)) => io::Error::from(ErrorKind::TimedOut),
            (Ok(Some(error)) | Err(error), _) => error,
        };
        // Many a development server listens on ::1 alone.
        match start(self.port, true) {
            Ok(socket) if !sixth => {
                self.socket = socket;
                self.phase = Phase::Connecting { sixth: true, deadline };
                self.connected(out);
            }
            _ => {
                put(out, self.id, Kind::Refused, error.to_string().as_bytes());
                self.phase = Phase::Over;
            }
        }
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        let mut done = 0;
        while done < self.waiting.len() {
            match self.socket.write(&self.waiting[done..]) {
                Ok(n) => done += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return self.fail(&error.to_string(), out),
            }
        }
        self.waiting.drain(..done);
        if self.waiting.is_empty() {
            // A big burst must not hold its memory for ever.
            self.waiting.shrink_to(PIECE);
        }
        self.owed += done;
        if self.owed >= PIECE && !self.theirs_ended {
            put(out, self.id, Kind::Window, &u32::try_from(self.owed).unwrap_or(0).to_be_bytes());
            self.owed = 0;
        }
        if self.theirs_ended && self.waiting.is_empty() && !self.shut {
            self.shut = true;
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        self.close_when_done();
    }

    fn read(&mut self, buffer: &mut [u8], out: &mut Vec<u8>) {
        let most = buffer.len().min(self.credit);
        match self.socket.read(&mut buffer[..most]) {
            Ok(0) => {
                self.ours_ended = true;
                put(out, self.id, Kind::End, b"");
                self.close_when_done();
            }
            Ok(n) => {
                self.credit -= n;
                put(out, self.id, Kind::Data, &buffer[..n]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => self.fail(&error.to_string(), out),
        }
    }

    fn close_when_done(&mut self) {
        if self.shut && self.ours_ended {
            self.phase = Phase::Over;
        }
    }
}

/// A connection under way, to 127.0.0.1 or ::1.
fn start(port: u16, sixth: bool) -> io::Result<TcpStream> {
    let family = if sixth { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(family, SockType::Stream, flags, None)?;
    let connecting = match sixth {
        false => connect(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))),
        true => connect(fd.as_raw_fd(), &SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0))),
    };
    match connecting {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(fd)),
        Err(error) => Err(error.into()),
    }
}
