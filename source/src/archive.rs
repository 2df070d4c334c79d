//! Tar archives that are written while they are sent: memory stays bounded, whatever they hold.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use steading_core::runtime::ByteStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// How much is sent at once.
const CHUNK: usize = 128 << 10;
/// How many chunks may wait for the receiver.
const WAITING: usize = 8;

/// An archive that is being written. Everything in it belongs to one user and group.
pub(crate) struct Archive {
    builder: tar::Builder<Pipe>,
    owner: (u32, u32),
    now: u64,
}

/// Runs `work` on a thread of its own; what it writes into the archive is the stream. The thread ends
/// when the stream is dropped. An error ends the stream.
pub(crate) fn stream<F>(owner: (u32, u32), work: F) -> ByteStream
where
    F: FnOnce(&mut Archive) -> io::Result<()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let pipe = Pipe { sender: sender.clone(), buffer: BytesMut::with_capacity(CHUNK) };
        let mut archive = Archive { builder: tar::Builder::new(pipe), owner, now };
        let done = work(&mut archive).and_then(|()| archive.builder.into_inner()).and_then(|mut pipe| pipe.flush());
        if let Err(error) = done {
            // If nobody listens, nobody needs to know.
            let _ = sender.blocking_send(Err(error));
        }
    });
    ReceiverStream::new(receiver).boxed()
}

impl Archive {
    fn header(&self, kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(u64::from(self.owner.0));
        header.set_gid(u64::from(self.owner.1));
        header.set_mtime(self.now);
        header.set_size(size);
        header
    }

    /// The folder that the archive is unpacked into.
    pub fn root(&mut self) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Directory, 0o755, 0);
        header.as_old_mut().name[..2].copy_from_slice(b"./");
        header.set_cksum();
        self.builder.append(&header, io::empty())
    }

    /// A folder. Names are bytes here and below, as they are on Linux.
    pub fn folder(&mut self, path: impl AsRef<[u8]>) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Directory, 0o755, 0);
        let mut path = path.as_ref().to_owned();
        if !path.ends_with(b"/") {
            path.push(b'/');
        }
        self.builder.append_data(&mut header, name(&path), io::empty())
    }

    /// A file of a known content.
    pub fn file(&mut self, path: impl AsRef<[u8]>, mode: u32, content: &[u8]) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Regular, mode, content.len() as u64);
        self.builder.append_data(&mut header, name(path.as_ref()), content)
    }

    /// A file of a known size. A reader that ends early would shift everything behind it, so the
    /// archive fails then.
    pub fn copy(&mut self, path: impl AsRef<[u8]>, mode: u32, size: u64, from: impl Read) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Regular, mode, size);
        let mut counted = Counted { from: from.take(size), left: size };
        self.builder.append_data(&mut header, name(path.as_ref()), &mut counted)?;
        if counted.left == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// A symbolic link, to exactly this target: `a//b` is another text than `a/b`, though it leads there.
    pub fn link(&mut self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> io::Result<()> {
        let (path, target) = (path.as_ref(), target.as_ref());
        let mut header = self.header(tar::EntryType::Symlink, 0o777, 0);
        if target.len() <= header.as_old().linkname.len() {
            header.set_link_name_literal(target)?;
        } else {
            let mut long = self.header(tar::EntryType::GNULongLink, 0o644, target.len() as u64 + 1);
            let at = &mut long.as_old_mut().name[..LONG.len()];
            at.copy_from_slice(LONG);
            long.set_cksum();
            self.builder.append(&long, target.chain(&b"\0"[..]))?;
        }
        self.builder.append_data(&mut header, name(path), io::empty())
    }

    /// A file that is in the archive already, under another name.
    pub fn same(&mut self, path: &str, as_path: &str) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Link, 0o644, 0);
        self.builder.append_link(&mut header, path, as_path)
    }
}

/// What GNU tar calls the entry before one whose link is too long for a header.
const LONG: &[u8] = b"././@LongLink";

fn name(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

struct Counted<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(CHUNK)).freeze();
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
