//! How long messages take beyond the least: distributions by name.
//!
//! Owns how each is drawn. Whole numbers and their exact roots alone: the exponentials and logarithms of floating
//! point differ in the last bit between machines and versions of their libraries, and one bit makes another trace.
//! Invariant: the same dice draw the same times everywhere.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use xyn_store::simulation::Dice;

/// Shares of the square are thousandths.
const WHOLE: u64 = 1000;
/// Bits behind the point of a standard deviation; as many has each of the chances that are added up to one.
const BITS: u32 = 16;
const ONE: i64 = 1 << BITS;
/// Chances that add up to a bell. The variance of a fair one is a twelfth, so that of so many is one.
const CHANCES: i64 = 12;
/// Their mean: each has `ONE` values, from 0.
const MEAN: i64 = CHANCES * (ONE - 1) / 2;
/// Bits behind the point of a power of two.
const POWER_BITS: u32 = 32;
/// Of so many messages, as a power of two, the slowest of a heavy tail is one.
const TAIL_BITS: u32 = 20;

/// How what comes on top of the latency is spread. How wide, the jitter says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The square of a fair share of the jitter: most take little, and none more than all of it.
    #[default]
    Square,
    /// Anything from nothing to the jitter, each as likely.
    Uniform,
    /// A bell from nothing to the jitter: half of it is the mean, a sixth the standard deviation, and what would be
    /// beyond an end is at the end.
    Normal,
    /// Half take less than the jitter. One standard deviation is a factor of two: one in six takes more than twice
    /// the jitter, one in forty-four more than four times, none more than 64 times.
    Lognormal,
    /// Half take less than the jitter, and the tail is heavy: of index 2, it has a mean and no variance (Lomax, 1954).
    /// One in a hundred takes more than 21 times the jitter, and one in a million some 2,500 times.
    Pareto,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 5] = [Self::Square, Self::Uniform, Self::Normal, Self::Lognormal, Self::Pareto];

    /// How much comes on top of the latency of one message.
    pub(crate) fn draw(self, jitter: Duration, dice: &mut Dice) -> Duration {
        let micros = u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX);
        let times = |numerator: u64, denominator: u64| {
            let product = u128::from(micros) * u128::from(numerator) / u128::from(denominator);
            Duration::from_micros(u64::try_from(product).unwrap_or(u64::MAX))
        };
        match self {
            Self::Square => {
                let share = dice.below(WHOLE + 1);
                times(share * share, WHOLE * WHOLE)
            }
            Self::Uniform => times(dice.roll() >> 32, (1 << 32) - 1),
            Self::Normal => {
                let at = (3 * ONE + bell(dice)).clamp(0, 6 * ONE);
                times(at.unsigned_abs(), 6 * ONE.unsigned_abs())
            }
            Self::Lognormal => times(power_of_two(bell(dice)), 1 << POWER_BITS),
            Self::Pareto => {
                // The chance that it takes longer yet, which is never none.
                let longer = 1 + dice.below(1 << TAIL_BITS);
                times(beyond(longer, TAIL_BITS), beyond(1, 1))
            }
        }
    }
}

/// A number from the standard bell, in `ONE`s: what so many fair chances add up to is one, to within a hundredth up to
/// two standard deviations (Irwin, 1927; Hall, 1927).
fn bell(dice: &mut Dice) -> i64 {
    let rolls = [(); 3].map(|()| dice.roll());
    let chances = rolls.into_iter().flat_map(|roll| [0, 16, 32, 48].map(|at| (roll >> at) as u16));
    chances.map(i64::from).sum::<i64>() - MEAN
}

/// Two to the power of `exponent`, which is in `ONE`s.
fn power_of_two(exponent: i64) -> u64 {
    let (whole, part) = (exponent.div_euclid(ONE), exponent.rem_euclid(ONE));
    let mut power: u128 = 1 << POWER_BITS;
    for (at, root) in (1..=BITS).zip(ROOTS) {
        if part >> (BITS - at) & 1 == 1 {
            power = (power * root) >> POWER_BITS;
        }
    }
    let power = if whole < 0 { power >> whole.unsigned_abs() } else { power << whole };
    u64::try_from(power).unwrap_or(u64::MAX)
}

