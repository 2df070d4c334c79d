//! One state of the model, and what can follow it.

mod concrete;

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::TimeDelta;
use steading_core::image::ImageRef;
use steading_core::plan::{self, DEATHS, Step};
use steading_core::pod::PodSpec;
use steading_core::workspace::{HeldImage, Last, Wishes};
use steading_core::{Desired, Phase, Stage, Workspace};

use crate::sample::{self, START};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    Absent,
    DiedQuickly,
    DiedLate,
    Up,
    Paused,
}

/// Whether a failed step waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Again {
    No,
    Later,
    Due,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    pub phase: Phase,
    desired: Desired,
    pool: bool,
    resolved: bool,
    image: bool,
    spec: bool,
    failure: bool,
    again: Again,
    deaths: u32,
    /// The death of the container that is there was counted.
    counted: bool,
    container: Container,
    /// The container was made from the spec on record.
    fits: bool,
    /// A rebuild is under way, and whether the container was made from the spec before it.
    last: Option<bool>,
    volumes: bool,
    /// The checkout on record is in the volume that is there; likewise below.
    populated: bool,
    extensions: bool,
    stage: Option<Stage>,
    failed: bool,
    post_start: bool,
    attached: bool,
    service: bool,
}

/// What does not change during one walk.
pub struct Setup {
    wait_for: Option<Stage>,
    pool: bool,
    template: Workspace,
    spec: PodSpec,
    /// What was before a rebuild.
    last: Last,
    steps: RefCell<HashMap<State, (Step, Option<Phase>)>>,
}

impl Setup {
    fn new(wait_for: Option<Stage>, pool: bool) -> Self {
        let template = sample::workspace();
        let spec = sample::spec(template.id);
        let mut before = spec.clone();
        before.main.hostname = "before".to_owned();
        let last = Last {
            phase: Phase::Running,
            wishes: Wishes::default(),
            resolution: sample::resolution(),
            image: HeldImage { image: ImageRef::new("before"), config: Box::default() },
            spec: before.sealed(),
            extensions: None,
        };
        Self { wait_for, pool, template, spec, last, steps: RefCell::default() }
    }

    /// What most workspaces are.
    pub fn ordinary() -> Self {
        Self::new(Some(Stage::UpdateContent), false)
    }

    /// Every place to wait, and a workspace made ahead.
    pub fn all() -> Vec<Self> {
        let waits = [None, Some(Stage::UpdateContent), Some(Stage::PostCreate), Some(Stage::PostStart)];
        let mut all: Vec<_> = waits.into_iter().map(|wait_for| Self::new(wait_for, false)).collect();
        all.push(Self::new(Some(Stage::UpdateContent), true));
        all
    }
}

impl State {
    pub fn new(setup: &Setup) -> Self {
        Self {
            phase: Phase::Pending,
            desired: Desired::Running,
            pool: setup.pool,
            resolved: false,
            image: false,
            spec: false,
            failure: false,
            again: Again::No,
            deaths: 0,
            counted: false,
            container: Container::Absent,
            fits: false,
            last: None,
            volumes: false,
            populated: false,
            extensions: false,
            stage: None,
            failed: false,
            post_start: false,
            attached: true,
            service: false,
        }
    }

    /// The real step, from the real record and sight. The plan never reads the phase, so one answer
    /// serves all.
    fn step(&self, setup: &Setup) -> Step {
        self.planned(setup).0
    }

    /// The step, and what is shown meanwhile where that does not depend on what is shown now.
    fn planned(&self, setup: &Setup) -> (Step, Option<Phase>) {
        let key = Self { phase: Phase::Pending, ..*self };
        if let Some(planned) = setup.steps.borrow().get(&key) {
            return planned.clone();
        }
        let (mut workspace, seen) = self.concrete(setup);
        let step = plan::next(&workspace, &seen, START + TimeDelta::hours(2));
        workspace.phase = Phase::Pending;
        let shown = plan::phase(&workspace, &seen, &step);
        workspace.phase = Phase::Running;
        let shown = (plan::phase(&workspace, &seen, &step) == shown).then_some(shown);
        setup.steps.borrow_mut().insert(key, (step.clone(), shown));
        (step, shown)
    }

    /// What is shown while the step is under way.
    fn shown(&self, setup: &Setup) -> Phase {
        let (_, shown) = self.planned(setup);
        shown.unwrap_or(if self.phase == Phase::Running { Phase::Running } else { Phase::Initializing })
    }

    /// What follows when nothing disturbs and every step succeeds; `None` at rest.
    pub fn left_alone(&self, setup: &Setup) -> Option<Self> {
        match self.step(setup) {
            Step::Wait(_) => Some(Self { again: Again::Due, ..*self }),
            Step::Settle(phase) => Some(self.showing(phase)).filter(|next| next != self),
            step => Some(self.begun(&step, setup).map_or_else(|given_up| given_up, |s| s.acted(&step).recorded(&step))),
        }
    }

