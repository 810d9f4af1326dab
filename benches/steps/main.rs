//! `cargo xtask bench`: the time of a training step against the bare matrix products that it needs.
//!
//! The products alone, one BLAS call each on the same shapes, are the baseline that no step can beat without
//! better products. Both are measured for all workloads in turn, several rounds in one run, since machines are noisy.

mod baseline;
mod breakdown;
mod document;
mod growth;
mod machines;
mod measure;
mod peers;
mod plot;
mod samples;
mod table;
mod targets;
mod workloads;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chainrule::data::output;
use chainrule::tensor::{CountingAllocator, blas, simd};
use chainrule_cli::dataset::{self, DatasetName};
use chainrule_cli::machine::Machine;
use chainrule_cli::{benchmark, peak, terminal};
use clap::Parser;

use breakdown::Repeats;
use machines::Network;
use measure::{Effort, Figure, Measurement};
use samples::{SampleSets, Source};
use workloads::{Choices, Workload, workloads};

/// Counts what a step allocates; it costs a step nothing, since a step allocates nothing.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// Measure training steps against the bare matrix products that they need.
#[derive(Debug, Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// Run fewer and shorter rounds: all workloads in less than a minute.
    #[arg(long)]
    quick: bool,
    /// The number of rounds; at least 7 give a reliable median [default: 15, or 7 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Measure only these workloads, such as mlp32,wide128 [default: all].
    #[arg(long, value_delimiter = ',')]
    workload: Vec<String>,
    /// Measure only these numbers of threads, such as 1,2 [default: 1 and all cores].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    threads: Vec<u32>,
    #[command(flatten)]
    choices: Choices,
    /// Write the figures as JSON to this file, and a chart of the same name in SVG next to it.
    #[arg(long, default_value = "target/bench/bench.json")]
    json: PathBuf,
    /// Also write the tables into this document, between its markers, and the chart next to it.
    #[arg(long)]
    document: Option<PathBuf>,
    /// Fail if a step allocates, or takes more than twice as long as a target that is a share or a ratio.
    #[arg(long)]
    check: bool,
    /// Measure instead how the time of a step grows with width, depth, batch size and threads.
    #[arg(long, conflicts_with_all = ["check", "peers", "workload", "threads"])]
    growth: bool,
    /// Measure instead the parts of a step on one thread, and predict how fast it would be on several machines.
    #[arg(long, conflicts_with_all = ["check", "growth", "peers", "threads", "shards", "portable", "json"])]
    machines: bool,
    #[command(flatten)]
    network: Network,
    /// Train the workloads on MNIST instead, as the programs of other frameworks in benches/peers do, and print a line of
    /// JSON for each.
    #[arg(long, conflicts_with_all = ["check", "document", "quick", "rounds"])]
    peers: bool,
    /// The directory of the four MNIST files, which the networks for images are trained on [default: CHAINRULE_DATA; without that the
    /// bundled digits, and with --peers the cache or a download].
    #[arg(long, conflicts_with_all = ["growth", "machines"])]
    data_dir: Option<PathBuf>,
    /// Measure images without pixels of 0: then no product has columns of zeros, which are left out otherwise.
    #[arg(long, conflicts_with_all = ["growth", "machines", "peers"])]
    dense: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    benchmark::run(|| run(&arguments))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let cores = std::thread::available_parallelism()?.get();
    let workloads = chosen(&arguments.workload)?;
    let threads: Vec<usize> = match &arguments.threads[..] {
        [] if cores > 1 => vec![1, cores],
        [] => vec![1],
        threads => threads.iter().map(|&threads| threads as usize).collect(),
    };
    if cfg!(debug_assertions) {
        terminal::note("warning: this is a debug build, many times slower: build with --release");
    }
    if arguments.peers {
        return peers::run(&workloads, &threads, arguments.choices, arguments.data_dir.as_deref());
    }
    let (rounds, seconds) = if arguments.quick { (7, 0.05) } else { (15, 0.25) };
    let effort = Effort { rounds: arguments.rounds.map_or(rounds, |rounds| rounds as usize), seconds };
    if arguments.growth {
        return grow(arguments, cores, Effort { seconds: effort.seconds / 4.0, ..effort });
    }
    if arguments.machines {
        return predict(arguments, &workloads, Effort { seconds: effort.seconds / 4.0, ..effort });
    }
    compare(arguments, &workloads, &threads, effort)
}

