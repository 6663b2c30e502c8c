//! Where the steps of a plan are drawn: a layered graph, as numbers.
//!
//! A step stands one layer behind the last of the steps that it needs; in its layer it stands near those.
//! Invariant: the same edges always give the same places, and no two steps have the same one.

/// Steps and edges that a graph shows at most; a plan with more has the list alone.
const DRAWN_MAX: usize = 150;
/// Width of a box.
pub(super) const BOX_WIDTH: u32 = 172;
/// Height of a box.
pub(super) const BOX_HEIGHT: u32 = 46;
/// Between two layers, and between two boxes of a layer.
const GAP_LAYER: u32 = 44;
const GAP_LANE: u32 = 18;
/// Around all of it: a focused box has its ring there.
const MARGIN: u32 = 6;
/// Layers that stand beside each other; of more the graph grows downwards.
const ACROSS_MAX: usize = 5;

/// A drawing of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: u32,
    pub(super) height: u32,
    /// The upper left corner of each step's box, by the step's index.
    pub(super) boxes: Vec<(u32, u32)>,
    /// The path of each edge.
    pub(super) edges: Vec<String>,
}

/// Whether a graph can be drawn of steps that need so many others, each.
pub(super) fn fits(needs: impl ExactSizeIterator<Item = usize>) -> bool {
    let steps = needs.len();
    steps > 1 && steps + needs.sum::<usize>() <= DRAWN_MAX
}

/// Lays out steps of which `needs` has the indices of those that come before; always smaller ones.
pub(super) fn layout(needs: &[Vec<usize>]) -> Layout {
    let layers = layers(needs);
    let widest = layers.iter().map(Vec::len).max().unwrap_or_default();
    let is_across = layers.len() <= ACROSS_MAX;
    let (along, beside) = if is_across { (BOX_WIDTH, BOX_HEIGHT) } else { (BOX_HEIGHT, BOX_WIDTH) };
    let mut boxes = vec![(0, 0); needs.len()];
    for (depth, layer) in layers.iter().enumerate() {
        // A layer stands in the middle of the widest one.
        let room = (widest - layer.len()) as u32 * (beside + GAP_LANE) / 2;
        for (lane, step) in layer.iter().enumerate() {
            let ahead = MARGIN + depth as u32 * (along + GAP_LAYER);
            let aside = MARGIN + room + lane as u32 * (beside + GAP_LANE);
            boxes[*step] = if is_across { (ahead, aside) } else { (aside, ahead) };
        }
    }
    let edges = needs.iter().enumerate().flat_map(|(to, needs)| {
        let boxes = &boxes;
        needs.iter().map(move |from| edge(boxes[*from], boxes[to], is_across))
    });
    let edges = edges.collect();
    let extent = |count: usize, size: u32, gap: u32| {
        2 * MARGIN + count as u32 * size + (count as u32).saturating_sub(1) * gap
    };
    let (length, breadth) = (extent(layers.len(), along, GAP_LAYER), extent(widest, beside, GAP_LANE));
    let (width, height) = if is_across { (length, breadth) } else { (breadth, length) };
    Layout { width, height, boxes, edges }
}

/// The steps of each layer, in the order in which they stand beside each other.
fn layers(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut depths: Vec<usize> = Vec::with_capacity(needs.len());
    for needs in needs {
        depths.push(needs.iter().map(|from| depths[*from] + 1).max().unwrap_or_default());
    }
    let count = depths.iter().max().map_or(0, |last| last + 1);
    let mut layers = vec![Vec::new(); count];
    for (step, depth) in depths.iter().enumerate() {
        layers[*depth].push(step);
    }
    let mut lanes = vec![0_usize; needs.len()];
    for layer in &mut layers {
        // The mean lane of what a step needs, in thousandths: a whole number sorts alike everywhere.
        layer.sort_by_key(|step| {
            let before = &needs[*step];
            before.iter().map(|from| lanes[*from] * 1000).sum::<usize>() / before.len().max(1)
        });
        layer.iter().enumerate().for_each(|(lane, step)| lanes[*step] = lane);
    }
    layers
}

/// A curve from one box to another.
fn edge(from: (u32, u32), to: (u32, u32), is_across: bool) -> String {
    let ((x1, y1), (x2, y2)) = if is_across {
        ((from.0 + BOX_WIDTH, from.1 + BOX_HEIGHT / 2), (to.0, to.1 + BOX_HEIGHT / 2))
    } else {
        ((from.0 + BOX_WIDTH / 2, from.1 + BOX_HEIGHT), (to.0 + BOX_WIDTH / 2, to.1))
    };
    if is_across {
        let middle = x1.midpoint(x2);
        format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}")
    } else {
        let middle = y1.midpoint(y2);
        format!("M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_stands_behind_all_that_it_needs() {
        // 0 → 1 → 3, and 0 → 2 → 3, and 0 → 3.
        let needs = [vec![], vec![0], vec![0], vec![0, 1, 2]];
        assert_eq!(layers(&needs), [vec![0], vec![1, 2], vec![3]]);
        let drawn = layout(&needs);
        let column = |step: usize| drawn.boxes[step].0;
        assert!(column(0) < column(1) && column(1) == column(2) && column(2) < column(3));
        assert_eq!(drawn.edges.len(), 5);
    }

    #[test]
    fn steps_stand_near_what_they_need() {
        // Two chains whose second steps were written in the other order.
        let needs = [vec![], vec![], vec![1], vec![0]];
        assert_eq!(layers(&needs), [vec![0, 1], vec![3, 2]]);
    }

    #[test]
    fn a_long_chain_grows_downwards_and_a_short_one_across() {
        let chain = |count: usize| {
            let needs: Vec<_> = (0..count).map(|step| step.checked_sub(1).into_iter().collect()).collect();
            layout(&needs)
        };
        assert!(chain(5).width > chain(5).height);
        assert!(chain(6).height > chain(6).width);
        assert_eq!(chain(6).boxes[0].0, chain(6).boxes[5].0);
    }

    #[test]
    fn no_two_steps_have_one_place_and_all_are_in_the_picture() {
        // Each step needs some that are smaller, in a fixed mess.
        let needs: Vec<Vec<usize>> = (0..150)
            .map(|step| (0..step).filter(|from| (step * 7 + from * 13) % 11 == 0).take(4).collect())
            .collect();
        let drawn = layout(&needs);
        let mut places = drawn.boxes.clone();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), needs.len());
        for (x, y) in drawn.boxes {
            assert!(x + BOX_WIDTH + MARGIN <= drawn.width && y + BOX_HEIGHT + MARGIN <= drawn.height);
        }
    }

    #[test]
    fn a_plan_that_a_page_cannot_hold_is_not_drawn() {
        assert!(fits([0, 1].into_iter()) && !fits([0].into_iter()) && !fits([].into_iter()));
        assert!(fits(vec![1; DRAWN_MAX / 2].into_iter()), "steps and edges count alike");
        assert!(!fits(vec![1; DRAWN_MAX / 2 + 1].into_iter()));
        assert!(!fits(vec![DRAWN_MAX / 4; 5].into_iter()), "a few steps may have many edges");
    }

    #[test]
    fn nothing_is_drawn_of_no_steps() {
        assert!(layout(&[]).boxes.is_empty());
    }
}
