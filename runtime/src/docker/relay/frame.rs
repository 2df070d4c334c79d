//! Frames of the relay.

use bytes::{Buf as _, Bytes, BytesMut};

/// Bytes in front of a payload.
const HEADER: usize = 9;
/// Longest payload.
pub const LONGEST: usize = 256 << 10;
/// Bytes a side may send before the other asks for more.
pub const WINDOW: usize = 256 << 10;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To the relay: connect to a port (u16).
    Open = 1,
    /// Both ways: bytes.
    Data = 2,
    /// Both ways: no more bytes from this side.
    End = 3,
    /// Both ways: the stream is gone, bytes may be lost.
    Reset = 4,
    /// From the relay: connected.
    Opened = 5,
    /// From the relay: not connected.
    Refused = 6,
    /// Both ways: this many more bytes (u32) may be sent.
    Window = 7,
}

/// Bytes that are no frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bytes that are no frame: kind {kind}, length {length}")]
pub struct FrameError {
    kind: u8,
    length: usize,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Chosen by whoever opens.
    pub id: u32,
    /// What it says.
    pub kind: Kind,
    /// What comes with it.
    pub payload: Bytes,
}

impl Frame {
    /// A frame of these parts.
    pub fn new(id: u32, kind: Kind, payload: impl Into<Bytes>) -> Self {
        Self { id, kind, payload: payload.into() }
    }

    /// Appends its bytes.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_be_bytes());
        out.push(self.kind as u8);
        // No caller has a payload longer than LONGEST.
        out.extend_from_slice(&u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&self.payload);
    }

    /// The number that a window frame carries.
    pub fn number(&self) -> usize {
        self.payload.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize)
    }
}

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: BytesMut,
}

impl Decoder {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        use Kind::{Data, End, Open, Opened, Refused, Reset, Window};
        let Some(&[i0, i1, i2, i3, kind, l0, l1, l2, l3]) = self.bytes.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let known = [Open, Data, End, Reset, Opened, Refused, Window].into_iter().find(|known| *known as u8 == kind);
        let kind = known.filter(|_| length <= LONGEST).ok_or(FrameError { kind, length })?;
        if self.bytes.len() < HEADER + length {
            return Ok(None);
        }
        self.bytes.advance(HEADER);
        let payload = self.bytes.split_to(length).freeze();
        Ok(Some(Frame { id: u32::from_be_bytes([i0, i1, i2, i3]), kind, payload }))
    }
}
