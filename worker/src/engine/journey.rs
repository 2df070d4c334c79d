//! One workspace under one lease: what is known of it, and the loop that brings it to rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use steading_core::event::EventKind;
use steading_core::image::ImageRef;
use steading_core::log::LogSink;
use steading_core::plan::{self, Step};
use steading_core::runtime::{ImageInfo, InstanceId, Observed};
use steading_core::workspace::Change;
use steading_core::{Desired, Phase, Workspace, WorkspaceId};
use steading_source::{Checkout, GitError};
use steading_store::{Feed, Lease, StoreError, Turn};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::failed::circling;
use super::hooks::stay;
use super::{Rest, credential, retry, step};
use crate::account::Owner;
use crate::context::{Context, Driving, Handing};
use crate::error::{In as _, Trouble};
use crate::probe;

mod failed;

/// How long a look at the runtime is good for while steps change nothing about containers. A container
/// that dies meanwhile stirs us, or fails the next step.
const FRESH: Duration = Duration::from_secs(3);
/// How long a service that is up may take to answer before somebody sees to it.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same step so often in a row, each time with success, is no progress.
const CIRCLES: u32 = 5;

/// A checkout that is being packed, and for whom.
pub(super) struct Packing {
    pub(super) owner: Owner,
    pub(super) archive: JoinHandle<Result<Checkout, GitError>>,
}

impl Drop for Packing {
    fn drop(&mut self) {
        self.archive.abort();
    }
}

/// One workspace under one lease.
pub(super) struct Journey<'a> {
    pub(super) context: &'a Context,
    /// Our place among those that are at work.
    pub(super) turn: &'a Turn,
    pub(super) ws: Workspace,
    pub(super) log: Arc<dyn LogSink>,
    /// The image that is to be started, as Build saw it.
    pub(super) image: Option<(ImageRef, ImageInfo)>,
    /// The checkout, begun while the container starts.
    pub(super) packing: Option<Packing>,
    lease: Lease,
    lost: CancellationToken,
    stop: &'a CancellationToken,
    driving: Driving<'a>,
    feed: Receiver<Feed>,
    sight: Option<(Observed, Instant)>,
    /// The start of the container in which every service has answered us.
    answered: Option<(InstanceId, DateTime<Utc>)>,
    /// The credentials that this journey has tried to hand over.
    pub(super) tried: Option<Handing>,
    circle: (Option<Step>, u32),
}

/// What a step that succeeded leaves to be recorded.
#[derive(Default)]
pub(super) struct Done {
    pub(super) changes: Vec<Change>,
    pub(super) events: Vec<EventKind>,
}

impl From<Change> for Done {
    fn from(change: Change) -> Self {
        Self { changes: vec![change], events: Vec::new() }
    }
}

/// Why a step did not come to its end.
enum Cut {
    Changed,
    Lost,
    Stop,
}

impl<'a> Journey<'a> {
    pub(super) async fn begin(
        context: &'a Context,
        lease: Lease,
        turn: &'a Turn,
        lost: CancellationToken,
        stop: &'a CancellationToken,
    ) -> Result<Self, StoreError> {
        let id = lease.workspace();
        // We listen before we read, so that no change of mind falls between the two.
        let feed = context.store.feed().subscribe();
        let ws = context.store.workspaces().load(id).await?;
        Ok(Self {
            context,
            turn,
            ws,
            log: context.store.logs().sink(id),
            image: None,
            packing: None,
            lease,
            lost,
            stop,
            driving: context.driving(id),
            feed,
            sight: None,
            answered: None,
            tried: None,
            circle: (None, 0),
        })
    }

    pub(super) const fn id(&self) -> WorkspaceId {
        self.lease.workspace()
    }

    /// Records changes and events; nothing is written if there are none.
    pub(super) async fn record(&mut self, changes: Vec<Change>, events: Vec<EventKind>) -> Result<(), StoreError> {
        if !changes.is_empty() || !events.is_empty() {
            let had_two = self.ws.facts.last.is_some();
            let now = self.context.store.workspaces().record(&self.lease, &self.ws, changes, events).await?;
            self.know(now);
            if had_two && self.ws.facts.last.is_none() {
                // One of the images is nobody's now.
                self.context.untidy.notify_one();
            }
        }
        Ok(())
    }

    /// The changes that show a phase, unless it shows already. What people may enter has taken the place of
    /// what was before a rebuild.
    pub(super) fn showing(&self, phase: Phase) -> Vec<Change> {
        let mut changes = if self.ws.phase == phase { Vec::new() } else { vec![Change::Phase(phase)] };
        if phase == Phase::Running && self.ws.facts.last.is_some() {
            changes.push(Change::Replaced);
        }
        changes
    }

