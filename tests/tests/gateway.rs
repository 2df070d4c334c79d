//! The way into a workspace: programs that listen on a port of it, and who may come in.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{SinkExt as _, StreamExt as _, stream};
use reqwest::{Body, Method, StatusCode};
use serde_json::Value;
use steading_tests::{Browser, Settings, Workspace, World, eventually, journey};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use url::Url;

const PORT: u16 = 3000;
/// 200 MB in pieces of a megabyte.
const PIECES: usize = 200;

fn host(url: &str) -> Result<String> {
    Ok(Url::parse(url)?.host_str().context("no host")?.to_owned())
}

async fn program_answers(browser: &Browser, ws: &Workspace) -> Result<()> {
    let url = ws.port_url(PORT);
    let (status, page) = eventually(async || browser.page(&url).await.ok().filter(|(status, _)| status.is_success()))
        .await
        .context("the program never answered at its port's address")?;
    let answer: Value = serde_json::from_str(&page).with_context(|| format!("{status}: {page}"))?;
    ensure!(answer["headers"]["host"].as_str().unwrap_or_default().starts_with(&host(&url)?), "{answer:#}");
    Ok(())
}

/// Our cookies stay outside, the page's own pass, and what it sets stays on its host.
async fn cookies_are_kept_apart(browser: &Browser, ws: &Workspace) -> Result<()> {
    let url = ws.port_url(PORT);
    let host = host(&url)?;
    browser.set_cookie(&host, "theme", "dark");
    let response = browser.request(Method::POST, &format!("{url}some/path?query=1"))?.body("x").send().await?;
    let set: Vec<_> = response.headers().get_all("set-cookie").iter().filter_map(|v| v.to_str().ok()).collect();
    ensure!(set.iter().all(|cookie| !cookie.to_lowercase().contains("domain")), "a cookie left its host: {set:?}");
    let seen: Value = response.json().await?;
    ensure!(seen["method"] == "POST" && seen["url"] == "/some/path?query=1", "{seen:#}");
    let cookie = seen["headers"]["cookie"].as_str().unwrap_or_default();
    ensure!(cookie.contains("theme=dark") && !cookie.contains("steading"), "the program saw {cookie:?}");
    ensure!(!seen.to_string().contains("steading_"), "{seen:#}");
    Ok(())
}

async fn sockets_echo(world: &World, browser: &Browser, ws: &Workspace) -> Result<()> {
    let host = host(&ws.port_url(PORT))?;
    let port = world.steading.port();
    let connect = async |cookie: Option<String>, origin: &str| {
        let mut request = format!("ws://{host}:{port}/socket").into_client_request()?;
        request.headers_mut().insert("origin", origin.parse()?);
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.parse()?);
        }
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        anyhow::Ok(tokio_tungstenite::client_async(request, stream).await)
    };
    let own = format!("http://{host}:{port}");
    let (mut socket, _) = connect(browser.cookie(&host), &own).await??;
    for text in ["hello", "again"] {
        socket.send(Message::text(text)).await?;
        let answer = socket.next().await.context("the socket ended")??;
        ensure!(answer.to_text()? == text, "{answer:?}");
    }
    let refused = |answer: Result<_, WsError>| match answer {
        Err(WsError::Http(response)) => Ok(response.status()),
        Err(other) => Err(other.into()),
        Ok(_) => Err(anyhow::anyhow!("it was let in")),
    };
    let foreign = refused(connect(browser.cookie(&host), "http://evil.example").await?).context("another origin")?;
    ensure!(foreign == StatusCode::FORBIDDEN, "another origin's socket: {foreign}");
    let stranger = refused(connect(None, &own).await?).context("a stranger")?;
    ensure!(stranger == StatusCode::UNAUTHORIZED, "a stranger's socket: {stranger}");
    Ok(())
}

async fn events_are_not_held_back(browser: &Browser, ws: &Workspace) -> Result<()> {
    let response = browser.request(Method::GET, &format!("{}events", ws.port_url(PORT)))?.send().await?;
    let mut body = response.bytes_stream();
    let mut times = Vec::new();
    let mut text = String::new();
    while let Some(piece) = body.next().await {
        text += std::str::from_utf8(&piece?)?;
        times.push(Instant::now());
    }
    ensure!(text.matches("data:").count() == 5, "{text}");
    let (first, last) = (times.first().context("no event")?, times.last().context("no event")?);
    let spread = last.duration_since(*first);
    ensure!(times.len() >= 4 && spread > Duration::from_millis(800), "{} pieces within {spread:?}", times.len());
    Ok(())
}

