//! Pareto fronts: the points that no other point improves on.

/// Which way an objective is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    Least,
    Greatest,
}

/// Where a point stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Front,
    Dominated,
    /// An objective is absent or no finite number: the point neither is on the front nor dominates.
    Outside,
}

/// The standing of each point, in the order given.
///
/// A point dominates another if it is at least as good in every objective and better in one. The front are the points that none
/// dominates. Equal points do not dominate each other: they are on the front together, or not at all. Values are compared exactly;
/// there is no tolerance, and a difference within the spread over seeds counts as any other.
///
/// n log n comparisons and, for each point, one with each point of the front at most.
///
/// ```
/// use explore::pareto::{standings, Goal, Standing::{Dominated, Front, Outside}};
/// let accuracy_and_luts = [[Some(97.5), Some(900.0)], [Some(97.5), Some(700.0)], [Some(90.0), Some(200.0)], [None, Some(1.0)]];
/// assert_eq!(standings(&accuracy_and_luts, [Goal::Greatest, Goal::Least]), [Dominated, Front, Front, Outside]);
/// ```
pub fn standings<const N: usize>(points: &[[Option<f64>; N]], goals: [Goal; N]) -> Vec<Standing> {
    let cost = |point: &[Option<f64>; N]| {
        let mut costs = [0.0; N];
        for ((cost, value), goal) in costs.iter_mut().zip(point).zip(goals) {
            let value = value.filter(|value| value.is_finite())?;
            // Adding 0 makes -0 and 0 one value.
            *cost = 0.0 + if goal == Goal::Least { value } else { -value };
        }
        Some(costs)
    };
    let mut standings = vec![Standing::Outside; points.len()];
    let mut order: Vec<([f64; N], usize)> =
        points.iter().enumerate().filter_map(|(at, point)| Some((cost(point)?, at))).collect();
    let compare = |a: &[f64; N], b: &[f64; N]| {
        let unequal = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
        unequal.unwrap_or(std::cmp::Ordering::Equal)
    };
    order.sort_by(|(a, _), (b, _)| compare(a, b));
    // Whatever dominates a point comes before it, and is dominated by a point of the front or is one.
    let mut front: Vec<[f64; N]> = Vec::new();
    for (costs, at) in order {
        let dominates = |other: &[f64; N]| other != &costs && other.iter().zip(&costs).all(|(a, b)| a <= b);
        // The latest are the nearest in the first objective, and with two objectives the last alone decides.
        standings[at] = if front.iter().rev().any(dominates) {
            Standing::Dominated
        } else {
            if front.last() != Some(&costs) {
                front.push(costs);
            }
            Standing::Front
        };
    }
    standings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word by word.
    fn by_definition<const N: usize>(points: &[[Option<f64>; N]], goals: [Goal; N]) -> Vec<Standing> {
        let measured = |point: &[Option<f64>; N]| point.iter().all(|value| value.is_some_and(f64::is_finite));
        let better = |a: Option<f64>, b: Option<f64>, goal| if goal == Goal::Least { a < b } else { a > b };
        let dominates = |a: &[Option<f64>; N], b: &[Option<f64>; N]| {
            let each = || a.iter().zip(b).zip(goals);
            measured(a)
                && each().all(|((a, b), goal)| !better(*b, *a, goal))
                && each().any(|((a, b), goal)| better(*a, *b, goal))
        };
        let standing = |point: &[Option<f64>; N]| {
            if !measured(point) {
                Standing::Outside
            } else if points.iter().any(|other| dominates(other, point)) {
                Standing::Dominated
            } else {
                Standing::Front
            }
        };
        points.iter().map(standing).collect()
    }

    /// Few values, so that ties are many.
    fn value() -> impl Strategy<Value = Option<f64>> {
        prop_oneof![
            8 => (-3..4_i32).prop_map(|value| Some(f64::from(value) / 2.0)),
            1 => Just(None),
            1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)].prop_map(Some),
        ]
    }

    fn goal() -> impl Strategy<Value = Goal> {
        prop_oneof![Just(Goal::Least), Just(Goal::Greatest)]
    }

    proptest! {
        #[test]
        fn two_objectives_agree_with_the_definition(
            points in prop::collection::vec([value(), value()], 0..40), goals in [goal(), goal()]
        ) {
            prop_assert_eq!(standings(&points, goals), by_definition(&points, goals));
        }

        #[test]
        fn three_objectives_agree_with_the_definition(
            points in prop::collection::vec([value(), value(), value()], 0..40), goals in [goal(), goal(), goal()]
        ) {
            prop_assert_eq!(standings(&points, goals), by_definition(&points, goals));
        }
    }

    #[test]
    fn equal_points_stand_together() {
        use Standing::{Dominated, Front};
        let points = [[Some(1.0), Some(1.0)], [Some(1.0), Some(1.0)], [Some(1.0), Some(2.0)], [Some(1.0), Some(2.0)]];
        assert_eq!(standings(&points, [Goal::Least, Goal::Least]), [Front, Front, Dominated, Dominated]);
        assert_eq!(standings(&points, [Goal::Least, Goal::Greatest]), [Dominated, Dominated, Front, Front]);
    }
}