    /// Brings the workspace to rest.
    pub(super) async fn settle(&mut self) -> Result<Rest, StoreError> {
        loop {
            if self.stop.is_cancelled() {
                return Ok(Rest::Stopped);
            }
            match self.round().await {
                Ok(Some(rest)) => return Ok(rest),
                Ok(None) => {}
                // The owner changed their mind between our look and our write.
                Err(StoreError::Conflict(_)) => self.reload().await?,
                Err(error) => return Err(error),
            }
        }
    }

    async fn reload(&mut self) -> Result<(), StoreError> {
        while self.feed.try_recv().is_ok() {}
        let now = self.context.store.workspaces().load(self.id()).await?;
        self.know(now);
        Ok(())
    }

    /// Goes on with a newer record. What was made for a rebuild before the one it tells of is void.
    fn know(&mut self, now: Workspace) {
        if now.rebuilds != self.ws.rebuilds {
            (self.image, self.packing) = (None, None);
        }
        self.ws = now;
    }

    /// Shows what was decided; `false` if the record tells of another wish than the one it was decided for.
    async fn show(&mut self, changes: Vec<Change>) -> Result<bool, StoreError> {
        let decided_for = self.ws.generation;
        self.record(changes, Vec::new()).await?;
        let stands = self.ws.generation == decided_for;
        if !stands {
            self.sight = None;
        }
        Ok(stands)
    }

    /// Looks, plans and takes one step; `Some` at rest.
    async fn round(&mut self) -> Result<Option<Rest>, StoreError> {
        let seen = match self.look().await {
            Ok(seen) => seen,
            Err(trouble) => match plan::waiting(&self.ws, Utc::now()) {
                // Looked before it was time, to see whether all is well again: it is not.
                Some(wait) => return Ok(Some(Rest::Waiting(wait))),
                None => return self.failed(retry::LOOK, trouble, false).await,
            },
        };
        let (step, seen) = self.next(seen).await;
        credential::deliver(self, &seen).await;
        match step {
            Step::Wait(wait) => return Ok(Some(Rest::Waiting(wait))),
            Step::Settle(Phase::Deleted) => {
                self.record(self.showing(Phase::Deleted), Vec::new()).await?;
                self.context.store.workspaces().purge(&self.lease).await?;
                self.context.untidy.notify_one();
                return Ok(Some(Rest::Settled(Phase::Deleted)));
            }
            Step::Settle(phase) => {
                if !self.rest(phase).await? {
                    return Ok(None);
                }
                if phase == Phase::Running {
                    stay::resume(self, &seen).await;
                }
                // Our own doings stir, too; a look tells them from a container that died.
                if self.driving.take_stirred() {
                    self.sight = None;
                    if self.next_is_other(phase).await {
                        return Ok(None);
                    }
                }
                return Ok(Some(Rest::Settled(phase)));
            }
            _ => {}
        }
        self.circle = match self.circle.0.take() {
            Some(last) if last == step => (Some(last), self.circle.1 + 1),
            _ => (Some(step.clone()), 1),
        };
        if self.circle.1 > CIRCLES {
            self.circle = (None, 0);
            return self.failed(step.name(), circling(&step), false).await;
        }
        self.take(step, seen).await
    }

