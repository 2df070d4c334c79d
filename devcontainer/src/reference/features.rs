//! The `featuresConfiguration` that the reference prints.

use serde_json::{Map, Value, json};

use crate::feature::{Feature, Oci, Reference};

/// What `read-configuration` prints about Features in the order in which they are installed. `folder` is
/// where their files are, each below it in a folder of its own.
#[must_use]
pub fn features_configuration(features: &[Feature], folder: &str) -> Value {
    let sets: Vec<Value> = features.iter().enumerate().map(|(index, feature)| set(feature, index, folder)).collect();
    json!({"featureSets": sets, "dstFolder": folder})
}

/// The output of `features resolve-dependencies` without its diagram.
#[must_use]
pub fn install_order(features: &[Feature]) -> Value {
    let order: Vec<Value> = features
        .iter()
        .map(|feature| {
            let id = match &feature.reference {
                Reference::Oci(oci) => format!("{}@{}", oci.resource, feature.digest.as_deref().unwrap_or_default()),
                _ => feature.id.clone(),
            };
            json!({"id": id, "options": feature.options})
        })
        .collect();
    json!({"installOrder": order})
}

fn set(feature: &Feature, index: usize, folder: &str) -> Value {
    let name = feature.folder(index);
    let mut said = feature.said();
    said.entry("included").or_insert(Value::Bool(true));
    said.insert("value".to_owned(), feature.options.clone());
    said.insert("cachePath".to_owned(), Value::String(format!("{folder}/{name}")));
    said.insert("consecutiveId".to_owned(), Value::String(name));
    let version = if feature.is_old { "1" } else { "2" };
    let mut set = json!({"sourceInformation": source(feature), "features": [said], "internalVersion": version});
    if let (Some(digest), false) = (&feature.digest, feature.is_old) {
        set["computedDigest"] = Value::from(digest.as_str());
    }
    set
}

fn source(feature: &Feature) -> Value {
    let id = &feature.id;
    match &feature.reference {
        Reference::Oci(oci) => json!({
            "type": "oci",
            "manifest": feature.artifact,
            "manifestDigest": feature.digest,
            "featureRef": artifact(oci),
            "userFeatureId": id,
            "userFeatureIdWithoutVersion": unversioned(id),
        }),
        Reference::Local(local) => json!({"type": "file-path", "resolvedFilePath": local.path, "userFeatureId": id}),
        Reference::Tarball(tarball) => {
            json!({"type": "direct-tarball", "tarballUri": tarball.url, "userFeatureId": id})
        }
        Reference::Release(release) => {
            let mut source = json!({
                "type": "github-repo",
                "apiUri": release.api_url(),
                "unauthenticatedUri": release.files_url(),
                "owner": release.owner,
                "repo": release.repository,
                "isLatest": release.tag.is_none(),
                "userFeatureId": id,
                "userFeatureIdWithoutVersion": id.split('@').next(),
            });
            if let Some(tag) = &release.tag {
                source["tag"] = Value::from(tag.as_str());
            }
            source
        }
    }
}

fn artifact(oci: &Oci) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: &str| map.insert(name.to_owned(), Value::from(value));
    put("scheme", if oci.is_plain_http() { "http" } else { "https" });
    put("id", &oci.id);
    put("owner", oci.owner());
    put("namespace", &oci.namespace);
    put("registry", &oci.registry);
    put("resource", &oci.resource);
    put("path", &oci.path());
    put("version", oci.version());
    for (name, value) in [("tag", &oci.tag), ("digest", &oci.digest)] {
        if let Some(value) = value {
            put(name, value);
        }
    }
    Value::Object(map)
}

/// A reference without its tag or digest: from the first colon or at sign that no slash follows.
fn unversioned(id: &str) -> &str {
    let last = id.rfind('/').map_or(0, |at| at + 1);
    id[last..].find([':', '@']).map_or(id, |at| &id[..last + at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_cut_off_and_a_port_is_not() {
        for (id, bare) in [
            ("git", "git"),
            ("ghcr.io/a/git:1", "ghcr.io/a/git"),
            ("ghcr.io/a/git@sha256:abc", "ghcr.io/a/git"),
            ("localhost:5000/a/git", "localhost:5000/a/git"),
            ("localhost:5000/a/git:1", "localhost:5000/a/git"),
        ] {
            assert_eq!(unversioned(id), bare);
        }
    }
}
