//! What a source turned out to be.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use steading_core::Diagnostic;
use steading_core::resolution::{ImageSource, Resolution, ResolutionKind};

/// Something worth telling about a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
#[oai(rename = "Diagnostic")]
pub struct DiagnosticView {
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// Stable, kebab-case.
    pub code: String,
    /// The file, relative to the repository.
    pub file: String,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl From<&Diagnostic> for DiagnosticView {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            severity: diagnostic.severity.as_str().to_owned(),
            code: diagnostic.code.clone(),
            file: diagnostic.file.clone(),
            line: diagnostic.span.map(|s| s.line),
            message: diagnostic.message.clone(),
            hint: diagnostic.hint.clone(),
        }
    }
}

/// What a source turned out to be, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
#[oai(rename = "Resolution")]
pub struct ResolutionView {
    /// `prebuilt`, `devcontainer` or `template`.
    pub kind: String,
    /// Why this and nothing else, in one sentence.
    pub because: String,
    /// The commit the reference was pinned to.
    pub commit: Option<String>,
    /// The branch, if the reference named one.
    pub branch: Option<String>,
    /// The folder or file in the repository that the link pointed to.
    pub path: Option<String>,
    /// Names what decides the image: an image registered with this hash serves every commit with the same one.
    /// Absent for a template.
    pub config_hash: Option<String>,
    /// The configuration file, for `devcontainer` and for a prebuild made from one.
    pub config: Option<String>,
    /// The template, for `template`.
    pub template: Option<String>,
    /// The image that is pulled, if one is.
    pub image: Option<String>,
    /// The Dockerfile that is built, if one is.
    pub dockerfile: Option<String>,
    /// Every configuration that was found; pass one as `config` to choose it.
    pub choices: Vec<String>,
    /// What is worth telling about the files that were read.
    pub diagnostics: Vec<DiagnosticView>,
}

impl From<&Resolution> for ResolutionView {
    fn from(resolution: &Resolution) -> Self {
        let template = match &resolution.kind {
            ResolutionKind::Template { template } => Some(template.clone()),
            _ => None,
        };
        let (image, dockerfile) = match &resolution.image {
            ImageSource::Pull { image } => (Some(image.to_string()), None),
            ImageSource::Build { dockerfile, .. } => (None, Some(dockerfile.clone())),
        };
        Self {
            kind: resolution.kind_name().to_owned(),
            because: resolution.because.clone(),
            commit: resolution.commit.as_ref().map(ToString::to_string),
            branch: resolution.branch.clone(),
            path: resolution.path.clone(),
            config_hash: resolution.config_hash.clone(),
            config: resolution.configuration().map(str::to_owned),
            template,
            image,
            dockerfile,
            choices: resolution.choices.clone(),
            diagnostics: resolution.diagnostics.iter().map(Into::into).collect(),
        }
    }
}
