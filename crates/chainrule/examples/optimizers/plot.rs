//! The plot of the test accuracies, against steps and against seconds.

use std::error::Error;

use plotters::prelude::*;

use crate::curve::Point;

/// The colours of the curves that are named; all others are grey.
const COLOURS: [RGBColor; 10] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(0, 140, 150),
    RGBColor(160, 150, 20),
    RGBColor(20, 20, 20),
];
const OTHERS: RGBColor = RGBColor(205, 205, 205);

/// Below this accuracy the plot shows nothing: most of the differences are above it.
const LOWEST: f64 = 85.0;

/// A curve, the mean over the seeds.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
    /// Whether it has a colour and a name.
    pub(crate) named: bool,
}

/// What the horizontal axis counts.
struct Axis {
    words: &'static str,
    value: fn(&Point) -> f64,
}

const AXES: [Axis; 2] = [
    Axis { words: "steps", value: |point| point.steps as f64 },
    Axis { words: "seconds", value: |point| point.seconds },
];

/// The plot as SVG.
pub(crate) fn draw(lines: &[Line]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (1100, 560)).into_drawing_area();
        root.fill(&WHITE)?;
        let (charts, legend) = root.split_vertically(470);
        for (axis, area) in AXES.iter().zip(charts.split_evenly((1, 2))) {
            draw_chart(lines, axis, &area)?;
        }
        let named = lines.iter().filter(|line| line.named).map(|line| line.name.as_str());
        for (index, name) in named.chain(["all others"]).enumerate() {
            let (x, y) = (70 + 250 * (index % 4) as i32, 12 + 24 * (index / 4) as i32);
            let colour = if name == "all others" { OTHERS } else { COLOURS[index % COLOURS.len()] };
            legend.draw(&Rectangle::new([(x, y), (x + 14, y + 4)], colour.filled()))?;
            legend.draw(&Text::new(name.to_owned(), (x + 20, y - 5), ("sans-serif", 14)))?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn draw_chart<D: DrawingBackend>(
    lines: &[Line],
    axis: &Axis,
    area: &DrawingArea<D, plotters::coord::Shift>,
) -> Result<(), Box<dyn Error>>
where
    D::ErrorType: 'static,
{
    // Slow trainings are cut off: their ends would press all others to the left.
    let mut ends: Vec<f64> = lines.iter().filter_map(|line| line.points.last()).map(axis.value).collect();
    ends.sort_by(f64::total_cmp);
    let middle = ends.get(ends.len() / 2).copied().unwrap_or(1.0);
    let right = ends.last().copied().unwrap_or(1.0).min(3.0 * middle).max(1e-3);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(55)
        .build_cartesian_2d(0.0..right, LOWEST..100.0)?;
    chart
        .configure_mesh()
        .x_desc(axis.words)
        .y_desc("test accuracy, %")
        .light_line_style(TRANSPARENT)
        .draw()?;
    let visible = |points: &[Point]| -> Vec<(f64, f64)> {
        let points = points.iter().map(|point| ((axis.value)(point), 100.0 * point.accuracy));
        points.filter(|&(x, y)| y >= LOWEST && x <= right).collect()
    };
    for line in lines.iter().filter(|line| !line.named) {
        chart.draw_series([PathElement::new(visible(&line.points), OTHERS.stroke_width(1))])?;
    }
    for (index, line) in lines.iter().filter(|line| line.named).enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        chart.draw_series([PathElement::new(visible(&line.points), colour.stroke_width(2))])?;
    }
    Ok(())
}
