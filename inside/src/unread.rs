//! Bytes that came, until they are whole frames: a header, whose last four bytes are the length of what follows
//! it in network order, and a payload.

use crate::failure::{Failure, PROTOCOL, Result};

/// Bytes of a stream that belong to no whole frame yet.
#[derive(Default)]
pub struct Unread {
    bytes: Vec<u8>,
    at: usize,
}

impl Unread {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// What `read` makes of the next header, with its payload once all of it is there. A header that is no
    /// header is refused as soon as it came.
    pub fn next<const HEADER: usize, T>(
        &mut self,
        longest: usize,
        read: impl FnOnce(&[u8; HEADER]) -> Result<T>,
    ) -> Result<Option<(T, Vec<u8>)>> {
        let Some((header, rest)) = self.bytes[self.at..].split_first_chunk::<HEADER>() else { return Ok(None) };
        let told = read(header)?;
        let length = header.last_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length)) as usize;
        if length > longest {
            return Err(broken(format!("a frame of {length} bytes; the longest is {longest}")));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let payload = payload.to_vec();
        self.at += HEADER + length;
        Ok(Some((told, payload)))
    }
}

/// Bytes that are not ours.
pub fn broken(message: impl Into<String>) -> Failure {
    Failure::new("protocol-error", PROTOCOL, message)
}