async fn uploads_stream(browser: &Browser, ws: &Workspace) -> Result<()> {
    let piece = vec![b'u'; 1_000_000];
    let body = stream::iter((0..PIECES).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let upload = browser.request(Method::POST, &format!("{}upload", ws.port_url(PORT)))?;
    let begun = Instant::now();
    let answer: Value = upload.body(Body::wrap_stream(body)).send().await?.json().await?;
    ensure!(answer["bytes"] == PIECES * 1_000_000, "{answer:#}");
    eprintln!("{PIECES} MB went up in {:.1} s", begun.elapsed().as_secs_f32());
    let down = browser.request(Method::GET, &format!("{}download", ws.port_url(PORT)))?.send().await?;
    let mut bytes = 0;
    let mut body = down.bytes_stream();
    while let Some(piece) = body.next().await {
        bytes += piece?.len();
    }
    ensure!(bytes == 64 << 20, "{bytes} bytes came down");
    Ok(())
}

/// The server's memory, in MiB.
fn memory(world: &World) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.steading.pid()))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM")?;
    Ok(line.split_whitespace().nth(1).unwrap_or_default().parse::<u64>()? / 1024)
}

/// Whether or not the workspace exists, a stranger sees the same.
async fn strangers_see_nothing(world: &World, ws: &Workspace) -> Result<()> {
    let stranger = Browser::stranger(&world.steading);
    let unknown = ws.url().replace(ws.slug(), "no-such-0000");
    for (known, other) in
        [(ws.url().to_owned(), unknown.clone()), (ws.port_url(PORT), unknown.replacen("://", "://3000-", 1))]
    {
        let mut answers = Vec::new();
        for url in [known, other] {
            let host = host(&url)?;
            let plain = stranger.request(Method::GET, &url)?.send().await?;
            let page = stranger.request(Method::GET, &url)?.header("accept", "text/html").send().await?;
            let to = page.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
            ensure!(plain.status() == 401 && page.status() == 303, "{url}: {} {}", plain.status(), page.status());
            let slug = host.split('.').next().unwrap_or_default().to_owned();
            let mut problem: Value = plain.json().await?;
            let id = problem["request_id"].take();
            ensure!(id.as_str().is_some_and(|id| !id.is_empty()), "{url}: a problem without the request's id");
            answers.push((problem, to.replace(&slug, "SLUG"), page.text().await?));
        }
        ensure!(answers[0] == answers[1], "a stranger can tell what exists: {answers:#?}");
    }
    let (_, page) = stranger.page(ws.url()).await?;
    ensure!(!page.contains("workbench"), "a stranger was let in");
    Ok(())
}

/// A page elsewhere may link here, and nothing more.
async fn other_sites_are_refused(browser: &Browser, ws: &Workspace) -> Result<()> {
    for url in [ws.port_url(PORT), ws.url().to_owned()] {
        for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
            let response = browser.request(Method::POST, &url)?.header(name, value).send().await?;
            ensure!(response.status() == 403, "{url} with {name}: {}", response.status());
        }
    }
    let ticket = browser.request(Method::GET, &format!("{}.steading/enter?ticket=made-up&path=/", ws.url()))?;
    let status = ticket.send().await?.status();
    ensure!(status == 403, "a made-up ticket: {status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_in_a_workspace_open_at_their_addresses() -> Result<()> {
    journey(Settings::default(), async |world| {
        let browser = Browser::signed_in(&world.steading).await?;
        let ws = world.run("server").await?;
        browser.sees_editor(&ws).await?;
        strangers_see_nothing(world, &ws).await.context("strangers")?;
        program_answers(&browser, &ws).await?;
        cookies_are_kept_apart(&browser, &ws).await.context("cookies")?;
        sockets_echo(world, &browser, &ws).await.context("sockets")?;
        events_are_not_held_back(&browser, &ws).await.context("events")?;
        let before = memory(world)?;
        uploads_stream(&browser, &ws).await.context("uploads")?;
        let after = memory(world)?;
        ensure!(after < before + 64, "the server kept the upload: from {before} MiB to {after} MiB");
        other_sites_are_refused(&browser, &ws).await.context("other sites")?;

        let (status, page) = browser.page(&ws.port_url(4000)).await?;
        ensure!(status == 502 && page.contains("4000"), "a closed port: {status}: {page}");
        let (status, page) = browser.page(&ws.url().replace(ws.slug(), "no-such-0000")).await?;
        ensure!(status == 404, "an unknown workspace: {status}: {page}");

        world.api().change(ws.id(), "stop").await?;
        world.api().until(ws.id(), &["stopped"]).await?;
        for url in [ws.url().to_owned(), ws.port_url(PORT)] {
            let (status, page) = browser.page(&url).await?;
            ensure!(status == 503 && page.contains("is stopped") && page.contains("start=1"), "{status}: {page}");
        }
        Ok(())
    })
    .await
}
