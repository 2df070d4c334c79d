//! Tar archives that are written while they are sent: memory stays bounded, whatever they hold.

use std::io::{self, Read, Write};
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

    /// A folder.
    pub fn folder(&mut self, path: &str) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Directory, 0o755, 0);
        self.builder.append_data(&mut header, format!("{}/", path.trim_end_matches('/')), io::empty())
    }

    /// A file of a known content.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Regular, mode, content.len() as u64);
        self.builder.append_data(&mut header, path, content)
    }

    /// A file of a known size. A reader that ends early would shift everything behind it, so the
    /// archive fails then.
    pub fn copy(&mut self, path: &str, mode: u32, size: u64, from: impl Read) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Regular, mode, size);
        let mut counted = Counted { from: from.take(size), left: size };
        self.builder.append_data(&mut header, path, &mut counted)?;
        if counted.left == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Symlink, 0o777, 0);
        self.builder.append_link(&mut header, path, target)
    }

    /// A file that is in the archive already, under another name.
    pub fn same(&mut self, path: &str, as_path: &str) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Link, 0o644, 0);
        self.builder.append_link(&mut header, path, as_path)
    }
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
