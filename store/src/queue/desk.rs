//! Where rings arrive in a process that does jobs: each job is done by one handler at a time, a ring
//! that comes before the handler starts is part of that run, one that comes later leads to another run.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use steading_core::queue::Job;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::Ring;

/// So many answered rings are remembered until apalis delivers them, too. Forgetting one costs a look.
const ANSWERED: usize = 8192;

/// What became of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nobody does jobs in this process.
    Nobody,
    /// It is at the desk.
    Here,
    /// An earlier ring for the same job waits at the desk and is kept by apalis as well.
    Coalesced,
}

#[derive(Debug, Default)]
pub(crate) struct Desk {
    state: Mutex<State>,
    rung: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// How many `Jobs` are running.
    open: usize,
    waiting: VecDeque<Job>,
    slots: HashMap<Job, Slot>,
    answered: HashSet<Uuid>,
    answered_order: VecDeque<Uuid>,
}

/// A job that waits or runs.
#[derive(Debug, Default)]
struct Slot {
    running: bool,
    /// Rings that the next run answers. A job that waits has at least one.
    next: Vec<Uuid>,
    /// Rings that the present run answers.
    now: Vec<Uuid>,
    /// The delivery that is not acknowledged before the job is done.
    delivery: Option<oneshot::Sender<()>>,
    /// It waits for something, and none of its deliveries is kept: they would keep others from coming.
    aside: bool,
}

/// What to do with what apalis delivers.
pub(crate) enum Delivery {
    /// Acknowledge it.
    Answered,
    /// Acknowledge it once this resolves; not at all if it fails.
    Wait(oneshot::Receiver<()>),
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings in this process.
    pub(crate) fn ring(&self, ring: Ring) -> Heard {
        let mut state = self.state();
        if state.open == 0 {
            return Heard::Nobody;
        }
        let heard = state.ring(ring);
        drop(state);
        self.rung.notify_one();
        heard
    }

    /// A ring was delivered by apalis; perhaps it rang here already.
    pub(crate) fn deliver(&self, ring: Ring) -> Delivery {
        let mut state = self.state();
        if state.answered.remove(&ring.id) {
            return Delivery::Answered;
        }
        let known = state.slots.get(&ring.job).is_some_and(|s| s.next.contains(&ring.id) || s.now.contains(&ring.id));
        if !known {
            state.ring(ring);
        }
        let delivery = match state.slots.get_mut(&ring.job) {
            // One unacknowledged delivery keeps a job alive; more would only block others.
            Some(slot) if slot.delivery.is_none() && !slot.aside => {
                let (done, wait) = oneshot::channel();
                slot.delivery = Some(done);
                Delivery::Wait(wait)
            }
            _ => Delivery::Answered,
        };
        drop(state);
        self.rung.notify_one();
        delivery
    }

    /// A job that runs waits for something. What is to be done for a workspace is on record: should this
    /// process die meanwhile, the sweeper rings for it. A question is on no record, so its delivery is kept.
    pub(crate) fn set_aside(&self, job: Job) {
        if !matches!(job, Job::Drive { .. }) {
            return;
        }
        if let Some(slot) = self.state().slots.get_mut(&job) {
            slot.aside = true;
            if let Some(done) = slot.delivery.take() {
                let _ = done.send(());
            }
        }
    }

    /// Waits for a job that may be started.
    pub(crate) async fn next(&self) -> Job {
        loop {
            let rung = self.rung.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            if let Some(job) = self.state().start() {
                // Another one may wait for the same notification.
                self.rung.notify_one();
                return job;
            }
            rung.await;
        }
    }

    /// A job was done; if it rang in the meantime, it waits again.
    pub(crate) fn finish(&self, job: Job) {
        self.state().finish(job);
        self.rung.notify_one();
    }

    /// Somebody does jobs from now on.
    pub(crate) fn open(&self) {
        self.state().open += 1;
    }

    /// Nobody does jobs any more: what waits goes to other processes, by way of apalis.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.open = state.open.saturating_sub(1);
        if state.open == 0 {
            state.waiting.clear();
            state.slots.clear();
        }
    }
}

