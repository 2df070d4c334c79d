//! Threads that carry connections, one for each processor.
//!
//! A connection stays on one of them for life, and so do the connections into containers that its
//! requests use: whatever it waits for wakes the thread that is at it already. Threads that share all
//! connections wake each other for nearly every request.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

thread_local! {
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// The number of the lane that this thread is; 0 elsewhere.
pub fn here() -> usize {
    HERE.get()
}

/// How many there are.
pub fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The threads. They end when this is dropped, and what is still under way on them with them.
pub struct Lanes(Vec<Lane>);

struct Lane {
    handle: Handle,
    /// Connections on it.
    busy: Arc<AtomicUsize>,
    _end: oneshot::Sender<()>,
}

/// A connection's place on a lane.
pub struct Place {
    pub handle: Handle,
    busy: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// Starts the threads.
    pub fn start() -> io::Result<Self> {
        (0..count()).map(Lane::start).collect::<io::Result<Vec<_>>>().map(Self)
    }

    /// A place on the lane that has the fewest connections.
    pub fn place(&self) -> Option<Place> {
        let lane = self.0.iter().min_by_key(|lane| lane.busy.load(Ordering::Relaxed))?;
        lane.busy.fetch_add(1, Ordering::Relaxed);
        Some(Place { handle: lane.handle.clone(), busy: Arc::clone(&lane.busy) })
    }
}

impl Lane {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        thread::Builder::new().name(format!("lane-{number}")).spawn(move || {
            HERE.set(number);
            // The sender says nothing; it is dropped.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, busy: Arc::default(), _end: end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_spread_and_stay_where_they_are() {
        let lanes = Lanes::start().unwrap();
        let places: Vec<Place> = (0..2 * count()).map(|_| lanes.place().unwrap()).collect();
        let mut seen = Vec::new();
        for place in &places {
            seen.push(place.handle.spawn(async { here() }).await.unwrap());
        }
        for lane in 0..count() {
            assert_eq!(seen.iter().filter(|at| **at == lane).count(), 2, "{seen:?}");
        }
        drop(places);
        assert!(lanes.0.iter().all(|lane| lane.busy.load(Ordering::Relaxed) == 0));
    }
}
