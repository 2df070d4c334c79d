//! What whoever sits at a terminal, or waits for a command, sends: `kind u8 | length u32 | payload`, numbers in
//! network order. What comes back is output as it is.

use crate::failure::Result;
use crate::unread::{Unread, broken};

/// Bytes in front of a payload.
const HEADER: usize = 5;
/// Longest payload.
pub const LONGEST: usize = 64 << 10;

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// Kind 1: typed or pasted.
    Data(Vec<u8>),
    /// Kind 2: the terminal's size, columns and rows as u16 each.
    Size(u16, u16),
    /// Kind 3: a command has all of its input.
    End,
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
        let Some((kind, payload)) = self.0.next::<HEADER, _>(LONGEST, |[kind, ..]| Ok(*kind))? else { return Ok(None) };
        Ok(Some(match (kind, payload.as_slice()) {
            (1, _) => Frame::Data(payload),
            (2, &[c0, c1, r0, r1]) => Frame::Size(u16::from_be_bytes([c0, c1]), u16::from_be_bytes([r0, r1])),
            (3, []) => Frame::End,
            (3, _) => return Err(broken("an end has no payload")),
            (2, _) => return Err(broken("a size has four bytes")),
            (kind, _) => return Err(broken(format!("unknown frame kind {kind}"))),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cutting() {
        let bytes = [&[1, 0, 0, 0, 2][..], b"ls", &[2, 0, 0, 0, 4, 0, 132, 0, 43], &[1, 0, 0, 0, 0]].concat();
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for byte in bytes {
            decoder.push(&[byte]);
            frames.extend(decoder.next().unwrap());
        }
        assert_eq!(frames, [Frame::Data(b"ls".to_vec()), Frame::Size(132, 43), Frame::Data(vec![])]);
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for wrong in [&b"ls -l\n"[..], &[1, 0xff, 0, 0, 0], &[2, 0, 0, 0, 1, 0], &[9, 0, 0, 0, 0]] {
            let mut decoder = Decoder::default();
            decoder.push(wrong);
            assert_eq!(decoder.next().unwrap_err().code, "protocol-error", "{wrong:?}");
        }
    }
}
