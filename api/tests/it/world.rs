//! An API on a free port, with a store in a temporary folder and the fake runtime.

use std::sync::Arc;

use steading_api::{App, Roles};
use steading_core::config::Config;
use steading_gateway::Gateway;
use steading_runtime::fake::Fake;
use steading_store::Store;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

pub const ADMIN_TOKEN: &str = "the-admin-token-of-this-test";

pub struct World {
    pub app: App,
    pub address: String,
    pub http: reqwest::Client,
    _folder: TempDir,
    _stop: DropGuard,
}

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::made(Arc::default(), change, true).await
    }

    /// On a runtime of the test's own.
    pub async fn on(runtime: Arc<Fake>) -> Self {
        Self::made(runtime, |_| {}, true).await
    }

    /// A control plane that has its gateway elsewhere.
    pub async fn control_only() -> Self {
        Self::made(Arc::default(), |_| {}, false).await
    }

    async fn made(runtime: Arc<Fake>, change: impl FnOnce(&mut Config), has_gateway: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data_dir = folder.path().to_owned();
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.auth.admin_token = steading_core::Secret::new(ADMIN_TOKEN.to_owned());
        change(&mut config);
        let listening = steading_api::listen(config.server.listen).await.unwrap();
        config.server.listen.set_port(listening.address.port());
        let address = format!("http://{}", listening.address);
        let config = Arc::new(config);
        let store = Store::open(&config).await.unwrap();
        let app = App::new(config.clone(), store.clone(), runtime.clone());
        let gateway = Arc::new(Gateway::new(config, store.routes(), runtime));
        let stop = CancellationToken::new();
        let roles = Roles { control: Some(app.clone()), gateway: has_gateway.then_some(gateway) };
        let token = stop.clone();
        tokio::spawn(async move { steading_api::serve(listening, "localhost", roles, token).await });
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { app, address, http, _folder: folder, _stop: stop.drop_guard() }
    }

    /// A request with the administrator's token.
    pub fn admin(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.stranger(method, path).bearer_auth(ADMIN_TOKEN)
    }

    /// A request without any credential.
    pub fn stranger(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address))
    }

    /// A browser's cookie, made through a sign-in link.
    pub async fn cookie(&self) -> String {
        self.set_cookie().await.split(';').next().unwrap().to_owned()
    }

    /// The same as the server sets it.
    pub async fn set_cookie(&self) -> String {
        let link = steading_api::auth::link::mint(&self.app).await.unwrap();
        let path = link.split_once("/sign-in").map(|(_, rest)| format!("/sign-in{rest}")).unwrap();
        let answer = self.stranger(reqwest::Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{:?}", answer.headers());
        answer.headers()["set-cookie"].to_str().unwrap().to_owned()
    }

    /// Makes a workspace by the API.
    pub async fn create(&self) -> serde_json::Value {
        let body = serde_json::json!({ "source": "https://git.example.com/fox/den.git" });
        let answer = self.admin(reqwest::Method::POST, "/v1/workspaces").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    }
}
