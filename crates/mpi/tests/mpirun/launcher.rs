//! Calls `mpirun` and looks at what its processes say, and at how the job ends.

use std::env;
use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::process::{RESULT, train, trainer};

/// How long any job may take, until it has failed if it is to fail.
const LIMIT: Duration = Duration::from_secs(120);

/// What a job has said, and how it ended.
#[derive(Debug)]
struct Ended {
    succeeded: bool,
    said: String,
    time: Duration,
}

/// Runs all cases.
pub(crate) fn run() -> ExitCode {
    if Command::new("mpirun").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("mpirun is not installed: the trainings of several processes were not tested");
        return ExitCode::SUCCESS;
    }
    bits_are_those_of_one_process();
    failures_end_the_job();
    println!("all passed");
    ExitCode::SUCCESS
}

fn bits_are_those_of_one_process() {
    let alone = train(trainer(7).distributable(true), None).expect("it is a training like any other");
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
    let program = env::current_exe().expect("this program has a path");
    let begin = Instant::now();
    let mut command = Command::new("mpirun");
    let is_open_mpi = version().contains("Open MPI");
    if is_open_mpi {
        command.args(["--oversubscribe", "--bind-to", "none"]);
    }
    let mut child = command
        .args(["-n", &processes.to_string()])
        .arg(program)
        .arg(case)
        // In a container the tests may be run by root, which Open MPI allows only where it is asked to.
        .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mpirun starts");
    let said = [collect(child.stdout.take()), collect(child.stderr.take())];
    let succeeded = wait(&mut child, begin, case);
    let said = said.map(|thread| thread.join().expect("reading does not panic")).concat();
    Ended { succeeded, said, time: begin.elapsed() }
}

/// What `mpirun` says of itself.
fn version() -> String {
    let output = Command::new("mpirun").arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn collect(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether the job succeeds; it is killed if it takes too long.
fn wait(child: &mut Child, begin: Instant, case: &str) -> bool {
    loop {
        if let Some(status) = child.try_wait().expect("mpirun is a child of this program") {
            return status.success();
        }
        if begin.elapsed() > LIMIT {
            let _ = child.kill();
            panic!("the case `{case}` takes more than {} seconds", LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}
