//! The bytes of the relay: `stream id u32 | kind u8 | length u32 | payload`, numbers in network order.

use crate::failure::Result;
use crate::unread::{Unread, broken};

/// Bytes in front of a payload.
pub const HEADER: usize = 9;
/// Longest payload.
pub const LONGEST: usize = 256 << 10;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To us: connect to a port (u16).
    Open = 1,
    /// Both ways: bytes.
    Data = 2,
    /// Both ways: no more bytes from this side.
    End = 3,
    /// Both ways: the stream is gone, bytes may be lost.
    Reset = 4,
    /// From us: connected.
    Opened = 5,
    /// From us: not connected; the payload says why.
    Refused = 6,
    /// Both ways: this many more bytes (u32) may be sent.
    Window = 7,
}

impl Kind {
    fn parse(byte: u8) -> Result<Self> {
        use Kind::{Data, End, Open, Opened, Refused, Reset, Window};
        let all = [Open, Data, End, Reset, Opened, Refused, Window];
        all.into_iter().find(|kind| *kind as u8 == byte).ok_or_else(|| broken(format!("unknown frame kind {byte}")))
    }
}

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Chosen by whoever opens.
    pub id: u32,
    /// What it says.
    pub kind: Kind,
    /// What comes with it.
    pub payload: Vec<u8>,
}

/// Appends a frame.
pub fn put(out: &mut Vec<u8>, id: u32, kind: Kind, payload: &[u8]) {
    out.extend_from_slice(&id.to_be_bytes());
    out.push(kind as u8);
    // No caller has a payload longer than LONGEST.
    out.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(payload);
}

/// Cuts a byte stream into frames.
#[derive(Default)]
pub struct Decoder(Unread);

impl Decoder {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// The next whole frame.
    pub fn next(&mut self) -> Result<Option<Frame>> {
        let read =
            |&[i0, i1, i2, i3, kind, ..]: &[u8; HEADER]| Ok((u32::from_be_bytes([i0, i1, i2, i3]), Kind::parse(kind)?));
        let frame = self.0.next(LONGEST, read)?;
        Ok(frame.map(|((id, kind), payload)| Frame { id, kind, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cutting() {
        let mut bytes = Vec::new();
        put(&mut bytes, 7, Kind::Open, &8080u16.to_be_bytes());
        put(&mut bytes, 7, Kind::Data, b"hello");
        put(&mut bytes, u32::MAX, Kind::End, b"");
        assert_eq!(&bytes[..11], [0, 0, 0, 7, 1, 0, 0, 0, 2, 0x1f, 0x90]);
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for byte in bytes {
            decoder.push(&[byte]);
            frames.extend(decoder.next().unwrap());
        }
        assert_eq!(frames.len(), 3);
        assert_eq!(frames[1], Frame { id: 7, kind: Kind::Data, payload: b"hello".to_vec() });
        assert_eq!((frames[2].id, frames[2].kind), (u32::MAX, Kind::End));
    }

    #[test]
    fn foreign_bytes_are_refused() {
        let mut decoder = Decoder::default();
        decoder.push(b"GET / HTTP/1.1\r\n");
        assert_eq!(decoder.next().unwrap_err().code, "protocol-error");
        let mut decoder = Decoder::default();
        decoder.push(&[0, 0, 0, 1, 2, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(decoder.next().unwrap_err().code, "protocol-error");
    }
}
