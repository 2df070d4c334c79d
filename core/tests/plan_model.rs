//! Walks every reachable state of `plan::next` and proves that each settles when it is left alone.
//!
//! The model keeps relations in place of identities ("the checkout belongs to the volume that is
//! there"), so that the states are finite. Everything that can come between two steps is tried from
//! every state: a crash before a step's effect and after it, faults of both kinds, hooks that fail,
//! containers that die, vanish or are replaced, volumes and images that are lost, and owners who
//! change their minds. The edges between phases that it finds are `docs/lifecycle.md`; set
//! `STEADING_UPDATE=1` to write that file anew.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;

use steading_core::Phase;

#[path = "plan_model/model.rs"]
mod model;
#[path = "plan_model/sample.rs"]
mod sample;

use model::{Setup, State};

/// More steps than any state may need until it settles.
const MOST_STEPS: usize = 14;

type Edges = BTreeMap<Phase, BTreeSet<Phase>>;

/// Everything that is reachable under one setup, and how it was reached.
struct Walk {
    setup: Setup,
    states: HashMap<State, Option<(State, &'static str)>>,
    edges: Edges,
}

impl Walk {
    fn over(setup: Setup) -> Self {
        let mut walk = Self { setup, states: HashMap::new(), edges: Edges::new() };
        let start = State::new(&walk.setup);
        walk.states.insert(start, None);
        let mut queue = VecDeque::from([start]);
        while let Some(state) = queue.pop_front() {
            for (what, next) in state.successors(&walk.setup) {
                if next.phase != state.phase {
                    walk.edges.entry(state.phase).or_default().insert(next.phase);
                }
                if let Entry::Vacant(vacant) = walk.states.entry(next) {
                    vacant.insert(Some((state, what)));
                    queue.push_back(next);
                }
            }
        }
        walk
    }

    /// The steps from a state to rest, every step succeeding.
    fn settle(&self, state: State, known: &mut HashMap<State, usize>) -> usize {
        let mut path = Vec::new();
        let mut here = state;
        let mut steps = loop {
            if let Some(steps) = known.get(&here) {
                break *steps;
            }
            let Some(next) = here.left_alone(&self.setup) else {
                assert!(here.is_right(&self.setup), "settled wrongly\n{}", self.story(here));
                break 0;
            };
            path.push(here);
            assert!(path.len() <= MOST_STEPS, "does not settle\n{}", self.story(state));
            here = next;
        };
        for state in path.into_iter().rev() {
            steps += 1;
            known.insert(state, steps);
        }
        steps
    }

    /// How a state was reached, for the person who mends the plan.
    fn story(&self, state: State) -> String {
        let mut lines = vec![format!("{state:?}")];
        let mut here = state;
        while let Some(Some((before, what))) = self.states.get(&here) {
            lines.push(format!("{what}, from {before:?}"));
            here = *before;
        }
        lines.reverse();
        lines.join("\n")
    }
}

fn print(edges: &Edges) -> String {
    let mut page = String::from(
        "# The life of a workspace\n\n\
         Written by `core/tests/plan_model.rs`, which walks every reachable state of the plan; do not edit.\n\
         Phases are for people: the plan itself looks at what is wanted, recorded and seen.\n\n\
         | From | To |\n|---|---|\n",
    );
    for phase in Phase::ALL {
        let to: Vec<_> = edges.get(&phase).into_iter().flatten().map(|to| format!("`{to}`")).collect();
        let to = if to.is_empty() { "nothing: this is the end".to_owned() } else { to.join(", ") };
        let _ = writeln!(page, "| `{phase}` | {to} |");
    }
    page
}

#[test]
fn every_state_settles_and_the_phases_are_as_documented() {
    let mut edges = Edges::new();
    let (mut states, mut longest) = (0, 0);
    for setup in Setup::all() {
        let walk = Walk::over(setup);
        let mut known = HashMap::new();
        for state in walk.states.keys() {
            longest = longest.max(walk.settle(*state, &mut known));
        }
        states += walk.states.len();
        for (from, to) in &walk.edges {
            edges.entry(*from).or_default().extend(to);
        }
    }
    println!("{states} states, at most {longest} steps");
    assert!(states > 10_000, "the walk has become too small to mean anything: {states} states");

    let page = print(&edges);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lifecycle.md");
    if std::env::var_os("STEADING_UPDATE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, page, "docs/lifecycle.md is out of date: run this test with STEADING_UPDATE=1");
}

#[test]
fn a_rebuild_that_fails_before_its_container_is_made_leaves_running_what_ran() {
    for setup in Setup::all() {
        let walk = Walk::over(setup);
        for state in walk.states.keys().filter(|state| state.runs_at_rest(&walk.setup)) {
            for mut here in state.failed_rebuilds(&walk.setup) {
                while let Some(next) = here.left_alone(&walk.setup) {
                    assert!(next.has_container_of(state), "from {state:?}\nto {next:?}");
                    here = next;
                }
                assert_eq!(here, state.wanted_again(), "it is not what it was");
            }
        }
    }
}

/// The model changes its own bits when an owner changes their mind; the real record must agree.
#[test]
fn the_model_and_the_record_agree_about_changes_of_mind() {
    let walk = Walk::over(Setup::ordinary());
    for state in walk.states.keys() {
        state.check_changes_of_mind(&walk.setup);
    }
}
