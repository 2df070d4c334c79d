//! What can go wrong with durable things, for the caller.

use sea_orm::{DbErr, SqlErr};
use steading_core::{Class, Fault};

/// The cause of an error, for the log.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, for the caller.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such record, or no more.
    #[error("there is no such record")]
    NotFound,
    /// The record is not in a state that allows this; the text is a stable code in kebab-case.
    #[error("{}", sentence(.0))]
    Conflict(&'static str),
    /// Somebody else holds the workspace now: whatever the holder of the old lease found out is void.
    #[error("somebody else drives this workspace now")]
    LostLease,
    /// No space is left where the database or the data folder lies. What is there stays as it was.
    #[error("the disk of the data folder or of the database is full")]
    Full(#[source] BoxError),
    /// The database or the disk under it does not answer.
    #[error("the database does not answer")]
    Unavailable(#[source] BoxError),
}

/// Another workspace has the name.
pub const SLUG_TAKEN: &str = "slug-taken";
/// The workspace is there already.
pub const ID_TAKEN: &str = "id-taken";
/// The owner changed their mind since the caller looked.
pub const CHANGED: &str = "changed";
/// The workspace is being deleted, for good.
pub const BEING_DELETED: &str = "being-deleted";

fn sentence(code: &str) -> &'static str {
    match code {
        SLUG_TAKEN => "another workspace has this name",
        ID_TAKEN => "this workspace was made before",
        CHANGED => "the workspace was changed in the meantime",
        BEING_DELETED => "the workspace is being deleted",
        _ => "the record does not allow this now",
    }
}

impl StoreError {
    /// Wraps what the disk or the database said.
    pub(crate) fn unavailable(cause: impl Into<BoxError>) -> Self {
        let cause = cause.into();
        if is_full(cause.as_ref()) { Self::Full(cause) } else { Self::Unavailable(cause) }
    }
}

impl From<DbErr> for StoreError {
    fn from(cause: DbErr) -> Self {
        Self::unavailable(cause)
    }
}

impl From<std::io::Error> for StoreError {
    fn from(cause: std::io::Error) -> Self {
        Self::unavailable(cause)
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(cause: serde_json::Error) -> Self {
        Self::unavailable(cause)
    }
}

/// Whether anything behind an error says that there is no space, in the words of SQLite, Postgres or the system.
fn is_full(cause: &(dyn std::error::Error + 'static)) -> bool {
    let words = ["database or disk is full", "No space left on device", "disk full", "Disk quota exceeded"];
    let mut all = std::iter::successors(Some(cause), |error| error.source());
    all.any(|error| {
        let text = error.to_string();
        words.iter().any(|word| text.contains(word))
    })
}

/// Whether a write failed because a unique value is taken.
pub(crate) fn is_duplicate(cause: &DbErr) -> bool {
    matches!(cause.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

impl Fault for StoreError {
    fn class(&self) -> Class {
        match self {
            Self::NotFound | Self::Conflict(_) => Class::Permanent,
            Self::LostLease | Self::Full(_) | Self::Unavailable(_) => Class::Transient,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Conflict(code) => code,
            Self::LostLease => "lost-lease",
            Self::Full(_) => "disk-full",
            Self::Unavailable(_) => "database-unavailable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Conflict(BEING_DELETED) => Some("Make a new workspace from the same source.".to_owned()),
            Self::Conflict(CHANGED) => Some("Look at the workspace again and repeat the request.".to_owned()),
            Self::Full(_) => {
                Some("Free space on the disk of server.data_dir or of the database, then try again.".to_owned())
            }
            Self::Unavailable(_) => {
                Some("Check that the database runs and that the disk of the data folder has space.".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_database_that_is_away() {
        let code = |text: &str| StoreError::unavailable(text.to_owned()).code();
        assert_eq!(code("error returned from database: (code: 13) database or disk is full"), "disk-full");
        assert_eq!(StoreError::from(std::io::Error::from_raw_os_error(28)).code(), "disk-full");
        assert_eq!(code("connection refused"), "database-unavailable");
    }
}
