//! A curve drawn with characters.

use crate::curve::{Curve, short};

/// The size of the picture in characters.
const WIDTH: usize = 72;
const HEIGHT: usize = 14;

/// A character of the Braille block has 2 x 4 dots; this is the one without.
const BLANK: u32 = 0x2800;

/// The bit of each dot, by row and column.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// The curve with its axes, of which the vertical one begins at 0.
pub(crate) fn text(curve: &Curve) -> String {
    let top = curve.top();
    let mut cells = vec![[BLANK; WIDTH]; HEIGHT];
    let rows = HEIGHT * 4 - 1;
    let row = |rate: f64| {
        let part = if top > 0.0 { rate / top } else { 0.0 };
        rows - (part * rows as f64).round() as usize
    };
    let columns = WIDTH * 2;
    let mut before = None;
    for x in 0..columns {
        // A column of dots stands for some of the curve's, or a curve's for some dots.
        let count = curve.columns.len();
        let begin = x * count / columns;
        let end = ((x + 1) * count / columns).max(begin + 1);
        let part = &curve.columns[begin..end];
        let mut high = part.iter().map(|column| row(column.high)).min().unwrap_or(rows);
        let mut low = part.iter().map(|column| row(column.low)).max().unwrap_or(rows);
        // Joined with the dots before.
        if let Some(last) = before.replace(row(part[part.len() - 1].last)) {
            high = high.min(last);
            low = low.max(last);
        }
        for y in high..=low {
            cells[y / 4][x / 2] |= DOTS[y % 4][x % 2];
        }
    }
    let labels = [(0, short(top)), (HEIGHT / 2, short(top / 2.0)), (HEIGHT - 1, "0".to_owned())];
    let margin = labels.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (index, cells) in cells.iter().enumerate() {
        let label = labels.iter().find(|(row, _)| *row == index).map_or("", |(_, label)| label);
        let line: String = cells.iter().filter_map(|&cell| char::from_u32(cell)).collect();
        text += &format!("{label:>margin$} ┤{line}\n");
    }
    let end = format!("{} steps", curve.steps);
    let space = WIDTH - 1;
    text += &format!("{:margin$} └{}\n{:margin$}  0{end:>space$}", "", "─".repeat(WIDTH), "");
    text
}

/// Bars of eight heights.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The most bars in a line.
const MOST_BARS: usize = 48;

/// Values as a line of bars, the lowest and the highest as the ends of their heights; of many values, means of some in a row.
/// What is not finite is a blank.
pub(crate) fn bars(values: &[f64]) -> String {
    let count = values.len().min(MOST_BARS);
    let mean = |bar: usize| {
        let part = &values[bar * values.len() / count..(bar + 1) * values.len() / count];
        part.iter().sum::<f64>() / part.len() as f64
    };
    let means: Vec<f64> = (0..count).map(mean).collect();
    let finite = || means.iter().copied().filter(|mean| mean.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let bar = |&mean: &f64| {
        let part = if high > low { (mean - low) / (high - low) } else { 0.0 };
        if mean.is_finite() { BARS[(part * 7.0).round() as usize] } else { ' ' }
    };
    means.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_values() {
        assert_eq!(bars(&[8.0, 4.5, 1.0]), "█▅▁");
        assert_eq!(bars(&[2.0, f64::NAN, 2.0]), "▁ ▁");
        assert_eq!(bars(&[]), "");
        let long: Vec<f64> = (0..1000).map(f64::from).collect();
        let text: Vec<char> = bars(&long).chars().collect();
        assert_eq!((text.len(), text[0], text[47]), (48, '▁', '█'));
    }

    /// The picture as rows of dots.
    fn dots(curve: &Curve) -> Vec<Vec<bool>> {
        let text = text(curve);
        let lines: Vec<&str> = text.lines().take(HEIGHT).collect();
        let cells: Vec<Vec<u32>> = lines
            .iter()
            .map(|line| line.split('┤').nth(1).unwrap().chars().map(|c| c as u32 - BLANK).collect())
            .collect();
        let dot = |y: usize, x: usize| cells[y / 4][x / 2] & DOTS[y % 4][x % 2] != 0;
        (0..HEIGHT * 4).map(|y| (0..WIDTH * 2).map(|x| dot(y, x)).collect()).collect()
    }

    #[test]
    fn a_constant_is_a_line_at_the_top_and_zero_one_at_the_bottom() {
        for (rate, row) in [(0.5, 0), (0.0, HEIGHT * 4 - 1)] {
            let dots = dots(&Curve::of(1000, |_| rate));
            for (y, line) in dots.iter().enumerate() {
                assert!(line.iter().all(|&dot| dot == (y == row)), "row {y}");
            }
        }
    }

    #[test]
    fn every_column_has_a_dot_and_steps_are_joined() {
        for steps in [1, 2, 10, 144, 5000] {
            let rates: [fn(u64) -> f64; 3] =
                [|step| step as f64, |step| 1.0 / (1.0 + step as f64), |step| (step % 2) as f64];
            for rate in rates {
                let dots = dots(&Curve::of(steps, rate));
                let mut before: Option<[usize; 2]> = None;
                for x in 0..WIDTH * 2 {
                    let set: Vec<usize> =
                        dots.iter().enumerate().filter(|(_, row)| row[x]).map(|(y, _)| y).collect();
                    let ends = [set[0], set[set.len() - 1]];
                    assert_eq!(ends[1] - ends[0] + 1, set.len(), "one line");
                    if let Some([high, low]) = before {
                        assert!(ends[0] <= low + 1 && high <= ends[1] + 1, "joined at {x} of {steps} steps");
                    }
                    before = Some(ends);
                }
            }
        }
    }
}
