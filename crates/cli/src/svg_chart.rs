//! A curve drawn as SVG.

use std::error::Error;

use plotters::prelude::*;

use crate::curve::{Column, Curve, short};

const LINE: RGBColor = RGBColor(31, 119, 180);

/// The text of an SVG file with the curve and its axes, of which the vertical one begins at 0.
pub(crate) fn text(curve: &Curve, title: &str) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (760, 420)).into_drawing_area();
        root.fill(&WHITE)?;
        let top = if curve.top() > 0.0 { 1.05 * curve.top() } else { 1.0 };
        let mut chart = ChartBuilder::on(&root)
            .caption(title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..curve.steps as f64, 0.0..top)?;
        chart
            .configure_mesh()
            .x_desc("step")
            .y_desc("learning rate")
            .x_label_formatter(&|x| x.to_string())
            .y_label_formatter(&|y| short(*y))
            .light_line_style(TRANSPARENT)
            .draw()?;
        let columns = &curve.columns;
        let ends = columns.iter().skip(1).map(|column| column.begin).chain([curve.steps]);
        let points: Vec<_> = columns.iter().zip(ends).flat_map(|(column, end)| points(column, end)).collect();
        chart.draw_series([PathElement::new(points, LINE.stroke_width(2))])?;
        root.present()?;
    }
    Ok(svg)
}

/// A column as points of a line: of several steps also the lowest and the highest rate.
fn points(column: &Column, end: u64) -> Vec<(f64, f64)> {
    let &Column { begin, low, high, first, last } = column;
    let [x, end] = [begin, end].map(|step| step as f64);
    if end - x <= 1.0 {
        return vec![(x, first), (end, first)];
    }
    let middle = 0.5 * (x + end);
    vec![(x, first), (middle, low), (middle, high), (end, last)]
}
