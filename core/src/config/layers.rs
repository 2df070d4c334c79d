//! Folds layers of configuration and remembers which layer gave each value.
