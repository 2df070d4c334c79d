//! The fallback templates, as this binary carries them.

use rust_embed::RustEmbed;
use serde::Deserialize;

use crate::routes::templates::TemplateView;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../templates"]
#[include = "*/devcontainer-template.json"]
struct Files;

#[derive(Deserialize)]
struct Manifest {
    id: String,
    name: Option<String>,
    description: Option<String>,
}

/// All of them, by name. A manifest that cannot be read is left out and said so in the log.
#[must_use]
pub fn all() -> Vec<TemplateView> {
    let mut found: Vec<TemplateView> = Files::iter()
        .filter_map(|path| {
            let file = Files::get(&path)?;
            match serde_json::from_slice::<Manifest>(&file.data) {
                Ok(Manifest { id, name, description }) => Some(TemplateView {
                    name: name.unwrap_or_else(|| id.clone()),
                    description: description.unwrap_or_default(),
                    id,
                }),
                Err(error) => {
                    tracing::error!(path = %path, error = %error, "a template's manifest cannot be read");
                    None
                }
            }
        })
        .collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found
}
