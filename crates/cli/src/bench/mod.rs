//! `chainrule bench`: what a training step takes beside the bare matrix products that it needs.
//!
//! The products alone, one BLAS call each on the same shapes, are the floor that no step can pass without
//! better products. Both are measured for all works in turn, several rounds in one run, since machines are noisy.

mod document;
mod floor;
mod growth;
mod marks;
mod measure;
mod parts;
mod plot;
mod race;
mod table;
mod works;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use chainrule::tensor::blas;
use clap::Args;

use crate::machine::Machine;
use crate::peak;
use measure::{Effort, Figure, Measurement};
use works::{Data, Work, works};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Shorter and fewer rounds: all works in less than a minute.
    #[arg(long)]
    quick: bool,
    /// How many rounds; at least 7 give a median to rely on [default: 15, or 7 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Only these works, such as mlp32,wide128 [default: all].
    #[arg(long, value_delimiter = ',')]
    work: Vec<String>,
    /// Only these numbers of threads, such as 1,2 [default: 1 and all cores].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    threads: Vec<u32>,
    /// Into how many parts a batch is cut [default: the trainer's].
    #[arg(long)]
    shards: Option<usize>,
    /// Where to write the figures as JSON; a drawing of the same name in SVG goes beside it.
    #[arg(long, default_value = "target/bench/bench.json")]
    json: PathBuf,
    /// Put the tables into this document too, where it has marks for them, and the drawing beside it.
    #[arg(long)]
    document: Option<PathBuf>,
    /// Fail if a step allocates, or takes more than twice what its mark allows beside the floor.
    #[arg(long)]
    check: bool,
    /// Measure instead how the time of a step grows with width, depth, batch and threads.
    #[arg(long, conflicts_with_all = ["check", "race", "work", "threads"])]
    growth: bool,
    /// Train the works on MNIST instead, as other frameworks do in benches/peers, and print a line of JSON for each.
    #[arg(long, conflicts_with_all = ["check", "document", "quick", "rounds"])]
    race: bool,
    /// For --race, a directory with the four MNIST files [default: CHAINRULE_DATA, else the cache, else a download].
    #[arg(long, requires = "race")]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let cores = std::thread::available_parallelism()?.get();
    let works = chosen(&arguments.work)?;
    let threads: Vec<usize> = match &arguments.threads[..] {
        [] if cores > 1 => vec![1, cores],
        [] => vec![1],
        threads => threads.iter().map(|&threads| threads as usize).collect(),
    };
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build, many times slower: build with --release");
    }
    if arguments.race {
        return race::run(&works, &threads, arguments.shards, arguments.data_dir.as_deref());
    }
    let (rounds, seconds) = if arguments.quick { (7, 0.05) } else { (15, 0.25) };
    let effort = Effort { rounds: arguments.rounds.map_or(rounds, |rounds| rounds as usize), seconds };
    if arguments.growth {
        return grow(arguments, cores, Effort { seconds: effort.seconds / 4.0, ..effort });
    }
    compare(arguments, &works, &threads, effort)
}

/// The works of these names, or all.
fn chosen(names: &[String]) -> Result<Vec<Work>, String> {
    let mut works = works();
    if let Some(unknown) = names.iter().find(|name| works.iter().all(|work| work.name != **name)) {
        let known: Vec<_> = works.iter().map(|work| work.name.as_str()).collect();
        return Err(format!("there is no work `{unknown}`; there are {}", known.join(", ")));
    }
    works.retain(|work| names.is_empty() || names.contains(&work.name));
    Ok(works)
}

/// The works beside their floors: measures them, and tells, writes, draws and judges the figures.
fn compare(
    arguments: &Arguments,
    works: &[Work],
    threads: &[usize],
    effort: Effort,
) -> Result<(), Box<dyn Error>> {
    let Effort { rounds, seconds } = effort;
    println!("{}, 1 thread a product; {rounds} rounds of about {} ms", blas::Blas::current(), 1e3 * seconds);
    let old = blas::advice();
    let floor_holds = blas::Blas::current().name != "none" && old.is_none();
    if !floor_holds {
        let why = old.map_or("there is no BLAS in this build".to_owned(), |old| old.to_string());
        println!("warning: the products are no floor here, and not judged by: {why}");
    }
    let (figures, peaks) = measured(works, threads, arguments.shards, floor_holds, effort)?;
    println!("\n{}", table::HEAD);
    figures.iter().for_each(|figure| println!("{}", table::line(figure)));
    let peak = |(threads, peak): (&usize, &f64)| {
        format!("{peak:.0} GFLOP/s on {threads} thread{}", if *threads == 1 { "" } else { "s" })
    };
    let peaks: Vec<String> = threads.iter().zip(&peaks).map(peak).collect();
    let peaks = format!("sgemm peak {}", peaks.join(", "));
    println!("\n{peaks}; microseconds a step of each part by itself, on 1 thread, measured apart:");
    println!("{}\n", table::parts(&figures));
    write(&arguments.json, serde_json::to_string_pretty(&figures)? + "\n")?;
    let drawing = arguments.json.with_extension("svg");
    plot::bars(&figures, &drawing)?;
    println!("written to {} and {}", arguments.json.display(), drawing.display());
    if let Some(document) = &arguments.document {
        let text = format!("{}; {peaks}.\n\n{}", circumstances(effort), table::markdown(&figures));
        document::fill(document, "bench", &text)?;
        plot::bars(&figures, &document.with_file_name("bench.svg"))?;
        println!("put into {}", document.display());
    }
    let failures: Vec<String> = figures.iter().filter_map(marks::failure).collect();
    match failures.is_empty() || !arguments.check {
        true => Ok(()),
        false => Err(failures.join("\n       ").into()),
    }
}

