//! `chainrule doctor`: what a bug report about speed should say, and what could be better on this machine.

use std::error::Error;
use std::path::Path;

use chainrule::tensor::blas::{self, Blas};
use chainrule::tensor::isa;

use crate::distance;
use crate::machine::Machine;
use crate::peak::{self, ROUNDS, SIDE};

/// Below this many times the peak of one thread, two threads are in each other's or somebody else's way.
const SCALES: f64 = 1.6;

/// What was found out.
struct Findings {
    machine: Machine,
    blas: Blas,
    old: Option<blas::OldKernel>,
    /// How many threads BLAS would use for one product, if nobody told it.
    blas_threads: usize,
    /// GFLOP/s on one thread and on all.
    peaks: [f64; 2],
    /// Nanoseconds from one core to another, where there are several.
    core_to_core: Option<f64>,
}

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let (machine, blas_threads) = (Machine::look(), blas::threads());
    let peaks = [1, machine.cores].map(peak::sgemm);
    let core_to_core = (machine.cores > 1).then(distance::nanoseconds);
    let (blas, old) = (Blas::current(), blas::advice());
    let findings = Findings { machine, blas, old, blas_threads, peaks, core_to_core };
    println!("```text\n{}```", findings.table());
    match &findings.advice()[..] {
        [] => println!("\nNothing to advise: BLAS runs its best kernel, as far as is known."),
        advice => {
            println!();
            advice.iter().for_each(|line| println!("- {line}"));
        }
    }
    println!("\nIn a report of a bug, paste the block above.");
    Ok(())
}

impl Findings {
    fn table(&self) -> String {
        let Self { machine, blas, old, blas_threads, peaks: [one, all], core_to_core } = self;
        let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
        let cores = match machine.hyper_threads {
            true => format!("{} at once, two to a core", machine.cores),
            false => machine.cores.to_string(),
        };
        let kernel = match old {
            Some(_) => "OLD: slower than this CPU could be".to_owned(),
            None if blas.kernel.is_empty() => "not known".to_owned(),
            None => "fits the CPU, as far as is known".to_owned(),
        };
        let mut rows = vec![
            ("chainrule", format!("{}, {build}", env!("CARGO_PKG_VERSION"))),
            ("rustc", machine.rustc.clone()),
            ("system", machine.system.clone()),
            ("CPU", machine.cpu.clone()),
            ("threads", cores),
            ("instructions", format!("{:?}", isa::level())),
            ("caches", machine.caches.clone()),
            ("memory", machine.memory.clone()),
            ("huge pages", machine.huge_pages.clone()),
            ("load", machine.load.map_or(String::new(), |load| format!("{load:.2} within the last minute"))),
            ("BLAS", blas.to_string()),
            ("kernel", kernel),
            ("BLAS threads", format!("{blas_threads} a product by itself, 1 while chainrule trains")),
            ("sgemm peak", format!("{one:.0} GFLOP/s on 1 thread ({SIDE} x {SIDE}, best of {ROUNDS})")),
        ];
        if machine.cores > 1 {
            let times = all / one;
            let side =
                format!("{all:.0} GFLOP/s on {} threads side by side ({times:.2} times)", machine.cores);
            rows.push(("", side));
        }
        if let Some(core_to_core) = core_to_core {
            rows.push((
                "core to core",
                format!("{core_to_core:.0} ns for a line of the cache, at this moment"),
            ));
        }
        for (index, (name, value)) in machine.environment.iter().enumerate() {
            rows.push((if index == 0 { "environment" } else { "" }, format!("{name}={value}")));
        }
        if machine.environment.is_empty() {
            rows.push(("environment", "nothing set that matters".to_owned()));
        }
        let known = rows.into_iter().filter(|(_, value)| !value.is_empty());
        known.map(|(name, value)| format!("{name:14}{value}\n")).collect()
    }

