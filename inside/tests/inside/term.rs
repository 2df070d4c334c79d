//! Terminals, on a real pty: `inside term` between two pipes.

use crate::world::{World, eventually, me, root, runs, text};
use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

struct Terminal {
    child: Child,
    input: Option<ChildStdin>,
    shown: Arc<Mutex<Vec<u8>>>,
    world: World,
}

impl Terminal {
    /// The shell of a user of ours, which is `/bin/sh`.
    fn open(options: &[&str]) -> Self {
        Self::of("tester", options)
    }

    fn of(user: &str, options: &[&str]) -> Self {
        let mut terminal = Self::silent(user, options);
        let mut output = terminal.child.stdout.take().unwrap();
        let shown = Arc::clone(&terminal.shown);
        thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        terminal
    }

    /// Nobody reads what it shows.
    fn silent(user: &str, options: &[&str]) -> Self {
        let world = World::new();
        fs::create_dir_all(world.path("root/etc")).unwrap();
        let passwd = format!("tester:x:{0}:{0}::/:/bin/sh\nclosed:x:{0}:{0}::/:/usr/sbin/nologin\n", me());
        fs::write(world.path("root/etc/passwd"), passwd).unwrap();
        let image = world.path("root").to_str().unwrap().to_owned();
        let mut command = world.inside(&["--root", &image, "term", "--user", user]);
        let command = command.args(options).env("PS1", "> ").env("HOME", "/").stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        Self { child, input, shown: Arc::default(), world }
    }

    fn send(&mut self, kind: u8, payload: &[u8]) {
        let mut frame = vec![kind];
        frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend(payload);
        self.input.as_mut().unwrap().write_all(&frame).unwrap();
    }

    fn typed(&mut self, line: &str) {
        self.send(1, line.as_bytes());
    }

    fn shown(&self) -> String {
        text(&self.shown.lock().unwrap())
    }

