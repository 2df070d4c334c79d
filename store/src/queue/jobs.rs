//! The worker side of the queue.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apalis::prelude::{BackendExt as _, BoxDynError, WorkerBuilder, WorkerBuilderExt as _};
use futures::{FutureExt as _, StreamExt as _, stream};
use steading_core::queue::Job;
use steading_core::report;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::desk::{Delivery, Desk};
use super::{Backend, Ring, Ringer};
use crate::error::StoreError;

/// Between tries while the database does not answer, or after the queue's connection broke.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the queue may take to write its last acknowledgements.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A job's place among those that are at work. The default is a place that nobody counts.
#[derive(Debug, Default)]
pub struct Turn {
    of: Option<(Arc<Desk>, Job)>,
    places: Option<Arc<Semaphore>>,
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Turn {
    fn at(desk: Arc<Desk>, job: Job, places: Arc<Semaphore>, place: OwnedSemaphorePermit) -> Self {
        Self { of: Some((desk, job)), places: Some(places), place: Mutex::new(Some(place)) }
    }

    /// Waits for something, and leaves the place to others meanwhile: what waits costs its memory alone, and
    /// must not keep anything else from its turn. Afterwards it goes on at once, in a place if one is free.
    pub async fn aside<T>(&self, waiting: impl Future<Output = T>) -> T {
        drop(self.place().take());
        if let Some((desk, job)) = &self.of {
            desk.set_aside(*job);
        }
        let came = waiting.await;
        let free = self.places.as_ref().and_then(|places| places.clone().try_acquire_owned().ok());
        *self.place() = free;
        came
    }

    fn place(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears rings and has them handled.
#[derive(Debug)]
pub struct Jobs {
    ringer: Arc<Ringer>,
    concurrency: usize,
}

impl Jobs {
    pub(crate) fn new(ringer: Arc<Ringer>, concurrency: usize) -> Self {
        Self { ringer, concurrency: concurrency.max(1) }
    }

    /// Hands each job to the handler, with its turn, until the shutdown; then starts no more and returns once those under
    /// way have ended (the handler should watch the same token). Dropping it drops them.
    ///
    /// - One job is never handled twice at once by this process; other processes may, so the handler
    ///   takes the workspace's lease.
    /// - A ring that comes while its job is handled leads to another run: nothing is missed between the
    ///   handler's last look and its end.
    /// - The handler settles everything in the database. It gives an error only if the database does not
    ///   answer; then it is called again a second later.
    /// - Put time-outs inside the handler. A panic ends that run alone.
    pub async fn run<F, R>(self, handler: F, shutdown: CancellationToken)
    where
        F: Fn(Job, Arc<Turn>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let desk = self.ringer.desk.clone();
        let _open = Open::at(desk.clone());
        let quiet = CancellationToken::new();
        let work = async {
            work(&desk, self.concurrency, Arc::new(handler), &shutdown).await;
            quiet.cancel();
        };
        let listen = listen(&self.ringer, self.concurrency, &quiet);
        tokio::join!(work, listen);
    }
}

/// Keeps the desk open, and closes it even if the future is dropped.
struct Open(Arc<Desk>);

impl Open {
    fn at(desk: Arc<Desk>) -> Self {
        desk.open();
        Self(desk)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn work<F, R>(desk: &Arc<Desk>, concurrency: usize, handler: Arc<F>, shutdown: &CancellationToken)
where
    F: Fn(Job, Arc<Turn>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(concurrency));
    let mut running = JoinSet::new();
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, desk.next().await)
        };
        let (place, job) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = running.join_next() => continue,
            next = next => next,
        };
        // It is acquired unless the semaphore is closed, which it never is.
        let Ok(place) = place else { break };
        let turn = Arc::new(Turn::at(desk.clone(), job, places.clone(), place));
        let (desk, handler, shutdown) = (desk.clone(), handler.clone(), shutdown.clone());
        running.spawn(async move {
            attend(job, &turn, handler.as_ref(), &shutdown).await;
            desk.finish(job);
            drop(turn);
        });
    }
    while running.join_next().await.is_some() {}
}

/// Calls the handler until the database has answered it.
async fn attend<F, R>(job: Job, turn: &Arc<Turn>, handler: &F, shutdown: &CancellationToken)
where
    F: Fn(Job, Arc<Turn>) -> R,
    R: Future<Output = Result<(), StoreError>>,
{
    loop {
        // The handler is called inside, so that a panic before its first await is caught, too.
        match AssertUnwindSafe(async { handler(job, turn.clone()).await }).catch_unwind().await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::warn!(?job, error = %report::chain(&error), "the job is tried again");
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
            Err(_) => {
                tracing::error!(?job, "the handler panicked; the sweeper will ring again");
                return;
            }
        }
    }
}

/// Brings the rings that apalis delivers to the desk. A broken connection ends apalis' worker: then there
/// is a new one, under a new name.
async fn listen(ringer: &Ringer, concurrency: usize, quiet: &CancellationToken) {
    while !quiet.is_cancelled() {
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::now_v7().simple());
        let desk = ringer.desk.clone();
        let stop = quiet.clone().cancelled_owned().map(Ok::<(), std::io::Error>);
        let answer = move |ring: Ring| answer(desk.clone(), ring);
        let listening = match &ringer.backend {
            Backend::Sqlite(storage) => {
                let mut config = super::in_file::config();
                config.batch_size = concurrency;
                let storage = storage.clone().with_config(config);
                let worker = WorkerBuilder::new(name).backend(storage).concurrency(concurrency).build(answer);
                worker.run_until(stop).boxed()
            }
            Backend::Redis(redis) => {
                let config = redis.storage.get_config().clone().batch_size(concurrency);
                let woken = Arc::new(Notify::new());
                let rings = stream::unfold(woken.clone(), |woken| async move {
                    woken.notified().await;
                    Some(((), woken))
                });
                let storage = redis.storage.clone().with_config(config).poll_with_stream(rings.boxed());
                let worker = WorkerBuilder::new(name).backend(storage).concurrency(concurrency).build(answer);
                let listening = worker.run_until(stop);
                async move {
                    tokio::select! {
                        ended = listening => ended,
                        () = redis.hear(woken) => Ok(()),
                    }
                }
                .boxed()
            }
        };
        let ended = tokio::select! {
            ended = listening => ended,
            () = async { quiet.cancelled().await; tokio::time::sleep(LAST_WORDS).await } => return,
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "the queue does not answer; rings of this process are still heard");
        }
        tokio::select! {
            () = quiet.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn answer(desk: Arc<Desk>, ring: Ring) -> Result<(), BoxDynError> {
    match desk.deliver(ring) {
        Delivery::Answered => Ok(()),
        // An error leaves the job to the next worker that asks.
        Delivery::Wait(done) => done.await.map_err(Into::into),
    }
}
