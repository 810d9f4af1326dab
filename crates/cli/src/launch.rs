//! `--processes`: has `mpirun` start the processes of a training on this machine, and start them again after a failure.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use chainrule::train::file;
use chainrule_cli::terminal;

use crate::interrupt::Interrupt;
use crate::processes;

/// How often it is looked whether the job has ended.
const LOOK: Duration = Duration::from_millis(50);

/// The variable by which the processes are told how many there are.
pub(crate) const COUNT: &str = "CHAINRULE_PROCESSES";

/// What the program exits with where its arguments are wrong, which they are the next time too.
const WRONG_ARGUMENTS: i32 = 2;

/// How many processes, and how often they are started again.
#[derive(Debug)]
pub(crate) struct Launch<'a, G> {
    /// The number of processes at first, and after each failure; the last number is that after all others.
    pub(crate) processes: &'a [usize],
    pub(crate) retries: u32,
    /// What the training saves, and goes on from.
    pub(crate) checkpoint: &'a Path,
    /// What it goes on from at first, if it does.
    pub(crate) resume: Option<&'a Path>,
    /// The command that goes on from a checkpoint in so many processes.
    pub(crate) go_on: G,
}

/// Has `mpirun` run this program with the arguments that it was given, and go on from the last checkpoint after a failure.
pub(crate) fn run(launch: Launch<'_, impl Fn(&Path, usize) -> String>) -> Result<ExitCode, Box<dyn Error>> {
    let Launch { processes, retries, checkpoint, resume, go_on } = launch;
    processes::check_built()?;
    let interrupt = Interrupt::watch()?;
    let program = env::current_exe()?;
    let words: Vec<OsString> = without(env::args_os().skip(1), &["--processes", "--retries"]).collect();
    let before = times(checkpoint);
    // What is gone on from: a file that was there before may be of another training.
    let latest = || if has_newer(checkpoint, &before) { Some(checkpoint) } else { resume };
    let job = |processes: usize, failed: Option<&str>| {
        let mut mpirun = Command::new("mpirun");
        mpirun.args(launching()).args(["-n", &processes.to_string()]).arg(&program);
        mpirun.args(&words).arg("--distributed").env(COUNT, processes.to_string());
        if let Some(failed) = failed {
            let from = latest();
            if let Some(path) = from {
                mpirun.arg("--resume").arg(path);
            }
            let from = from.map_or("the beginning".into(), |path| path.display().to_string());
            terminal::note(format_args!("\n{failed}: going on from {from} in {}\n", Processes(processes)));
        }
        job(&mut mpirun, &interrupt)
    };
    attempts(processes, retries, job, |processes, failed| {
        let command = latest().map(|path| format!("; go on with\n  {}", go_on(path, processes)));
        terminal::note(format_args!("\n{failed}{}", command.unwrap_or_default()));
    })
}

/// How a job has ended.
#[derive(Debug, PartialEq)]
enum Ended {
    Succeeded,
    /// This program was asked to end.
    Interrupted(ExitCode),
    /// With this exit code, if `mpirun` was not itself killed.
    Failed(Option<i32>),
}

/// Runs a job until one does not fail, each in the next number of processes; one that is not the first is told how the one before has
/// ended, and `given_up` how the last one of several, or of one, has failed, and in how many processes.
fn attempts(
    processes: &[usize],
    retries: u32,
    mut job: impl FnMut(usize, Option<&str>) -> Result<Ended, Box<dyn Error>>,
    given_up: impl FnOnce(usize, &str),
) -> Result<ExitCode, Box<dyn Error>> {
    let last = processes.last().copied().unwrap_or(1);
    let mut numbers = processes.iter().copied().chain(std::iter::repeat(last));
    let mut failed: Option<String> = None;
    let mut failures = 0;
    loop {
        let number = numbers.next().unwrap_or(last);
        let code = match job(number, failed.as_deref())? {
            Ended::Succeeded => return Ok(ExitCode::SUCCESS),
            Ended::Interrupted(code) => return Ok(code),
            Ended::Failed(code) => code,
        };
        let status = code.map_or("a signal".to_owned(), |code| format!("status {code}"));
        let end = format!("the job of {} ended with {status}", Processes(number));
        if failures == retries || code == Some(WRONG_ARGUMENTS) {
            if code != Some(WRONG_ARGUMENTS) {
                given_up(number, &end);
            }
            let code = code.and_then(|code| u8::try_from(code).ok()).filter(|&code| code > 0);
            return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
        }
        failures += 1;
        failed = Some(format!("{end}, retry {failures} of {retries}"));
    }
}

/// Waits for the end of a job. If this program is asked to end, so are its processes.
fn job(mpirun: &mut Command, interrupt: &Interrupt) -> Result<Ended, Box<dyn Error>> {
    // A group of its own: where a shell sends a signal to this program and `mpirun`, that would be two for its processes.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(mpirun, 0);
    let mut child = mpirun.stdin(Stdio::null()).spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            "mpirun is not installed: `cargo xtask setup --mpi` installs it, or a package such as openmpi-bin"
                .to_owned()
        }
        _ => format!("cannot start mpirun: {error}"),
    })?;
    let mut is_told = false;
    let status: ExitStatus = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if !is_told && interrupt.by().is_some() {
            // Each shell has a `kill`, not each machine.
            let told = Command::new("sh").arg("-c").arg(format!("kill {}", child.id())).status();
            if !told.is_ok_and(|status| status.success()) {
                child.kill()?;
            }
            is_told = true;
        }
        thread::sleep(LOOK);
    };
    Ok(match interrupt.by() {
        _ if status.success() => Ended::Succeeded,
        Some((_, code)) => Ended::Interrupted(code),
        None => Ended::Failed(status.code()),
    })
}

