//! Typed identifiers: UUIDv7 inside (they sort by time), `ws_01j…` outside.
//!
//! The printed form is a short prefix, an underscore and 26 characters of Crockford base 32 in lower
//! case, so that an id says what it names wherever it turns up: a log line, a label, a URL.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id that starts with `{prefix}_`")]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

static CROCKFORD: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    spec.encoding().ok()
});

/// Prints a UUID as 26 characters. Sorting the text sorts the ids by time.
fn print(uuid: Uuid) -> String {
    // The alphabet is a constant that is known to be valid; hexadecimal is the total fallback.
    CROCKFORD.as_ref().map_or_else(|| uuid.simple().to_string(), |e| e.encode(uuid.as_bytes()))
}

fn read(text: &str) -> Option<Uuid> {
    let bytes = CROCKFORD.as_ref()?.decode(text.as_bytes()).ok()?;
    Uuid::from_slice(&bytes).ok()
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What every printed id of this kind starts with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id, later than all earlier ones of this process.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default id would be a surprise")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id that belongs to a text: always the same one (UUID version 8, RFC 9562).
            #[must_use]
            pub fn derived(text: &str) -> Self {
                use sha2::Digest as _;
                let digest = sha2::Sha256::digest(concat!($prefix, "/").bytes().chain(text.bytes()).collect::<Vec<_>>());
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&digest[..16]);
                Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
            }

            /// The UUID inside, for the database.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// An id around a UUID that came from the database.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, print(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(read)
                    .map(Self)
                    .ok_or_else(|| IdError { text: text.chars().take(64).collect(), prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

id! {
    /// Names one workspace for ever; the slug is its readable name.
    WorkspaceId = "ws",
    /// Names one person.
    UserId = "usr",
    /// Names one image made ahead.
    PrebuildId = "pre",
    /// Names one set of workspaces made ahead for nobody yet.
    PoolId = "pool",
    /// Names one API token.
    TokenId = "tok",
    /// Names one browser login.
    SessionId = "ses",
    /// Names one question of `POST /v1/resolve` while it waits for its answer.
    InquiryId = "inq",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_printing_and_reading() {
        let id = WorkspaceId::new();
        let text = id.to_string();
        assert!(text.starts_with("ws_"), "{text}");
        assert_eq!(text.len(), 29);
        assert_eq!(text.parse::<WorkspaceId>().unwrap(), id);
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let text = UserId::new().to_string();
        assert!(text.parse::<WorkspaceId>().is_err());
        assert!("ws_".parse::<WorkspaceId>().is_err());
        assert!("ws_zzz".parse::<WorkspaceId>().is_err());
    }

    #[test]
    fn ids_sort_by_time_as_text() {
        let mut ids: Vec<_> = (0..50).map(|_| WorkspaceId::new().to_string()).collect();
        let made = ids.clone();
        ids.sort();
        assert_eq!(ids, made);
    }
}
