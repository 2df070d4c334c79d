//! The Features that there were when the answers were made.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use devcontainer::feature::{ANNOTATION, Feature, Found, Manifest, Need, Reference, ResolveError, Resolver, Step};
use serde_json::Value;

use crate::{corpus, json};

/// What a registry and the folders of the corpus have.
pub struct Registry {
    /// By path and version, the manifests of artifacts with their digests, taken from all answers.
    artifacts: HashMap<String, (Value, String)>,
    /// A folder of descriptions, for what is looked up without being installed.
    descriptions: PathBuf,
}

impl Registry {
    pub fn open() -> Self {
        let root = PathBuf::from(std::env::var_os("STEADING_CORPUS").unwrap_or_default());
        let mut artifacts = HashMap::new();
        for folder in corpus() {
            let Some(answer) = json(&folder.join("expected.merged.json")) else { continue };
            let sets = answer["featuresConfiguration"]["featureSets"].as_array().cloned().unwrap_or_default();
            for source in sets.iter().map(|set| &set["sourceInformation"]).filter(|source| source["type"] == "oci") {
                let part = |name: &str| source["featureRef"][name].as_str().expect("a text").to_owned();
                let digest = source["manifestDigest"].as_str().expect("a digest").to_owned();
                artifacts.insert(format!("{} {}", part("path"), part("version")), (source["manifest"].clone(), digest));
            }
        }
        Self { artifacts, descriptions: root.join("../features") }
    }

    /// Resolves the Features of a configuration; `local` turns the path of a folder into one that is there.
    pub fn resolve(
        &self,
        mut resolver: Resolver,
        local: &dyn Fn(&str) -> PathBuf,
    ) -> Result<Vec<Feature>, ResolveError> {
        loop {
            match resolver.step()? {
                Step::Done(features) => return Ok(features),
                Step::Needs(needs) => {
                    for need in needs {
                        let found = self.find(&need, local);
                        resolver.give(&need, found);
                    }
                }
            }
        }
    }

    fn find(&self, need: &Need, local: &dyn Fn(&str) -> PathBuf) -> Found {
        match &need.reference {
            Reference::Oci(oci) => {
                let known = self.artifacts.get(&format!("{} {}", oci.path(), oci.version()));
                if let Some((manifest, digest)) = known {
                    let text = manifest["annotations"][ANNOTATION].as_str().expect("an annotation");
                    let metadata = Some(Manifest::parse("annotation", text).manifest);
                    return Found::Artifact { manifest: manifest.clone(), digest: digest.clone(), metadata };
                }
                let folder = format!("{}/{}/devcontainer-feature.json", oci.namespace.replace('/', "__"), oci.id);
                match description(&self.descriptions.join(folder)).filter(|_| need.soft) {
                    Some(metadata) => {
                        Found::Artifact { manifest: Value::Null, digest: oci.to_string(), metadata: Some(metadata) }
                    }
                    None => Found::Missing,
                }
            }
            Reference::Local(folder) => match description(&local(&folder.path).join("devcontainer-feature.json")) {
                Some(metadata) => Found::Files { metadata: Some(metadata), digest: None },
                None => Found::Missing,
            },
            Reference::Tarball(_) | Reference::Release(_) => Found::Missing,
        }
    }
}

fn description(file: &Path) -> Option<Manifest> {
    let text = fs::read_to_string(file).ok()?;
    let parsed = Manifest::parse(&file.display().to_string(), &text);
    for finding in &parsed.diagnostics {
        eprintln!("{finding}");
    }
    Some(parsed.manifest)
}
