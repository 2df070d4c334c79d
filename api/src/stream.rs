//! What flows for as long as somebody looks.

pub mod events;
pub mod logs;
pub mod stay;
pub mod terminal;
