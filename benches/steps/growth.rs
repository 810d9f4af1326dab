//! How the time of a step grows with the width and the depth of a network, the batch size and the number of threads.

use std::error::Error;

use super::measure::{self, Effort, Figure, Measurement};
use super::samples::{SampleSets, Source};
use super::workloads::{Choices, Workload};

/// One chart: lines over one quantity.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) title: &'static str,
    pub(crate) axis: &'static str,
    /// Each line's name and its points, the quantity and microseconds per step.
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// A network of 784 inputs, `depth` hidden layers of `width` units and 10 classes, and how it is trained.
#[derive(Clone, Copy)]
struct Network {
    width: usize,
    depth: usize,
    batch: usize,
    threads: usize,
}

impl Network {
    fn workload(&self) -> Workload {
        let hidden = std::iter::repeat_n(self.width, self.depth);
        let sizes: Vec<usize> = [784].into_iter().chain(hidden).chain([10]).collect();
        Workload::dense("growth", &sizes, self.batch)
    }
}

/// The network that each series varies one property of.
const NETWORK: Network = Network { width: 64, depth: 2, batch: 128, threads: 1 };

/// A series to be measured: the values of the property that is varied, and the network of a value.
struct Sweep {
    title: &'static str,
    axis: &'static str,
    values: Vec<usize>,
    network: fn(usize) -> Network,
    /// Whether to measure on all cores too.
    all_cores: bool,
}

fn sweeps(cores: usize) -> [Sweep; 4] {
    let numbers = (0..).map(|power| 1 << power).take_while(|&threads| threads < cores).chain([cores]);
    let all_cores = cores > 1;
    [
        Sweep {
            title: "Growth with width",
            axis: "units of each of 2 hidden layers, batch 128",
            values: vec![16, 32, 64, 128, 256, 512, 1024],
            network: |width| Network { width, ..NETWORK },
            all_cores,
        },
        Sweep {
            title: "Growth with depth",
            axis: "hidden layers of 64 units, batch 128",
            values: vec![1, 2, 4, 8, 16],
            network: |depth| Network { depth, ..NETWORK },
            all_cores,
        },
        Sweep {
            title: "Growth with the batch size",
            axis: "samples per step, 2 hidden layers of 64",
            values: vec![8, 16, 32, 64, 128, 256, 512],
            network: |batch| Network { batch, ..NETWORK },
            all_cores,
        },
        Sweep {
            title: "Growth with threads",
            axis: "threads, 2 hidden layers of 512, batch 128",
            values: numbers.collect(),
            network: |threads| Network { width: 512, threads, ..NETWORK },
            all_cores: false,
        },
    ]
}

impl Sweep {
    /// The networks on one thread (or on the number that is varied), then those on all cores.
    fn networks(&self, cores: usize) -> impl Iterator<Item = Network> {
        let values = if self.all_cores { &self.values[..] } else { &[] };
        let on_all = values.iter().map(move |&value| Network { threads: cores, ..(self.network)(value) });
        self.values.iter().map(|&value| (self.network)(value)).chain(on_all)
    }
}

/// Measures all series, on one thread and on all cores.
pub(crate) fn run(cores: usize, Effort { rounds, seconds }: Effort) -> Result<Vec<Series>, Box<dyn Error>> {
    let sweeps = sweeps(cores);
    let networks: Vec<Network> = sweeps.iter().flat_map(|sweep| sweep.networks(cores)).collect();
    let workloads: Vec<Workload> = networks.iter().map(Network::workload).collect();
    let data = SampleSets::of_all(&workloads, &Source::default())?;
    let measurement = |(network, workload): (&Network, _)| {
        // By default there may be fewer shards: further threads would have nothing to do.
        let shards = (network.threads > 2).then_some(network.threads);
        let choices = Choices { shards, ..Choices::default() };
        Measurement::new(workload, network.threads, choices, data.of(workload), seconds)
    };
    let mut measurements = networks.iter().zip(&workloads).map(measurement).collect::<Result<Vec<_>, _>>()?;
    measure::rounds(&mut measurements, rounds, || Ok(()))?;
    // If the cores shared a cache in some of the rounds, the first figure is of those.
    let mut figures = measurements.iter().filter_map(|measurement| measurement.figures().next());
    let series = |Sweep { title, axis, values, all_cores, .. }: Sweep| {
        let mut next = |count| figures.by_ref().take(count).collect::<Vec<Figure>>();
        let on_one = next(values.len());
        let on_all = next(if all_cores { values.len() } else { 0 });
        let line = |name: &str, figures: &[Figure], time: fn(&Figure) -> f64| {
            let xs = values.iter().map(|&value| value as f64);
            (name.to_owned(), xs.zip(figures.iter().map(time)).collect())
        };
        let mut lines = vec![
            line("ours", &on_one, |figure| figure.ours_us),
            line("baseline", &on_one, |figure| figure.baseline_us),
        ];
        if !on_all.is_empty() {
            lines.push(line(&format!("ours on {cores} threads"), &on_all, |figure| figure.ours_us));
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
        text += &format!("{title}, in microseconds per step (on 1 thread unless stated):\n\n| {axis} |");
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
