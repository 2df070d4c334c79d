//! The record and the sight that a state of the model stands for.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use steading_core::image::ImageRef;
use steading_core::pod::{ContainerName, SpecHash, VolumeRole};
use steading_core::runtime::{ContainerState, InstanceId, Observed, VolumeId};
use steading_core::service::ServiceName;
use steading_core::workspace::{Change, Deaths, HeldImage, HookFact, Populated, Retry};
use steading_core::{Desired, Merged, Owner, PoolId, UserId, Workspace};

use super::{Again, Container, Setup, State};
use crate::sample::{START, failure};

impl State {
    /// The record and the sight that this state stands for.
    pub fn concrete(&self, setup: &Setup) -> (Workspace, Observed) {
        let instance = InstanceId("this".to_owned());
        let volume = |current: bool| VolumeId(if current { "this" } else { "another" }.to_owned());
        let mut ws = setup.template.clone();
        ws.desired = self.desired;
        ws.phase = self.phase;
        ws.owner = if self.pool { Owner::Pool(PoolId::new()) } else { Owner::User(UserId::new()) };
        if !self.resolved {
            ws.facts.resolution = None;
        }
        let config = Box::new(Merged { wait_for: setup.wait_for, ..Merged::default() });
        ws.facts.image = self.image.then(|| HeldImage { image: ImageRef::new("image"), config });
        ws.spec = self.spec.then(|| setup.spec.clone());
        ws.facts.last = self.last.map(|_| Box::new(setup.last.clone()));
        ws.failure = self.failure.then(failure);
        let not_before = START + TimeDelta::hours(if self.again == Again::Later { 3 } else { 1 });
        let retry = || Retry { step: "up".to_owned(), code: "x".to_owned(), attempts: 1, not_before };
        ws.retry = (self.again != Again::No).then(retry);
        ws.facts.deaths = Deaths { count: self.deaths, last: self.counted.then_some(START) };
        ws.facts.populated = Some(Populated {
            volume: volume(self.populated),
            commit: None,
            branch: None,
            path: None,
            submodules: Vec::new(),
        });
        ws.facts.extensions = Some(volume(self.extensions));
        let failed = self.failed.then_some(START);
        ws.facts.hooks = self.stage.map(|stage| HookFact { instance: instance.clone(), stage, failed });
        ws.facts.post_start = self.post_start.then(|| (instance.clone(), START));
        ws.entered_at = (!self.attached).then_some(START);

        let mut seen = Observed::default();
        let state = match self.container {
            Container::Absent => None,
            Container::Up => Some(ContainerState::Up),
            Container::Paused => Some(ContainerState::Paused),
            Container::DiedQuickly => Some(down(TimeDelta::seconds(1))),
            Container::DiedLate => Some(down(TimeDelta::hours(1))),
        };
        if let Some(state) = state {
            seen.containers.insert(ContainerName::main(), state);
            seen.instance = Some(instance);
            seen.started_at = Some(START);
            seen.spec = Some(match (self.fits, self.last) {
                (true, _) => setup.spec.hash.clone(),
                (false, Some(true)) => setup.last.spec.hash.clone(),
                (false, _) => SpecHash("another".to_owned()),
            });
        }
        if self.volumes {
            seen.volumes = BTreeMap::from([(VolumeRole::Workspace, volume(true)), (VolumeRole::State, volume(true))]);
        }
        seen.services.insert(ServiceName::ide(), self.service);
        (ws, seen)
    }

    /// The model's own idea of a change of mind against the real record's.
    pub fn check_changes_of_mind(&self, setup: &Setup) {
        let told = |ws: &Workspace| {
            let facts = &ws.facts;
            let is = [
                facts.resolution.is_some(),
                facts.image.is_some(),
                ws.spec.is_some(),
                facts.last.is_some(),
                ws.failure.is_some(),
                ws.retry.is_some(),
                facts.extensions.as_ref().is_some_and(|v| v.0 == "this"),
                facts.populated.as_ref().is_some_and(|p| p.volume.0 == "this"),
            ];
            (ws.desired, is, facts.deaths.clone(), facts.hooks.clone(), facts.post_start.clone())
        };
        for desired in [Desired::Running, Desired::Stopped, Desired::Deleted] {
            let mut ws = self.concrete(setup).0;
            ws.want(desired);
            assert_eq!(told(&ws), told(&self.wanted(desired).concrete(setup).0), "{self:?} wants {desired:?}");
        }
        let mut ws = self.concrete(setup).0;
        ws.want_rebuild();
        assert_eq!(told(&ws), told(&self.rebuilt().concrete(setup).0), "{self:?} is rebuilt");
        let mut ws = self.concrete(setup).0;
        ws.apply(Change::WentBack(failure()));
        assert_eq!(told(&ws), told(&self.given_up(false).concrete(setup).0), "{self:?} goes back");
    }
}

fn down(after: TimeDelta) -> ContainerState {
    ContainerState::Down { exit: Some(1), oom: false, finished_at: Some(START + after) }
}
