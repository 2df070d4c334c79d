//! The processes of a terminal, and their end when nobody sits there any more.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between the hang-up and the end of whoever did not hear it.
const GRACE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);
/// New processes may appear while we count; no longer than this.
const ROUNDS: usize = 50;

/// After the terminal was hung up: waits until nobody of its session is left, and ends whoever stays. Who ignores the
/// hang-up on purpose (`nohup`) may stay.
pub fn clear(leader: u32) {
    let begun = Instant::now();
    while begun.elapsed() < GRACE {
        if members(leader).is_empty() {
            return;
        }
        sleep(PAUSE);
    }
    for _ in 0..ROUNDS {
        let left = members(leader);
        if left.is_empty() {
            return;
        }
        for pid in left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        sleep(PAUSE);
    }
}

/// The processes of a session that end when their terminal does.
fn members(leader: u32) -> Vec<i32> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        is_of(&read("stat"), leader) && !ignores_hang_up(&read("status"))
    })
    .collect()
}

/// Whether it lives, in this session: the first and the fourth field behind the command name, which may hold blanks
/// and brackets itself.
fn is_of(stat: &str, leader: u32) -> bool {
    let Some((_, fields)) = stat.rsplit_once(')') else { return false };
    let mut fields = fields.split_whitespace();
    let is_alive = fields.next().is_some_and(|state| !matches!(state, "Z" | "X"));
    is_alive && fields.nth(2).and_then(|session| session.parse().ok()) == Some(leader)
}

fn ignores_hang_up(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_by_its_leader() {
        assert!(is_of("17 (a) b (c) S 1 17 12 0 -1", 12));
        assert!(!is_of("17 (sh) S 1 12 17 0 -1", 12));
        assert!(!is_of("17 (sh) Z 1 17 12 0 -1", 12));
        assert!(!is_of("", 12));
    }

    #[test]
    fn nohup_is_seen() {
        assert!(ignores_hang_up("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hang_up("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hang_up(""));
    }
}