    fn shows(&self, what: &str) {
        let begun = Instant::now();
        while !self.shown().contains(what) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{what:?} is not in {:?}", self.shown());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The shell's pid, and one of a program in its foreground.
    fn begin(&mut self, program: &str) -> (i64, i64) {
        let file = self.world.path("pids").to_str().unwrap().to_owned();
        self.typed(&format!("echo $$ > {file}; sh -c 'echo $$ >> {file}; echo done >> {file}; {program}'\n"));
        eventually("the program runs", || self.world.read("pids").contains("done"));
        let pids = self.world.read("pids");
        let mut pids = pids.lines().map(|line| line.parse().unwrap_or(0));
        (pids.next().unwrap(), pids.next().unwrap())
    }

    fn end(mut self) -> Option<i32> {
        let status = self.child.wait().unwrap();
        // What was shown is whole only when its reader is done, too.
        eventually("the output ends", || Arc::strong_count(&self.shown) == 1);
        status.code()
    }
}

#[test]
fn a_shell_sits_at_a_terminal_of_its_size() {
    let mut terminal = Terminal::open(&["--size", "132x43", "--cwd", "/", "--env", "TERM=dumb"]);
    terminal.typed("tty | cut -c 1-9; stty size; stty -a | tr ' ' '\\n' | grep iutf8; echo $0 $TERM $PWD\n");
    terminal.shows("/dev/pts/\r\n43 132\r\niutf8\r\n-sh dumb /\r\n");
    terminal.send(2, &[0, 100, 0, 30]);
    terminal.typed("stty size\n");
    terminal.shows("\r\n30 100\r\n");
    terminal.typed("exit 3\n");
    assert_eq!(terminal.end(), Some(3));
}

#[test]
fn who_sits_there_can_interrupt() {
    let mut terminal = Terminal::open(&[]);
    let (_, sleeper) = terminal.begin("exec sleep 1000");
    assert!(runs(sleeper));
    terminal.typed("\x03");
    eventually("it is interrupted", || !runs(sleeper));
    terminal.typed("echo $((6 * 7))\n");
    terminal.shows("42\r\n");
    terminal.typed("kill -9 $$\n");
    assert_eq!(terminal.end(), Some(137));
}

#[test]
fn a_terminal_that_is_left_ends_all_of_its_session() {
    // One that hears of it, one that does not want to.
    for program in ["exec sleep 1000", "trap : HUP TERM; while :; do sleep 1; done"] {
        let mut terminal = Terminal::open(&[]);
        let (shell, below) = terminal.begin(program);
        assert!(runs(shell) && runs(below), "{program}");
        drop(terminal.input.take());
        terminal.end();
        eventually("nobody is left", || !runs(shell) && !runs(below));
    }
}

#[test]
fn what_is_to_outlive_the_terminal_does() {
    let mut terminal = Terminal::open(&[]);
    let file = terminal.world.path("kept").to_str().unwrap().to_owned();
    terminal.typed(&format!("nohup sh -c 'echo $$ > {file}; exec sleep 1000' > /dev/null 2>&1 &\n"));
    eventually("it runs", || terminal.world.read("kept").ends_with('\n'));
    let kept: i64 = terminal.world.read("kept").trim().parse().unwrap();
    drop(terminal.input.take());
    assert!(terminal.child.wait().is_ok());
    assert!(runs(kept), "nohup is for that");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(kept).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn a_terminal_nobody_reads_is_left_too() {
    let mut terminal = Terminal::silent("tester", &[]);
    let (shell, flood) = terminal.begin("exec yes");
    // Its output is stuck in a pipe that nobody empties; what is typed still arrives.
    thread::sleep(Duration::from_millis(300));
    terminal.typed("\x03");
    eventually("the flood is interrupted", || !runs(flood));
    assert!(runs(shell));
    drop(terminal.child.stdout.take());
    terminal.child.wait().unwrap();
    eventually("the shell has ended", || !runs(shell));
}

#[test]
fn a_terminal_with_a_full_backlog_hears_the_end() {
    let mut terminal = Terminal::open(&[]);
    let (shell, _) = terminal.begin("stty raw; exec sleep 1000");
    let mut input = terminal.input.take().unwrap();
    // More than anybody takes; the writer waits, and is cut off as a lost connection would be.
    nix::fcntl::fcntl(&input, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    let frame = [&[1, 0, 1, 0, 0][..], &[b'x'; 65536]].concat();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        match input.write(&frame) {
            // A frame that is cut keeps the rest of the bytes from being frames: send its tail first.
            Ok(n) if n < frame.len() => {
                let mut rest = &frame[n..];
                while !rest.is_empty() && begun.elapsed() < Duration::from_millis(500) {
                    rest = &rest[input.write(rest).unwrap_or_default()..];
                }
            }
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
    drop(input);
    terminal.end();
    eventually("nobody is left", || !runs(shell));
}

#[test]
fn bytes_go_through_unharmed_in_large_pastes() {
    let mut terminal = Terminal::open(&[]);
    let file = terminal.world.path("pasted").to_str().unwrap().to_owned();
    terminal
        .typed(&format!("stty raw -echo; printf re; printf ady; head -c 3000000 > {file}; stty sane; echo past''ed\n"));
    terminal.shows("ready");
    let sent: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    for piece in sent.chunks(50_000) {
        terminal.send(1, piece);
    }
    terminal.shows("pasted\r\n");
    assert!(fs::read(terminal.world.path("pasted")).unwrap() == sent, "other bytes arrived");
    // And the other way, with all of it before the end is told.
    let before = terminal.shown.lock().unwrap().len();
    terminal.typed(&format!("stty raw -echo; cat {file}; exit 0\n"));
    let shown = Arc::clone(&terminal.shown);
    drop(terminal.world.path("pasted"));
    let status = terminal.child.wait().unwrap();
    eventually("all is shown", || {
        let shown = shown.lock().unwrap();
        shown.len() >= before + sent.len() && shown.ends_with(&sent)
    });
    assert_eq!(status.code(), Some(0));
}

#[test]
fn riddles_are_explained_on_the_terminal() {
    let terminal = Terminal::of("alice", &[]);
    terminal.shows("no-such-user: there is no user \"alice\" in /etc/passwd; add the user to the image");
    assert_eq!(terminal.end(), Some(67));
    let terminal = Terminal::of("closed", &["--cwd", "/no/such/folder"]);
    terminal.shows("no-such-folder: there is no folder /no/such/folder\r\n");
    drop(terminal);
    if root() {
        // No passwd entry: a number is enough.
        let mut terminal = Terminal::of("4711:4712", &["--cwd", "/"]);
        terminal.typed("id -u; id -g; pwd; exit\n");
        terminal.shows("4711\r\n4712\r\n/\r\n");
        assert_eq!(terminal.end(), Some(0));
    }
}

#[test]
fn bytes_that_are_not_frames_end_it() {
    let mut terminal = Terminal::open(&[]);
    terminal.input.as_mut().unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(terminal.child.wait().unwrap().code(), Some(76));
    let world = World::new();
    assert_eq!(world.run(&["term", "--user", &me(), "--size", "wide", "--nonsense"]).status.code(), Some(64));
}
