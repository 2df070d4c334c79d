//! `inside service` and `inside gate`: the program the workspace is for (the IDE), as `main` was told of it.

use crate::args::{Args, Opt, pair};
use crate::boot::Spec;
use crate::failure::{ABSENT, Failure, Result};
use crate::job::{Job, State, start_runner};
use crate::launch::Launch;
use crate::place::{Place, write_whole};
use crate::probe::Mode;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// A service as the specification names it.
#[derive(Clone, Debug, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// As whom it runs.
    pub user: String,
    /// What runs.
    pub args: Vec<String>,
    /// Set on top of the container's environment and of what the user's shell says.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// userEnvProbe, when the shell is to be asked.
    #[serde(default)]
    pub probe: Option<String>,
}

const START: &[Opt] = &[Opt::Value("probe"), Opt::Value("env"), Opt::Flag("open-gate")];
const STOP: &[Opt] = &[Opt::Value("grace")];

/// `service start | stop | status | log`
pub fn command(place: &Place, mut words: Vec<OsString>) -> Result<u8> {
    let verb = if words.is_empty() { OsString::new() } else { words.remove(0) };
    match verb.to_str() {
        Some("start") => {
            let args = Args::parse(words, &[START])?;
            let mut service = find(place, &args.word("name")?)?;
            service.probe = args.text("probe")?.or(service.probe);
            let env = args.all("env").map(pair).collect::<Result<Vec<_>>>()?;
            if args.has("open-gate") {
                set_gate(place, &Spec::load(place)?, true)?;
            }
            let started = start(place, &service, &env)?;
            print_status(place, &service.name, Some(started))
        }
        Some("stop") => {
            let args = Args::parse(words, &[STOP])?;
            let service = find(place, &args.word("name")?)?;
            job(place, &service.name)?.stop(args.seconds("grace")?.unwrap_or(Duration::from_secs(2)));
            print_status(place, &service.name, None)
        }
        Some("status") => print_status(place, &find(place, &Args::parse(words, &[])?.word("name")?)?.name, None),
        Some("log") => log(place, &Args::parse(words, &[])?.word("name")?),
        _ => Err(Failure::usage("service start | stop | status | log; see inside/README.md")),
    }
}

fn find(place: &Place, name: &str) -> Result<Service> {
    let spec = Spec::load(place)?;
    spec.service.filter(|service| service.name == name).ok_or_else(|| {
        Failure::new("no-such-service", ABSENT, format!("the container's specification names no service {name:?}"))
    })
}

/// The job of a service.
pub fn job(place: &Place, name: &str) -> Result<Job> {
    Job::new(place, "services", name)
}

/// Starts it, unless it runs; says whether it had to.
pub fn start(place: &Place, service: &Service, env: &[(OsString, OsString)]) -> Result<bool> {
    let mut launch = Launch::new(place, &service.user)?;
    launch.mode = service.probe.as_deref().map_or(Ok(Mode::None), Mode::parse)?;
    launch.env = service.env.iter().map(|(k, v)| (k.into(), v.into())).collect();
    launch.env.extend(env.iter().cloned());
    let job = job(place, &service.name)?;
    let _starting = job.start_lock()?;
    if matches!(job.state(), State::Running(_)) {
        return Ok(false);
    }
    job.forget(true);
    let mut runner = place.me(&["runner", "--keep", "tail", "--user", &service.user, "--job"]);
    runner.arg(job.folder());
    if let Some(cwd) = &service.cwd {
        runner.arg("--cwd").arg(cwd);
    }
    runner.arg("--").args(&service.args).env_clear().envs(launch.environment(place));
    start_runner(runner).map(|()| true)
}

fn print_status(place: &Place, name: &str, started: Option<bool>) -> Result<u8> {
    let job = job(place, name)?;
    let state = job.state();
    let (run, exit) = (state.run(), state.exit());
    let mut status = json!({
        "name": name,
        "state": state.word(),
        "pid": run.and_then(|r| r.pid),
        "started_at": run.map(|r| r.started_at),
        "exit": exit.map(|e| e.code),
        "signal": exit.and_then(|e| e.signal),
        "ended_at": exit.map(|e| e.ended_at),
        "log": job.log().to_string_lossy(),
    });
    if let (Some(started), Some(fields)) = (started, status.as_object_mut()) {
        fields.insert("started".to_owned(), started.into());
    }
    crate::print_json(&status)
}

fn log(place: &Place, name: &str) -> Result<u8> {
    let job = job(place, name)?;
    for path in [job.log().with_extension("1"), job.log()] {
        let Ok(mut file) = fs::File::open(path) else { continue };
        if std::io::copy(&mut file, &mut std::io::stdout()).is_err() {
            break;
        }
    }
    let _ = std::io::stdout().flush();
    Ok(0)
}

/// The gate file, when the specification names one; a bare name lies in the state folder.
fn gate_file(place: &Place, spec: &Spec) -> Result<Option<PathBuf>> {
    Ok(match &spec.gate {
        None => None,
        Some(gate) => Some(place.state()?.join(gate)),
    })
}

/// Whether the service may start at once.
pub fn gate_is_open(place: &Place, spec: &Spec) -> bool {
    gate_file(place, spec).is_ok_and(|gate| gate.is_none_or(|gate| gate.exists()))
}

fn set_gate(place: &Place, spec: &Spec, open: bool) -> Result<()> {
    let Some(gate) = gate_file(place, spec)? else { return Ok(()) };
    if open {
        if let Some(folder) = gate.parent() {
            fs::create_dir_all(folder).map_err(|e| Failure::system(format_args!("make {}", folder.display()), e))?;
        }
        return write_whole(&gate, b"", 0o644);
    }
    match fs::remove_file(&gate) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::system("close the gate", error)),
        _ => Ok(()),
    }
}

/// `gate open | close | status`
pub fn gate(place: &Place, words: Vec<OsString>) -> Result<u8> {
    let spec = Spec::load(place)?;
    match Args::parse(words, &[])?.word("verb")?.as_str() {
        "open" => set_gate(place, &spec, true)?,
        "close" => set_gate(place, &spec, false)?,
        "status" => {}
        _ => return Err(Failure::usage("gate open | close | status; see inside/README.md")),
    }
    crate::print_json(&json!({"gate": spec.gate, "open": gate_is_open(place, &spec)}))
}
