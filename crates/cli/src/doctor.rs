//! `chainrule doctor`: what a bug report about speed should contain, and what could be improved on this machine.

use std::error::Error;
use std::path::Path;

use chainrule::tensor::blas::{self, Blas};
use chainrule::tensor::simd::{self, LEVEL_VARIABLE};

use chainrule_cli::core_latency;
use chainrule_cli::machine::Machine;
use chainrule_cli::peak::{self, ROUNDS, SIDE};
use chainrule_cli::terminal;

/// The speedup over one thread below which all threads disturb each other, or another program disturbs them.
const EXPECTED_SPEEDUP: f64 = 1.6;

/// What was found.
struct Findings {
    machine: Machine,
    blas: Blas,
    old: Option<blas::OldKernel>,
    /// The number of threads that BLAS uses for a product by default.
    blas_threads: usize,
    /// GFLOP/s on one thread and on all.
    peaks: [f64; 2],
    /// The latency between two cores in nanoseconds, if there are several.
    core_latency_ns: Option<f64>,
}

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let machine = Machine::look();
    let blas_threads = blas::threads();
    let peaks = [peak::sgemm(1)?, peak::sgemm(machine.cores)?];
    let core_latency_ns = (machine.cores > 1).then(core_latency::nanoseconds).flatten();
    let blas = Blas::current();
    let old = blas::advice();
    let findings = Findings { machine, blas, old, blas_threads, peaks, core_latency_ns };
    terminal::print(format_args!("```text\n{}```\n", findings.table()))?;
    match &findings.advice()[..] {
        [] => terminal::print("No advice: as far as is known, BLAS uses its best kernel.")?,
        advice => advice.iter().try_for_each(|line| terminal::print(format_args!("- {line}")))?,
    }
    terminal::print("\nIn a bug report, paste the block above.")?;
    Ok(())
}

impl Findings {
    fn table(&self) -> String {
        let Self { machine, blas, old, blas_threads, peaks: [one, all], core_latency_ns } = self;
        let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
        let smt = if machine.hyper_threads { ", two per core" } else { "" };
        let kernel = match old {
            Some(_) => "OLD: slower than this CPU allows".to_owned(),
            None if blas.kernel.is_empty() => "unknown".to_owned(),
            None => "fits the CPU, as far as is known".to_owned(),
        };
        let mut rows = vec![
            ("chainrule", format!("{}, {build}", env!("CARGO_PKG_VERSION"))),
            ("rustc", machine.rustc.clone()),
            ("system", machine.system.clone()),
            ("CPU", machine.cpu.clone()),
            ("threads", format!("{}{smt}", machine.cores)),
            ("instructions", simd::level().name().to_owned()),
            ("caches", machine.caches.clone()),
            ("memory", machine.memory.clone()),
            ("huge pages", machine.huge_pages.clone()),
            ("load", machine.load.map_or(String::new(), |load| format!("{load:.2} in the last minute"))),
            ("BLAS", blas.to_string()),
            ("kernel", kernel),
            ("BLAS threads", format!("{blas_threads} per product by default, 1 while chainrule trains")),
            ("sgemm peak", format!("{one:.0} GFLOP/s on 1 thread ({SIDE} x {SIDE}, best of {ROUNDS})")),
        ];
        if machine.cores > 1 {
            let times = all / one;
            let side = format!("{all:.0} GFLOP/s on {} threads at once ({times:.2} times)", machine.cores);
            rows.push(("", side));
        }
        if let Some(core_latency_ns) = core_latency_ns {
            rows.push((
                "core latency",
                format!("{core_latency_ns:.0} ns to pass a cache line to another core, at this moment"),
            ));
        }
        for (index, (name, value)) in machine.environment.iter().enumerate() {
            rows.push((if index == 0 { "environment" } else { "" }, format!("{name}={value}")));
        }
        if machine.environment.is_empty() {
            rows.push(("environment", "no relevant variable is set".to_owned()));
        }
        let known = rows.into_iter().filter(|(_, value)| !value.is_empty());
        known.map(|(name, value)| format!("{name:14}{value}\n")).collect()
    }

