//! Whatever Features say, an order is found that holds, or a reason.

use proptest::prelude::*;

use super::*;

/// What one Feature depends on, as indices and a value of an option, and what it installs after.
type Edges = (Vec<(usize, u8)>, Vec<usize>);

/// Features a to h.
fn graphs() -> impl Strategy<Value = Vec<Edges>> {
    let one = (prop::collection::vec((0..8_usize, 0..2_u8), 0..3), prop::collection::vec(0..8_usize, 0..3));
    prop::collection::vec(one, 8)
}

fn world(graph: &[Edges]) -> World {
    let names: Vec<String> = (0..graph.len()).map(name).collect();
    let features: Vec<(&str, Value)> = graph
        .iter()
        .zip(&names)
        .map(|((hard, soft), name)| {
            let hard: serde_json::Map<String, Value> = hard
                .iter()
                .map(|(at, option)| (format!("./{}", names[*at]), json!({"x": option.to_string()})))
                .collect();
            let soft: Vec<String> = soft.iter().map(|at| format!("./{}", names[*at])).collect();
            (name.as_str(), json!({"dependsOn": hard, "installsAfter": soft}))
        })
        .collect();
    World::local(&features)
}

fn name(at: usize) -> String {
    char::from(b'a' + u8::try_from(at).unwrap_or_default()).to_string()
}

proptest! {
    #[test]
    fn an_order_holds_and_does_not_depend_on_how_it_is_asked_for(
        graph in graphs(),
        wishes in prop::collection::vec(0..8_usize, 1..5),
        first in prop::collection::vec(0..8_usize, 0..3),
    ) {
        let world = world(&graph);
        let ask = |wishes: &[usize]| {
            let features: serde_json::Map<String, Value> = wishes.iter().map(|at| (format!("./{}", name(*at)), json!({}))).collect();
            let first: Vec<String> = first.iter().map(|at| format!("./{}", name(*at))).collect();
            world.install(features.into(), first.into())
        };
        let reversed: Vec<usize> = wishes.iter().rev().copied().collect();
        let (once, again) = (ask(&wishes), ask(&reversed));
        let order = match (once, again) {
            (Ok(once), Ok(again)) => {
                prop_assert_eq!(&once, &again);
                once
            }
            (Err(ResolveError::Circle(names)), Err(_)) => {
                prop_assert!(names.len() > 1 && names.first() == names.last(), "{:?}", names);
                return Ok(());
            }
            (once, again) => return Err(TestCaseError::fail(format!("{once:?} {again:?}"))),
        };
        for (at, feature) in order.iter().enumerate() {
            for (id, options) in feature.manifest.depends_on() {
                prop_assert!(order[..at].iter().any(|before| before.id == id && before.options == options));
            }
            for id in feature.manifest.installs_after() {
                let is_it = |other: &&Feature| other.id == id;
                prop_assert!(order.iter().find(is_it).is_none() || order[..at].iter().any(|other| is_it(&other)));
            }
            prop_assert!(!order[..at].iter().any(|before| before.id == feature.id && before.options == feature.options));
        }
    }
}