impl State {
    fn ring(&mut self, ring: Ring) -> Heard {
        let slot = self.slots.entry(ring.job).or_default();
        let first = slot.next.is_empty();
        slot.next.push(ring.id);
        if !first {
            // A flood of rings needs no flood of numbers: those that are pushed no more are not delivered.
            slot.next.pop();
            return Heard::Coalesced;
        }
        if !slot.running {
            self.waiting.push_back(ring.job);
        }
        Heard::Here
    }

    fn start(&mut self) -> Option<Job> {
        let job = self.waiting.pop_front()?;
        if let Some(slot) = self.slots.get_mut(&job) {
            slot.running = true;
            slot.now = std::mem::take(&mut slot.next);
        }
        Some(job)
    }

    fn finish(&mut self, job: Job) {
        let Some(slot) = self.slots.get_mut(&job) else { return };
        let answered = std::mem::take(&mut slot.now);
        (slot.running, slot.aside) = (false, false);
        if slot.next.is_empty() {
            if let Some(done) = self.slots.remove(&job).and_then(|slot| slot.delivery) {
                // The delivery may have been given up; then apalis brings it again.
                let _ = done.send(());
            }
        } else {
            self.waiting.push_back(job);
        }
        for id in answered {
            self.answered.insert(id);
            self.answered_order.push_back(id);
        }
        while self.answered_order.len() > ANSWERED {
            if let Some(oldest) = self.answered_order.pop_front() {
                self.answered.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use steading_core::WorkspaceId;

    use super::*;

    fn ring(job: Job) -> Ring {
        Ring { id: Uuid::now_v7(), job }
    }

    fn job() -> Job {
        Job::Drive { workspace: WorkspaceId::new() }
    }

    #[tokio::test]
    async fn a_ring_during_the_run_leads_to_another_run() {
        let desk = Desk::default();
        desk.open();
        let job = job();
        assert_eq!(desk.ring(ring(job)), Heard::Here);
        assert_eq!(desk.ring(ring(job)), Heard::Coalesced);
        assert_eq!(desk.next().await, job);
        assert_eq!(desk.ring(ring(job)), Heard::Here);
        assert!(desk.state().start().is_none(), "one handler at a time");
        desk.finish(job);
        assert_eq!(desk.next().await, job);
        desk.finish(job);
        assert!(desk.state().start().is_none());
        assert!(desk.state().slots.is_empty());
    }

    #[tokio::test]
    async fn a_ring_that_was_answered_here_is_not_answered_again() {
        let desk = Desk::default();
        desk.open();
        let first = ring(job());
        desk.ring(first);
        desk.next().await;
        desk.finish(first.job);
        assert!(matches!(desk.deliver(first), Delivery::Answered));
        assert!(desk.state().start().is_none());
    }

    #[tokio::test]
    async fn a_delivery_is_kept_until_the_job_is_done() {
        let desk = Desk::default();
        desk.open();
        let foreign = ring(job());
        let Delivery::Wait(mut wait) = desk.deliver(foreign) else { panic!("it must wait") };
        assert!(matches!(desk.deliver(ring(foreign.job)), Delivery::Answered), "one of them suffices");
        assert_eq!(desk.next().await, foreign.job);
        assert!(wait.try_recv().is_err());
        desk.finish(foreign.job);
        wait.await.unwrap();
    }

    #[tokio::test]
    async fn no_delivery_is_kept_for_a_workspace_whose_job_waits() {
        let desk = Desk::default();
        desk.open();
        let foreign = ring(job());
        let Delivery::Wait(wait) = desk.deliver(foreign) else { panic!("it must wait") };
        desk.next().await;
        desk.set_aside(foreign.job);
        wait.await.unwrap();
        assert!(matches!(desk.deliver(ring(foreign.job)), Delivery::Answered));
        desk.finish(foreign.job);
        assert_eq!(desk.next().await, foreign.job, "it rang again");
        let question = ring(Job::Resolve { inquiry: steading_core::InquiryId::new() });
        let Delivery::Wait(mut wait) = desk.deliver(question) else { panic!("it must wait") };
        desk.next().await;
        desk.set_aside(question.job);
        assert!(wait.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_closed_desk_gives_its_deliveries_back() {
        let desk = Desk::default();
        assert_eq!(desk.ring(ring(job())), Heard::Nobody);
        desk.open();
        let Delivery::Wait(wait) = desk.deliver(ring(job())) else { panic!("it must wait") };
        desk.close();
        assert!(wait.await.is_err());
    }
}
