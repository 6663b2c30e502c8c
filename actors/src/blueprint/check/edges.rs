//! The graph of a plan: who waits for whom.
//!
//! Owns order and reachability. Pure functions over indices; who a step is and where it stands is the
//! caller's.

use std::collections::BTreeSet;

/// An order in which every step follows what it needs, else in the author's order; and the cycles that
/// prevent it, each as its members in the order of waiting.
pub(super) fn order(needs: &[Vec<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut cycles: Vec<Vec<usize>> = Vec::new();
    let mut broken: BTreeSet<usize> = BTreeSet::new();
    loop {
        let order = sort(needs, &broken);
        if order.len() == needs.len() {
            return (order, cycles);
        }
        let done: BTreeSet<usize> = order.into_iter().collect();
        let cycle = cycle(needs, &done, &broken);
        // A broken step waits for nothing, so that the next round finds another cycle or none.
        broken.extend(cycle.first());
        cycles.push(cycle);
    }
}

fn sort(needs: &[Vec<usize>], broken: &BTreeSet<usize>) -> Vec<usize> {
    let mut open: Vec<usize> =
        (0..needs.len()).map(|step| if broken.contains(&step) { 0 } else { needs[step].len() }).collect();
    let mut dependents = vec![Vec::new(); needs.len()];
    for step in (0..needs.len()).filter(|step| !broken.contains(step)) {
        needs[step].iter().for_each(|need| dependents[*need].push(step));
    }
    let mut ready: BTreeSet<usize> = (0..needs.len()).filter(|step| open[*step] == 0).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(step) = ready.pop_first() {
        order.push(step);
        for dependent in &dependents[step] {
            open[*dependent] -= 1;
            if open[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    order
}

/// One cycle among the steps that are not done: each of them waits for another such.
fn cycle(needs: &[Vec<usize>], done: &BTreeSet<usize>, broken: &BTreeSet<usize>) -> Vec<usize> {
    let stuck = |step: &usize| !done.contains(step) && !broken.contains(step);
    let mut path: Vec<usize> = (0..needs.len()).find(stuck).into_iter().collect();
    while let Some(next) = path.last().and_then(|step| needs[*step].iter().copied().find(|need| stuck(need)))
    {
        if let Some(start) = path.iter().position(|step| *step == next) {
            let mut cycle = path.split_off(start);
            let first = cycle.iter().enumerate().min_by_key(|(_, step)| **step).map_or(0, |(at, _)| at);
            cycle.rotate_left(first);
            return cycle;
        }
        path.push(next);
    }
    path
}

/// For each step, which steps it waits for, directly or through others.
pub(super) fn ancestors(needs: &[Vec<usize>]) -> Vec<Vec<bool>> {
    let reach = |step: usize| {
        let mut seen = vec![false; needs.len()];
        let mut stack = needs[step].clone();
        while let Some(next) = stack.pop() {
            if !std::mem::replace(&mut seen[next], true) {
                stack.extend(&needs[next]);
            }
        }
        seen
    };
    (0..needs.len()).map(reach).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_authors_order_stays_where_it_can() {
        assert_eq!(order(&[vec![], vec![0], vec![0], vec![1, 2]]).0, [0, 1, 2, 3]);
        assert_eq!(order(&[vec![2], vec![], vec![]]).0, [1, 2, 0]);
    }

    #[test]
    fn every_cycle_is_named_once() {
        let (_, cycles) = order(&[vec![1], vec![0], vec![2], vec![0, 4], vec![]]);
        assert_eq!(cycles, [vec![0, 1], vec![2]]);
    }

    #[test]
    fn what_is_reached_through_others_is_an_ancestor() {
        let ancestors = ancestors(&[vec![], vec![0], vec![1], vec![]]);
        assert_eq!(ancestors[2], [true, true, false, false]);
    }

    proptest! {
        #[test]
        fn any_graph_without_cycles_is_put_in_order(
            edges in proptest::collection::vec((0usize..20, 0usize..20), 0..60),
            names in Just((0..20).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let mut needs = vec![Vec::new(); 20];
            for (a, b) in edges {
                if a != b {
                    // Edges go from the larger to the smaller of a random naming, so there is no cycle.
                    needs[names[a.max(b)]].push(names[a.min(b)]);
                }
            }
            let (order, cycles) = order(&needs);
            prop_assert!(cycles.is_empty());
            let place = |step: usize| order.iter().position(|s| *s == step).expect("every step is in it");
            for (step, needs) in needs.iter().enumerate() {
                for need in needs {
                    prop_assert!(place(*need) < place(step));
                }
            }
        }

        #[test]
        fn any_graph_at_all_gets_an_order(edges in proptest::collection::vec((0usize..8, 0usize..8), 0..30)) {
            let mut needs = vec![Vec::new(); 8];
            edges.iter().for_each(|(a, b)| needs[*a].push(*b));
            let (order, cycles) = order(&needs);
            prop_assert_eq!(order.len(), 8);
            for cycle in cycles {
                for (step, next) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
                    prop_assert!(needs[*step].contains(next));
                }
            }
        }
    }
}
