//! A small message there and back through the gateway, against the same without it.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, Result};
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::browser::Entry;
use crate::report::{Goal, Row, median, ms, quantile};
use crate::world::World;

/// Messages in a round.
const MESSAGES: usize = 2000;

/// An open WebSocket.
pub type Socket = WebSocketStream<TcpStream>;

/// Measures the row.
pub async fn run(rounds: usize) -> Result<Vec<Row>> {
    let echo = serve().await?;
    let world = World::start().await?;
    let workspace = world.workspace().await?;
    let entry = world.browser().await?.enter(&format!("{}-{}", echo.port(), workspace.slug())).await?;
    let through = world.address.trim_start_matches("http://").parse()?;
    let mut ours = open(through, Some(&entry)).await?;
    let mut direct = open(echo, None).await?;
    let (mut times, mut direct_times) = (Vec::new(), Vec::new());
    // The first round fills caches.
    for round in 0..=rounds {
        let (time, direct_time) = (talk(&mut ours).await?, talk(&mut direct).await?);
        if round > 0 {
            times.push(time);
            direct_times.push(direct_time);
        }
    }
    let (time, direct) = (median(&times), median(&direct_times));
    Ok(vec![Row::new("websocket-echo", "ms", time, direct, "direct, p50", Goal::Within(0.2))])
}

/// Sends back whatever comes, to anybody; the address.
pub async fn serve() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                let mut socket = tokio_tungstenite::accept_async(stream).await?;
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_binary() {
                        socket.send(message).await?;
                    }
                }
                anyhow::Ok(())
            });
        }
    });
    Ok(address)
}

/// Opens a WebSocket at an address, as somebody who has an entry or as anybody.
pub async fn open(address: SocketAddr, entry: Option<&Entry>) -> Result<Socket> {
    let host = entry.map_or_else(|| address.to_string(), |entry| entry.host.clone());
    let mut request = format!("ws://{host}/").into_client_request()?;
    if let Some(entry) = entry {
        request.headers_mut().insert("cookie", entry.cookie.parse()?);
        request.headers_mut().insert("origin", format!("http://{host}").parse()?);
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(tokio_tungstenite::client_async(request, stream).await.context("no WebSocket")?.0)
}

/// One message there and back.
pub async fn echo(socket: &mut Socket) -> Result<()> {
    socket.send(Message::binary(vec![7; 64])).await?;
    socket.next().await.context("the WebSocket ended")??;
    Ok(())
}

async fn talk(socket: &mut Socket) -> Result<f64> {
    let mut times = Vec::with_capacity(MESSAGES);
    for _ in 0..MESSAGES {
        let began = Instant::now();
        echo(socket).await?;
        times.push(ms(began.elapsed()));
    }
    Ok(quantile(&times, 0.5))
}
