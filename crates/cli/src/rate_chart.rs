//! The losses at growing learning rates, drawn as SVG.

use std::error::Error;

use chainrule::train::RateCurve;
use plotters::prelude::*;

use crate::curve::short;

const LOSS: RGBColor = RGBColor(190, 205, 220);
const SMOOTHED: RGBColor = RGBColor(31, 119, 180);
const SUGGESTED: RGBColor = RGBColor(200, 60, 40);

/// The text of an SVG file: the loss over the rate, whose axis is logarithmic, and a line at the suggested rate.
pub(crate) fn text(curve: &RateCurve, title: &str) -> Result<String, Box<dyn Error>> {
    let rates = curve.points.iter().map(|point| point.rate);
    let smoothed = || curve.points.iter().map(|point| point.smoothed).filter(|loss| loss.is_finite());
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (first, last) = bounds(&mut rates.into_iter());
    let (low, high) = bounds(&mut smoothed());
    if !(first < last && low <= high) {
        return Err("there are no losses to draw: the first steps have failed".into());
    }
    let margin = 0.05 * (high - low).max(1e-9);
    let (low, high) = (low - margin, high + margin);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (760, 420)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d((first..last).log_scale(), low..high)?;
        chart
            .configure_mesh()
            .x_desc("learning rate")
            .y_desc("loss")
            .x_label_formatter(&|x| short(*x))
            .y_label_formatter(&|y| short(*y))
            .light_line_style(TRANSPARENT)
            .draw()?;
        // The losses of single batches may leave the picture.
        let losses = curve.points.iter().map(|point| (point.rate, point.loss.clamp(low, high)));
        chart.draw_series([PathElement::new(losses.collect::<Vec<_>>(), LOSS.stroke_width(1))])?;
        let means = curve.points.iter().filter(|point| point.smoothed.is_finite());
        let means = means.map(|point| (point.rate, point.smoothed)).collect::<Vec<_>>();
        chart.draw_series([PathElement::new(means, SMOOTHED.stroke_width(2))])?;
        if let Some(rate) = curve.suggestion().filter(|rate| (first..=last).contains(rate)) {
            chart.draw_series([PathElement::new(
                vec![(rate, low), (rate, high)],
                SUGGESTED.stroke_width(1),
            )])?;
        }
        root.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule::train::RatePoint;

    #[test]
    fn a_curve_is_drawn_and_nothing_is_an_error() {
        let point = |step: i32| {
            let rate = 1e-6 * 10f64.powf(f64::from(step) / 10.0);
            let loss = 2.0 - 0.03 * f64::from(step) + if step > 50 { 2f64.powi(step - 50) } else { 0.0 };
            RatePoint { rate, loss, smoothed: loss }
        };
        let curve = RateCurve { points: (0..56).map(point).collect() };
        let svg = text(&curve, "adam").unwrap();
        assert!(
            svg.starts_with("<svg") && svg.contains("learning rate") && svg.matches("<polyline").count() >= 3
        );
        assert!(text(&RateCurve::default(), "adam").is_err());
    }
}