/// The workloads of these names, or all of them without a name.
fn chosen(names: &[String]) -> Result<Vec<Workload>, String> {
    let mut workloads = workloads();
    if let Some(unknown) = names.iter().find(|name| workloads.iter().all(|workload| workload.name != **name))
    {
        let known: Vec<_> = workloads.iter().map(|workload| workload.name.as_str()).collect();
        return Err(format!("there is no workload `{unknown}`; there are {}", known.join(", ")));
    }
    workloads.retain(|workload| names.is_empty() || names.contains(&workload.name));
    Ok(workloads)
}

/// Measures the workloads against their baselines; prints, writes, draws and judges the figures.
fn compare(
    arguments: &Arguments,
    workloads: &[Workload],
    threads: &[usize],
    effort: Effort,
) -> Result<(), Box<dyn Error>> {
    let Effort { rounds, seconds } = effort;
    terminal::print(format_args!(
        "{}, 1 thread per product; {rounds} round{} of about {} ms",
        blas::Blas::current(),
        plural(rounds),
        1e3 * seconds
    ))?;
    let old = blas::advice();
    let baseline_valid = blas::Blas::current().name != "none" && old.is_none();
    if !baseline_valid {
        let why = old.map_or("this build has no BLAS".to_owned(), |old| old.to_string());
        terminal::print(format_args!(
            "warning: the products are no valid baseline here, and no target is checked against them: {why}"
        ))?;
    }
    let data = SampleSets::of_all(workloads, &source(arguments)?)?;
    let (figures, peaks) = measured((workloads, &data), threads, arguments.choices, baseline_valid, effort)?;
    terminal::print(format_args!("\n{}", table::HEAD))?;
    figures.iter().try_for_each(|figure| terminal::print(table::line(figure)))?;
    let peak = |(threads, peak): (&usize, &f64)| {
        format!("{peak:.0} GFLOP/s on {threads} thread{}", plural(*threads))
    };
    let peaks: Vec<String> = threads.iter().zip(&peaks).map(peak).collect();
    let peaks = format!("sgemm peak {}", peaks.join(", "));
    terminal::print(format_args!(
        "\n{peaks}; microseconds per step of each section alone, on 1 thread, measured separately:"
    ))?;
    terminal::print(format_args!("{}\n", table::breakdown(&figures)))?;
    write(&arguments.json, serde_json::to_string_pretty(&figures)? + "\n")?;
    let chart = arguments.json.with_extension("svg");
    plot::bars(&figures, &chart)?;
    terminal::print(format_args!("written to {} and {}", arguments.json.display(), chart.display()))?;
    if let Some(document) = &arguments.document {
        let text = format!("{}; {peaks}.\n\n{}", conditions(effort), table::markdown(&figures));
        document::fill(document, "bench", &text)?;
        plot::bars(&figures, &document.with_file_name("bench.svg"))?;
        terminal::print(format_args!("written into {}", document.display()))?;
    }
    let failures: Vec<String> = figures.iter().filter_map(targets::failure).collect();
    if arguments.check && !failures.is_empty() {
        return Err(failures.join("\n       ").into());
    }
    Ok(())
}