/// The figures of each work and number of threads, and the peak for each number of threads.
fn measured(
    works: &[Work],
    threads: &[usize],
    shards: Option<usize>,
    floor_holds: bool,
    Effort { rounds, seconds }: Effort,
) -> Result<(Vec<Figure>, Vec<f64>), Box<dyn Error>> {
    let data = Data::of_all(works)?;
    let mut measurements = Vec::new();
    for work in works {
        for &threads in threads {
            measurements.push(Measurement::new(work, threads, shards, data.of(work), seconds)?);
        }
    }
    let mut peaks = vec![0.0; threads.len()];
    // Looked at again and again, since one look may fall into a time when others want the cores.
    let look = || threads.iter().zip(&mut peaks).for_each(|(&n, best)| *best = peak::sgemm(n).max(*best));
    measure::rounds(&mut measurements, rounds, look)?;
    let mut all = Vec::new();
    for (work, measurements) in works.iter().zip(measurements.chunks(threads.len())) {
        let mut figures: Vec<Figure> = measurements.iter().flat_map(Measurement::figures).collect();
        let steps = (figures[0].steps_a_round / 4).max(1);
        let parts = parts::measure(work, figures[0].shards, data.of(work), rounds, steps)?;
        let one = figures.iter().find(|figure| figure.threads == 1).map(|one| one.ours_us);
        for figure in &mut figures {
            let peak = threads.iter().zip(&peaks).find(|(threads, _)| **threads == figure.threads);
            figure.parts = parts;
            figure.speedup = one.filter(|_| figure.threads > 1).map(|one| one / figure.ours_us);
            figure.peak_share = peak.map_or(f64::NAN, |(_, peak)| figure.gflops / peak);
            (figure.blas, figure.floor_holds) = (blas::Blas::current().to_string(), floor_holds);
            figure.mark = marks::judge(figure).to_string();
        }
        all.append(&mut figures);
    }
    Ok((all, peaks))
}

/// How the time of a step grows.
fn grow(arguments: &Arguments, cores: usize, effort: Effort) -> Result<(), Box<dyn Error>> {
    println!("{}, 1 thread a product; medians of {} rounds\n", blas::Blas::current(), effort.rounds);
    let series = growth::run(cores, effort)?;
    let table = growth::markdown(&series);
    print!("{table}");
    let drawing = arguments.json.with_file_name("growth.svg");
    folder_of(&drawing)?;
    plot::growth(&series, &drawing)?;
    println!("drawn into {}", drawing.display());
    if let Some(document) = &arguments.document {
        document::fill(document, "growth", &format!("{}.\n\n{table}", circumstances(effort)))?;
        plot::growth(&series, &document.with_file_name("growth.svg"))?;
        println!("put into {}", document.display());
    }
    Ok(())
}

/// Where and how it was measured, for a document.
fn circumstances(Effort { rounds, seconds }: Effort) -> String {
    let Machine { cpu, cores, system, .. } = Machine::look();
    let (blas, milliseconds) = (blas::Blas::current(), 1e3 * seconds);
    format!(
        "{cpu}, {cores} cores, {system}; {blas}; medians of {rounds} rounds of about {milliseconds:.0} ms"
    )
}

fn write(path: &Path, text: String) -> Result<(), Box<dyn Error>> {
    folder_of(path)?;
    Ok(fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?)
}

fn folder_of(path: &Path) -> Result<(), Box<dyn Error>> {
    match path.parent() {
        Some(folder) => Ok(fs::create_dir_all(folder)
            .map_err(|error| format!("cannot make the directory {}: {error}", folder.display()))?),
        None => Ok(()),
    }
}
