//! `test`: every check of the project, cheapest first; the first that fails stops the run.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::{
    Stop, arm, cargo, deny, gate, imports, nearest::nearest, package, print, probe, python, sanitizer, tree,
    words,
};

/// A check.
struct Step {
    name: &'static str,
    work: Work,
}

/// What a step does.
enum Work {
    /// Runs of cargo with these arguments, and with an environment variable.
    Cargo { environment: Option<(&'static str, &'static str)>, commands: &'static [&'static str] },
    /// A check that xtask makes itself.
    Check(fn(&Options) -> Result<Outcome, String>),
}

/// How a check ended that did not fail.
pub(crate) enum Outcome {
    Passed,
    /// All of it was made but for a part with a name, for this reason.
    PassedWithout(&'static str, String),
    /// It could not be made, for this reason.
    Skipped(String),
}

const STEPS: [Step; 15] = [
    Step::cargo("fmt", &["fmt --all --check"]),
    Step::check("words", |_| words::run(&root()).map(|()| Outcome::Passed)),
    Step::check("imports", |options| imports::run(&root(), options.print).map(|()| Outcome::Passed)),
    Step::check("tree", |_| tree::run().map(|()| Outcome::Passed)),
    Step::check("clippy", |_| clippy()),
    Step::check("test", |_| with_mpi("test --workspace --profile checks --no-fail-fast", "")),
    Step::check("sanitizer", |_| sanitizer::run(&root())),
    Step {
        name: "doc",
        work: Work::Cargo {
            environment: Some(("RUSTDOCFLAGS", "-D warnings")),
            commands: &["doc --workspace --no-deps"],
        },
    },
    Step::cargo(
        "no-blas",
        &[
            "test -p chainrule-tensor --no-default-features --profile checks",
            "check -p chainrule --no-default-features",
        ],
    ),
    Step::check("arm", |_| arm::run()),
    Step::check("package", |_| package::run(&root()).map(|()| Outcome::Passed)),
    Step::check("deny", |_| deny::run()),
    // Fails on what no noise explains: a step that allocates, or one that is twice as slow as its target.
    Step::cargo("bench", &["run --release -p chainrule-benches --bin steps -- --quick --check"]),
    Step::check(GATE, |_| gate()),
    // After the gate, which has compiled the program that it compares with.
    Step::check("python", |_| python::run(&root())),
];

const GATE: &str = "gate";

/// The root of the checkout: the directory above that of xtask, which cargo names when it runs xtask.
pub(crate) fn root() -> PathBuf {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&xtask).parent().unwrap_or(Path::new(".")).to_owned()
}

/// The options of `cargo xtask test`.
#[derive(Debug, Default, PartialEq)]
struct Options {
    no_gate: bool,
    only: Option<&'static str>,
    /// Print the drawing of the imports.
    print: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Stop> {
        let mut options = Self::default();
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument.split_once('=').unwrap_or((argument, "")) {
                ("--no-gate", "") => options.no_gate = true,
                ("--print", "") => options.print = true,
                ("--only", "") => options.only = Some(step_named(arguments.next().unwrap_or_default())?),
                ("--only", name) => options.only = Some(step_named(name)?),
                _ => {
                    let nearest = nearest(argument, &["--no-gate", "--only", "--print", "--help"]);
                    return Err(Stop::Usage(format!(
                        "test has no option `{argument}`; the nearest is `{nearest}`."
                    )));
                }
            }
        }
        if options.no_gate && options.only == Some(GATE) {
            return Err(Stop::Usage("--no-gate and `--only gate` leave nothing to do.".into()));
        }
        Ok(options)
    }

    fn includes(&self, step: &str) -> bool {
        self.only.is_none_or(|only| only == step) && !(self.no_gate && step == GATE)
    }
}

fn step_named(name: &str) -> Result<&'static str, Stop> {
    let names = STEPS.map(|step| step.name);
    names.iter().copied().find(|known| *known == name).ok_or_else(|| {
        let known = names.join(", ");
        Stop::Usage(if name.is_empty() {
            format!("--only needs a step: {known}.")
        } else {
            format!("there is no step `{name}`; the nearest is `{}`, of {known}.", nearest(name, &names))
        })
    })
}

/// Runs `cargo xtask test` with these arguments.
pub(crate) fn run(arguments: &[String]) -> Result<(), Stop> {
    let options = Options::parse(arguments)?;
    let start = Instant::now();
    let mut left_out = Vec::new();
    for step in STEPS {
        if !options.includes(step.name) {
            continue;
        }
        match step.run(&options)? {
            Outcome::Passed => {}
            Outcome::PassedWithout(part, _) => left_out.push(format!(", {} without {part}", step.name)),
            Outcome::Skipped(_) => left_out.push(format!(", {} skipped", step.name)),
        }
    }
    if options.no_gate {
        left_out.push(format!(", {GATE} left out"));
    }
    print::out(format_args!("==> all passed{} ({:.1} s)", left_out.concat(), start.elapsed().as_secs_f64()));
    Ok(())
}

