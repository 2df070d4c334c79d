//! The helper in real containers: terminals that end with whoever sat there, and rights that stay with it.

use std::time::Duration;

use futures::StreamExt as _;
use steading_core::pod::{Mount, PodSpec};
use steading_core::runtime::{Chunk, Exec, Process, Runtime as _};
use steading_runtime::conformance::{Trial, words};
use tokio::io::AsyncWriteExt as _;

use crate::world::{World, inside};

const BINARY: &str = "/opt/steading/bin/inside";

async fn world() -> Option<World> {
    let inside = inside()?;
    let world = World::with(|config| config.ide.inside = inside).await?;
    let folder = world.config.server.data_dir.join("ide");
    std::fs::create_dir_all(&folder).unwrap();
    let arch = world.docker.info().await.unwrap().arch;
    std::fs::write(folder.join(format!("steading-ide-{arch}.tar")), [0; 1024]).unwrap();
    Some(world)
}

/// A container with the helper in it.
async fn up<'a>(world: &'a World, change: impl FnOnce(&mut PodSpec)) -> Trial<'a> {
    let mut trial = world.trial();
    let tools = world.docker.tools().await.unwrap().into_iter();
    trial.spec.main.mounts.extend(tools.map(|tool| Mount::Tools { name: tool.name, target: tool.target }));
    change(&mut trial.spec);
    world.docker.up(&trial.spec).await.unwrap();
    trial
}

struct Terminal {
    process: Process,
    shown: String,
}

impl Terminal {
    async fn open(trial: &Trial<'_>) -> Self {
        let command = words(&[BINARY, "term", "--user", "root", "--size", "132x43"]);
        let exec = Exec { command, stdin: true, ..Exec::default() };
        Self { process: trial.runtime.exec(trial.id(), exec).await.unwrap(), shown: String::new() }
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) {
        let mut frame = vec![kind];
        frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend(payload);
        self.process.stdin.as_mut().unwrap().write_all(&frame).await.unwrap();
    }

    async fn shows(&mut self, what: &str) {
        while !self.shown.contains(what) {
            let next = tokio::time::timeout(Duration::from_secs(60), self.process.output.next()).await;
            match next.unwrap_or_else(|_| panic!("{what:?} is not in {:?}", self.shown)) {
                Some(Ok(Chunk::Stdout(bytes))) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                other => panic!("{other:?} after {:?}", self.shown),
            }
        }
        self.shown.clear();
    }
}

async fn ends(trial: &Trial<'_>, seconds: &str) {
    let (first, rest) = seconds.split_at(1);
    let script = format!("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c '^[{first}]{rest}$'");
    for _ in 0..100 {
        if trial.shell(&script).await.unwrap().stdout == "0\n" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("sleep {seconds} goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_ends_with_whoever_sat_there() {
    let Some(world) = world().await else { return };
    let trial = up(&world, |_| {}).await;
    let mut terminal = Terminal::open(&trial).await;
    terminal.send(1, b"stty size; tty\n").await;
    terminal.shows("43 132\r\n/dev/pts/").await;
    terminal.send(2, &[0, 100, 0, 30]).await;
    terminal.send(1, b"stty size\n").await;
    terminal.shows("30 100\r\n").await;
    terminal.send(1, b"exit 3\n").await;
    while terminal.process.output.next().await.is_some() {}
    assert_eq!(terminal.process.control.exit_code().await.unwrap(), 3);

    // A shell that waits, and a program that heeds no signal.
    for (seconds, program) in
        [("1001", "sleep 1001"), ("1002", "sh -c \"trap : HUP TERM INT; sleep 1002; sleep 1002\"")]
    {
        let mut terminal = Terminal::open(&trial).await;
        terminal.send(1, format!("echo beg''un; {program}\n").as_bytes()).await;
        terminal.shows("begun\r\n").await;
        drop(terminal);
        ends(&trial, seconds).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_were_dropped_are_the_helpers_alone() {
    let Some(world) = world().await else { return };
    let needed = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "SETPCAP", "KILL"];
    let trial = up(&world, |spec| {
        let told = format!(
            r#"{{"drop": ["{}"], "home_paths_to_chown": ["/workspaces"], "uid": null,
            "service": {{"name": "x", "user": "1234:1234", "args": ["sleep", "1003"]}}}}"#,
            needed.join("\", \"")
        );
        spec.main.env.insert("STEADING_INSIDE".to_owned(), told);
        spec.main.command = words(&[BINARY, "main"]);
        spec.main.cap_drop = words(&["ALL"]);
        spec.main.cap_add = words(&needed);
    })
    .await;
    let show = "grep ^Cap /proc/self/status | sed 's/\\t0*/0/' | tr '\\n' ' '";
    let none = "CapInh:0 CapPrm:0 CapEff:0 CapBnd:0 CapAmb:0 ";
    for user in ["1234:1234", "root"] {
        let ended = trial
            .run(Exec { command: words(&[BINARY, "as", "--user", user, "--", "sh", "-c", show]), ..Exec::default() });
        let ended = ended.await.unwrap();
        assert_eq!((ended.stdout.as_str(), ended.exit), (none, 0), "{user}: {ended:?}");
    }
    // What the engine starts for the helper has what the helper needs.
    let own = trial.shell("grep CapEff /proc/self/status").await.unwrap();
    assert!(own.stdout.trim_end() > "CapEff:\t0000000000000000", "{own:?}");
    let owner = trial.shell("stat -c %u /workspaces").await.unwrap();
    assert_eq!(owner.stdout, "1234\n", "a folder was not given to its user");
    // Whoever tries again, as root, becomes nobody and gains nothing; not even by telling the helper otherwise.
    let script = format!("STEADING_INSIDE={{}} {BINARY} as --user 1234:1234 -- id; {show}; touch /f && chown 1234 /f");
    let tried =
        Exec { command: words(&[BINARY, "as", "--user", "root", "--", "sh", "-c", &script]), ..Exec::default() };
    let tried = trial.run(tried).await.unwrap();
    assert_eq!(tried.stdout, none, "{tried:?}");
    assert!(tried.exit != 0 && tried.stderr.contains("not permitted"), "{tried:?}");
    // So has the service.
    let service = "grep CapBnd /proc/$(pgrep -x sleep)/status";
    for _ in 0..50 {
        let seen = trial.shell(service).await.unwrap();
        if seen.exit == 0 {
            assert_eq!(seen.stdout, "CapBnd:\t0000000000000000\n");
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the service does not run: {}", world.docker.output(trial.id(), 20).await.unwrap());
}
