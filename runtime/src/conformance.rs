//! What every runtime must do.
