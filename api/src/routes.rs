//! The resources, one file each.

pub mod health;
pub mod me;
pub mod ports;
pub mod prebuilds;
pub mod resolve;
pub mod runs;
pub mod streams;
pub mod templates;
pub mod tokens;
pub mod workspaces;

/// All operations under `/v1`.
#[must_use]
pub fn all() -> impl poem_openapi::OpenApi {
    (
        workspaces::Workspaces,
        runs::Runs,
        streams::Streams,
        ports::Ports,
        resolve::Resolve,
        prebuilds::Prebuilds,
        templates::Templates,
        tokens::Tokens,
        me::Me,
        health::Health,
    )
}

/// How the operations are grouped in the document.
#[derive(Debug, Clone, Copy, poem_openapi::Tags)]
pub enum Tag {
    /// Workspaces and their life.
    Workspaces,
    /// What would happen, images made ahead, templates.
    Sources,
    /// Who you are, and tokens.
    Access,
    /// Whether the server is well.
    Health,
}
