//! How to sign in at a registry, from the file that `docker login` writes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// What Docker Hub is called in that file.
const HUB: &str = "https://index.docker.io/v1/";
/// Before a helper that asks somebody something is given up.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: HashMap<String, Login>,
    cred_helpers: HashMap<String, String>,
    creds_store: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Login {
    auth: String,
    identitytoken: String,
}

/// What a credential helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

/// The credentials for a registry; `None` where nobody signed in.
pub async fn of(registry: &str) -> Option<DockerCredentials> {
    let file = read().await?;
    let key = if registry == "docker.io" { HUB } else { registry };
    let helper = file.cred_helpers.get(key).or(Some(&file.creds_store)).filter(|name| !name.is_empty());
    let helped = match helper {
        Some(helper) => ask(helper, key).await,
        None => None,
    };
    helped.or_else(|| written(&file, registry, key))
}

/// The credentials for every registry that is written in the file, for builds.
pub async fn all() -> HashMap<String, DockerCredentials> {
    let Some(file) = read().await else { return HashMap::new() };
    let keys: Vec<String> = file.auths.keys().chain(file.cred_helpers.keys()).cloned().collect();
    let mut all = HashMap::new();
    for key in keys {
        let registry = if key == HUB { "docker.io" } else { bare(&key) };
        if let Some(found) = of(registry).await {
            all.insert(if registry == "docker.io" { HUB.to_owned() } else { registry.to_owned() }, found);
        }
    }
    all
}

async fn read() -> Option<File> {
    let folder = std::env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))?;
    let text = tokio::fs::read_to_string(folder.join("config.json")).await.ok()?;
    match serde_json::from_str(&text) {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::warn!(error.message = %error, "the Docker client's configuration cannot be read; pulling without credentials");
            None
        }
    }
}

fn written(file: &File, registry: &str, key: &str) -> Option<DockerCredentials> {
    let login = file
        .auths
        .get(key)
        .or_else(|| file.auths.iter().find(|(name, _)| bare(name) == registry).map(|(_, login)| login))?;
    let decoded = STANDARD.decode(login.auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (username, password) = decoded.as_deref().and_then(|text| text.split_once(':')).unwrap_or_default();
    if password.is_empty() && login.identitytoken.is_empty() {
        return None;
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.trim_end_matches('\0').to_owned());
    Some(DockerCredentials {
        username: some(username),
        password: some(password),
        identitytoken: some(&login.identitytoken),
        serveraddress: Some(key.to_owned()),
        ..DockerCredentials::default()
    })
}

async fn ask(helper: &str, key: &str) -> Option<DockerCredentials> {
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(key.as_bytes()).await.ok()?;
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.ok()?.ok()?;
    let helped: Helped = serde_json::from_slice(&output.stdout).ok()?;
    let token = helped.username == "<token>";
    Some(DockerCredentials {
        username: (!token).then_some(helped.username),
        password: (!token).then(|| helped.secret.clone()),
        identitytoken: token.then_some(helped.secret),
        serveraddress: Some(key.to_owned()),
        ..DockerCredentials::default()
    })
}

/// A registry's host without scheme and path.
fn bare(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    name.split('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_found_under_any_spelling_of_its_registry() {
        let text = r#"{"auths":{"https://r.test:5000/v2/":{"auth":"bWU6c2VjcmV0"},"empty.test":{}}}"#;
        let file: File = serde_json::from_str(text).unwrap();
        let found = written(&file, "r.test:5000", "r.test:5000").unwrap();
        assert_eq!((found.username.as_deref(), found.password.as_deref()), (Some("me"), Some("secret")));
        assert!(written(&file, "empty.test", "empty.test").is_none());
        assert!(written(&file, "other.test", "other.test").is_none());
    }
}
