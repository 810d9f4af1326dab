//! The machine as the system describes it.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use chainrule::tensor::simd::LEVEL_VARIABLE;

/// What matters for speed besides the BLAS; a field is empty where the system does not say.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The operating system, its kernel and the architecture.
    pub system: String,
    /// The name of the CPU.
    pub cpu: String,
    /// The number of threads that can run at once.
    pub cores: usize,
    /// Whether two of them share a core.
    pub hyper_threads: bool,
    /// The caches of the first core.
    pub caches: String,
    /// The size of the main memory.
    pub memory: String,
    /// Whether there are huge pages.
    pub huge_pages: String,
    /// The load average of the last minute: the number of threads that were ready to run.
    pub load: Option<f64>,
    /// The version of the compiler.
    pub rustc: String,
    /// The environment variables that are set and that BLAS, threads and data sets depend on.
    pub environment: Vec<(String, String)>,
}

/// The number of cores that this program may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Machine {
    /// Describes this machine.
    pub fn look() -> Self {
        let cores = cores();
        let arch = env::consts::ARCH;
        let rustc = said("rustc", &["--version"]);
        let environment = environment(env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        }));
        let common = Self { cores, rustc, environment, ..Self::default() };
        if cfg!(target_os = "linux") {
            Self {
                system: join([os_release(&read("/etc/os-release")), kernel(), arch.to_owned()], ", "),
                cpu: field(&read("/proc/cpuinfo"), "model name").to_owned(),
                hyper_threads: read("/sys/devices/system/cpu/smt/active").trim() == "1",
                caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
                memory: gigabytes(field(&read("/proc/meminfo"), "MemTotal")),
                huge_pages: huge_pages(),
                load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
                ..common
            }
        } else if cfg!(target_os = "macos") {
            let sysctl = |name: &str| said("sysctl", &["-n", name]);
            let kilobytes = |name: &str| sysctl(name).parse::<u64>().map_or(0, |bytes| bytes / 1024);
            let l1 = kilobytes("hw.l1dcachesize");
            let l2 = kilobytes("hw.l2cachesize");
            let version = said("sw_vers", &["-productVersion"]);
            Self {
                system: join([format!("macOS {version}"), arch.to_owned()], ", "),
                cpu: sysctl("machdep.cpu.brand_string"),
                caches: format!("L1 data {l1} kB, L2 {l2} kB"),
                memory: gigabytes(&format!("{} kB", kilobytes("hw.memsize"))),
                ..common
            }
        } else {
            Self { system: join([env::consts::OS.to_owned(), arch.to_owned()], ", "), ..common }
        }
    }
}

/// The variables that matter, sorted by name.
fn environment(variables: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    const NAMES: [&str; 7] = [
        "OMP_NUM_THREADS",
        "GOTO_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "RAYON_NUM_THREADS",
        "CHAINRULE_DATA",
        LEVEL_VARIABLE,
    ];
    let matters = |name: &str| name.starts_with("OPENBLAS_") || NAMES.contains(&name);
    let mut found: Vec<_> = variables.filter(|(name, _)| matters(name)).collect();
    found.sort();
    found
}

/// A file's text, empty if it cannot be read.
fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first line that a program prints, empty if there is no such program.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// The parts that are not empty, joined.
fn join<const N: usize>(parts: [String; N], separator: &str) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(separator)
}

/// The value after `name :` in a file of such lines.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    line.unwrap_or_default().trim()
}

fn os_release(text: &str) -> String {
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches('"').to_owned()
}

fn kernel() -> String {
    let release = read("/proc/sys/kernel/osrelease");
    if release.is_empty() { String::new() } else { format!("kernel {}", release.trim()) }
}

/// The caches of the first core, such as `L1 data 48K, L2 1024K, L3 32768K for cores 0-1`.
fn caches(directory: &Path) -> String {
    let entry = |index: usize| {
        let get = |name: &str| read(directory.join(format!("index{index}")).join(name)).trim().to_owned();
        let (level, size, shared) = (get("level"), get("size"), get("shared_cpu_list"));
        let kind = match get("type").as_str() {
            "Data" => " data",
            "Unified" => "",
            // Products do not wait for the instruction cache, and an entry without a type does not exist.
            _ => return None,
        };
        let several = shared.contains(['-', ',']);
        let shared = if several { format!(" for cores {shared}") } else { String::new() };
        Some(format!("L{level}{kind} {size}{shared}"))
    };
    (0..8).filter_map(entry).collect::<Vec<_>>().join(", ")
}

/// `16 GB` for `16384000 kB`.
fn gigabytes(text: &str) -> String {
    let kilobytes = text.strip_suffix("kB").and_then(|text| text.trim().parse::<f64>().ok());
    kilobytes.map_or(String::new(), |kilobytes| format!("{:.1} GB", kilobytes * 1024.0 / 1e9))
}

/// Whether the system uses huge pages transparently, and how many it reserves for programs that request them.
fn huge_pages() -> String {
    let text = read("/sys/kernel/mm/transparent_hugepage/enabled");
    let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(chosen, _)| chosen);
    let reserved = field(&read("/proc/meminfo"), "HugePages_Total").to_owned();
    let transparent = chosen.map_or(String::new(), |chosen| format!("transparent: {chosen}"));
    let reserved = if reserved.is_empty() { reserved } else { format!("{reserved} reserved") };
    join([transparent, reserved], ", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_systems_write() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nmodel name\t: another\n";
        assert_eq!(field(cpuinfo, "model name"), "Some CPU @ 2.00GHz");
        assert_eq!(field(cpuinfo, "model"), "");
        assert_eq!(gigabytes(field("MemFree: 1 kB\nMemTotal:  15625000 kB\n", "MemTotal")), "16.0 GB");
        assert_eq!(gigabytes(""), "");
        assert_eq!(os_release("NAME=x\nPRETTY_NAME=\"Some Linux 12\"\n"), "Some Linux 12");
        assert_eq!(os_release(""), "Linux");
        assert_eq!(join(["a".into(), String::new(), "b".into()], ", "), "a, b");
    }

    #[test]
    fn caches_without_those_of_instructions() {
        let directory = tempfile::tempdir().unwrap();
        for (index, [level, kind, size, shared]) in [
            ["1", "Data", "48K", "0"],
            ["1", "Instruction", "32K", "0"],
            ["2", "Unified", "1024K", "0"],
            ["3", "Unified", "32M", "0-3"],
        ]
        .into_iter()
        .enumerate()
        {
            let entry = directory.path().join(format!("index{index}"));
            fs::create_dir(&entry).unwrap();
            for (name, value) in
                [("level", level), ("type", kind), ("size", size), ("shared_cpu_list", shared)]
            {
                fs::write(entry.join(name), format!("{value}\n")).unwrap();
            }
        }
        assert_eq!(caches(directory.path()), "L1 data 48K, L2 1024K, L3 32M for cores 0-3");
        assert_eq!(caches(Path::new("/nowhere")), "");
    }

    #[test]
    fn only_the_variables_that_matter() {
        let all = ["HOME", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLASX", "CHAINRULE_DATA"];
        let found = environment(all.into_iter().map(|name| (name.to_owned(), "1".to_owned())));
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["CHAINRULE_DATA", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]);
    }
}