/// What `mpirun` needs to start more processes than there are cores, each on any of them, and to leave them the time for a checkpoint.
fn launching() -> &'static [&'static str] {
    let version = Command::new("mpirun").arg("--version").output();
    let is_open_mpi =
        version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("Open MPI"));
    match is_open_mpi {
        true => &["--oversubscribe", "--bind-to", "none", "--mca", "odls_base_sigkill_timeout", "5"],
        false => &[],
    }
}

/// These words but for the options of these names and their values.
fn without<'a>(
    words: impl Iterator<Item = OsString> + 'a,
    names: &'a [&str],
) -> impl Iterator<Item = OsString> + 'a {
    let mut is_value = false;
    words.filter(move |word| {
        if std::mem::take(&mut is_value) {
            return false;
        }
        let word = word.to_string_lossy();
        match names.iter().find_map(|name| word.strip_prefix(name)) {
            Some("") => {
                is_value = true;
                false
            }
            Some(rest) => !rest.starts_with('='),
            None => true,
        }
    })
}

/// When the checkpoints of this name were written, the newest one first.
fn times(checkpoint: &Path) -> Vec<SystemTime> {
    let kept = file::numbered(checkpoint).into_iter().map(|(_, path)| path);
    let all = std::iter::once(checkpoint.to_owned()).chain(kept);
    all.filter_map(|path| fs::metadata(path).and_then(|found| found.modified()).ok()).collect()
}

/// Whether the newest checkpoint is none of those that were written at these times, whatever they are called now.
fn has_newer(checkpoint: &Path, before: &[SystemTime]) -> bool {
    times(checkpoint).first().is_some_and(|time| !before.contains(time))
}

/// So many processes, in words.
struct Processes(usize);

impl fmt::Display for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "process" } else { "processes" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_the_next_number_of_processes_goes_on() {
        let run = |retries, ends: &[Ended]| {
            let mut seen = Vec::new();
            let mut ends = ends.iter();
            let mut last = None;
            let job = |number, failed: Option<&str>| {
                seen.push((number, failed.is_some()));
                Ok(match ends.next().expect("no further attempt") {
                    Ended::Succeeded => Ended::Succeeded,
                    Ended::Interrupted(code) => Ended::Interrupted(*code),
                    Ended::Failed(code) => Ended::Failed(*code),
                })
            };
            let code = attempts(&[4, 2], retries, job, |number, end| last = Some((number, end.to_owned())));
            (code.unwrap(), seen, last)
        };
        let killed = || Ended::Failed(Some(137));
        let (code, seen, last) = run(3, &[killed(), killed(), Ended::Failed(None), Ended::Succeeded]);
        assert_eq!(code, ExitCode::SUCCESS);
        assert_eq!((seen, last), (vec![(4, false), (2, true), (2, true), (2, true)], None));
        let (code, _, last) = run(1, &[killed(), killed()]);
        assert_eq!(code, ExitCode::from(137));
        assert_eq!(last, Some((2, "the job of 2 processes ended with status 137".to_owned())));
        assert_eq!(run(0, &[Ended::Failed(None)]).0, ExitCode::FAILURE);
        // Neither after wrong arguments nor after Ctrl-C.
        assert_eq!(run(9, &[Ended::Failed(Some(2))]), (ExitCode::from(2), vec![(4, false)], None));
        let interrupted = Ended::Interrupted(ExitCode::from(130));
        assert_eq!(run(9, &[killed(), interrupted]).0, ExitCode::from(130));
    }

    #[test]
    fn the_processes_get_all_other_arguments() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let given = words(
            "train-mnist --processes 4,2 --seed 1 --retries=3 --out processes --processes=2 --epochs 1",
        );
        let rest: Vec<OsString> = without(given.into_iter(), &["--processes", "--retries"]).collect();
        assert_eq!(rest, words("train-mnist --seed 1 --out processes --epochs 1"));
    }

    #[test]
    fn a_checkpoint_that_was_there_before_is_none_of_the_job() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.training");
        assert!(!has_newer(&path, &[]));
        fs::write(&path, "old").unwrap();
        let before = times(&path);
        assert_eq!(before.len(), 1);
        assert!(!has_newer(&path, &before));
        // Killed when the old one was kept under another name, and no new one was there yet.
        let kept = directory.path().join("run.training.1");
        fs::hard_link(&path, &kept).unwrap();
        assert!(!has_newer(&path, &before));
        fs::remove_file(&path).unwrap();
        assert!(!has_newer(&path, &before));
        fs::write(&path, "new").unwrap();
        let later = before[0] + Duration::from_secs(1);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert!(has_newer(&path, &before));
        // One before it that is of the job too.
        fs::rename(&path, &kept).unwrap();
        assert!(has_newer(&path, &before));
    }
}
