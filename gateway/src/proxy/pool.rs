//! Connections into containers that wait for the next request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use steading_core::WorkspaceId;

use super::line::Line;
use crate::cache::lock;
use crate::lanes;

/// A port of a workspace.
pub type Door = (WorkspaceId, u16);

/// The most that wait at one door; more than that are closed after use.
const MOST_AT_DOOR: usize = 64;

/// The most that wait on one lane.
const MOST: usize = 1024;

/// How long one waits.
const LONGEST: Duration = Duration::from_secs(30);

/// Connections that wait for the next request, each on the lane that opened it.
pub struct Pool(Box<[Mutex<Idle>]>);

#[derive(Default)]
struct Idle {
    /// The newest last: it is the least likely to have been closed by the other side.
    doors: HashMap<Door, Vec<(Line, Instant)>>,
    count: usize,
}

impl Pool {
    /// A pool that closes what waited too long, until it is dropped.
    pub fn new() -> Arc<Self> {
        let pool = Arc::new(Self((0..lanes::count()).map(|_| Mutex::default()).collect()));
        let weak: Weak<Self> = Arc::downgrade(&pool);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(LONGEST / 6);
            loop {
                tick.tick().await;
                let Some(pool) = weak.upgrade() else { break };
                pool.keep(|_, since| since.elapsed() < LONGEST);
            }
        });
        pool
    }

    /// A connection that can be used right now.
    pub async fn take(&self, door: Door) -> Option<Line> {
        loop {
            let mut line = self.pop(door)?;
            if line.is_ready().await {
                return Some(line);
            }
        }
    }

    fn pop(&self, door: Door) -> Option<Line> {
        let mut idle = lock(self.here());
        let (line, _) = idle.doors.get_mut(&door)?.pop()?;
        idle.count -= 1;
        Some(line)
    }

    /// Keeps a connection for later, if there is room.
    pub fn put(&self, door: Door, line: Line) {
        let mut idle = lock(self.here());
        if idle.count >= MOST {
            return;
        }
        let waiting = idle.doors.entry(door).or_default();
        if waiting.len() < MOST_AT_DOOR {
            waiting.push((line, Instant::now()));
            idle.count += 1;
        }
    }

    /// Closes what waits for a workspace, or all.
    pub fn forget(&self, id: Option<WorkspaceId>) {
        self.keep(|door, _| id.is_some_and(|id| door.0 != id));
    }

    fn keep(&self, which: impl Fn(&Door, &Instant) -> bool) {
        for lane in &self.0 {
            let mut gone = Vec::new();
            let mut idle = lock(lane);
            idle.doors.retain(|door, waiting| {
                gone.extend(waiting.extract_if(.., |(_, since)| !which(door, since)));
                !waiting.is_empty()
            });
            idle.count -= gone.len();
            drop(idle);
            // Closing a connection may run code of the runtime's: not under the lock.
            drop(gone);
        }
    }

    fn here(&self) -> &Mutex<Idle> {
        &self.0[lanes::here() % self.0.len()]
    }
}
