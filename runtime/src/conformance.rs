//! What every runtime must do: named promises, judged alike on Docker and on the fake, so that a test
//! on the fake means something.

mod command;
mod file;
mod image;
mod lifecycle;
mod port;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use steading_core::id::WorkspaceId;
use steading_core::image::ImageRef;
use steading_core::log::LogSink;
use steading_core::pod::{ContainerName, ContainerSpec, Mount, PodSpec, SpecHash, VolumeRole};
use steading_core::runtime::{ByteStream, Chunk, Exec, Runtime};
use steading_core::service::{Service, ServiceName};
use steading_core::slug::Slug;
use steading_core::workspace::Limits;

/// Promises that are judged side by side.
const SIDE_BY_SIDE: usize = 4;
/// Before a promise counts as broken because nothing happens.
const PATIENCE: Duration = Duration::from_secs(90);
/// The port of the service in the specs of these tests.
pub const SERVICE: u16 = 8080;

/// Why a promise was broken, or nothing.
pub type Kept = Result<(), Box<dyn Error + Send + Sync>>;

/// Breaks the promise unless something holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+).into());
        }
    };
}
use ensure;

/// What the suite needs of the place where it runs.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// An image that is there, with `sh`, `cat`, `stty` and `sleep`.
    pub image: ImageRef,
    /// A program in it that answers HTTP requests to port 8080 of every address, and ends when asked to.
    pub server: Vec<String>,
}

/// One promise at work: a runtime and a workspace of its own.
pub struct Trial<'a> {
    /// Who promised.
    pub runtime: &'a dyn Runtime,
    /// Where.
    pub fixture: &'a Fixture,
    /// A spec with every volume and one service.
    pub spec: PodSpec,
}

/// What a runtime must do.
pub struct Promise {
    /// What it says.
    pub name: &'static str,
    keep: for<'a> fn(&'a Trial<'a>) -> BoxFuture<'a, Kept>,
}

/// A promise that was not kept.
#[derive(Debug)]
pub struct Broken {
    /// Which.
    pub name: &'static str,
    /// Why.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.why)
    }
}

