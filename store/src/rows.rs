//! The tables as sea-orm sees them. Rows never leave this crate.
//!
//! Keys are plain UUIDs here (typed ids start at the repositories' edge); moments are microseconds since
//! 1970 by the database's clock, the same on SQLite and Postgres.

pub(crate) mod bell;
pub(crate) mod entry;
pub(crate) mod event;
pub(crate) mod idempotency;
pub(crate) mod inquiry;
pub(crate) mod link;
pub(crate) mod person;
pub(crate) mod port;
pub(crate) mod prebuild;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod ticket;
pub(crate) mod token;
pub(crate) mod tombstone;
pub(crate) mod workspace;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// The word that serde gives a plain enum: `signed-in`.
pub(crate) fn word(value: &impl Serialize) -> Result<String, StoreError> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(word) => Ok(word),
        other => Err(StoreError::unavailable(format!("{other} is not a word"))),
    }
}

/// Reads what [`word`] printed.
pub(crate) fn read<T: DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    Ok(serde_json::from_value(serde_json::Value::String(word.to_owned()))?)
}
