//! Images made ahead: register, list, remove.

use chrono::Utc;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};
use steading_core::access::Action;
use steading_core::prebuild::{Prebuild, repository_key};
use steading_core::source::Commit;
use steading_core::{ImageRef, PrebuildId, Source};
use steading_store::StoreError;

use super::Tag;
use super::tokens::Gone;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::views::prebuild::{NewPrebuildView, PrebuildListView, PrebuildView};

/// Operations on prebuilds.
pub struct Prebuilds;

/// A prebuild was registered.
#[derive(ApiResponse)]
pub enum Registered {
    /// It is used from now on.
    #[oai(status = 201)]
    Prebuild(Json<PrebuildView>),
}

#[OpenApi(tag = "Tag::Sources")]
impl Prebuilds {
    /// Registers an image for a repository, at a commit or for a configuration.
    #[oai(path = "/prebuilds", method = "post", operation_id = "register_prebuild")]
    async fn register(
        &self,
        app: Data<&App>,
        caller: Caller,
        body: Json<NewPrebuildView>,
    ) -> Result<Registered, ApiError> {
        caller.can(Action::Prebuild)?;
        let prebuild = prebuild(&body, app.config.may_fetch_local())?;
        app.store.prebuilds().register(&prebuild).await.map_err(|e| ApiError::from_fault(&e))?;
        Ok(Registered::Prebuild(Json((&prebuild).into())))
    }

    /// Lists registered images, newest first.
    #[oai(path = "/prebuilds", method = "get", operation_id = "list_prebuilds")]
    async fn list(&self, app: Data<&App>, caller: Caller) -> Result<Json<PrebuildListView>, ApiError> {
        caller.can(Action::Prebuild)?;
        let prebuilds = app.store.prebuilds().list().await.map_err(|e| ApiError::from_fault(&e))?;
        Ok(Json(PrebuildListView { items: prebuilds.iter().map(Into::into).collect() }))
    }

    /// Removes a registration. The image itself stays where it is.
    #[oai(path = "/prebuilds/:id", method = "delete", operation_id = "remove_prebuild")]
    async fn remove(&self, app: Data<&App>, caller: Caller, id: Path<String>) -> Result<Gone, ApiError> {
        caller.can(Action::Prebuild)?;
        let id: PrebuildId = id.parse().map_err(|_| ApiError::not_found("prebuild"))?;
        match app.store.prebuilds().remove(id).await {
            Ok(()) => Ok(Gone::NoContent),
            Err(StoreError::NotFound) => Err(ApiError::not_found("prebuild")),
            Err(error) => Err(ApiError::from_fault(&error)),
        }
    }
}

fn prebuild(body: &NewPrebuildView, local: bool) -> Result<Prebuild, ApiError> {
    let Source::Git(git) = Source::parse(&body.repository, local)? else {
        return Err(ApiError::bad_request(
            "not-a-repository",
            "A prebuild belongs to a Git repository.",
            "Give the repository's Git URL.",
        ));
    };
    let commit = body.commit.as_deref().map(str::parse::<Commit>).transpose().map_err(|error| {
        ApiError::bad_request("not-a-commit", error.to_string(), "Give all 40 digits: `git rev-parse HEAD`.")
    })?;
    if commit.is_none() && body.config_hash.is_none() {
        return Err(ApiError::bad_request(
            "prebuild-for-nothing",
            "A prebuild needs a commit or the hash of a configuration.",
            "Add `commit` with the full commit id the image was built from.",
        ));
    }
    let image = body.image.trim();
    if image.is_empty() || image.len() > 512 || image.contains(char::is_whitespace) {
        return Err(ApiError::bad_request(
            "not-an-image",
            "That is not an image reference.",
            "Give it as `registry/name:tag` or `registry/name@sha256:…`.",
        ));
    }
    Ok(Prebuild {
        id: PrebuildId::new(),
        repository: repository_key(git.url.reveal()),
        commit,
        config_hash: body.config_hash.clone(),
        image: ImageRef::new(image),
        created_at: Utc::now(),
    })
}
