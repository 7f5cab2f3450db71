//! Where labels of points stand: near their points, within the frame, on no other label, marker or leader.

use super::scene::{text_width, Area, Place, TEXT};

/// A label that found a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Of [`place`]'s points.
    pub point: usize,
    pub area: Area,
    /// From the point to the label, if the label does not touch it.
    pub leader: Option<[Place; 2]>,
}

/// Distances from the point to the label's nearest edge, nearest first.
const DISTANCES: [f64; 11] = [11.0, 18.0, 28.0, 40.0, 55.0, 75.0, 100.0, 130.0, 165.0, 205.0, 250.0];
const DIRECTIONS: usize = 32;
/// Room around a marker and between labels.
const GAP: f64 = 3.0;
const MARKER: f64 = 8.0;

/// What labels stand on only where they have to.
pub struct Background {
    pub markers: Vec<Place>,
    pub lines: Vec<[Place; 2]>,
}

/// Places as many of the labels as it can.
pub fn place(points: &[(Place, String)], background: &Background, frame: &Area) -> Vec<Placed> {
    let crowd = |at: Place| {
        let near = points.iter().filter(|(other, _)| (other.0 - at.0).abs() < 90.0 && (other.1 - at.1).abs() < 45.0);
        near.count()
    };
    let mut left_to_right: Vec<usize> = (0..points.len()).collect();
    left_to_right.sort_by(|&a, &b| points[a].0 .0.total_cmp(&points[b].0 .0));
    let mut crowded_first = left_to_right.clone();
    crowded_first.sort_by_key(|&at| std::cmp::Reverse(crowd(points[at].0)));
    let right_to_left: Vec<usize> = left_to_right.iter().rev().copied().collect();
    // What is placed first decides what has room: the best of some orders.
    let tried = [left_to_right, right_to_left, crowded_first].map(|order| in_order(&order, points, background, frame));
    let (mut placed, _) =
        tried.into_iter().min_by_key(|(placed, cost)| (std::cmp::Reverse(placed.len()), *cost)).unwrap_or_default();
    placed.sort_by_key(|label| label.point);
    placed
}

/// Each label at its best place that is still free; and the sum of their costs.
fn in_order(
    order: &[usize],
    points: &[(Place, String)],
    background: &Background,
    frame: &Area,
) -> (Vec<Placed>, usize) {
    let own: Vec<Area> = points.iter().map(|(at, _)| around(*at)).collect();
    let mut placed: Vec<Placed> = Vec::new();
    let mut costs = 0;
    for &point in order {
        let (at, text) = &points[point];
        let (width, height) = (text_width(text, TEXT), TEXT * 0.84);
        let mut best: Option<(usize, Placed)> = None;
        for (step, distance) in DISTANCES.into_iter().enumerate() {
            for direction in 0..DIRECTIONS {
                let angle = std::f64::consts::TAU * (direction as f64 / DIRECTIONS as f64 - 0.125);
                let (dx, dy) = (angle.cos(), angle.sin());
                let center = (at.0 + dx * (distance + width / 2.0), at.1 + dy * (distance + height / 2.0));
                let area = Area {
                    from: (center.0 - width / 2.0, center.1 - height / 2.0),
                    to: (center.0 + width / 2.0, center.1 + height / 2.0),
                };
                let leader = (step > 0).then(|| leader(*at, &area));
                let roomy = grown(&area, GAP);
                let free = frame.holds(&area)
                    && !own.iter().any(|marker| marker.overlaps(&area))
                    && !placed.iter().any(|other| {
                        other.area.overlaps(&roomy)
                            || other.leader.is_some_and(|line| crosses(line, &roomy))
                            || leader.is_some_and(|line| crosses(line, &grown(&other.area, GAP)))
                            || leader.is_some_and(|line| other.leader.is_some_and(|other| meet(line, other)))
                    });
                if !free {
                    continue;
                }
                let markers = &background.markers;
                let covered = markers.iter().filter(|marker| around(**marker).overlaps(&area)).count();
                let struck = background.lines.iter().filter(|line| crosses(**line, &area)).count();
                let behind = |(other, marker): &(usize, &Area)| {
                    *other != point && leader.is_some_and(|line| crosses(line, marker))
                };
                // A label beside another point's marker needs a leader, or it names the wrong one.
                let beside = grown(&area, MARKER);
                let is_mistaken = |(other, marker): (usize, &Area)| other != point && marker.overlaps(&beside);
                let mistaken = leader.is_none() && own.iter().enumerate().any(is_mistaken);
                let crossed = own.iter().enumerate().filter(behind).count();
                let cost = covered * 3 + struck * 6 + crossed * 12 + usize::from(mistaken) * 30 + step * step;
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, Placed { point, area, leader }));
                }
            }
        }
        if let Some((cost, label)) = best {
            costs += cost;
            placed.push(label);
        }
    }
    (placed, costs)
}

