//! A world for journeys: a real `steading` process on a folder of its own, a real git server, the real
//! container engine. It cleans up after itself and complains about what was left behind.

pub mod browser;
pub mod cli;
pub mod client;
pub mod disk;
pub mod engine;
pub mod git;
pub mod proxy;
pub mod server;
pub mod settings;
pub mod terminal;
pub mod world;

pub use browser::Browser;
pub use cli::Cli;
pub use client::{Api, Workspace};
pub use disk::Disk;
pub use git::GitServer;
pub use proxy::Proxy;
pub use server::Steading;
pub use settings::Settings;
pub use terminal::Terminal;
pub use world::{World, eventually, journey};
