//! The order of installation, found in rounds.
//!
//! A round takes what waits for nothing that is not yet installed; of those, only the ones with the highest
//! priority; and sorts them. So a priority moves a Feature forward within what its dependencies allow, and
//! never breaks them: the text of the specification would fail there, the reference goes on.

use std::cmp::Ordering;

use super::{compare, graph::Node};

/// The order, as indices of `nodes`; otherwise the names of Features that wait for each other.
pub(super) fn rounds(nodes: &[Node<'_>], accepted: &[usize]) -> Result<Vec<usize>, Vec<String>> {
    let edges = Edges::of(nodes, accepted);
    let mut waiting = accepted.to_vec();
    let mut order: Vec<usize> = Vec::with_capacity(waiting.len());
    let mut done = vec![false; nodes.len()];
    while !waiting.is_empty() {
        let ready = |at: usize| edges.0[at].iter().all(|wanted| wanted.iter().any(|at| done[*at]));
        let mut round: Vec<usize> = waiting.iter().copied().filter(|at| ready(*at)).collect();
        let Some(highest) = round.iter().map(|at| nodes[*at].priority).max() else {
            return Err(circle(nodes, &waiting, &edges));
        };
        round.retain(|at| nodes[*at].priority == highest);
        waiting.retain(|at| !round.iter().any(|taken| compare::same(&nodes[*taken], &nodes[*at])));
        sort(&mut round, |a, b| compare::compare(&nodes[a], &nodes[b]));
        for at in &round {
            done[*at] = true;
        }
        order.extend(round);
    }
    Ok(order)
}

/// For each node, what it waits for; and for each of these, the installed Features that are meant.
struct Edges(Vec<Vec<Vec<usize>>>);

impl Edges {
    fn of(nodes: &[Node<'_>], accepted: &[usize]) -> Self {
        let meant = |is_meant: &dyn Fn(&Node<'_>) -> bool| -> Vec<usize> {
            accepted.iter().copied().filter(|at| is_meant(&nodes[*at])).collect()
        };
        let of = |node: &Node<'_>| {
            let hard = node.depends_on.iter().map(|wanted| meant(&|node| compare::same(node, &nodes[*wanted])));
            let soft =
                node.installs_after.iter().map(|wanted| meant(&|node| compare::satisfies(node, &nodes[*wanted])));
            // Whom nobody installs, nobody waits for.
            hard.chain(soft.filter(|meant| !meant.is_empty())).collect()
        };
        Self(nodes.iter().map(of).collect())
    }
}

/// Sorts as the JavaScript engine does with as many values as there are Features: the run at the start is
/// found, the rest inserted. With old names in play the comparison is no order in the strict sense, where
/// only the same steps lead to the same result, and where the standard library's may panic.
fn sort(values: &mut [usize], compare: impl Fn(usize, usize) -> Ordering) {
    if values.len() < 2 {
        return;
    }
    let falls = compare(values[1], values[0]).is_lt();
    let mut run = 2;
    while run < values.len() && compare(values[run], values[run - 1]).is_lt() == falls {
        run += 1;
    }
    if falls {
        values[..run].reverse();
    }
    for next in run..values.len() {
        let value = values[next];
        let (mut low, mut high) = (0, next);
        while low < high {
            let middle = low + (high - low) / 2;
            if compare(value, values[middle]).is_lt() {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        values[low..=next].rotate_right(1);
    }
}

/// Follows who waits for whom until a Feature comes twice.
fn circle(nodes: &[Node<'_>], waiting: &[usize], edges: &Edges) -> Vec<String> {
    let mut path: Vec<usize> = waiting.first().copied().into_iter().collect();
    while let Some(last) = path.last() {
        let Some(next) = edges.0[*last].iter().flatten().find(|at| waiting.contains(at)).copied() else { break };
        let seen = path.iter().position(|at| *at == next);
        path.push(next);
        if let Some(start) = seen {
            path.drain(..start);
            break;
        }
    }
    path.into_iter().map(|at| nodes[at].id.clone()).collect()
}
