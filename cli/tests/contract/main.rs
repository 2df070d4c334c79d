//! What scripts rely on: exit codes, `--json`, standard output that may be closed, and patience with a
//! server that restarts behind a proxy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may stop where they stand"
)]

mod stub;

use std::io::{BufRead as _, Read as _};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use stub::{Reply, Request, events, ok, problem, proxy, run, serve, steading, told, workspace};

fn line(id: u32) -> (u32, Value) {
    (id, json!({ "stream": "build", "text": format!("line {id}"), "at": "2026-01-01T00:00:00Z" }))
}

fn phase(id: u32, phase: &str) -> (u32, Value) {
    (id, json!({ "event": "phase", "detail": { "phase": phase }, "at": "2026-01-01T00:00:00Z" }))
}

/// A server with one workspace that does at once what it is told.
fn obedient() -> String {
    let state = Mutex::new("running");
    serve(move |request: &Request| {
        let mut state = state.lock().unwrap();
        let shown = |state: &str| match state {
            "gone" => problem(404, "workspace-not-found"),
            state => ok(&workspace(state, state)),
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/workspaces") => ok(&json!({ "items": [workspace(&state, &state)] })),
            ("POST", "/resolve") => ok(&json!({ "because": "it is so", "kind": "template", "choices": [] })),
            ("POST", "/workspaces") => {
                *state = "running";
                shown("running")
            }
            ("GET", "/tokens") => ok(&json!({ "items": [] })),
            ("POST", "/tokens") => ok(&json!({ "id": "t1", "token": "secret" })),
            ("DELETE", "/tokens/t1") => ok(&Value::Null),
            ("POST", path) if path.ends_with("/exec") => ok(&json!({
                "exit_code": 7, "stdout": "out\n", "stderr": "err\n",
                "stdout_truncated": false, "stderr_truncated": false,
            })),
            ("POST", path) => {
                *state = if path.ends_with("/stop") { "stopped" } else { "running" };
                shown(&state)
            }
            ("DELETE", _) => {
                let last = ok(&workspace("deleting", "gone"));
                *state = "gone";
                last
            }
            (_, path) if path.ends_with("/logs") => events(&[line(1), line(2)]),
            (_, path) if path.ends_with("/events") => events(&[phase(1, &state)]),
            _ => shown(&state),
        }
    })
}

#[test]
fn every_command_speaks_json() {
    let server = obedient();
    let whole = |words: &[&str], code: i32| -> Value {
        let (stdout, stderr, ended) = told(&run(&server, words));
        assert_eq!(ended, Some(code), "{words:?}: {stderr}");
        serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{words:?} says no JSON ({e}): {stdout}"))
    };
    assert_eq!(whole(&["up", "https://example.com/a", "--json"], 0)["slug"], "quiet-fox");
    assert_eq!(whole(&["up", "https://example.com/a", "--json", "--detach"], 0)["slug"], "quiet-fox");
    assert_eq!(whole(&["resolve", "https://example.com/a", "--json"], 0)["kind"], "template");
    assert_eq!(whole(&["ls", "--json"], 0)[0]["slug"], "quiet-fox");
    assert_eq!(whole(&["show", "quiet-fox", "--json"], 0)["slug"], "quiet-fox");
    let opened = whole(&["open", "quiet-fox", "--print", "--port", "3000", "--json"], 0);
    assert_eq!(opened, json!({ "url": "http://3000-quiet-fox.localhost:8080/", "opened": false }));
    assert_eq!(whole(&["exec", "--json", "quiet-fox", "false"], 7)["exit_code"], 7);
    assert_eq!(whole(&["stop", "quiet-fox", "--json"], 0)["phase"], "stopped");
    assert_eq!(whole(&["start", "quiet-fox", "--json"], 0)["phase"], "running");
    assert_eq!(whole(&["rebuild", "quiet-fox", "--json"], 0)["phase"], "running");
    assert_eq!(whole(&["token", "create", "ci", "--json"], 0)["token"], "secret");
    assert_eq!(whole(&["token", "ls", "--json"], 0)["items"], json!([]));
    assert_eq!(whole(&["token", "rm", "t1", "--json"], 0), json!({ "id": "t1", "outcome": "revoked" }));
    let (stdout, ..) = told(&run(&server, &["logs", "quiet-fox", "--json"]));
    let texts: Vec<Value> = stdout.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["text"].clone()).collect();
    assert_eq!(texts, ["line 1", "line 2"]);
    let deleted = whole(&["rm", "--yes", "quiet-fox", "--json"], 0);
    assert_eq!(deleted, json!({ "id": "w1", "slug": "quiet-fox", "outcome": "deleted" }));
}

