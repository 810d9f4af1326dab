//! How the time of a step grows with the width and the depth of a network, with the batch and with threads.

use std::error::Error;

use super::measure::{self, Effort, Figure, Measurement};
use super::works::{Data, Work};

/// One drawing: lines over one quantity.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) title: &'static str,
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

impl Point {
    fn work(&self) -> Work {
        let hidden = std::iter::repeat_n(self.width, self.depth);
        let sizes: Vec<usize> = [784].into_iter().chain(hidden).chain([10]).collect();
        Work::dense("growth", &sizes, self.batch)
    }
}

/// What stays while one of it is varied.
const POINT: Point = Point { width: 64, depth: 2, batch: 128, threads: 1 };

/// A series to be measured: what is varied, over which values, in which points.
struct Sweep {
    title: &'static str,
    axis: &'static str,
    values: Vec<usize>,
    point: fn(usize) -> Point,
    /// Whether all cores are measured beside one.
    beside: bool,
}

fn sweeps(cores: usize) -> [Sweep; 4] {
    let numbers = (0..).map(|power| 1 << power).take_while(|&threads| threads < cores).chain([cores]);
    let beside = cores > 1;
    [
        Sweep {
            title: "Growth with width",
            axis: "units of each of 2 hidden layers, batch 128",
            values: vec![16, 32, 64, 128, 256, 512, 1024],
            point: |width| Point { width, ..POINT },
            beside,
        },
        Sweep {
            title: "Growth with depth",
            axis: "hidden layers of 64 units, batch 128",
            values: vec![1, 2, 4, 8, 16],
            point: |depth| Point { depth, ..POINT },
            beside,
        },
        Sweep {
            title: "Growth with the batch",
            axis: "samples a step, 2 hidden layers of 64",
            values: vec![8, 16, 32, 64, 128, 256, 512],
            point: |batch| Point { batch, ..POINT },
            beside,
        },
        Sweep {
            title: "Growth with threads",
            axis: "threads, 2 hidden layers of 512, batch 128",
            values: numbers.collect(),
            point: |threads| Point { width: 512, threads, ..POINT },
            beside: false,
        },
    ]
}

impl Sweep {
    /// The points on one thread (or as many as are swept over), then those on all cores.
    fn points(&self, cores: usize) -> impl Iterator<Item = Point> {
        let points = self.values.iter().map(|&value| (self.point)(value));
        let beside = points.clone().filter(|_| self.beside);
        points.chain(beside.map(move |point| Point { threads: cores, ..point }))
    }
}

/// Measures all series, on one thread and on all cores.
pub(crate) fn run(cores: usize, Effort { rounds, seconds }: Effort) -> Result<Vec<Series>, Box<dyn Error>> {
    let sweeps = sweeps(cores);
    let points: Vec<Point> = sweeps.iter().flat_map(|sweep| sweep.points(cores)).collect();
    let works: Vec<Work> = points.iter().map(Point::work).collect();
    let data = Data::of_all(&works)?;
    let measurement = |(point, work): (&Point, _)| {
        // Where there are more threads than the default has shards, the others would have nothing to do.
        let shards = (point.threads > 2).then_some(point.threads);
        Measurement::new(work, point.threads, shards, data.of(work), seconds)
    };
    let mut measurements = points.iter().zip(&works).map(measurement).collect::<Result<Vec<_>, _>>()?;
    measure::rounds(&mut measurements, rounds, || ())?;
    // Where the cores had a cache in common for some rounds, those are shown.
    let mut figures = measurements.iter().filter_map(|measurement| measurement.figures().next());
    let series = |Sweep { title, axis, values, beside, .. }: Sweep| {
        let mut next = |count| figures.by_ref().take(count).collect::<Vec<Figure>>();
        let (alone, beside) = (next(values.len()), next(if beside { values.len() } else { 0 }));
        let line = |name: &str, figures: &[Figure], time: fn(&Figure) -> f64| {
            let xs = values.iter().map(|&value| value as f64);
            (name.to_owned(), xs.zip(figures.iter().map(time)).collect())
        };
        let mut lines = vec![
            line("ours", &alone, |figure| figure.ours_us),
            line("floor", &alone, |figure| figure.floor_us),
        ];
        if !beside.is_empty() {
            lines.push(line(&format!("ours on {cores} threads"), &beside, |figure| figure.ours_us));
        }
        Series { title, axis, lines }
    };
    Ok(sweeps.into_iter().map(series).collect())
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
