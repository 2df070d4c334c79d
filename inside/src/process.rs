//! What /proc says about processes, and the signals sent to them.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Clock ticks between the boot of the machine and the start of a process: with the pid, it names one process for ever.
pub fn start_ticks(pid: i32) -> Option<u64> {
    ticks_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22, counted behind the command name, which may hold blanks and brackets itself.
fn ticks_in(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Names this start of the container: another after every stop and start.
pub fn start_id() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{}-{}", boot.trim(), start_ticks(1).unwrap_or_default())
}

/// Whether the process with this pid is still the one that started at these ticks.
pub fn alive(pid: i32, ticks: Option<u64>) -> bool {
    pid > 0 && start_ticks(pid).is_some_and(|now| ticks.is_none_or(|then| then == now))
}

/// Signals a whole process group, if its leader is still the one we mean.
pub fn signal_group(pid: i32, ticks: Option<u64>, signal: Signal) {
    if alive(pid, ticks) {
        // The leader may not have made its group yet; then it is alone.
        if killpg(Pid::from_raw(pid), signal).is_err() {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// Lets every signal through again: a blocked mask is inherited, and would make a child deaf.
pub fn hear_all_signals() {
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_cannot_confuse_the_fields() {
        let fields: Vec<String> = (3..=30).map(|n| n.to_string()).collect();
        assert_eq!(ticks_in(&format!("17 (a) b (c) {}", fields.join(" "))), Some(22));
        assert_eq!(ticks_in("nonsense"), None);
    }

    #[test]
    fn we_are_alive_and_nobody_else_is_us() {
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        let ticks = start_ticks(me);
        assert!(alive(me, ticks));
        assert!(!alive(me, ticks.map(|t| t + 1)));
        assert!(!alive(0, None));
    }
}
