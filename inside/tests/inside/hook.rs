//! Once per key, whoever asks and whoever dies.

use crate::world::{Disk, World, eventually, runs, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_hook_runs_once_and_answers_the_same_for_ever() {
    let world = World::new();
    let count = world.path("count");
    let script = format!("echo one; echo two >&2; echo x >> {}; exit 3", count.display());
    for _ in 0..3 {
        let output = world.hook("k", &[], &script).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(text(&output.stdout), "one\ntwo\n");
    }
    assert_eq!(world.read("count"), "x\n");
    let late = world.hook("k", &["--from", "4"], "never").output().unwrap();
    assert_eq!(text(&late.stdout), "two\n");
    let status = world.json(&["hook", "status", "k"]);
    assert_eq!((&status["state"], &status["exit"], &status["bytes"]), (&"done".into(), &3.into(), &8.into()));
    assert_eq!(world.json(&["hook", "status", "other"])["state"], "absent");
    assert_eq!(world.run(&["hook", "follow", "other"]).status.code(), Some(69));
}

#[test]
fn callers_at_the_same_time_share_one_run() {
    let world = World::new();
    let script = format!("echo x >> {}; sleep 0.2; echo done", world.path("count").display());
    let callers: Vec<_> =
        (0..12).map(|_| world.hook("k", &[], &script).stdout(Stdio::piped()).spawn().unwrap()).collect();
    for caller in callers {
        let output = caller.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "done\n".to_owned()));
    }
    assert_eq!(world.read("count"), "x\n");
}

#[test]
fn output_is_followed_as_it_comes() {
    let world = World::new();
    let mut caller = world.hook("k", &[], "echo first; sleep 1; echo second").stdout(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let mut out = caller.stdout.take().unwrap();
    let mut first = [0; 6];
    out.read_exact(&mut first).unwrap();
    assert_eq!((&first, begun.elapsed() < Duration::from_millis(700)), (b"first\n", true));
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "second\n");
    assert!(caller.wait().unwrap().success());
}

#[test]
fn who_follows_alone_takes_over_from_the_last_one() {
    let world = World::new();
    let over = world.path("over");
    let script = format!("echo first; until [ -e {} ]; do sleep 0.01; done; echo last; exit 3", over.display());
    let mut gone = world.hook("k", &["--alone"], &script).stdout(Stdio::piped()).spawn().unwrap();
    eventually("it runs", || world.json(&["hook", "status", "k"])["bytes"] == 6);
    let beside = world.inside(&["hook", "follow", "k"]).stdout(Stdio::piped()).spawn().unwrap();
    let next = world.inside(&["hook", "follow", "k", "--from", "6", "--alone"]).stdout(Stdio::piped()).spawn().unwrap();
    eventually("the last one left", || gone.try_wait().unwrap().is_some());
    assert_eq!(gone.wait().unwrap().code(), Some(141));
    assert_eq!(world.json(&["hook", "status", "k"])["state"], "running");
    std::fs::write(over, "").unwrap();
    for (follower, said) in [(next, "last\n"), (beside, "first\nlast\n")] {
        let output = follower.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), said.to_owned()));
    }
    let late = world.run(&["hook", "follow", "k", "--alone"]);
    assert_eq!((late.status.code(), text(&late.stdout)), (Some(3), "first\nlast\n".to_owned()));
    assert_eq!(world.run(&["hook", "follow", "other", "--alone"]).status.code(), Some(69));
}

#[test]
fn a_hook_outlives_the_caller_that_started_it() {
    let world = World::new();
    let script = format!("sleep 0.4; echo ended; echo x >> {}", world.path("count").display());
    let mut caller = world.hook("k", &[], &script).stdout(Stdio::piped()).spawn().unwrap();
    eventually("it runs", || world.json(&["hook", "status", "k"])["state"] == "running");
    caller.kill().unwrap();
    caller.wait().unwrap();
    let again = world.hook("k", &[], &script).output().unwrap();
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(0), "ended\n".to_owned()));
    assert_eq!(world.read("count"), "x\n");
}

#[test]
fn a_killed_runner_is_an_interruption_and_may_begin_again() {
    let world = World::new();
    let script = format!("echo x >> {}; echo begun; sleep 30", world.path("count").display());
    let mut caller = world.hook("k", &[], &script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("it runs", || world.json(&["hook", "status", "k"])["bytes"] == 6);
    let pid = world.json(&["hook", "status", "k"])["pid"].as_i64().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let runner: i32 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
    kill(Pid::from_raw(runner), Signal::SIGKILL).unwrap();
    let mut said = String::new();
    caller.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(caller.wait().unwrap().code(), Some(125));
    assert!(said.contains("hook was interrupted"), "{said}");

    let asked = world.hook("k", &[], &script).output().unwrap();
    assert_eq!((asked.status.code(), text(&asked.stdout)), (Some(125), "begun\n".to_owned()));
    assert_eq!(world.json(&["hook", "status", "k"])["state"], "lost");
    assert_eq!(world.read("count"), "x\n");
    let again = world.hook("k", &["--again"], "echo anew").output().unwrap();
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(0), "anew\n".to_owned()));
    assert!(!runs(pid), "what an orphan was doing is ended before it is done again");
    let settled = world.hook("k", &["--again"], "echo no").output().unwrap();
    assert_eq!(text(&settled.stdout), "anew\n", "what ended is not begun again");
}