/// The root of two, the root of that, and so on.
const ROOTS: [u128; BITS as usize] = {
    let mut roots = [0; BITS as usize];
    let mut root: u128 = 2 << POWER_BITS;
    let mut at = 0;
    while at < roots.len() {
        root = (root << POWER_BITS).isqrt();
        roots[at] = root;
        at += 1;
    }
    roots
};

/// How far in a tail of index 2 that is of which only `chance` out of `1 << bits` is beyond: one through the root of
/// that, less one.
const fn beyond(chance: u64, bits: u32) -> u64 {
    ((1_u64 << (2 * BITS + bits)) / chance).isqrt() - (1 << BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JITTER: Duration = Duration::from_millis(100);
    const DRAWS: usize = 100_000;

    fn drawn(shape: Shape) -> Vec<f64> {
        let mut dice = Dice::new(7);
        let mut drawn: Vec<Duration> = (0..DRAWS).map(|_| shape.draw(JITTER, &mut dice)).collect();
        drawn.sort();
        drawn.into_iter().map(|time| time.as_secs_f64() / JITTER.as_secs_f64()).collect()
    }

    /// Where the standard bell has so much before it; from a table.
    const BELL: [(f64, f64); 5] =
        [(0.1, -1.281_55), (0.25, -0.674_49), (0.5, 0.0), (0.9, 1.281_55), (0.99, 2.326_35)];

    /// What is drawn has the quantiles that the name promises, in jitters.
    #[test]
    fn the_quantiles_are_those_of_the_shape() {
        for shape in Shape::ALL {
            let drawn = drawn(shape);
            for (part, deviations) in BELL {
                let expected = match shape {
                    Shape::Square => part * part,
                    Shape::Uniform => part,
                    Shape::Normal => 0.5 + deviations / 6.0,
                    Shape::Lognormal => deviations.exp2(),
                    Shape::Pareto => (1.0 / (1.0 - part).sqrt() - 1.0) / (2_f64.sqrt() - 1.0),
                };
                let found = drawn[(part * DRAWS as f64) as usize];
                let is_near = (found - expected).abs() <= 0.03 * expected + 0.001;
                assert!(is_near, "{shape:?} at {part}: {found}, and not {expected}");
            }
        }
    }

    #[test]
    fn nothing_is_beyond_the_ends() {
        let ends = |shape| (drawn(shape)[0], drawn(shape)[DRAWS - 1]);
        for shape in [Shape::Square, Shape::Uniform, Shape::Normal] {
            let (least, most) = ends(shape);
            assert!(least >= 0.0 && (0.95..=1.0).contains(&most), "{shape:?}: {least} to {most}");
        }
        assert!(ends(Shape::Lognormal).1 <= 64.0);
        assert!((50.0..2500.0).contains(&ends(Shape::Pareto).1), "a tail that is heavy, and ends");
        for shape in Shape::ALL {
            assert_eq!(shape.draw(Duration::ZERO, &mut Dice::new(1)), Duration::ZERO);
            // An hour is the most that a file may say.
            let hour = Duration::from_secs(3600);
            (0..100).for_each(|seed| assert!(shape.draw(hour, &mut Dice::new(seed)) < hour * 3000));
        }
    }

    /// The same on every machine. Whoever changes how a shape is drawn changes the traces of the worlds that have it.
    #[test]
    fn a_seed_draws_what_it_always_drew() {
        let drawn = Shape::ALL.map(|shape| {
            let mut dice = Dice::new(7);
            [(); 4].map(|()| shape.draw(JITTER, &mut dice).as_micros())
        });
        let pinned = [
            [9610, 20340, 9486, 27878],
            [38982, 1678, 90076, 58293],
            [38803, 45904, 54882, 45530],
            [62771, 84339, 122515, 83036],
            [432385, 32827, 653630, 15174],
        ];
        assert_eq!(drawn, pinned);
    }
}
