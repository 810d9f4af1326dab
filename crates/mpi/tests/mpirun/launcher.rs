//! Calls `mpirun` and looks at what its processes say, and at how the job ends.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::process::{LARGE_HANGS, RESULT, train_all};
use super::{hosts, killed};

/// How long any job may take, until it has failed if it is to fail.
const LIMIT: Duration = Duration::from_secs(120);

/// What a job has said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) succeeded: bool,
    pub(crate) said: String,
    pub(crate) time: Duration,
}

/// A job that was started.
pub(crate) struct Job {
    child: Child,
    case: String,
    begin: Instant,
    /// What it has said so far, on standard output and standard error.
    said: Arc<Mutex<String>>,
    readers: [thread::JoinHandle<()>; 2],
}

/// What is tested, and the words that choose it.
const CASES: [(&str, fn()); 4] = [
    ("bits", bits_are_those_of_one_process),
    ("failures", failures_end_the_job),
    ("killed", killed::goes_on_after_any_process_was_killed),
    ("hosts", hosts::are_several),
];

/// Runs the cases that are chosen, or all. Words that begin with `-` are for other tests.
pub(crate) fn run(words: &[&str]) -> ExitCode {
    let chosen: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let names = CASES.map(|(name, _)| name);
    if let Some(unknown) = chosen.iter().find(|word| !names.contains(word)) {
        eprintln!("there is no case `{unknown}`; there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    if Command::new("mpirun").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("mpirun is not installed: the trainings of several processes were not tested");
        return ExitCode::SUCCESS;
    }
    let is_chosen = |name: &str| chosen.is_empty() || chosen.contains(&name);
    CASES.iter().filter(|(name, _)| is_chosen(name)).for_each(|(_, case)| case());
    println!("all passed");
    ExitCode::SUCCESS
}

fn bits_are_those_of_one_process() {
    let alone = train_all(|trainer| trainer.distributable(true)).expect("they are trainings like any others");
    for processes in [1, 2, 3, 4, 7] {
        let ended = job(processes, "trains");
        println!("{processes} processes: {:.1} s", ended.time.as_secs_f64());
        assert!(ended.succeeded, "{processes}: {ended:?}");
        let mut results = ended.said.lines().filter_map(|line| line.strip_prefix(RESULT)).map(str::trim);
        assert_eq!(results.next(), Some(&*alone), "{processes}: {ended:?}");
        // The others say nothing.
        assert_eq!(results.next(), None, "{ended:?}");
    }
}

fn failures_end_the_job() {
    for (case, message, exactly_once) in [
        ("fails", "error: sample 100, in batch", true),
        ("differs", "seed  process 0: 7  process 1: 8", true),
        ("hangs", "error: process 1 has sent nothing for 2 seconds", true),
        (LARGE_HANGS, "error: process 1 has sent nothing for 2 seconds", true),
        ("the first hangs", "error: process 0 has sent nothing for 2 seconds", true),
        ("panics", "as intended", true),
        // What Open MPI and MPICH say of a process that was killed is their own.
        ("dies", "signal", false),
    ] {
        let ended = job(3, case);
        println!("{case}: {:.1} s", ended.time.as_secs_f64());
        assert!(!ended.succeeded, "{case}: {ended:?}");
        assert!(ended.time < Duration::from_secs(30), "{case}: {ended:?}");
        let count = ended.said.to_lowercase().matches(&message.to_lowercase()).count();
        assert!(if exactly_once { count == 1 } else { count > 0 }, "{case}, {count} times: {}", ended.said);
        assert!(!ended.said.contains(RESULT), "{case}: {ended:?}");
        let errors = ended.said.lines().filter(|line| line.starts_with("error: ")).count();
        assert!(errors <= 1, "{case}: {}", ended.said);
    }
}

/// Runs a job of this many processes to its end.
fn job(processes: usize, case: &str) -> Ended {
    Job::start(mpirun(processes).arg(this_program()).arg(case)).end()
}

/// Starts this many processes of a program on this machine, which may have fewer cores.
pub(crate) fn mpirun(processes: usize) -> Command {
    let mut command = Command::new("mpirun");
    if is_open_mpi() {
        command.args(["--oversubscribe", "--bind-to", "none"]);
    }
    command.args(["-n", &processes.to_string()]);
    command
}

pub(crate) fn this_program() -> PathBuf {
    env::current_exe().expect("this program has a path")
}

pub(crate) fn is_open_mpi() -> bool {
    version().contains("Open MPI")
}

impl Job {
    /// Starts a job, whose last words say what it is to do.
    pub(crate) fn start(command: &mut Command) -> Self {
        let case = format!("{command:?}");
        let begin = Instant::now();
        let mut child = command
            // In a container the tests may be run by root, which Open MPI allows only where it is asked to.
            .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mpirun starts");
        let said = Arc::new(Mutex::new(String::new()));
        let readers = [collect(child.stdout.take(), &said), collect(child.stderr.take(), &said)];
        Self { child, case, begin, said, readers }
    }

    /// Whether it has ended; it is killed if it takes too long.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    /// How it has ended, if it has; it is killed if it takes too long.
    fn status(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("mpirun is a child of this program");
        if status.is_none() && self.begin.elapsed() > LIMIT {
            let _ = self.child.kill();
            panic!("the case `{}` takes more than {} seconds", self.case, LIMIT.as_secs());
        }
        status
    }

    /// Whether it has said this.
    pub(crate) fn has_said(&self, text: &str) -> bool {
        self.said.lock().expect("no panic").contains(text)
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let succeeded = loop {
            if let Some(status) = self.status() {
                break status.success();
            }
            thread::sleep(Duration::from_millis(20));
        };
        for reader in self.readers {
            reader.join().expect("reading does not panic");
        }
        let said = self.said.lock().expect("no panic").clone();
        Ended { succeeded, said, time: self.begin.elapsed() }
    }
}

/// What `mpirun` says of itself.
fn version() -> String {
    let output = Command::new("mpirun").arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// Reads lines into `said`, as they come.
fn collect(from: Option<impl Read + Send + 'static>, said: &Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    let said = Arc::clone(said);
    thread::spawn(move || {
        let Some(from) = from else { return };
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            *said.lock().expect("no panic") += &String::from_utf8_lossy(&line);
            line.clear();
        }
    })
}