    async fn take(&mut self, step: Step, seen: Observed) -> Result<Option<Rest>, StoreError> {
        let name = step.name();
        if !matches!(step, Step::Up) {
            // Up shows its phase together with what it is about to ask for.
            let shown = plan::phase(&self.ws, &seen, &step);
            let mut changes = self.showing(shown);
            if let Some((instance, started_at)) = self.ws.facts.new_start(&seen) {
                // Somebody else may have started it: what was public is not so for ever by oversight.
                self.context.store.ports().fall_back(self.id()).await?;
                changes.push(Change::Started(instance, started_at));
            }
            if !self.show(changes).await? {
                return Ok(None);
            }
        }
        let began = Instant::now();
        let (stop, lost) = (self.stop, self.lost.clone());
        let (store, id, generation) = (self.context.store.clone(), self.id(), self.ws.generation);
        // Ours has heard everything since the record was read; the next one starts to listen now.
        let mut feed = std::mem::replace(&mut self.feed, store.feed().subscribe());
        let changed = async {
            loop {
                let is_ours = match feed.recv().await {
                    Ok(Feed::Workspace(other)) => other == id,
                    Ok(Feed::Lost) | Err(RecvError::Lagged(_)) => true,
                    Ok(_) => false,
                    Err(RecvError::Closed) => std::future::pending().await,
                };
                if is_ours
                    && let Ok(now) = store.workspaces().load(id).await
                    && now.generation != generation
                {
                    return;
                }
            }
        };
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => Err(Cut::Stop),
            () = lost.cancelled() => Err(Cut::Lost),
            done = step::run(self, &step, &seen) => Ok(done),
            () = changed => Err(Cut::Changed),
        };
        tracing::debug!(workspace.id = %self.id(), step = name, duration_ms = began.elapsed().as_millis(), "a step was taken");
        match outcome {
            Err(Cut::Stop) => return Ok(Some(Rest::Stopped)),
            Err(Cut::Lost) => return Err(StoreError::LostLease),
            Err(Cut::Changed) => {
                self.sight = None;
                self.reload().await?;
                return Ok(None);
            }
            Ok(Err(trouble)) => {
                self.sight = None;
                let were_open = self.ws.facts.were_open(&seen);
                return self.failed(name, trouble, were_open).await;
            }
            Ok(Ok(mut done)) => {
                if self.ws.retry.as_ref().is_some_and(|retry| retry.step == name || retry.step == retry::LOOK) {
                    done.changes.push(Change::Recovered);
                }
                self.record(done.changes, done.events).await?;
            }
        }
        if matches!(step, Step::Up | Step::Pause | Step::Resume | Step::Down | Step::Remove) {
            self.sight = None;
        }
        Ok(None)
    }

    /// Shows a phase at rest; `false` if somebody changed their mind meanwhile.
    async fn rest(&mut self, phase: Phase) -> Result<bool, StoreError> {
        let mut changes = self.showing(phase);
        // What was to be tried again is not wanted any more, or went away by itself.
        if self.ws.retry.is_some() {
            changes.push(Change::Recovered);
        }
        self.show(changes).await
    }

    async fn next_is_other(&mut self, phase: Phase) -> bool {
        match self.look().await {
            Ok(seen) => self.next(seen).await.0 != Step::Settle(phase),
            // A look that fails now is tried again in the next round, which tells of it.
            Err(_) => true,
        }
    }

    /// What the runtime shows; not asked for where the record alone decides.
    async fn look(&mut self) -> Result<Observed, Trouble> {
        let ws = &self.ws;
        let facts = &ws.facts;
        let is_known = facts.resolution.is_some() && facts.image.is_some() && ws.spec.is_some();
        if ws.desired == Desired::Running && (ws.failure.is_some() || !is_known) {
            return Ok(Observed::default());
        }
        let stirred = self.driving.take_stirred();
        if let Some((seen, at)) = &self.sight
            && !stirred
            && at.elapsed() < FRESH
        {
            return Ok(seen.clone());
        }
        let asked = Instant::now();
        let seen = self.context.runtime.observe(self.id()).await.in_step(retry::LOOK)?;
        self.sight = Some((seen.clone(), asked));
        Ok(seen)
    }

    /// The next step. Services are asked only where everything before them is there.
    async fn next(&mut self, mut seen: Observed) -> (Step, Observed) {
        let step = plan::next(&self.ws, &seen, Utc::now());
        if step != Step::Open || !self.services_answer(&seen).await {
            return (step, seen);
        }
        seen.services = self.all_services();
        (plan::next(&self.ws, &seen, Utc::now()), seen)
    }

    fn all_services(&self) -> BTreeMap<steading_core::service::ServiceName, bool> {
        let services = self.ws.spec.iter().flat_map(|spec| &spec.services);
        services.map(|service| (service.name.clone(), true)).collect()
    }

    async fn services_answer(&mut self, seen: &Observed) -> bool {
        let (Some(instance), Some(started_at)) = (seen.instance.clone(), seen.started_at) else { return false };
        let start = (instance, started_at);
        if self.answered.as_ref() == Some(&start) {
            return true;
        }
        // One that runs is asked once, so that looking at it costs no step; for all else there is Open,
        // which waits.
        if self.ws.phase != Phase::Running {
            return false;
        }
        for service in self.ws.spec.iter().flat_map(|spec| &spec.services) {
            let asked = probe::ask(self.context.runtime.as_ref(), self.id(), service);
            let answer = tokio::time::timeout(PATIENCE, asked).await;
            if !matches!(answer, Ok(Ok(probe::Answer::Ready))) {
                return false;
            }
        }
        self.answered = Some(start);
        true
    }

    /// Remembers that every service answers in this start of the container.
    pub(super) fn all_answered(&mut self, seen: &Observed) {
        self.answered = seen.instance.clone().zip(seen.started_at);
    }
}
