//! steading-tests.
