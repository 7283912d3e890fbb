//! Curves drawn with letters, for any terminal.

use std::fmt::Write as _;

use assay_chart::Scale;

/// A curve: its letter, and the value after each of its epochs.
pub(super) struct Curve {
    pub(super) letter: char,
    pub(super) points: Vec<(u32, f64)>,
}

/// Where several curves are.
const SHARED: char = '*';
/// The columns of the labels of the values.
const LABELS: usize = 8;

/// Draws curves by epoch in so many columns and rows, with the values and the epochs at the ends of the
/// axes; nothing without a value. Of the epochs that share a column, the last is drawn.
pub(super) fn draw(curves: &[Curve], columns: usize, rows: usize) -> Option<String> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let scale = Scale::fitting(points().map(|(_, value)| *value))?;
    let last = points().map(|(epoch, _)| *epoch).max()?;
    let width = columns.saturating_sub(LABELS + 2).max(10);
    let mut cells = vec![vec![' '; width]; rows.max(2)];
    let lowest = cells.len() - 1;
    for curve in curves {
        let mut places: Vec<_> = curve
            .points
            .iter()
            .map(|(epoch, value)| {
                let share =
                    f64::from(epoch.saturating_sub(1)) / f64::from(last.saturating_sub(1).max(1));
                let column = (share * (width - 1) as f64).round() as usize;
                let height = scale.fraction(*value).clamp(0.0, 1.0) * lowest as f64;
                (column, lowest - height.round() as usize)
            })
            .collect();
        // The last of each column.
        places.reverse();
        places.dedup_by_key(|(column, _)| *column);
        for (column, row) in places {
            if let Some(cell) = cells.get_mut(row).and_then(|row| row.get_mut(column)) {
                *cell = if *cell == ' ' { curve.letter } else { SHARED };
            }
        }
    }
    let (low, high) = scale.ends();
    let mut text = String::new();
    for (row, cells) in cells.iter().enumerate() {
        let label = if row == 0 {
            high.as_str()
        } else if row == lowest {
            low.as_str()
        } else {
            ""
        };
        let line: String = cells.iter().collect();
        let _ = writeln!(text, "{label:>LABELS$} │{}", line.trim_end());
    }
    let axis = "─".repeat(width);
    let _ = writeln!(text, "{:LABELS$} └{axis}", "");
    let end = last.to_string();
    let gap = width.saturating_sub(end.len());
    let _ = writeln!(text, "{:LABELS$}  {:gap$}{end}", "", "1");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(letter: char, values: &[f64]) -> Curve {
        Curve {
            letter,
            points: (1..).zip(values.iter().copied()).collect(),
        }
    }

    #[test]
    fn curves_are_drawn_from_their_first_to_their_last_epoch() {
        let curves = [curve('a', &[4.0, 2.0, 0.0]), curve('b', &[0.0, 2.0, 4.0])];
        let drawn = draw(&curves, 21, 3).unwrap();
        let expected = "       4 │a         b\n         │     *\n       0 │b         a\n         \
                        └───────────\n          1         3\n";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn one_epoch_and_many_have_a_place() {
        let drawn = draw(&[curve('a', &[50.0])], 80, 5).unwrap();
        assert_eq!(drawn.matches('a').count(), 1, "{drawn}");
        let many: Vec<_> = (0..100_000).map(f64::from).collect();
        let drawn = draw(&[curve('a', &many)], 80, 5).unwrap();
        assert!(
            drawn.lines().all(|line| line.chars().count() <= 80),
            "{drawn}"
        );
        assert!(draw(&[], 80, 5).is_none());
        assert!(draw(&[curve('a', &[])], 80, 5).is_none());
    }
}
