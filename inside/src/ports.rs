//! `inside ports`: who listens, from /proc/net.

use crate::args::{Args, Opt};
use crate::failure::Result;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Docker's own name server lives in every container on a network of ours; it is nobody's port.
const ENGINE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listener {
    port: u16,
    address: IpAddr,
    uid: u32,
    inode: u64,
}

/// One line of output.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    port: u16,
    address: IpAddr,
    uid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<&'a Process>,
}

/// Who holds the socket, where we may know it.
#[derive(Clone, Serialize)]
struct Process {
    pid: u32,
    name: String,
}

/// Prints once, or whenever something changes.
pub fn command(words: Vec<OsString>) -> Result<u8> {
    let args = Args::parse(words, &[&[Opt::Flag("watch")]])?;
    args.no_words()?;
    if !args.has("watch") {
        let now = listeners();
        let holders = holders(&now);
        for listener in &now {
            print(None, listener, holders.get(&listener.inode))?;
        }
        return Ok(0);
    }
    let mut known: BTreeMap<(u16, IpAddr), (Listener, Option<Process>)> = BTreeMap::new();
    loop {
        let now: BTreeMap<_, _> = listeners().into_iter().map(|l| ((l.port, l.address), l)).collect();
        for (_, (listener, process)) in known.extract_if(.., |key, _| !now.contains_key(key)) {
            print(Some("closed"), &listener, process.as_ref())?;
        }
        let fresh: Vec<Listener> =
            now.into_iter().filter(|(key, _)| !known.contains_key(key)).map(|(_, l)| l).collect();
        let holders = holders(&fresh);
        for listener in fresh {
            let process = holders.get(&listener.inode).cloned();
            print(Some("opened"), &listener, process.as_ref())?;
            known.insert((listener.port, listener.address), (listener, process));
        }
        std::thread::sleep(Duration::from_secs(1));
        crate::still_read()?;
    }
}

fn print(event: Option<&str>, listener: &Listener, process: Option<&Process>) -> Result<()> {
    let Listener { port, address, uid, .. } = *listener;
    crate::print_json(&Line { event, port, address, uid, process }).map(|_| ())
}

fn listeners() -> Vec<Listener> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut found = parse(&read("/proc/net/tcp"));
    found.extend(parse(&read("/proc/net/tcp6")));
    found.retain(|listener| listener.address != ENGINE);
    found.sort();
    found.dedup_by_key(|listener| (listener.port, listener.address));
    found
}

/// The listening lines of /proc/net/tcp and tcp6.
fn parse(table: &str) -> Vec<Listener> {
    let line = |line: &str| -> Option<Listener> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        if *fields.get(3)? != "0A" {
            return None;
        }
        Some(Listener {
            port: u16::from_str_radix(port, 16).ok()?,
            address: address_of(address)?,
            uid: fields.get(7)?.parse().ok()?,
            inode: fields.get(9)?.parse().ok()?,
        })
    };
    table.lines().skip(1).filter_map(line).collect()
}

/// The kernel prints addresses as native-endian words of 32 bits.
fn address_of(hex: &str) -> Option<IpAddr> {
    let words =
        (0..hex.len()).step_by(8).map(|at| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes));
    let bytes: Vec<u8> = words.collect::<Option<Vec<_>>>()?.concat();
    if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(IpAddr::V4(Ipv4Addr::from(four)));
    }
    let six = Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?);
    Some(six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4))
}

/// Socket inode to process. Other users' processes are often closed to us, even to root in a container; then there is
/// no answer.
fn holders(wanted: &[Listener]) -> HashMap<u64, Process> {
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return found;
    }
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let target = target.to_string_lossy();
            let inode = target.strip_prefix("socket:[").and_then(|t| t.strip_suffix(']')).and_then(|t| t.parse().ok());
            if let Some(inode) = inode.filter(|inode| wanted.iter().any(|l| l.inode == *inode)) {
                let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
                found.entry(inode).or_insert(Process { pid, name });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_lines_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0 100 0 0 10 0\n   \
            1: 0100007F:1F91 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 12346 1 0 100 0 0 10 0\n";
        let found = parse(table);
        assert_eq!(found, [Listener { port: 8080, address: "127.0.0.1".parse().unwrap(), uid: 1000, inode: 12345 }]);
        assert_eq!(address_of("00000000000000000000000001000000"), Some("::1".parse().unwrap()));
        assert_eq!(address_of("0000000000000000FFFF00000100007F"), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(address_of("xyz"), None);
    }
}