impl Step {
    const fn cargo(name: &'static str, commands: &'static [&'static str]) -> Self {
        Self { name, work: Work::Cargo { environment: None, commands } }
    }

    const fn check(name: &'static str, check: fn(&Options) -> Result<Outcome, String>) -> Self {
        Self { name, work: Work::Check(check) }
    }

    /// Runs the step between a line with its name and a line with its outcome and time.
    fn run(&self, options: &Options) -> Result<Outcome, Stop> {
        let name = self.name;
        print::out(format_args!("==> {name}"));
        let start = Instant::now();
        let result = match self.work {
            Work::Cargo { environment, commands } => commands
                .iter()
                .try_for_each(|command| execute(environment, command))
                .map(|()| Outcome::Passed),
            Work::Check(check) => check(options),
        };
        let seconds = start.elapsed().as_secs_f64();
        match &result {
            Ok(Outcome::Passed) => print::out(format_args!("==> {name}: passed ({seconds:.1} s)")),
            Ok(Outcome::PassedWithout(part, why)) => {
                print::out(format_args!("==> {name}: passed without {part} ({seconds:.1} s): {why}"));
            }
            Ok(Outcome::Skipped(why)) => print::out(format_args!("==> {name}: SKIPPED: {why}")),
            Err(_) => print::out(format_args!("==> {name}: FAILED ({seconds:.1} s)")),
        }
        result.map_err(|error| {
            let repeat = format!("Repeat it: cargo xtask test --only {name}");
            Stop::Failed(format!("the step `{name}` failed: {error}\n{repeat}"))
        })
    }
}

/// Runs cargo with these arguments, and shows the command.
pub(crate) fn execute(
    environment: Option<(&'static str, &'static str)>,
    command: &str,
) -> Result<(), String> {
    let shown = match environment {
        Some((name, value)) => format!("{name}=\"{value}\" cargo {command}"),
        None => format!("cargo {command}"),
    };
    print::out(format_args!("    {shown}"));
    let mut cargo = cargo();
    cargo.args(command.split(' ')).envs(environment);
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` failed ({status}).")),
        Err(error) => Err(format!("cargo could not be started: {error}.")),
    }
}

/// The lints, of what is compiled without MPI alone too.
fn clippy() -> Result<Outcome, String> {
    if probe::has_mpi() {
        execute(None, "clippy -p chainrule-cli -p chainrule-mpi --all-targets -- -D warnings")?;
    }
    with_mpi("clippy --workspace --all-targets", " -- -D warnings")
}

/// Runs cargo on the whole workspace, and where there is an MPI with what is for it, so that nothing is compiled twice.
fn with_mpi(command: &str, after: &str) -> Result<Outcome, String> {
    if probe::has_mpi() {
        let features = "--features chainrule-cli/mpi,chainrule-mpi/mpi";
        return execute(None, &format!("{command} {features}{after}")).map(|()| Outcome::Passed);
    }
    execute(None, &format!("{command}{after}"))?;
    let why = "MPI and libclang are not on this machine; `cargo xtask setup --mpi` installs them";
    Ok(Outcome::PassedWithout("MPI", why.into()))
}

fn gate() -> Result<Outcome, String> {
    let Some(data) = gate::mnist()? else {
        return Ok(Outcome::Skipped(
            "MNIST is not on this machine; set CHAINRULE_DATA to the directory of its four files, or `cargo xtask \
             train-mnist` downloads them"
                .into(),
        ));
    };
    gate::run(&data).map(|()| Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Stop> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn chosen(line: &str) -> Vec<&'static str> {
        let options = parse(line).unwrap();
        STEPS.map(|step| step.name).into_iter().filter(|name| options.includes(name)).collect()
    }

    #[test]
    fn the_options_choose_the_steps() {
        let all = STEPS.map(|step| step.name);
        assert_eq!(chosen(""), all);
        let without_gate: Vec<&str> = all.into_iter().filter(|name| *name != GATE).collect();
        assert_eq!(chosen("--no-gate"), without_gate);
        assert_eq!(chosen("--only gate"), ["gate"]);
        assert_eq!(chosen("--only=doc"), ["doc"]);
        assert_eq!(chosen("--only imports --print"), ["imports"]);
    }

    #[test]
    fn the_help_lists_the_steps() {
        let words: Vec<&str> = crate::HELP.split_whitespace().collect();
        let listed = STEPS.map(|step| step.name).join(", ");
        assert!(words.join(" ").contains(&format!("Run every check: {listed}")), "{listed}");
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        for (line, expected) in [
            ("--only clipy", "the nearest is `clippy`"),
            ("--only", "needs a step"),
            ("--no-gates", "the nearest is `--no-gate`"),
            ("--no-gate --only gate", "nothing to do"),
        ] {
            let Err(Stop::Usage(message)) = parse(line) else { panic!("{line} was accepted") };
            assert!(message.contains(expected), "{message}");
        }
    }
}