    /// What could be improved, and how.
    fn advice(&self) -> Vec<String> {
        let Self { machine, blas, old, peaks: [one, all], core_latency_ns, .. } = self;
        let mut advice: Vec<String> = old.iter().map(ToString::to_string).collect();
        if blas.name == "none" {
            advice.push(
                "This build has no BLAS, which is slower: build with one, for example by \
                 `cargo xtask doctor --blas openblas`."
                    .into(),
            );
        }
        if cfg!(debug_assertions) {
            advice.push("This is a debug build, many times slower: build with --release.".into());
        }
        if let Some(load) = machine.load.filter(|&load| load > 0.7) {
            advice.push(format!(
                "The machine was busy (load {load:.2}), so the peaks may be too low: repeat this when it is idle."
            ));
        }
        if machine.cores > 1 && *all < EXPECTED_SPEEDUP * one {
            advice.push(format!(
                "{} threads reach only {:.2} times the peak of one: other programs use the cores, or two threads share \
                 one. Set --threads to the number of free cores.",
                machine.cores,
                all / one
            ));
        }
        if let Some(core_latency_ns) =
            core_latency_ns.filter(|&nanoseconds| core_latency::is_far(nanoseconds))
        {
            advice.push(format!(
                "A cache line took {core_latency_ns:.0} ns from one core to another: the two share no cache, and threads \
                 gain little on small networks. Run the program on cores that share one (`lscpu -e` lists them, `taskset` \
                 selects them). The host of a virtual machine may move it at any moment."
            ));
        }
        for (name, value) in &machine.environment {
            let line = match name.as_str() {
                "OPENBLAS_CORETYPE" | "OPENBLAS_VERBOSE" => continue,
                "OPENBLAS_L2_SIZE" | "OPENBLAS_BLOCK_FACTOR" => format!(
                    "{name}={value} overrides the cache sizes that OpenBLAS detects: unset it unless you measured that \
                     it helps."
                ),
                "RAYON_NUM_THREADS" => format!(
                    "{name}={value} does not affect a training, which has threads of its own: use --threads."
                ),
                LEVEL_VARIABLE => format!(
                    "{name}={value} forces a set of instructions: unset it for the best one of this CPU."
                ),
                "CHAINRULE_DATA" if Path::new(value).is_dir() => continue,
                "CHAINRULE_DATA" => {
                    format!("{name} is {value}, which is not a directory: correct or unset it.")
                }
                name if name.ends_with("_THREADS") => {
                    format!(
                        "{name}={value} does not affect a training, where a product has 1 thread: use --threads."
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
            core_latency_ns: Some(25.0),
        }
    }

    #[test]
    fn the_table_shows_what_is_known() {
        let table = findings().table();
        assert!(table.contains("BLAS          OpenBLAS 0.3.21, kernel SkylakeX\n"), "{table}");
        assert!(table.contains("kernel        fits the CPU"), "{table}");
        assert!(table.contains("100 GFLOP/s on 1 thread"), "{table}");
        assert!(table.contains("              200 GFLOP/s on 2 threads at once (2.00 times)\n"), "{table}");
        assert!(table.contains("core latency  25 ns"), "{table}");
        assert!(table.contains("environment   no relevant"), "{table}");
        assert!(!table.contains("rustc"), "what is unknown is left out: {table}");
    }

    #[test]
    fn advice_only_where_something_can_be_improved() {
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
        assert!(about(|f| f.blas.name = "none").contains("has no BLAS"));
        assert!(about(|f| f.core_latency_ns = Some(210.0)).contains("took 210 ns from one core to another"));
        let set = |f: &mut Findings, name: &str, value: &str| {
            f.machine.environment.push((name.to_owned(), value.to_owned()));
        };
        for name in [
            "OPENBLAS_NUM_THREADS",
            "OMP_NUM_THREADS",
            "RAYON_NUM_THREADS",
            "OPENBLAS_L2_SIZE",
            LEVEL_VARIABLE,
        ] {
            let mut findings = findings();
            set(&mut findings, name, "4");
            assert!(findings.advice().iter().any(|line| line.starts_with(&format!("{name}=4"))), "{name}");
        }
        let mut findings = findings();
        set(&mut findings, "CHAINRULE_DATA", "/nowhere");
        assert!(findings.advice().iter().any(|line| line.contains("not a directory")));
    }
}
