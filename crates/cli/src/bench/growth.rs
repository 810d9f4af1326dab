//! How the time of a step grows with the width and the depth of a network, with the batch and with threads.

use std::error::Error;

use chainrule::prelude::*;

use super::measure::{Effort, measure};
use super::works::Work;

/// One drawing: lines over one quantity.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) title: String,
    pub(crate) axis: &'static str,
    /// Each line's name and its points, the quantity and microseconds a step.
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// A network of 784 inputs, `depth` hidden layers of `width` units and 10 classes, and how it is trained.
#[derive(Clone, Copy)]
struct Point {
    width: usize,
    depth: usize,
    batch: usize,
    threads: usize,
}

/// What stays while one of it is varied.
const POINT: Point = Point { width: 64, depth: 2, batch: 128, threads: 1 };

/// Measures all series, on one thread and on all cores.
pub(crate) fn run(cores: usize, images: &Images, effort: Effort) -> Result<Vec<Series>, Box<dyn Error>> {
    let width = |width| Point { width, ..POINT };
    let depth = |depth| Point { depth, ..POINT };
    let batch = |batch| Point { batch, ..POINT };
    let threads = |threads| Point { width: 512, threads, ..POINT };
    let numbers = (0..).map(|power| 1 << power).take_while(|&threads| threads < cores).chain([cores]);
    let sweep = |title: &str, axis, values: &[usize], point: &dyn Fn(usize) -> Point| {
        eprintln!("measuring: {title}");
        let (mut ours, mut floor, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for &value in values {
            let (x, point) = (value as f64, point(value));
            let (step, products) = time(point, images, effort)?;
            ours.push((x, step));
            floor.push((x, products));
            if point.threads == 1 && cores > 1 && title != THREADS {
                all.push((x, time(Point { threads: cores, ..point }, images, effort)?.0));
            }
        }
        let (title, mut lines) =
            (title.to_owned(), vec![("ours".to_owned(), ours), ("floor".to_owned(), floor)]);
        if !all.is_empty() {
            lines.push((format!("ours on {cores} threads"), all));
        }
        Ok::<_, Box<dyn Error>>(Series { title, axis, lines })
    };
    Ok(vec![
        sweep(
            "Growth with width",
            "units of each of 2 hidden layers, batch 128",
            &[16, 32, 64, 128, 256, 512, 1024],
            &width,
        )?,
        sweep("Growth with depth", "hidden layers of 64 units, batch 128", &[1, 2, 4, 8, 16], &depth)?,
        sweep(
            "Growth with the batch",
            "samples a step, 2 hidden layers of 64",
            &[8, 16, 32, 64, 128, 256, 512],
            &batch,
        )?,
        sweep(THREADS, "threads, 2 hidden layers of 512, batch 128", &numbers.collect::<Vec<_>>(), &threads)?,
    ])
}

const THREADS: &str = "Growth with threads";

/// Microseconds a step, ours and the floor.
fn time(point: Point, images: &Images, effort: Effort) -> Result<(f64, f64), Box<dyn Error>> {
    let Point { width, depth, batch, threads } = point;
    let hidden = std::iter::repeat_n(width, depth);
    let sizes: Vec<usize> = [784].into_iter().chain(hidden).chain([10]).collect();
    // Where there are more threads than the default has shards, the others would have nothing to do.
    let shards = (threads > 2).then_some(threads);
    let figure = measure(&Work::dense("growth", &sizes, batch), threads, shards, images, effort)?;
    Ok((figure.ours_us, figure.floor_us))
}

/// The series as tables in Markdown.
pub(crate) fn markdown(series: &[Series]) -> String {
    let mut text = String::new();
    for Series { title, axis, lines } in series {
        let Some((_, first)) = lines.first() else { continue };
        text += &format!("{title}, in microseconds a step (on 1 thread, unless said):\n\n| {axis} |");
        first.iter().for_each(|(x, _)| text += &format!(" {x} |"));
        text += &format!("\n|---|{}\n", "---|".repeat(first.len()));
        for (name, points) in lines {
            text += &format!("| {name} |");
            points.iter().for_each(|(_, us)| text += &format!(" {us:.1} |"));
            text += "\n";
        }
        text += "\n";
    }
    text
}
