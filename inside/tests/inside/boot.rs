//! The container's main program, its service and its gate.

use crate::world::{World, eventually, me, root, runs, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

struct Main {
    child: Child,
}

impl Main {
    fn start(world: &World, spec: &Value) -> Self {
        let mut command = world.inside(&["main"]);
        let child = command.env("STEADING_INSIDE", spec.to_string()).env("FROM_IMAGE", "yes").stderr(Stdio::piped());
        Self { child: child.spawn().unwrap() }
    }

    /// Stops it as the engine does; what it said.
    fn stop(mut self) -> (Option<i32>, Duration, String) {
        let begun = Instant::now();
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        let mut said = String::new();
        let status = self.child.wait().unwrap();
        let took = begun.elapsed();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut said).unwrap();
        (status.code(), took, said)
    }
}

fn service(args: &[&str]) -> Value {
    json!({"name": "ide", "user": me(), "args": args, "env": {"PORT": "1"}, "cwd": "/"})
}

#[test]
fn a_service_starts_at_once_and_stops_with_the_container() {
    let world = World::new();
    let out = world.path("out");
    let script =
        format!("echo $PORT $FROM_IMAGE ${{STEADING_INSIDE-none}} $PWD > {0}; echo talk; exec sleep 60", out.display());
    let main = Main::start(&world, &json!({"service": service(&["sh", "-c", &script]), "unknown": 1}));
    eventually("the service runs", || world.read("out") == "1 yes none /\n");
    let status = world.json(&["service", "status", "ide"]);
    assert_eq!(status["state"], "running");
    let pid = status["pid"].as_i64().unwrap();
    let found = world.json(&["service", "start", "ide"]);
    assert_eq!((&found["started"], &found["pid"]), (&false.into(), &pid.into()));
    assert_eq!(text(&world.run(&["service", "log", "ide"]).stdout), "talk\n");
    let (code, took, _) = main.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert!(!runs(pid));
}

#[test]
fn a_dead_service_is_known_and_started_again() {
    let world = World::new();
    let script = format!("echo x >> {}; echo $EXTRA; exit 9", world.path("count").display());
    let main = Main::start(&world, &json!({"service": service(&["sh", "-c", &script])}));
    eventually("it ends", || world.json(&["service", "status", "ide"])["exit"] == 9);
    let again = world.json(&["service", "start", "ide", "--env", "EXTRA=more"]);
    assert_eq!(again["started"], true);
    eventually("it ends again", || world.read("count") == "x\nx\n");
    eventually("its output is kept", || text(&world.run(&["service", "log", "ide"]).stdout) == "\nmore\n");
    assert_eq!(world.run(&["service", "start", "other"]).status.code(), Some(69));
    assert_eq!(main.stop().0, Some(0));
}

#[test]
fn a_service_stops_on_its_own_and_all_it_started() {
    let world = World::new();
    let main = Main::start(
        &world,
        &json!({"service": service(&["sh", "-c", "trap '' TERM; echo deaf; sleep 61 & sleep 62"])}),
    );
    eventually("it is deaf", || text(&world.run(&["service", "log", "ide"]).stdout) == "deaf\n");
    let stopped = world.json(&["service", "stop", "ide", "--grace", "0.1"]);
    assert_eq!((&stopped["state"], &stopped["exit"]), (&"done".into(), &137.into()));
    main.stop();
}

#[test]
fn the_gate_holds_the_service_back_until_it_is_opened() {
    let world = World::new();
    let spec = json!({"service": service(&["sleep", "60"]), "gate": "open-for-ide"});
    let main = Main::start(&world, &spec);
    eventually("the container is up", || world.run(&["gate", "status"]).status.success());
    assert_eq!(world.json(&["gate", "status"])["open"], false);
    assert_eq!(world.json(&["service", "status", "ide"])["state"], "absent");
    assert_eq!(world.json(&["service", "start", "ide", "--open-gate"])["started"], true);
    assert_eq!(world.json(&["gate", "status"])["open"], true);
    let (_, _, said) = main.stop();
    assert!(said.contains("ide waits for its gate"), "{said}");

    let main = Main::start(&world, &spec);
    eventually("the next start does not wait", || world.json(&["service", "status", "ide"])["state"] == "running");
    main.stop();
}

#[test]
fn the_command_of_the_image_may_end_and_is_stopped_its_way() {
    let world = World::new();
    let out = world.path("out");
    let script =
        format!("trap 'echo quit > {}; exit' QUIT; echo up > {0}; while :; do sleep 0.05; done", out.display());
    let command = json!({"user": me(), "args": ["sh", "-c", script], "stop_signal": "SIGQUIT"});
    let main = Main::start(&world, &json!({"command": command}));
    eventually("it runs", || world.read("out") == "up\n");
    let (code, took, _) = main.stop();
    assert_eq!((code, world.read("out").as_str()), (Some(0), "quit\n"));
    assert!(took < Duration::from_secs(1), "{took:?}");

    let main = Main::start(&world, &json!({"command": {"user": me(), "args": ["sh", "-c", "exit 4"]}}));
    std::thread::sleep(Duration::from_millis(200));
    let (code, _, said) = main.stop();
    assert_eq!(code, Some(0));
    assert!(said.contains("ended (exit status 4); the container stays"), "{said}");
}

#[test]
fn a_container_comes_up_whatever_it_is_told() {
    let world = World::new();
    let main = Main::start(&world, &json!({"service": 7}));
    std::thread::sleep(Duration::from_millis(100));
    let (code, _, said) = main.stop();
    assert_eq!(code, Some(0));
    assert!(said.contains("bad-spec"), "{said}");
    let main = Main::start(&world, &json!({"service": {"name": "ide", "user": "no-such-user", "args": ["x"]}}));
    std::thread::sleep(Duration::from_millis(100));
    let (_, _, said) = main.stop();
    assert!(said.contains("no-such-user"), "{said}");
}

#[test]
fn folders_are_given_to_the_user_of_the_service() {
    if !root() {
        return;
    }
    let world = World::new();
    let folder = world.path("volume");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    let spec = json!({
        "home_paths_to_chown": [folder.to_str().unwrap(), "/no/such"],
        "service": {"name": "ide", "user": "1234:1235", "args": ["sleep", "60"]},
    });
    let main = Main::start(&world, &spec);
    eventually("it changes hands", || {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(&folder).is_ok_and(|m| (m.uid(), m.gid()) == (1234, 1235))
    });
    main.stop();
}