    /// What could be better, each with what to do.
    fn advice(&self) -> Vec<String> {
        let Self { machine, blas, old, peaks: [one, all], core_to_core, .. } = self;
        let mut advice: Vec<String> = old.iter().map(ToString::to_string).collect();
        if blas.name == "none" {
            advice.push(
                "This build multiplies without any BLAS, which is slower: build with a BLAS, such as by \
                 `cargo xtask doctor --blas openblas`."
                    .into(),
            );
        }
        if cfg!(debug_assertions) {
            advice.push("This is a debug build, many times slower: build with --release.".into());
        }
        if let Some(load) = machine.load.filter(|&load| load > 0.7) {
            advice.push(format!(
                "The machine was busy (load {load:.2}), so the peaks may be too low: look again when it is idle."
            ));
        }
        if machine.cores > 1 && *all < SCALES * one {
            advice.push(format!(
                "{} threads reach only {:.2} times the peak of one: other programs want the cores, or they are not \
                 whole cores. Train with as many --threads as there are free cores.",
                machine.cores,
                all / one
            ));
        }
        if let Some(core_to_core) = core_to_core.filter(|&nanoseconds| distance::is_far(nanoseconds)) {
            advice.push(format!(
                "A line of the cache took {core_to_core:.0} ns from one core to another: the two have no cache in \
                 common, and threads gain little on small networks. Keep the program on cores that share one (`lscpu -e` \
                 lists them, `taskset` chooses); a virtual machine may be moved by its host at any moment."
            ));
        }
        for (name, value) in &machine.environment {
            let line = match name.as_str() {
                "OPENBLAS_CORETYPE" | "OPENBLAS_VERBOSE" => continue,
                "OPENBLAS_L2_SIZE" | "OPENBLAS_BLOCK_FACTOR" => format!(
                    "{name}={value} overrides what OpenBLAS finds out about the caches: unset it unless that was \
                     measured."
                ),
                "RAYON_NUM_THREADS" => format!(
                    "{name}={value} has no say in a training, which has threads of its own: use --threads."
                ),
                "CHAINRULE_DATA" if Path::new(value).is_dir() => continue,
                "CHAINRULE_DATA" => format!("{name} is {value}, which is no directory: correct or unset it."),
                name if name.ends_with("_THREADS") => {
                    format!(
                        "{name}={value} has no say in a training, where a product has 1 thread: use --threads."
                    )
                }
                _ => continue,
            };
            advice.push(line);
        }
        advice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Findings {
        let machine =
            Machine { cores: 2, load: Some(0.1), system: "Some Linux".into(), ..Machine::default() };
        let blas = Blas { name: "OpenBLAS", version: "0.3.21".into(), kernel: "SkylakeX".into() };
        Findings {
            machine,
            blas,
            old: None,
            blas_threads: 2,
            peaks: [100.0, 200.0],
            core_to_core: Some(25.0),
        }
    }

    #[test]
    fn the_table_says_what_is_known() {
        let table = findings().table();
        assert!(table.contains("BLAS          OpenBLAS 0.3.21, kernel SkylakeX\n"), "{table}");
        assert!(table.contains("kernel        fits the CPU"), "{table}");
        assert!(table.contains("100 GFLOP/s on 1 thread"), "{table}");
        assert!(
            table.contains("              200 GFLOP/s on 2 threads side by side (2.00 times)\n"),
            "{table}"
        );
        assert!(table.contains("core to core  25 ns"), "{table}");
        assert!(table.contains("environment   nothing set"), "{table}");
        assert!(!table.contains("rustc"), "what is not known is left out: {table}");
    }

    #[test]
    fn advice_where_there_is_something_to_do() {
        let about = |change: fn(&mut Findings)| {
            let mut findings = findings();
            change(&mut findings);
            findings
                .advice()
                .join("\n")
                .replace("This is a debug build, many times slower: build with --release.", "")
        };
        assert_eq!(about(|_| ()), "");
        assert!(about(|f| f.peaks = [100.0, 110.0]).contains("only 1.10 times"));
        assert!(about(|f| f.machine.load = Some(3.0)).contains("load 3.00"));
        assert!(about(|f| f.blas.name = "none").contains("without any BLAS"));
        assert!(about(|f| f.core_to_core = Some(210.0)).contains("took 210 ns from one core to another"));
        let set = |f: &mut Findings, name: &str, value: &str| {
            f.machine.environment.push((name.to_owned(), value.to_owned()));
        };
        for name in ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_L2_SIZE"] {
            let mut findings = findings();
            set(&mut findings, name, "4");
            assert!(findings.advice().iter().any(|line| line.starts_with(&format!("{name}=4"))), "{name}");
        }
        let mut findings = findings();
        set(&mut findings, "CHAINRULE_DATA", "/nowhere");
        assert!(findings.advice().iter().any(|line| line.contains("no directory")));
    }
}
