//! Curves as paths of few points.

use std::fmt::Write as _;

/// The distance in pixels within which a point that is left out lies from the drawn line.
const TOLERANCE: f64 = 0.2;

/// The points that a line needs so that no point is farther than [`TOLERANCE`] from it
/// (Douglas and Peucker 1973).
pub(crate) fn simplify(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() < 3 {
        return points.to_vec();
    }
    let mut is_kept = vec![false; points.len()];
    let mut open = vec![(0, points.len() - 1)];
    is_kept[0] = true;
    is_kept[points.len() - 1] = true;
    while let Some((first, last)) = open.pop() {
        let inner =
            (first + 1..last).map(|at| (at, distance(points[at], points[first], points[last])));
        let farthest = inner.max_by(|(_, a), (_, b)| a.total_cmp(b));
        if let Some((at, distance)) = farthest
            && distance > TOLERANCE
        {
            is_kept[at] = true;
            open.extend([(first, at), (at, last)]);
        }
    }
    let kept = points.iter().zip(is_kept).filter(|(_, is_kept)| *is_kept);
    kept.map(|(point, _)| *point).collect()
}

/// The distance of a point from the segment between two others.
fn distance(point: (f64, f64), from: (f64, f64), to: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.mul_add(dx, dy * dy);
    let along = (point.0 - from.0).mul_add(dx, (point.1 - from.1) * dy);
    let along = if length > 0.0 {
        (along / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (point.0 - along.mul_add(dx, from.0)).hypot(point.1 - along.mul_add(dy, from.1))
}

/// The least distance in pixels between two points of a thinned curve.
const SPACING: f64 = 4.0;

/// Which value stands for those of a part of a curve.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Mean,
    Top,
    Bottom,
}

/// The curve with one point for each [`SPACING`] pixels where it has more; its ends stay.
pub(crate) fn thin(points: Vec<(f64, f64)>, part: Part) -> Vec<(f64, f64)> {
    let [first, inner @ .., last] = points.as_slice() else {
        return points;
    };
    if (last.0 - first.0) / SPACING >= points.len() as f64 {
        return points;
    }
    let mut thinned = vec![*first];
    let bucket = |point: &(f64, f64)| ((point.0 - first.0) / SPACING) as i64;
    for part_of in inner.chunk_by(|a, b| bucket(a) == bucket(b)) {
        let count = part_of.len() as f64;
        let x = part_of.iter().map(|(x, _)| x).sum::<f64>() / count;
        let ys = part_of.iter().map(|(_, y)| *y);
        let y = match part {
            Part::Mean => ys.sum::<f64>() / count,
            // Up is towards zero.
            Part::Top => ys.fold(f64::INFINITY, f64::min),
            Part::Bottom => ys.fold(f64::NEG_INFINITY, f64::max),
        };
        thinned.push((x, y));
    }
    thinned.push(*last);
    thinned
}

/// The path through points, in the notation of SVG: the first place, and the steps to the others in tenths
/// that do not add up to an error.
pub(crate) fn path(points: &[(f64, f64)]) -> String {
    let mut text = String::new();
    let mut before = (0, 0);
    for (index, (x, y)) in points.iter().enumerate() {
        let at = (tenths(*x), tenths(*y));
        if index == 0 {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "M{} {}", short(at.0), short(at.1));
        } else {
            let (dx, dy) = (short(at.0 - before.0), short(at.1 - before.1));
            let begin = if index == 1 { "l" } else { " " };
            let between = if dy.starts_with('-') { "" } else { " " };
            let begin = if index > 1 && dx.starts_with('-') {
                ""
            } else {
                begin
            };
            let _ = write!(text, "{begin}{dx}{between}{dy}");
        }
        before = at;
    }
    text
}

fn tenths(value: f64) -> i64 {
    (value * 10.0).round() as i64
}

/// A number of tenths: `12.3`, `.4`, `-.4`, `7`.
fn short(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    let (whole, rest) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    match (whole, rest) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, rest) => format!("{sign}.{rest}"),
        (whole, rest) => format!("{sign}{whole}.{rest}"),
    }
}

/// A coordinate with at most one digit after the point.
pub(crate) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_needs_its_ends() {
        let line: Vec<_> = (0..100)
            .map(|x| (f64::from(x), 2.0 * f64::from(x)))
            .collect();
        assert_eq!(simplify(&line), [(0.0, 0.0), (99.0, 198.0)]);
    }

    #[test]
    fn no_point_is_far_from_the_simplified_line() {
        let curve: Vec<_> = (0..500)
            .map(|x| {
                (
                    f64::from(x),
                    200.0 * (-f64::from(x) / 50.0).exp() + 3.0 * f64::from(x).sin(),
                )
            })
            .collect();
        let kept = simplify(&curve);
        for point in &curve {
            let near = kept
                .windows(2)
                .map(|pair| distance(*point, pair[0], pair[1]));
            assert!(near.fold(f64::INFINITY, f64::min) <= TOLERANCE + 1e-9);
        }
    }

    #[test]
    fn a_dense_curve_is_thinned_and_keeps_its_ends() {
        let curve: Vec<_> = (0..1000)
            .map(|x| (f64::from(x) / 10.0, if x % 2 == 0 { 1.0 } else { 3.0 }))
            .collect();
        for (part, y) in [(Part::Mean, 2.0), (Part::Top, 1.0), (Part::Bottom, 3.0)] {
            let thinned = thin(curve.clone(), part);
            assert_eq!(
                (thinned[0], thinned[thinned.len() - 1]),
                (curve[0], curve[999])
            );
            assert!(thinned.len() <= 28, "{}", thinned.len());
            assert!(
                thinned[2..20]
                    .iter()
                    .all(|point| (point.1 - y).abs() < 1e-9)
            );
        }
        assert_eq!(thin(vec![(0.0, 1.0), (50.0, 2.0)], Part::Mean).len(), 2);
    }

    #[test]
    fn coordinates_are_short() {
        let points = [(1.0, 2.04), (-0.01, 3.36), (5.0, 3.0), (4.0, 2.5)];
        assert_eq!(path(&points), "M1 2l-1 1.4 5-.4-1-.5");
    }
}