    /// Everything that can come next.
    pub fn successors(&self, setup: &Setup) -> Vec<(&'static str, Self)> {
        let mut next = Vec::with_capacity(24);
        match self.step(setup) {
            Step::Wait(_) => next.push(("time passes", Self { again: Again::Due, ..*self })),
            Step::Settle(phase) => next.push(("settles", self.showing(phase))),
            step => self.outcomes(&step, setup, &mut next),
        }
        self.accidents(&mut next);
        self.wishes(&mut next);
        next
    }

    fn outcomes(&self, step: &Step, setup: &Setup, next: &mut Vec<(&'static str, Self)>) {
        let begun = match self.begun(step, setup) {
            Ok(begun) => begun,
            Err(given_up) => return next.push(("is given up", given_up)),
        };
        let acted = begun.acted(step);
        next.push(("crash before the act", begun));
        next.push(("crash after the act", acted));
        next.push(("the step succeeds", acted.recorded(step)));
        let for_ever = matches!(step, Step::Down | Step::Remove);
        if self.again == Again::No || for_ever {
            next.push(("transient fault", Self { again: Again::Later, ..begun }));
        }
        if !for_ever {
            for extensions in [begun.volumes, false] {
                next.push(("permanent fault", begun.given_up(extensions)));
            }
        }
        match step {
            Step::Hooks(upto) => {
                for failing in Stage::ALL.into_iter().filter(|s| s <= upto && Some(*s) > begun.stage) {
                    next.push(("a hook fails", begun.hook_failed(failing)));
                }
            }
            Step::Up if begun.container == Container::Absent || !begun.fits => {
                next.push(("the image is gone", Self { image: false, spec: false, ..begun }));
                next.push(("only volumes were made", begun.with_volumes()));
            }
            Step::Remove => next.push(("only the container is removed", begun.without_container())),
            _ => {}
        }
    }

    /// What is recorded before the act; an error is a state in which the act is not done.
    fn begun(&self, step: &Step, setup: &Setup) -> Result<Self, Self> {
        let mut state = self.showing(self.shown(setup));
        match step {
            Step::Up => {
                if state.fits && !state.counted {
                    match state.container {
                        Container::DiedQuickly => (state.deaths, state.counted) = (state.deaths + 1, true),
                        Container::DiedLate => (state.deaths, state.counted) = (0, true),
                        _ => {}
                    }
                    if state.deaths >= DEATHS {
                        return Err(state.given_up(state.volumes));
                    }
                }
                if !state.spec {
                    (state.spec, state.fits) = (true, false);
                }
            }
            // A container that we stop did not die.
            Step::Down => state.counted = true,
            _ => {}
        }
        Ok(state)
    }

    fn acted(&self, step: &Step) -> Self {
        let mut state = *self;
        match step {
            Step::Up => {
                state = state.with_volumes();
                if state.container == Container::Absent || !state.fits {
                    state = Self { fits: true, ..state.without_container() };
                }
                if state.container != Container::Up {
                    state = Self {
                        container: Container::Up,
                        counted: false,
                        failed: false,
                        post_start: false,
                        service: false,
                        ..state
                    };
                }
            }
            Step::Open => state.service = true,
            Step::Pause => state.container = Container::Paused,
            Step::Resume => state.container = Container::Up,
            Step::Down => (state.container, state.service) = (Container::DiedQuickly, false),
            Step::Remove => state = state.without_container().without_volumes(),
            _ => {}
        }
        state
    }

    fn recorded(&self, step: &Step) -> Self {
        let mut state = Self { again: Again::No, ..*self };
        match step {
            Step::Resolve => state.resolved = true,
            Step::Build => state.image = true,
            Step::Populate => state.populated = true,
            Step::Hooks(Stage::PostAttach) => state.attached = true,
            Step::Hooks(Stage::PostStart) => state.post_start = true,
            Step::Hooks(stage) => state.stage = state.stage.max(Some(*stage)),
            Step::Extensions => state.extensions = true,
            _ => {}
        }
        state
    }

    fn hook_failed(&self, stage: Stage) -> Self {
        let state = Self { again: Again::No, ..*self };
        match stage {
            Stage::PostAttach => Self { attached: true, ..state },
            Stage::PostStart => Self { post_start: true, failed: true, ..state },
            once => Self { stage: Some(once), failed: true, ..state },
        }
    }

    fn accidents(&self, next: &mut Vec<(&'static str, Self)>) {
        let dead = |container| Self { container, service: false, ..*self };
        match self.container {
            Container::Absent if self.volumes => next.push(("the volumes are lost", self.without_volumes())),
            Container::Absent => {}
            Container::Up | Container::Paused => {
                next.push(("the container dies quickly", dead(Container::DiedQuickly)));
                next.push(("the container dies late", dead(Container::DiedLate)));
                next.push(("the service dies", Self { service: false, ..*self }));
                next.push(("the service comes up", Self { service: self.container == Container::Up, ..*self }));
                next.push(("the container is removed", self.without_container()));
            }
            _ => next.push(("the container is removed", self.without_container())),
        }
    }

    fn wishes(&self, next: &mut Vec<(&'static str, Self)>) {
        for (what, desired) in [("start", Desired::Running), ("stop", Desired::Stopped), ("delete", Desired::Deleted)] {
            next.push((what, self.wanted(desired)));
        }
        next.push(("rebuild", self.rebuilt()));
        next.push(("somebody enters", Self { attached: false, ..*self }));
        if self.pool {
            next.push(("it is claimed", Self { pool: false, ..*self }));
        }
    }

    fn wanted(&self, desired: Desired) -> Self {
        if self.desired == Desired::Deleted {
            return *self;
        }
        Self { desired, failure: false, again: Again::No, deaths: 0, ..*self }
    }

    fn rebuilt(&self) -> Self {
        if self.desired == Desired::Deleted {
            return *self;
        }
        let state = self.wanted(Desired::Running);
        let was_well = self.resolved && self.image && self.spec && !self.failure;
        let last = self.last.or_else(|| was_well.then_some(self.fits));
        Self { resolved: false, image: false, spec: false, fits: false, last, extensions: false, ..state }
    }

    /// A phase is shown. What people may enter has taken the place of what was before.
    fn showing(&self, phase: Phase) -> Self {
        let last = self.last.filter(|_| phase != Phase::Running);
        Self { phase, last, ..*self }
    }

    /// A step failed for good: that stands, or what was before a rebuild is there again.
    fn given_up(&self, extensions: bool) -> Self {
        let Some(fits) = self.last else { return Self { failure: true, again: Again::No, ..*self } };
        let back = Self { resolved: true, image: true, spec: true, fits, last: None, extensions, deaths: 0, ..*self };
        Self { again: Again::No, ..back }
    }

    /// A rebuild of what runs and is at rest, whose resolving or building fails.
    pub fn failed_rebuilds(&self, setup: &Setup) -> Vec<Self> {
        let resolving = self.rebuilt();
        let Ok(begun) = resolving.begun(&Step::Resolve, setup) else { return Vec::new() };
        let building = begun.recorded(&Step::Resolve);
        assert_eq!((resolving.step(setup), building.step(setup)), (Step::Resolve, Step::Build), "{self:?}");
        let building = building.begun(&Step::Build, setup).unwrap_or(building);
        [begun, building].iter().map(|failing| failing.given_up(self.extensions)).collect()
    }

    /// The same as its owner wanted it once more.
    pub fn wanted_again(&self) -> Self {
        self.wanted(Desired::Running)
    }

    /// Whether the container is the same one.
    pub fn has_container_of(&self, other: &Self) -> bool {
        (self.container, self.fits, self.stage) == (other.container, other.fits, other.stage)
    }

    /// Whether it should run, does, and is left alone.
    pub fn runs_at_rest(&self, setup: &Setup) -> bool {
        self.desired == Desired::Running && !self.failure && self.left_alone(setup).is_none()
    }

    const fn with_volumes(self) -> Self {
        let kept = self.volumes;
        Self { volumes: true, populated: self.populated && kept, extensions: self.extensions && kept, ..self }
    }

    const fn without_volumes(self) -> Self {
        Self { volumes: false, populated: false, extensions: false, ..self }
    }

    const fn without_container(self) -> Self {
        Self {
            container: Container::Absent,
            fits: false,
            last: if self.last.is_some() { Some(false) } else { None },
            counted: false,
            stage: None,
            failed: false,
            post_start: false,
            service: false,
            ..self
        }
    }

    /// Whether this is where such a workspace should come to rest.
    pub fn is_right(&self, _setup: &Setup) -> bool {
        let runs = matches!(self.container, Container::Up | Container::Paused);
        match self.desired {
            Desired::Deleted => self.phase == Phase::Deleted && self.container == Container::Absent && !self.volumes,
            Desired::Stopped => self.phase == Phase::Stopped && !runs,
            Desired::Running if self.failure => self.phase == Phase::Failed,
            Desired::Running => {
                let has_all = self.resolved && self.image && self.spec && self.fits && self.volumes && self.populated;
                let hooks = self.failed || (self.stage == Some(Stage::PostCreate) && self.post_start && self.attached);
                let serves = self.container == Container::Up && self.service && self.extensions && hooks;
                let waits =
                    self.container == Container::Paused && (self.failed || self.stage >= Some(Stage::UpdateContent));
                let is_replaced = self.last.is_none();
                self.phase == Phase::Running && has_all && is_replaced && if self.pool { waits } else { serves }
            }
        }
    }
}
