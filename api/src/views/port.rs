//! Ports of a workspace.

use poem_openapi::{Enum, Object};
use steading_core::routes::Visibility;

/// Who may see a port without being its workspace's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "Visibility", rename_all = "kebab-case")]
pub enum VisibilityView {
    /// Only those who may enter the workspace.
    Private,
    /// Everybody who is signed in here.
    SignedIn,
    /// Everybody.
    Public,
}

impl From<Visibility> for VisibilityView {
    fn from(visibility: Visibility) -> Self {
        match visibility {
            Visibility::Private => Self::Private,
            Visibility::SignedIn => Self::SignedIn,
            Visibility::Public => Self::Public,
        }
    }
}

impl From<VisibilityView> for Visibility {
    fn from(view: VisibilityView) -> Self {
        match view {
            VisibilityView::Private => Self::Private,
            VisibilityView::SignedIn => Self::SignedIn,
            VisibilityView::Public => Self::Public,
        }
    }
}

/// A port of a workspace: one the configuration names, or one that a program listens on.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "Port")]
pub struct PortView {
    /// The TCP port inside the workspace.
    pub port: u16,
    /// The configuration's label, or the program that listens.
    pub label: Option<String>,
    /// Where it opens in a browser.
    pub url: String,
    /// Whether a program listens there now.
    pub listening: bool,
    /// Who may see it.
    pub visibility: VisibilityView,
}

/// All ports of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "PortList")]
pub struct PortListView {
    /// In ascending order.
    pub items: Vec<PortView>,
}

/// Who may see a port from now on.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "PortChange")]
pub struct PortChangeView {
    /// `public` falls back to `private` whenever the workspace's container is started again; `signed-in` stays.
    pub visibility: VisibilityView,
}
