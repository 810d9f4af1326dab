//! The figures as charts.
//!
//! plotters draws them: with only its SVG backend it is three small crates and needs no fonts.

use std::error::Error;
use std::path::Path;

use chainrule::data::output;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::growth::Series;
use super::measure::Figure;
use super::plural;

const BASELINE: RGBColor = RGBColor(150, 150, 150);
const OURS: RGBColor = RGBColor(31, 119, 180);
const COLOURS: [RGBColor; 4] = [OURS, BASELINE, RGBColor(214, 120, 40), RGBColor(40, 140, 70)];

/// Where bars are cut off, as a multiple of the baseline on one thread.
const HIGHEST: f64 = 2.0;

/// Draws bars of the baseline and of our step for each workload and number of threads, as shares of the workload's
/// baseline on one thread, with the ratio of the two above them. Bars higher than [`HIGHEST`] are cut off.
pub(crate) fn bars(figures: &[Figure], path: &Path) -> Result<(), Box<dyn Error>> {
    let mut svg = String::new();
    draw_bars(figures, &mut svg)?;
    write(path, &svg)
}

fn draw_bars(figures: &[Figure], svg: &mut String) -> Result<(), Box<dyn Error>> {
    let count = figures.len().max(1) as f64;
    let root =
        SVGBackend::with_string(svg, (110 * figures.len().max(3) as u32 + 110, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let base = |figure: &Figure| {
        let one = figures.iter().find(|other| other.workload == figure.workload && other.threads == 1);
        one.unwrap_or(figure).baseline_us
    };
    let heights: Vec<[f64; 2]> = figures
        .iter()
        .map(|figure| [figure.baseline_us, figure.ours_us].map(|us| us / base(figure)))
        .collect();
    // Next to a step that is nothing but overhead the other bars would be specks.
    let highest = heights.iter().flatten().copied().fold(1.0, f64::max).min(HIGHEST);
    let mut chart = ChartBuilder::on(&root)
        .caption("A training step against its bare matrix products", ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(50)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..count, 0.0..1.15 * highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .disable_x_axis()
        .y_desc("time relative to the baseline on 1 thread")
        .draw()?;
    let text = |size: i32, at: VPos| {
        TextStyle::from(("sans-serif", size).into_font()).pos(Pos::new(HPos::Center, at))
    };
    for (index, (figure, [baseline, ours])) in figures.iter().zip(&heights).enumerate() {
        let left = index as f64;
        for (from, height, colour) in [(0.12, *baseline, BASELINE), (0.5, *ours, OURS)] {
            let bar = [(left + from, 0.0), (left + from + 0.36, height.min(1.05 * highest))];
            chart.draw_series([Rectangle::new(bar, colour.filled())])?;
        }
        let above = (left + 0.5, baseline.max(*ours).min(1.05 * highest) + 0.02 * highest);
        let ratio = format!("{:.2}", figure.ratio);
        chart.draw_series([Text::new(ratio, above, text(15, VPos::Bottom))])?;
        // There are no coordinates below the axis: count pixels from it.
        let (x, y) = chart.backend_coord(&(left + 0.5, 0.0));
        let times = format!("{:.1} / {:.1} us", figure.baseline_us, figure.ours_us);
        let far = if figure.cores_are_far() { ", far" } else { "" };
        let threads =
            format!("{}, {} thread{}{far}", figure.workload, figure.threads, plural(figure.threads));
        root.draw(&Text::new(threads, (x, y + 6), text(13, VPos::Top)))?;
        root.draw(&Text::new(times, (x, y + 24), text(12, VPos::Top)))?;
    }
    for (line, (name, colour)) in
        [("baseline: one BLAS call per product", BASELINE), ("ours", OURS)].iter().enumerate()
    {
        let (x, y) = (80, 40 + 18 * line as i32);
        root.draw(&Rectangle::new([(x, y), (x + 12, y + 12)], colour.filled()))?;
        root.draw(&Text::new(*name, (x + 18, y + 1), ("sans-serif", 13)))?;
    }
    root.present()?;
    Ok(())
}

/// Draws how the time of a step grows: one chart per series, with logarithmic axes.
pub(crate) fn growth(series: &[Series], path: &Path) -> Result<(), Box<dyn Error>> {
    let mut svg = String::new();
    draw_growth(series, &mut svg)?;
    write(path, &svg)
}

fn draw_growth(series: &[Series], svg: &mut String) -> Result<(), Box<dyn Error>> {
    let rows = series.len().div_ceil(2);
    let root = SVGBackend::with_string(svg, (940, 360 * rows as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    for (Series { title, axis, lines }, area) in series.iter().zip(root.split_evenly((rows, 2))) {
        // The quantities are powers of two, and so are the ticks of the first axis.
        let points: Vec<(f64, f64)> = lines.iter().flat_map(|(_, points)| logarithmic(points)).collect();
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let (left, right) = range(&mut points.iter().map(|point| point.0));
        let (low, high) = range(&mut points.iter().map(|point| point.1));
        // Space for the names of the lines above them.
        let (bottom, top) = (low / 1.3, high * (high / low).powf(0.3));
        let mut chart = ChartBuilder::on(&area)
            .caption(*title, ("sans-serif", 15))
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(60)
            .build_cartesian_2d(left - 0.3..right + 0.3, (bottom..top).log_scale())?;
        chart
            .configure_mesh()
            .x_desc(*axis)
            .y_desc("microseconds per step")
            .x_labels((right - left) as usize + 2)
            .x_label_formatter(&|x| if x.fract() == 0.0 { x.exp2().to_string() } else { String::new() })
            .y_label_formatter(&|y| y.to_string())
            .light_line_style(TRANSPARENT)
            .draw()?;
        let (x, y) = chart.backend_coord(&(left - 0.3, top));
        for (index, (name, points)) in lines.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let points: Vec<_> = logarithmic(points).collect();
            chart.draw_series([PathElement::new(points.clone(), colour.stroke_width(2))])?;
            chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
            let (x, y) = (x + 14, y + 8 + 16 * index as i32);
            root.draw(&Rectangle::new([(x, y), (x + 12, y + 3)], colour.filled()))?;
            root.draw(&Text::new(name.clone(), (x + 18, y - 5), ("sans-serif", 12)))?;
        }
    }
    root.present()?;
    Ok(())
}

fn write(path: &Path, svg: &str) -> Result<(), Box<dyn Error>> {
    let written = output::write(path, |file| file.write_all(svg.as_bytes()));
    Ok(written.map_err(|error| format!("cannot write {}: {error}", path.display()))?)
}

fn logarithmic(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    points.iter().map(|&(x, y)| (x.log2(), y))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(draw: impl Fn(&Path) -> Result<(), Box<dyn Error>>) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drawing.svg");
        draw(&path).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn bars_have_names_and_ratios() {
        let figure = |workload: &str, threads, ours_us| Figure {
            workload: workload.to_owned(),
            threads,
            ours_us,
            baseline_us: 10.0,
            ratio: ours_us / 10.0,
            ..Figure::default()
        };
        let figures = [figure("one", 1, 11.0), figure("one", 2, 9.0), figure("slow", 2, 980.0)];
        let drawing = drawn(|path| bars(&figures, path));
        for text in ["one, 1 thread", "one, 2 threads", "10.0 / 11.0 us", "1.10", "98.00"] {
            assert!(drawing.contains(&format!("\n{text}\n")), "{text}");
        }
    }

    #[test]
    fn growth_has_a_chart_for_each_series() {
        let series = |title, lines: &[&str]| Series {
            title,
            axis: "units",
            lines: lines.iter().map(|name| (name.to_string(), vec![(16.0, 20.0), (64.0, 90.0)])).collect(),
        };
        let all =
            [series("width", &["ours", "baseline"]), series("depth", &["ours"]), series("one", &["ours"])];
        let drawing = drawn(|path| growth(&all, path));
        for text in ["width", "depth", "one", "ours", "baseline", "16", "32", "64"] {
            assert!(drawing.contains(&format!("\n{text}\n")), "{text}");
        }
    }
}
