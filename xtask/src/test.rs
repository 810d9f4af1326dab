//! `test`: every check of the project, cheapest first; the first that fails stops the run.

use std::time::Instant;

use crate::{Stop, cargo, gate, nearest::nearest};

/// A check that consists of runs of cargo.
struct Step {
    name: &'static str,
    environment: Option<(&'static str, &'static str)>,
    commands: &'static [&'static str],
}

const STEPS: [Step; 6] = [
    Step { name: "fmt", environment: None, commands: &["fmt --all --check"] },
    Step {
        name: "clippy",
        environment: None,
        commands: &["clippy --workspace --all-targets -- -D warnings"],
    },
    Step { name: "test", environment: None, commands: &["test --workspace --release --no-fail-fast"] },
    Step {
        name: "doc",
        environment: Some(("RUSTDOCFLAGS", "-D warnings")),
        commands: &["doc --workspace --no-deps"],
    },
    Step {
        name: "no-blas",
        environment: None,
        commands: &[
            "test -p chainrule-tensor --no-default-features",
            "check -p chainrule --no-default-features",
        ],
    },
    // Fails on what no noise explains: a step that allocates, or a ratio of more than twice its target.
    Step {
        name: "bench",
        environment: None,
        commands: &["run --release -p chainrule-benches --bin steps -- --quick --check"],
    },
];

/// The step that is no run of cargo, and comes last.
const GATE: &str = "gate";

/// What `cargo xtask test` is asked to do.
#[derive(Debug, Default, PartialEq)]
struct Options {
    no_gate: bool,
    only: Option<&'static str>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Stop> {
        let mut options = Self::default();
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument.split_once('=').unwrap_or((argument, "")) {
                ("--no-gate", "") => options.no_gate = true,
                ("--only", "") => options.only = Some(step_named(arguments.next().unwrap_or_default())?),
                ("--only", name) => options.only = Some(step_named(name)?),
                _ => {
                    let nearest = nearest(argument, &["--no-gate", "--only", "--help"]);
                    return Err(Stop::Usage(format!(
                        "test knows no `{argument}`; the nearest is `{nearest}`."
                    )));
                }
            }
        }
        if options == (Self { no_gate: true, only: Some(GATE) }) {
            return Err(Stop::Usage("--no-gate and `--only gate` leave nothing to do.".into()));
        }
        Ok(options)
    }

    fn wants(&self, step: &str) -> bool {
        self.only.is_none_or(|only| only == step) && !(self.no_gate && step == GATE)
    }
}

fn step_named(name: &str) -> Result<&'static str, Stop> {
    let names: Vec<&'static str> = STEPS.iter().map(|step| step.name).chain([GATE]).collect();
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
    for step in STEPS.iter().filter(|step| options.wants(step.name)) {
        timed(step.name, || step.commands.iter().try_for_each(|command| step.execute(command)))?;
    }
    let mut skipped = "";
    if options.wants(GATE) {
        match gate::mnist() {
            Ok(None) => {
                skipped = ", the gate skipped";
                println!(
                    "==> gate: SKIPPED: MNIST is not at hand; set CHAINRULE_DATA to the directory of its four \
                     files, or `cargo xtask train-mnist` downloads them"
                );
            }
            found => timed(GATE, || match found {
                Ok(Some(data)) => gate::run(&data),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            })?,
        }
    } else if options.no_gate {
        skipped = ", the gate left out";
    }
    println!("==> all passed{skipped} ({:.1} s)", start.elapsed().as_secs_f64());
    Ok(())
}

impl Step {
    fn execute(&self, command: &str) -> Result<(), String> {
        let shown = match self.environment {
            Some((name, value)) => format!("{name}=\"{value}\" cargo {command}"),
            None => format!("cargo {command}"),
        };
        println!("    {shown}");
        let mut cargo = cargo();
        cargo.args(command.split(' ')).envs(self.environment);
        match cargo.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{shown}` failed ({status}).")),
            Err(error) => Err(format!("cargo could not be started: {error}.")),
        }
    }
}

/// Runs one step between a line that names it and a line that says how long it took.
fn timed(name: &str, step: impl FnOnce() -> Result<(), String>) -> Result<(), Stop> {
    println!("==> {name}");
    let start = Instant::now();
    let result = step();
    let seconds = start.elapsed().as_secs_f64();
    match result {
        Ok(()) => {
            println!("==> {name}: passed ({seconds:.1} s)");
            Ok(())
        }
        Err(error) => {
            println!("==> {name}: FAILED ({seconds:.1} s)");
            Err(Stop::Failed(format!(
                "the step `{name}` failed: {error}\nRepeat it: cargo xtask test --only {name}"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Stop> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn wanted(line: &str) -> Vec<&'static str> {
        let options = parse(line).unwrap();
        STEPS.iter().map(|step| step.name).chain([GATE]).filter(|name| options.wants(name)).collect()
    }

    #[test]
    fn the_options_choose_the_steps() {
        assert_eq!(wanted(""), ["fmt", "clippy", "test", "doc", "no-blas", "bench", "gate"]);
        assert_eq!(wanted("--no-gate"), ["fmt", "clippy", "test", "doc", "no-blas", "bench"]);
        assert_eq!(wanted("--only gate"), ["gate"]);
        assert_eq!(wanted("--only=doc"), ["doc"]);
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