/// From the edge of a marker to the nearest place of its label.
fn leader(at: Place, area: &Area) -> [Place; 2] {
    let end = (at.0.clamp(area.from.0, area.to.0), at.1.clamp(area.from.1, area.to.1));
    let (dx, dy) = (end.0 - at.0, end.1 - at.1);
    let share = (MARKER / dx.hypot(dy).max(MARKER)).min(1.0);
    [(at.0 + dx * share, at.1 + dy * share), end]
}

fn around((x, y): Place) -> Area {
    Area { from: (x - MARKER, y - MARKER), to: (x + MARKER, y + MARKER) }
}

fn grown(area: &Area, by: f64) -> Area {
    Area { from: (area.from.0 - by, area.from.1 - by), to: (area.to.0 + by, area.to.1 + by) }
}

/// Whether a line enters an area.
fn crosses([from, to]: [Place; 2], area: &Area) -> bool {
    // Liang and Barsky's clipping: the part of the line that is within each pair of edges.
    let (mut first, mut last) = (0.0_f64, 1.0_f64);
    for (start, step, low, high) in
        [(from.0, to.0 - from.0, area.from.0, area.to.0), (from.1, to.1 - from.1, area.from.1, area.to.1)]
    {
        if step.abs() < 1e-9 {
            if start <= low || start >= high {
                return false;
            }
            continue;
        }
        let (a, b) = ((low - start) / step, (high - start) / step);
        first = first.max(a.min(b));
        last = last.min(a.max(b));
    }
    first < last
}

/// Whether two lines have an inner point in common.
fn meet([a, b]: [Place; 2], [c, d]: [Place; 2]) -> bool {
    let side = |p: Place, q: Place, r: Place| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0);
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_cross_what_they_enter() {
        let area = Area { from: (0.0, 0.0), to: (10.0, 10.0) };
        assert!(crosses([(-5.0, 5.0), (15.0, 6.0)], &area));
        assert!(crosses([(5.0, 5.0), (5.0, 50.0)], &area));
        assert!(!crosses([(-5.0, 5.0), (-1.0, 6.0)], &area));
        assert!(!crosses([(-5.0, 0.0), (5.0, -8.0)], &area));
        assert!(!crosses([(12.0, -5.0), (12.0, 50.0)], &area));
        assert!(meet([(0.0, 0.0), (4.0, 4.0)], [(0.0, 4.0), (4.0, 0.0)]));
        assert!(!meet([(0.0, 0.0), (1.0, 1.0)], [(0.0, 4.0), (4.0, 0.0)]));
    }

    proptest! {
        #[test]
        fn labels_stay_in_the_frame_and_off_each_other(
            points in prop::collection::vec((100.0..800.0_f64, 60.0..400.0_f64), 1..30)
        ) {
            let frame = Area { from: (90.0, 50.0), to: (870.0, 450.0) };
            let points: Vec<(Place, String)> = points.into_iter().map(|at| (at, "W4 A4 8×8".to_owned())).collect();
            let markers: Vec<Place> = points.iter().map(|(at, _)| *at).collect();
            let background = Background { markers, lines: vec![[(90.0, 200.0), (870.0, 210.0)]] };
            let placed = place(&points, &background, &frame);
            for (at, label) in placed.iter().enumerate() {
                prop_assert!(frame.holds(&label.area));
                for other in &placed[..at] {
                    prop_assert!(!label.area.overlaps(&other.area), "{label:?} {other:?}");
                    for (line, area) in [(label.leader, other.area), (other.leader, label.area)] {
                        prop_assert!(!line.is_some_and(|line| crosses(line, &area)));
                    }
                }
                for (marker, _) in &points {
                    prop_assert!(!around(*marker).overlaps(&label.area));
                }
            }
        }
    }

    #[test]
    fn labels_of_points_with_room_are_all_placed_beside_them() {
        let frame = Area { from: (0.0, 0.0), to: (800.0, 400.0) };
        let points: Vec<(Place, String)> =
            (0..4).map(|at| ((100.0 + 180.0 * f64::from(at), 200.0), format!("W{at}"))).collect();
        let background = Background { markers: Vec::new(), lines: Vec::new() };
        let placed = place(&points, &background, &frame);
        assert_eq!(placed.len(), 4);
        assert!(placed.iter().all(|label| label.leader.is_none()), "{placed:?}");
    }

    #[test]
    fn labels_avoid_lines_and_markers_that_they_can_avoid() {
        let frame = Area { from: (0.0, 0.0), to: (800.0, 400.0) };
        let points = [((400.0, 200.0), "W4 A4".to_owned())];
        let lines = vec![[(0.0, 200.0), (800.0, 200.0)], [(400.0, 200.0), (400.0, 400.0)]];
        let background = Background { markers: vec![(430.0, 180.0)], lines: lines.clone() };
        let [label] = &place(&points, &background, &frame)[..] else { panic!("it has room") };
        assert!(lines.iter().all(|line| !crosses(*line, &label.area)), "{label:?}");
        assert!(!around((430.0, 180.0)).overlaps(&label.area), "{label:?}");
    }
}