/// The figures of each workload and number of threads, and the peak for each number of threads.
fn measured(
    (workloads, data): (&[Workload], &SampleSets),
    threads: &[usize],
    choices: Choices,
    baseline_valid: bool,
    Effort { rounds, seconds }: Effort,
) -> Result<(Vec<Figure>, Vec<f64>), Box<dyn Error>> {
    let mut measurements = Vec::new();
    for workload in workloads {
        for &threads in threads {
            measurements.push(Measurement::new(workload, threads, choices, data.of(workload), seconds)?);
        }
    }
    let mut peaks = vec![0.0; threads.len()];
    // Measured before every round, since other programs may take the cores during any one of them.
    let look = || {
        threads.iter().zip(&mut peaks).try_for_each(|(&threads, best)| {
            *best = peak::sgemm(threads)?.max(*best);
            Ok(())
        })
    };
    measure::rounds(&mut measurements, rounds, look)?;
    let mut all = Vec::new();
    for (workload, measurements) in workloads.iter().zip(measurements.chunks(threads.len())) {
        let mut figures: Vec<Figure> = measurements.iter().flat_map(Measurement::figures).collect();
        let steps = (figures[0].steps_per_round / 4).max(1);
        let shards = figures[0].shards;
        let breakdown = breakdown::measure(workload, data.of(workload), Repeats { shards, rounds, steps })?;
        let one = figures.iter().find(|figure| figure.threads == 1).map(|one| one.ours_us);
        for figure in &mut figures {
            let peak = threads.iter().zip(&peaks).find(|(threads, _)| **threads == figure.threads);
            figure.breakdown = breakdown;
            figure.speedup = one.filter(|_| figure.threads > 1).map(|one| one / figure.ours_us);
            figure.peak_share = peak.map_or(f64::NAN, |(_, peak)| figure.gflops / peak);
            let fastest = figure.ours_rounds_us.iter().copied().fold(f64::INFINITY, f64::min);
            figure.best_share = figure.peak_share * figure.ours_us / fastest;
            figure.instructions = simd::level().name();
            figure.blas = blas::Blas::current().to_string();
            figure.baseline_valid = baseline_valid;
            figure.target = targets::judge(figure).to_string();
        }
        all.append(&mut figures);
    }
    Ok((all, peaks))
}

/// The images of MNIST, if a directory is named, or else the bundled digits.
fn source(arguments: &Arguments) -> Result<Source, Box<dyn Error>> {
    let Arguments { data_dir, dense, .. } = arguments;
    let is_named = data_dir.is_some() || std::env::var_os("CHAINRULE_DATA").is_some();
    let images = match is_named {
        true => Some(dataset::find(Some(&DatasetName::mnist()), data_dir.as_deref())?.train),
        false => None,
    };
    Ok(Source { images, dense: *dense })
}

/// Measures, prints and draws how the time of a step grows.
fn grow(arguments: &Arguments, cores: usize, effort: Effort) -> Result<(), Box<dyn Error>> {
    terminal::print(format_args!(
        "{}, 1 thread per product; medians of {} rounds\n",
        blas::Blas::current(),
        effort.rounds
    ))?;
    let series = growth::run(cores, effort)?;
    let table = growth::markdown(&series);
    terminal::print(table.trim_end())?;
    let chart = arguments.json.with_file_name("growth.svg");
    create_folder_of(&chart)?;
    plot::growth(&series, &chart)?;
    terminal::print(format_args!("charts written to {}", chart.display()))?;
    if let Some(document) = &arguments.document {
        document::fill(document, "growth", &format!("{}.\n\n{table}", conditions(effort)))?;
        plot::growth(&series, &document.with_file_name("growth.svg"))?;
        terminal::print(format_args!("written into {}", document.display()))?;
    }
    Ok(())
}

/// Measures steps, and predicts them on several machines.
fn predict(arguments: &Arguments, workloads: &[Workload], effort: Effort) -> Result<(), Box<dyn Error>> {
    let tables = machines::run(workloads, arguments.network, effort)?;
    terminal::print(tables.trim_end())?;
    if let Some(document) = &arguments.document {
        document::fill(document, "machines", &format!("{}.\n\n{tables}", conditions(effort)))?;
        terminal::print(format_args!("written into {}", document.display()))?;
    }
    Ok(())
}

/// The ending of a noun of which there are this many.
fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// The machine, the BLAS and the effort of the measurement, for a document.
fn conditions(Effort { rounds, seconds }: Effort) -> String {
    let Machine { cpu, cores, system, .. } = Machine::look();
    let blas = blas::Blas::current();
    let milliseconds = 1e3 * seconds;
    format!(
        "{cpu}, {cores} cores, {system}; {blas}; medians of {rounds} rounds of about {milliseconds:.0} ms"
    )
}

fn write(path: &Path, text: String) -> Result<(), Box<dyn Error>> {
    create_folder_of(path)?;
    let written = output::write(path, |file| file.write_all(text.as_bytes()));
    Ok(written.map_err(|error| format!("cannot write {}: {error}", path.display()))?)
}

fn create_folder_of(path: &Path) -> Result<(), Box<dyn Error>> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot create the directory {}: {error}", folder.display()).into())
}