#[test]
fn a_rebuild_names_the_configuration_that_is_wished_for() {
    let server = serve(|request: &Request| match request.path.as_str() {
        "/workspaces/quiet-fox/rebuild" if request.body == r#"{"config":"b"}"# => ok(&workspace("pending", "running")),
        "/workspaces/quiet-fox/rebuild" => problem(422, "configuration-not-found"),
        _ => problem(404, "not-found"),
    });
    assert_eq!(run(&server, &["rebuild", "quiet-fox", "--config", "b", "--detach"]).status.code(), Some(0));
    let (_, stderr, code) = told(&run(&server, &["rebuild", "quiet-fox", "--config", "c", "--detach"]));
    assert!(
        code == Some(2) && stderr.contains("[configuration-not-found]") && stderr.contains("hint: do"),
        "{code:?}: {stderr}"
    );
}

#[test]
fn exec_gives_the_commands_exit_code_and_125_for_its_own_failures() {
    let server = obedient();
    let (stdout, stderr, code) = told(&run(&server, &["exec", "quiet-fox", "false"]));
    assert_eq!((stdout.as_str(), stderr.as_str(), code), ("out\n", "err\n", Some(7)));
    let refusing = serve(|_| problem(409, "workspace-not-running"));
    for (server, words) in [
        (refusing.as_str(), vec!["exec", "quiet-fox", "true"]),
        ("http://127.0.0.1:1", vec!["exec", "quiet-fox", "true"]),
        (server.as_str(), vec!["exec", "--env", "nonsense", "quiet-fox", "true"]),
        (server.as_str(), vec!["exec", "--nonsense"]),
    ] {
        let (_, stderr, code) = told(&run(server, &words));
        assert_eq!(code, Some(125), "{words:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
    assert_eq!(told(&run(&server, &["exec", "--help"])).2, Some(0));
    assert_eq!(told(&run(&server, &["ls", "--nonsense"])).2, Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let many: Vec<_> = (1..20_000).map(line).collect();
    let server = serve(move |_| events(&many));
    for words in [vec!["logs", "quiet-fox"], vec!["logs", "quiet-fox", "--json"], vec!["openapi"], vec!["config"]] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = steading(folder.path(), &words);
        command.env("STEADING_SERVER", &server).env("STEADING_TOKEN", "t");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut complaints = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert_eq!((complaints.as_str(), child.wait().unwrap().code()), ("", Some(141)), "{words:?}");
    }
}

/// What a proxy in front shows of a server that restarts: lines, its own errors, and then the rest.
fn restarting(resumed: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> String {
    let asked = AtomicU32::new(0);
    serve(move |request| match request.path.as_str() {
        path if path.ends_with("/logs") || path.ends_with("/events") => match asked.fetch_add(1, Ordering::SeqCst) {
            0 => resumed(request),
            1 => proxy(502),
            2 => proxy(503),
            3 => proxy(504),
            _ => resumed(request),
        },
        _ if (1..5).contains(&asked.load(Ordering::SeqCst)) => proxy(502),
        _ => ok(&workspace("running", "running")),
    })
}

#[test]
fn a_log_is_followed_across_a_restart_behind_a_proxy() {
    let server = restarting(|request| match request.after.as_str() {
        "0" => events(&[line(1), line(2)]),
        "2" => events(&[line(3)]),
        _ => problem(404, "workspace-not-found"),
    });
    let (stdout, stderr, code) = told(&run(&server, &["logs", "--follow", "quiet-fox"]));
    assert_eq!(stdout, "[build] line 1\n[build] line 2\n[build] line 3\n");
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.matches("trying again").count(), 1, "{stderr}");
    // One that never answered is not waited for.
    let (_, stderr, code) = told(&run(&serve(|_| proxy(502)), &["logs", "--follow", "quiet-fox"]));
    assert!(code == Some(4) && stderr.contains("[server-unreachable]"), "{stderr}");
}

#[test]
fn up_waits_for_a_server_that_restarts_behind_a_proxy() {
    let asked = AtomicU32::new(0);
    let server = serve(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", _) => ok(&workspace("resolving", "running")),
        (_, path) if path.ends_with("/logs") => events(&[]),
        (_, path) => match (asked.fetch_add(1, Ordering::SeqCst), path.ends_with("/events")) {
            (0..6, true) => proxy(502),
            (0..6, false) => proxy(503),
            (_, true) => events(&[phase(1, "running")]),
            (_, false) => ok(&workspace("running", "running")),
        },
    });
    let (stdout, stderr, code) = told(&run(&server, &["up", "https://example.com/a"]));
    assert_eq!((stdout.as_str(), code), ("http://quiet-fox.localhost:8080/\n", Some(0)), "{stderr}");
}

#[test]
fn a_warning_is_told_once() {
    let warned = json!({
        "event": "warned", "at": "2026-01-01T00:00:00Z",
        "detail": { "failure": { "code": "hook-failed", "message": "no luck", "hint": null } },
    });
    let server = serve(move |request| match request.path.as_str() {
        path if path.ends_with("/events") => events(&[(1, warned.clone()), phase(2, "running")]),
        path if path.ends_with("/logs") => events(&[]),
        _ => ok(&workspace("running", "running")),
    });
    let (_, stderr, _) = told(&run(&server, &["up", "https://example.com/a"]));
    assert_eq!(stderr.matches("no luck [hook-failed]").count(), 1, "{stderr}");
}

#[test]
fn commands_find_the_server_that_the_settings_of_the_folder_name() {
    let server = obedient();
    let folder = tempfile::tempdir().unwrap();
    let missing = steading(folder.path(), &["ls"]).output().unwrap();
    assert!(told(&missing).1.contains("[no-server]"), "{:?}", told(&missing));
    let missing = steading(folder.path(), &["sign-in"]).output().unwrap();
    assert!(told(&missing).1.contains("[no-server]"), "{:?}", told(&missing));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "looking for a server made something");

    std::fs::create_dir(folder.path().join("state")).unwrap();
    let local = json!({ "server": server, "token": "t" }).to_string();
    std::fs::write(folder.path().join("state/local.json"), local).unwrap();
    let by_flag = steading(folder.path(), &["ls", "--data-dir", "state"]).output().unwrap();
    assert!(told(&by_flag).0.contains("quiet-fox"), "{:?}", told(&by_flag));
    let by_variable = steading(folder.path(), &["ls"]).env("STEADING_SERVER__DATA_DIR", "state").output().unwrap();
    assert!(told(&by_variable).0.contains("quiet-fox"), "{:?}", told(&by_variable));
    std::fs::write(folder.path().join("steading.toml"), "[server]\ndata_dir = \"state\"\n").unwrap();
    let by_file = steading(folder.path(), &["ls"]).output().unwrap();
    assert!(told(&by_file).0.contains("quiet-fox"), "{:?}", told(&by_file));
}

#[test]
fn config_shows_the_tools_that_would_be_used() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join(".steading/ide")).unwrap();
    let shown = |key: &str| {
        let (stdout, stderr, _) = told(&steading(folder.path(), &["config"]).output().unwrap());
        stdout.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{stderr}")).to_owned()
    };
    std::fs::write(folder.path().join(".steading/ide/inside"), "").unwrap();
    let inside = shown("ide.inside");
    assert!(inside.contains(".steading/ide/inside\"") && inside.ends_with("found in the data folder"), "{inside}");
}

#[test]
fn a_server_without_tools_says_so_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = steading(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--data-dir", "state"]);
    command.env("STEADING_IDE__BUNDLE", "/nowhere/ide.tar").env("DOCKER_HOST", "unix:///nowhere.sock");
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(line.contains("/sign-in?link="), "{line}{log}");
    let said: Vec<&str> = log.lines().filter(|line| line.contains("ide.bundle names /nowhere/ide.tar")).collect();
    assert!(said.len() == 1 && said[0].contains("script/bootstrap"), "{log}");
}
