//! An installation of one test's own, which leaves nothing behind.

use std::path::Path;

use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptions};
use futures::StreamExt as _;
use steading_core::config::Config;
use steading_core::image::ImageRef;
use steading_core::pod::PodSpec;
use steading_core::runtime::{Exec, Runtime as _};
use steading_runtime::conformance::{Fixture, Trial, words};
use steading_runtime::docker::Docker;

/// Answers HTTP requests with 200, whoever asks and however many at once.
const SERVER: &str = r#"
$| = 1; $SIG{TERM} = sub { exit 0 }; $SIG{CHLD} = "IGNORE";
my $s = IO::Socket::INET->new(Listen => 64, LocalAddr => $ARGV[0], ReuseAddr => 1) or die "listen: $!";
print "started\n";
while (1) {
  my $c = $s->accept or next;
  next if fork;
  while (<$c>) { last if /^\r?$/ }
  print $c "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n";
  exit 0;
}"#;

/// One test's installation.
pub struct World {
    /// The runtime under test.
    pub docker: Docker,
    /// Its image and server.
    pub fixture: Fixture,
    /// The engine itself, to look behind the runtime's back.
    pub engine: bollard::Docker,
    /// The installation's id.
    pub installation: String,
    /// What the runtime was made with.
    pub config: Config,
    /// A folder for files on this side.
    pub folder: tempfile::TempDir,
}

impl World {
    /// An installation with a random id; `None`, and a word about it, where no engine answers.
    pub async fn new() -> Option<Self> {
        Self::with(|_| {}).await
    }

    /// The same with another configuration.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data_dir = folder.path().to_owned();
        change(&mut config);
        let engine = bollard::Docker::connect_with_local_defaults().ok()?;
        let engine = match engine.negotiate_version().await {
            Ok(engine) => engine,
            Err(error) => {
                eprintln!("SKIPPED: no Docker Engine answers: {error}");
                return None;
            }
        };
        let image = std::env::var("STEADING_TEST_IMAGE").unwrap_or_else(|_| "steading.test/base:bookworm".to_owned());
        if engine.inspect_image(&image).await.is_err() {
            eprintln!("SKIPPED: the image {image} is not there; run script/images");
            return None;
        }
        let installation = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let docker = Docker::new(&config, &installation).unwrap();
        let fixture = Fixture { image: ImageRef::new(image), server: server("0.0.0.0:8080") };
        Some(Self { docker, fixture, engine, installation, config, folder })
    }

    /// A trial with a workspace of its own.
    pub fn trial(&self) -> Trial<'_> {
        Trial { runtime: &self.docker, fixture: &self.fixture, spec: self.fixture.spec() }
    }

    /// The engine's name of a workspace's main container.
    pub fn container(&self, spec: &PodSpec) -> String {
        format!("steading-{}-{}", self.installation, spec.slug)
    }

    /// Removes images that a test built.
    pub async fn drop_images(&self, repository: &str) {
        let filters = std::collections::HashMap::from([("reference".to_owned(), vec![repository.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        for image in self.engine.list_images(Some(options)).await.unwrap() {
            for tag in image.repo_tags {
                let _ = self.engine.remove_image(&tag, None::<RemoveImageOptions>, None).await;
            }
        }
    }

    /// Starts a command and waits until it has printed something.
    pub async fn begin(&self, spec: &PodSpec, command: Vec<String>) -> steading_core::runtime::Process {
        let exec = Exec { command, ..Exec::default() };
        let mut process = self.docker.exec(spec.workspace, exec).await.unwrap();
        process.output.next().await.unwrap().unwrap();
        process
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let docker = Docker::new(&self.config, &self.installation).unwrap();
        // A test that fails unwinds through here, and its own runtime cannot be waited for.
        let cleared = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(docker.uninstall())
        });
        match cleared.join() {
            Ok(Ok(())) => {}
            other => eprintln!("installation {} could not be cleared away: {other:?}", self.installation),
        }
    }
}

/// The command of a server on an address.
pub fn server(address: &str) -> Vec<String> {
    words(&["perl", "-MIO::Socket::INET", "-e", SERVER, address])
}

/// The static helper binary, if it has been built.
pub fn inside() -> Option<std::path::PathBuf> {
    let built = std::env::var_os("STEADING_TEST_INSIDE").map(std::path::PathBuf::from);
    let path = built.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.steading/ide/inside"));
    if path.is_file() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there; run inside/build", path.display());
    None
}
