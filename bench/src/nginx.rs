//! nginx twice: as the small fast server behind everything, and as the proxy that ours is held against.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// A running nginx; it ends with its owner.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// A server that answers everything with one kilobyte.
    pub fn kilobyte() -> Result<Self> {
        let body = "0123456789abcde\\n".repeat(64);
        Self::start(1, |listen| {
            format!("server {{ listen {listen}; location / {{ default_type text/plain; return 200 \"{body}\"; }} }}")
        })
    }

    /// A proxy with connections kept open behind it and the same headers added as ours does.
    pub fn proxy(upstream: SocketAddr) -> Result<Self> {
        let workers = std::thread::available_parallelism()?.get();
        Self::start(workers, |listen| {
            format!(
                "upstream up {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}\n\
                 server {{ listen {listen}; location / {{ proxy_pass http://up; proxy_http_version 1.1;\n\
                 proxy_set_header Connection \"\"; proxy_set_header Host $http_host;\n\
                 proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;\n\
                 proxy_set_header X-Forwarded-Host $http_host; }} }}"
            )
        })
    }

    fn start(workers: usize, servers: impl Fn(SocketAddr) -> String) -> Result<Self> {
        let folder = crate::stage::folder()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let text = format!(
            "daemon off; pid nginx.pid; error_log error.log; worker_processes {workers};\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; keepalive_requests 100000000; tcp_nodelay on;\n\
             client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n\
             {} }}\n",
            servers(address)
        );
        std::fs::write(folder.path().join("nginx.conf"), text)?;
        let mut command = Command::new(program());
        command.arg("-p").arg(folder.path()).args(["-e", "error.log", "-c", "nginx.conf"]);
        let child = command.stdin(Stdio::null()).spawn().context("nginx cannot be run; script/bootstrap bench")?;
        let mut nginx = Self { child, address, _folder: folder };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = nginx.child.try_wait()? {
                bail!("nginx ended: {status}");
            }
            if began.elapsed() > Duration::from_secs(10) {
                bail!("nginx does not listen");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }
}

/// Debian keeps it where a person's PATH does not look.
fn program() -> &'static str {
    if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Politely, so that it takes its workers along.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
