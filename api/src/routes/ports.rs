//! Ports of a workspace: what there is, and who may see it.

use std::collections::{BTreeMap, BTreeSet};

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use steading_core::Workspace;
use steading_core::routes::Visibility;

use super::Tag;
use crate::app::App;
use crate::caller::{self, Caller, Granted};
use crate::listening::{self, Listener};
use crate::problem::ApiError;
use crate::views::port::{PortChangeView, PortListView, PortView};

/// Operations on ports.
pub struct Ports;

#[OpenApi(tag = "Tag::Workspaces")]
impl Ports {
    /// Lists the ports that the configuration names or that a program listens on.
    #[oai(path = "/workspaces/:name/ports", method = "get", operation_id = "list_ports")]
    async fn list(&self, app: Data<&App>, caller: Caller, name: Path<String>) -> Result<Json<PortListView>, ApiError> {
        let granted: Granted<caller::View> = caller.may(&app, &name).await?;
        let visibility = app.store.ports().list(granted.id()).await.map_err(|e| ApiError::from_fault(&e))?;
        let listening = listening::ports(&app, granted.workspace()).await;
        Ok(Json(PortListView { items: merge(&app, granted.workspace(), &listening, &visibility) }))
    }

    /// Says who may see a port.
    #[oai(path = "/workspaces/:name/ports/:port", method = "put", operation_id = "change_port")]
    async fn change(
        &self,
        app: Data<&App>,
        caller: Caller,
        name: Path<String>,
        port: Path<u16>,
        body: Json<PortChangeView>,
    ) -> Result<Json<PortListView>, ApiError> {
        let granted: Granted<caller::Operate> = caller.may(&app, &name).await?;
        let is_service =
            granted.workspace().spec_in_use().into_iter().flat_map(|s| &s.services).any(|s| s.port == port.0);
        let wished: Visibility = body.visibility.into();
        if port.0 == 0 || (is_service && wished != Visibility::Private) {
            return Err(ApiError::bad_request(
                "port-not-shareable",
                format!("Port {} cannot be shared.", port.0),
                "The IDE is always private; share the port of your own program.",
            ));
        }
        app.store.ports().set(granted.id(), port.0, wished).await.map_err(|e| ApiError::from_fault(&e))?;
        let visibility = app.store.ports().list(granted.id()).await.map_err(|e| ApiError::from_fault(&e))?;
        let listening = listening::ports(&app, granted.workspace()).await;
        Ok(Json(PortListView { items: merge(&app, granted.workspace(), &listening, &visibility) }))
    }
}

/// One list from three: what the configuration forwards, what listens, what was shared. The ports of
/// our own services are left out.
fn merge(
    app: &App,
    workspace: &Workspace,
    listening: &[Listener],
    visibility: &BTreeMap<u16, Visibility>,
) -> Vec<PortView> {
    let own: BTreeSet<u16> = workspace.spec_in_use().into_iter().flat_map(|s| &s.services).map(|s| s.port).collect();
    let config = workspace.config_in_use();
    let forwarded: BTreeSet<u16> = config.iter().flat_map(|c| &c.forward_ports).map(|p| p.port).collect();
    let label = |port: u16| {
        let configured = config.and_then(|c| c.ports_attributes.get(&port.to_string())?.label.clone());
        configured.or_else(|| listening.iter().find(|l| l.port == port)?.process.as_ref().map(|p| p.name.clone()))
    };
    forwarded
        .iter()
        .copied()
        .chain(listening.iter().map(|l| l.port))
        .chain(visibility.keys().copied())
        .collect::<BTreeSet<u16>>()
        .difference(&own)
        .map(|&port| PortView {
            port,
            label: label(port),
            url: app.urls.port(&workspace.slug, port),
            listening: listening.iter().any(|l| l.port == port),
            visibility: visibility.get(&port).copied().unwrap_or_default().into(),
        })
        .collect()
}
