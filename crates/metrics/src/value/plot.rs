//! Curves as pictures.

use std::fmt::Write;

use super::Table;

/// How a table is drawn: which columns are the axes, from 0 to 1, and which says what belongs to one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plot {
    /// The column of the horizontal axis.
    pub x: &'static str,
    /// The column of the vertical axis.
    pub y: &'static str,
    /// The column whose value is that of the line; `None` if there is one line.
    pub series: Option<&'static str>,
    /// Whether the diagonal is drawn too, for what chance or perfection is.
    pub diagonal: bool,
}

/// The length of an axis.
const SIZE: f64 = 400.0;
/// The margin for labels.
const MARGIN: f64 = 60.0;
/// Colours that are also told apart by those who see fewer (Wong 2011).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

impl Table {
    /// A picture of the curve, as the text of an SVG file; `None` if the table is no curve.
    pub fn svg(&self) -> Option<String> {
        let Plot { x, y, series, diagonal } = self.plot()?;
        let (xs, ys) = (self.column(x)?, self.column(y)?);
        let series = series.map(|series| self.column(series));
        let series = match series {
            Some(series) => series?,
            None => vec![0.0; xs.len()],
        };
        let several = series.iter().any(|value| *value != series[0]);
        let end = MARGIN + SIZE;
        let width = end + if several { 2.0 * MARGIN } else { MARGIN / 2.0 };
        let height = end + MARGIN;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        );
        axes(&mut svg, x, y);
        if diagonal {
            svg += &line("#999999", "stroke-dasharray=\"4 4\"", [[0.0, 0.0], [1.0, 1.0]].into_iter());
        }
        let mut names = series.clone();
        names.dedup();
        for (index, name) in names.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let of_line = series.iter().zip(xs.iter().zip(&ys)).filter(|(of, _)| *of == name);
            svg += &line(colour, "", of_line.map(|(_, (&x, &y))| [x, y]));
            if several {
                let top = MARGIN / 2.0 + 18.0 * (index + 1) as f64;
                let _ =
                    writeln!(svg, "<text x=\"{}\" y=\"{top}\" fill=\"{colour}\">{name}</text>", end + 15.0);
            }
        }
        svg += "</svg>\n";
        Some(svg)
    }
}

/// Where a point is in the picture.
fn place([x, y]: [f64; 2]) -> [f64; 2] {
    [MARGIN + SIZE * x, MARGIN / 2.0 + SIZE * (1.0 - y)]
}

/// The frame with its numbers and names.
fn axes(svg: &mut String, x: &str, y: &str) {
    let [left, top] = place([0.0, 1.0]);
    let [right, bottom] = place([1.0, 0.0]);
    let frame = format!("<rect x=\"{left}\" y=\"{top}\" width=\"{SIZE}\" height=\"{SIZE}\"");
    *svg += &format!("{frame} fill=\"none\" stroke=\"#333333\"/>\n");
    for tick in 0..=5 {
        let at = f64::from(tick) / 5.0;
        let [across, _] = place([at, 0.0]);
        let [_, up] = place([0.0, at]);
        *svg += &format!("<text x=\"{across}\" y=\"{}\" text-anchor=\"middle\">{at}</text>\n", bottom + 18.0);
        *svg += &format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{at}</text>\n", left - 8.0, up + 4.0);
    }
    let [middle, centre] = [(left + right) / 2.0, (top + bottom) / 2.0];
    let [x, y] = [x.replace('_', " "), y.replace('_', " ")];
    *svg += &format!("<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{x}</text>\n", bottom + 42.0);
    let turned = format!("transform=\"translate({} {centre}) rotate(-90)\"", left - 42.0);
    *svg += &format!("<text {turned} text-anchor=\"middle\">{y}</text>\n");
}

/// A line through points.
fn line(colour: &str, style: &str, points: impl Iterator<Item = [f64; 2]>) -> String {
    let mut svg =
        format!("<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" {style} points=\"");
    for point in points {
        let [x, y] = place(point);
        let _ = write!(svg, "{x:.1},{y:.1} ");
    }
    svg += "\"/>\n";
    svg
}