/// Judges a runtime; an empty answer is a good one. Whatever is made for it is removed again.
pub async fn suite(runtime: &dyn Runtime, fixture: &Fixture) -> Vec<Broken> {
    futures::stream::iter(promises())
        .map(|promise| async move { judge(runtime, fixture, &promise).await.err() })
        .buffer_unordered(SIDE_BY_SIDE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// Judges one promise.
///
/// # Errors
/// Why it was broken.
pub async fn judge(runtime: &dyn Runtime, fixture: &Fixture, promise: &Promise) -> Result<(), Broken> {
    let trial = Trial { runtime, fixture, spec: fixture.spec() };
    let id = trial.spec.workspace;
    let work = std::panic::AssertUnwindSafe((promise.keep)(&trial)).catch_unwind();
    let result = match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(result)) => result.map_err(|error| chain(error.as_ref())),
        Ok(Err(_)) => Err("it panicked".to_owned()),
        Err(_) => Err(format!("nothing within {PATIENCE:?}")),
    };
    let cleared = runtime.remove(id).await.map_err(|error| format!("and could not be cleared away: {error}"));
    result.and(cleared).map_err(|why| Broken { name: promise.name, why })
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

macro_rules! promises {
    ($($module:ident::$name:ident),+ $(,)?) => {
        /// Every promise.
        #[must_use]
        pub fn promises() -> Vec<Promise> {
            vec![$(Promise { name: stringify!($name), keep: |trial| $module::$name(trial).boxed() }),+]
        }
    };
}

promises! {
    lifecycle::a_workspace_that_was_never_up_is_absent,
    lifecycle::up_runs_what_the_spec_says,
    lifecycle::up_twice_is_up_once,
    lifecycle::two_ups_at_once_make_one_container,
    lifecycle::up_starts_what_is_down,
    lifecycle::up_replaces_another_spec_and_keeps_the_volumes,
    lifecycle::up_thaws_what_is_paused,
    lifecycle::a_missing_image_is_named,
    lifecycle::down_keeps_container_and_volumes,
    lifecycle::down_of_what_is_not_up_is_fine,
    lifecycle::remove_leaves_nothing,
    lifecycle::what_is_paused_can_go_down_and_away,
    lifecycle::pause_and_resume_keep_the_instance,
    lifecycle::what_is_not_there_cannot_be_paused,
    lifecycle::list_shows_each_workspace_once,
    lifecycle::events_tell_of_starts_and_ends,
    command::a_command_says_how_it_ended,
    command::outputs_are_told_apart,
    command::a_command_has_both_environments,
    command::input_goes_in_and_ends,
    command::input_ends_with_whoever_gave_it,
    command::a_terminal_has_a_size,
    command::an_unknown_program_is_not_found,
    command::nothing_runs_in_a_stopped_container,
    file::files_survive_down_and_up,
    file::files_go_into_a_stopped_container,
    file::owners_are_kept_by_number,
    file::a_path_that_is_not_there_is_none,
    file::an_archive_that_breaks_off_says_why,
    file::named_volumes_outlive_the_container,
    file::the_last_output_can_be_read,
    port::a_service_answers,
    port::a_closed_port_has_no_listener,
    port::a_stopped_workspace_has_no_ports,
    port::many_connections_at_once,
    image::an_unknown_image_is_none,
    image::an_image_says_what_it_is,
    image::a_pull_from_nowhere_fails,
    image::a_build_makes_an_image,
    image::an_image_that_was_built_can_be_forgotten,
    image::a_failing_build_says_where,
}

impl Fixture {
    /// A fresh workspace whose main container runs the server.
    #[must_use]
    pub fn spec(&self) -> PodSpec {
        let own = |role, target: &str| Mount::Own { role, target: target.to_owned() };
        PodSpec {
            workspace: WorkspaceId::new(),
            slug: Slug::random(),
            main: ContainerSpec {
                name: ContainerName::main(),
                image: self.image.clone(),
                user: "0".to_owned(),
                entrypoint: Vec::new(),
                command: self.server.clone(),
                folder: Some("/".to_owned()),
                env: BTreeMap::from([("OF_THE_CONTAINER".to_owned(), "yes".to_owned())]),
                mounts: vec![
                    own(VolumeRole::Workspace, "/workspaces"),
                    own(VolumeRole::State, "/var/lib/state"),
                    Mount::Named { name: "cache".to_owned(), target: "/cache".to_owned(), read_only: false },
                ],
                init: true,
                privileged: false,
                cap_add: Vec::new(),
                cap_drop: Vec::new(),
                devices: Vec::new(),
                security_opt: Vec::new(),
                hostname: "trial".to_owned(),
                extra_hosts: Vec::new(),
                shm_size: None,
                group_add: Vec::new(),
                ulimits: BTreeMap::new(),
                sysctls: BTreeMap::new(),
                labels: BTreeMap::new(),
            },
            sidecars: Vec::new(),
            volumes: vec![VolumeRole::Workspace, VolumeRole::State],
            services: vec![Service {
                name: ServiceName::ide(),
                port: SERVICE,
                ready_path: "/".to_owned(),
                user: "root".to_owned(),
                command: self.server.clone(),
                env: BTreeMap::new(),
                folder: "/".to_owned(),
            }],
            limits: Limits { cpus: 64.0, memory: 256 << 20, processes: 128 },
            remote_user: "root".to_owned(),
            workspace_folder: "/workspaces".to_owned(),
            linked_folder: None,
            workspace_root: "/workspaces".to_owned(),
            remote_env: BTreeMap::new(),
            env_probe: "none".to_owned(),
            hash: SpecHash::default(),
        }
        .sealed()
    }
}

/// What a command printed, and its exit code.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// On standard output, or on the terminal.
    pub stdout: String,
    /// On standard error.
    pub stderr: String,
    /// The exit code.
    pub exit: i64,
}

impl Trial<'_> {
    /// The workspace of this trial.
    #[must_use]
    pub fn id(&self) -> WorkspaceId {
        self.spec.workspace
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// Those of the runtime.
    pub async fn run(&self, exec: Exec) -> Result<Ended, Box<dyn Error + Send + Sync>> {
        let process = self.runtime.exec(self.id(), exec).await?;
        let mut ended = Ended::default();
        let chunks: Vec<Chunk> = process.output.try_collect().await?;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        for chunk in chunks {
            match chunk {
                Chunk::Stdout(bytes) => out.extend_from_slice(&bytes),
                Chunk::Stderr(bytes) => err.extend_from_slice(&bytes),
            }
        }
        ended.stdout = String::from_utf8_lossy(&out).into_owned();
        ended.stderr = String::from_utf8_lossy(&err).into_owned();
        ended.exit = process.control.exit_code().await?;
        Ok(ended)
    }

    /// Runs a line of shell to its end.
    ///
    /// # Errors
    /// Those of the runtime.
    pub async fn shell(&self, line: &str) -> Result<Ended, Box<dyn Error + Send + Sync>> {
        self.run(Exec { command: words(&["sh", "-c", line]), ..Exec::default() }).await
    }
}

/// Words as a command.
#[must_use]
pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// An archive of one file with an owner.
///
/// # Errors
/// If the name cannot be in an archive.
pub fn archive(name: &str, content: &str, owner: (u64, u64)) -> std::io::Result<ByteStream> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o640);
    header.set_uid(owner.0);
    header.set_gid(owner.1);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, name, content.as_bytes())?;
    let bytes = builder.into_inner()?;
    Ok(futures::stream::iter([Ok(bytes.into())]).boxed())
}

/// A log that remembers.
#[derive(Debug, Default)]
pub struct Lines(Mutex<Vec<String>>);

impl Lines {
    /// What was written, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

impl LogSink for Lines {
    fn write(&self, stream: &str, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{stream}: {text}"));
    }
}