#[test]
fn a_hook_that_fills_the_disk_has_ended_as_it_did() {
    let world = World::new();
    let Some(_disk) = Disk::mount(world.path("state")) else { return };
    let (count, filler) = (world.path("count"), world.path("state/filler"));
    let script = format!("echo x >> {}; cat /dev/zero > {}; exit 3", count.display(), filler.display());
    for _ in 0..2 {
        let output = world.hook("k", &["--again"], &script).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
    let status = world.json(&["hook", "status", "k"]);
    assert_eq!((&status["state"], status["pid"].is_i64()), (&"done".into(), true), "{status}");
    assert_eq!(world.read("count"), "x\n");
    // Where there is no room for a record of its end, nothing is begun.
    let refused = world.hook("other", &[], &script).output().unwrap();
    assert_eq!((refused.status.code(), world.read("count").as_str()), (Some(71), "x\n"), "{refused:?}");
    std::fs::remove_file(filler).unwrap();
    let again = world.hook("other", &[], "exit 4").output().unwrap();
    assert_eq!(again.status.code(), Some(4), "{again:?}");
}

#[test]
fn a_hook_without_end_is_timed_out_or_killed_with_all_it_started() {
    let world = World::new();
    let begun = Instant::now();
    let output = world.hook("slow", &["--timeout", "0.3"], "echo a; sleep 60 & wait; echo b").output().unwrap();
    assert_eq!(output.status.code(), Some(124));
    assert_eq!(text(&output.stdout), "a\n[timed out after 0.3 s]\n");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(world.json(&["hook", "status", "slow"])["timed_out"], true);

    let deaf = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
    let mut caller = world.hook("deaf", &[], deaf).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    caller.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let pid = world.json(&["hook", "status", "deaf"])["pid"].as_i64().unwrap();
    let status = world.json(&["hook", "kill", "deaf", "--grace", "0.2"]);
    assert_eq!((&status["state"], &status["exit"], &status["signal"]), (&"done".into(), &137.into(), &9.into()));
    assert_eq!(caller.wait().unwrap().code(), Some(137));
    assert!(!runs(pid));
}

#[test]
fn what_a_hook_leaves_in_the_background_does_not_hold_it_up() {
    let world = World::new();
    let begun = Instant::now();
    let output = world.hook("k", &[], "(sleep 1; echo late) & echo now").output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "now\n".to_owned()));
    assert!(begun.elapsed() < Duration::from_millis(800));
    eventually("late output is kept", || text(&world.hook("k", &[], "").output().unwrap().stdout) == "now\nlate\n");
}

#[test]
fn all_output_before_the_end_is_there() {
    let world = World::new();
    let big = world.hook("big", &[], "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end").output().unwrap();
    assert_eq!((big.stdout.len(), big.stdout.ends_with(b"x\nend\n")), (3_000_005, true));
    let huge = world.hook("huge", &[], "head -c 20000000 /dev/zero; exit 7").output().unwrap();
    assert_eq!(huge.status.code(), Some(7));
    assert!(huge.stdout.len() < (16 << 20) + 200);
    assert!(text(&huge.stdout[16 << 20..]).contains("output limit reached"));
}

#[test]
fn environment_folder_and_words_arrive() {
    let world = World::new();
    let folder = world.path("").canonicalize().unwrap();
    let script = "echo $A $B ${C-none} ${STEADING_INSIDE-none} $PWD";
    let mut command =
        world.hook("k", &["--cwd", folder.to_str().unwrap(), "--env", "A=1 2", "--env", "C=x", "--unset", "C"], script);
    let output = command.env("B", "b").env("STEADING_INSIDE", "secret").output().unwrap();
    assert_eq!(text(&output.stdout), format!("1 2 b none none {}\n", folder.display()));

    let me = crate::world::me();
    let exact = world.run(&["hook", "run", "--key", "argv", "--user", &me, "--", "printf", "%s|", "a b", "$HOME"]);
    assert_eq!(text(&exact.stdout), "a b|$HOME|");
    let missing = world.run(&["hook", "run", "--key", "none", "--user", &me, "--", "no-such-command-here"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(text(&missing.stdout).contains("no-such-command"), "the reason is in the output: {missing:?}");
    let lost = world.hook("cwd", &["--cwd", "/no/such/folder"], "true").output().unwrap();
    assert!(text(&lost.stdout).contains("there is no folder /no/such/folder"), "{lost:?}");
}

#[test]
fn mistakes_run_nothing() {
    let world = World::new();
    let stranger = world.run(&["hook", "run", "--key", "k", "--user", "no-such-user", "--", "true"]);
    assert_eq!(stranger.status.code(), Some(67));
    assert!(text(&stranger.stderr).starts_with("inside: no-such-user: "), "{stranger:?}");
    let wordless = world.run(&["hook", "run", "--key", "k", "--user", "0"]);
    assert_eq!(wordless.status.code(), Some(64));
    assert_eq!(world.json(&["hook", "status", "k"])["state"], "absent");
}
