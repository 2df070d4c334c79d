//! What a configuration may ask of the host.
