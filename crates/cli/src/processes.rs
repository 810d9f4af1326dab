//! The processes of a training: this one alone, or those of an MPI job.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chainrule::prelude::*;
use chainrule::tensor::SharedMemory;
use chainrule::train::{Group, GroupError, Lender, Lending};
use chainrule_cli::terminal;
use serde::{Deserialize, Serialize};

#[cfg(feature = "mpi")]
use crate::launch;

/// The variables by which an MPI tells a process which one it is: Open MPI's, those of PMIx under Slurm, and MPICH's.
const RANKS: [&str; 3] = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"];

/// For how long a process leaves it to the first one to say what is wrong before they know of each other.
const LATER: Duration = Duration::from_secs(2);

/// Whether no MPI has started this process as another one than the first.
pub(crate) fn is_first() -> bool {
    RANKS.iter().find_map(|name| std::env::var(name).ok()).is_none_or(|rank| rank == "0")
}

/// Waits in a process that an MPI has started, unless it is the first: what that one says of arguments that are wrong ends the job, and all
/// others would say the same.
pub(crate) fn let_the_first_speak() {
    if !is_first() {
        std::thread::sleep(LATER);
    }
}

/// What a process did in a training.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ProcessFigures {
    pub(crate) rank: usize,
    /// The machine that it ran on.
    pub(crate) host: String,
    /// The first of its shards, and the one after the last.
    pub(crate) shards: [usize; 2],
    pub(crate) threads: usize,
    /// The messages that it sent, and their bytes.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// For how long it waited for messages of others.
    pub(crate) waited_seconds: f64,
    pub(crate) train_seconds: f64,
}

/// The processes of a training, seen from this one.
#[derive(Debug)]
pub(crate) struct Processes {
    /// `None` where this process is alone.
    group: Option<Arc<Counted>>,
    /// Whether they have stopped before the end.
    is_stopped: AtomicBool,
}

impl Processes {
    /// This process alone.
    pub(crate) fn alone() -> Self {
        Self { group: None, is_stopped: AtomicBool::new(false) }
    }

    /// The members of a group.
    #[cfg_attr(not(any(feature = "mpi", test)), expect(dead_code, reason = "without MPI there is no group"))]
    pub(crate) fn of(group: Arc<dyn Group>) -> Self {
        Self { group: Some(Arc::new(Counted::of(group))), is_stopped: AtomicBool::new(false) }
    }

    /// Whether there may be others.
    pub(crate) fn are_many(&self) -> bool {
        self.group.is_some()
    }

    /// Whether this process prints and writes.
    pub(crate) fn is_first(&self) -> bool {
        self.group.as_ref().is_none_or(|group| group.rank() == 0)
    }

    /// The number of processes.
    pub(crate) fn count(&self) -> usize {
        self.group.as_ref().map_or(1, |group| group.size())
    }

    /// Lets a trainer train with the others.
    pub(crate) fn join<T, Y>(&self, trainer: Trainer<T, Y>) -> Trainer<T, Y>
    where
        T: chainrule::tensor::Real,
        Y: Clone + Send + Sync,
    {
        match &self.group {
            None => trainer,
            Some(group) => trainer.group(Arc::clone(group)),
        }
    }

    /// Prints a line to standard error, in the first process.
    pub(crate) fn note(&self, line: impl fmt::Display) {
        if self.is_first() {
            terminal::note(line);
        }
    }

    /// Does something in the first process, which says so, and then in the others: what that one has downloaded, these find.
    pub(crate) fn first_then_others<R>(
        &self,
        work: impl FnOnce() -> Result<R, Box<dyn Error>>,
    ) -> Result<R, Box<dyn Error>> {
        let Some(group) = &self.group else { return work() };
        if group.rank() > 0 {
            group.receive(0, &mut Vec::new())?;
            return terminal::quietly(work);
        }
        let result = work()?;
        for rank in 1..group.size() {
            group.send(rank, 0, &[])?;
        }
        Ok(result)
    }

    /// All stop before the end: the others when the first one has saved the training.
    pub(crate) fn stop(&self) -> Result<(), Box<dyn Error>> {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.first_then_others(|| Ok(()))
    }

    /// What all processes did, in the first process; there is nothing in the others, and where there is one process.
    pub(crate) fn gather(
        &self,
        train_seconds: f64,
        threads: usize,
        shards_of: impl Fn(usize, usize) -> Range<usize>,
    ) -> Result<Vec<ProcessFigures>, Box<dyn Error>> {
        let Some(group) = &self.group else { return Ok(Vec::new()) };
        let (rank, size) = (group.rank(), group.size());
        let Range { start, end } = shards_of(rank, size);
        let own = ProcessFigures {
            rank,
            host: host(),
            shards: [start, end],
            threads,
            messages: group.messages.load(Ordering::Relaxed),
            bytes: group.bytes.load(Ordering::Relaxed),
            waited_seconds: Duration::from_nanos(group.waited.load(Ordering::Relaxed)).as_secs_f64(),
            train_seconds,
        };
        if rank > 0 {
            group.send(0, 0, &serde_json::to_vec(&own)?)?;
            return Ok(Vec::new());
        }
        let mut all = vec![own];
        let mut message = Vec::new();
        for other in 1..size {
            group.receive(other, &mut message)?;
            all.push(serde_json::from_slice(&message)?);
        }
        Ok(all)
    }
}

/// The name of this machine; empty if it has none.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// A group whose messages are counted.
#[derive(Debug)]
struct Counted {
    group: Arc<dyn Group>,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// In nanoseconds.
    waited: AtomicU64,
}

impl Counted {
    fn of(group: Arc<dyn Group>) -> Self {
        Self { group, messages: AtomicU64::new(0), bytes: AtomicU64::new(0), waited: AtomicU64::new(0) }
    }

    /// Counts a message that is sent.
    fn count(&self, message: &[u8]) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
    }

    /// Receives something, and notes how long that takes.
    fn waiting<R>(&self, receive: impl FnOnce() -> R) -> R {
        let begin = Instant::now();
        let received = receive();
        self.waited.fetch_add(begin.elapsed().as_nanos() as u64, Ordering::Relaxed);
        received
    }
}

impl Group for Counted {
    fn rank(&self) -> usize {
        self.group.rank()
    }

    fn size(&self) -> usize {
        self.group.size()
    }

    fn send(&self, to: usize, kind: u8, message: &[u8]) -> Result<(), GroupError> {
        self.count(message);
        self.group.send(to, kind, message)
    }

    fn send_away(&self, to: usize, kind: u8, message: Vec<u8>) -> Result<Vec<u8>, GroupError> {
        self.count(&message);
        self.group.send_away(to, kind, message)
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<u8, GroupError> {
        self.waiting(|| self.group.receive(from, message))
    }

    fn receive_into(
        &self,
        from: usize,
        kind: u8,
        place: &mut [u8],
        message: &mut Vec<u8>,
    ) -> Result<Option<u8>, GroupError> {
        self.waiting(|| self.group.receive_into(from, kind, place, message))
    }

    fn lend<'env>(&self, work: Lending<'_, 'env>) -> Result<(), GroupError> {
        self.group.lend(&mut |lender| work(&CountedLender { counted: self, lender }))
    }

    fn share(&self, bytes: usize) -> Result<Option<SharedMemory>, GroupError> {
        self.group.share(bytes)
    }
}

/// Lends messages that are counted.
struct CountedLender<'a, 'env> {
    counted: &'a Counted,
    lender: &'a dyn Lender<'env>,
}

impl<'env> Lender<'env> for CountedLender<'_, 'env> {
    fn send(&self, to: usize, kind: u8, message: &'env [u8]) -> Result<(), GroupError> {
        self.counted.count(message);
        self.lender.send(to, kind, message)
    }
}

/// Runs `work` as one of the processes with which this program was started. An error ends all of them, with one message.
///
/// # Errors
///
/// If MPI cannot be used.
#[cfg(feature = "mpi")]
pub(crate) fn run(
    patience: Option<f64>,
    work: impl FnOnce(&Processes) -> Result<ExitCode, Box<dyn Error>>,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut group = chainrule_mpi::MpiGroup::start()?;
    check_count(std::env::var(launch::COUNT).ok().as_deref(), group.size(), group.library())?;
    if let Some(seconds) = patience {
        group = group.patience(Duration::from_secs_f64(seconds));
    }
    let group = Arc::new(group);
    let processes = Processes::of(Arc::clone(&group) as Arc<dyn Group>);
    let ended = work(&processes);
    if processes.is_stopped.load(Ordering::Relaxed) {
        group.stopped();
    }
    ended.or_else(|error| {
        let text = chainrule_cli::error_chain::text(&*error);
        group.abort_with(&*error, || terminal::note(format_args!("error: {text}")))
    })
}

/// An error if a job was `launched` with another number of processes than have found each other.
#[cfg_attr(not(any(feature = "mpi", test)), expect(dead_code, reason = "without MPI there are no jobs"))]
fn check_count(launched: Option<&str>, found: usize, library: &str) -> Result<(), String> {
    match launched {
        Some(launched) if launched != found.to_string() => Err(format!(
            "mpirun has started {launched} processes, but this one knows of {found}: the program was built with {library}, and \
             mpirun is of another MPI; build it with that one, or put the mpirun of this one first in PATH"
        )),
        _ => Ok(()),
    }
}

/// An error: this program has no MPI.
#[cfg(not(feature = "mpi"))]
pub(crate) fn run(
    _: Option<f64>,
    _: impl FnOnce(&Processes) -> Result<ExitCode, Box<dyn Error>>,
) -> Result<ExitCode, Box<dyn Error>> {
    check_built()?;
    Ok(ExitCode::FAILURE)
}

/// An error if this program has no MPI.
pub(crate) fn check_built() -> Result<(), &'static str> {
    if cfg!(feature = "mpi") {
        return Ok(());
    }
    Err(
        "this program was built without MPI, which --distributed and --processes need: build it with `--features mpi` where an MPI and \
         libclang are installed (`cargo xtask setup --mpi` installs them)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::path::Path;

    use chainrule::train::ThreadGroup;
    use clap::Parser;
    use serde_json::Value;

    use crate::train_mnist;

    #[test]
    fn the_first_process_knows_what_all_did() {
        let members = ThreadGroup::of(3).into_iter();
        let processes: Vec<Processes> = members.map(|member| Processes::of(Arc::new(member))).collect();
        let all: Vec<Vec<ProcessFigures>> = std::thread::scope(|scope| {
            let threads: Vec<_> = processes
                .iter()
                .map(|process| {
                    scope.spawn(|| {
                        process.first_then_others(|| Ok(())).unwrap();
                        process.gather(1.5, 2, |rank, _| 4 * rank..4 * rank + 3).unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all[1].is_empty() && all[2].is_empty());
        let shards: Vec<[usize; 2]> = all[0].iter().map(|process| process.shards).collect();
        assert_eq!(shards, [[0, 3], [4, 7], [8, 11]]);
        assert_eq!(all[0].iter().map(|process| process.messages).collect::<Vec<_>>(), [2, 0, 0]);
        assert!(all[0].iter().all(|process| process.train_seconds == 1.5 && process.threads == 2));
        assert!(processes[0].is_first() && !processes[1].is_first() && processes[2].are_many());
        assert!(
            Processes::alone().is_first()
                && Processes::alone().gather(0.0, 1, |_, _| 0..1).unwrap().is_empty()
        );
    }

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: train_mnist::Arguments,
    }

    #[test]
    fn all_processes_of_a_job_have_to_know_each_other() {
        assert_eq!(check_count(None, 1, ""), Ok(()));
        assert_eq!(check_count(Some("3"), 3, ""), Ok(()));
        let error = check_count(Some("3"), 1, "Open MPI v4.1.4").unwrap_err();
        assert!(
            error.contains("started 3 processes, but this one knows of 1") && error.contains("v4.1.4"),
            "{error}"
        );
    }

    #[test]
    fn what_is_for_several_processes_needs_them() {
        let parses = |words: &str| Program::try_parse_from(words.split(' ')).is_ok();
        for several in ["--processes 2", "--distributed", "--processes 2 --distributed"] {
            assert!(parses(&format!("train-mnist --patience 60s {several}")), "{several}");
        }
        assert!(!parses("train-mnist --patience 60s"));
        assert!(parses("train-mnist --processes 4,2 --retries 1") && !parses("train-mnist --retries 1"));
    }

    /// Small files in the format of MNIST.
    fn write_data(directory: &Path) {
        for (name, count, seed) in [("train", 200u32, 1), ("t10k", 60, 2)] {
            let mut rng = Seed(seed).rng();
            let labels: Vec<u8> = (0..count).map(|_| rng.below(10) as u8).collect();
            let images =
                labels.iter().flat_map(|&label| (0..784).map(move |pixel| pixel % 10 == usize::from(label)));
            let images: Vec<u8> =
                images.map(|bright| rng.below(if bright { 255 } else { 120 }) as u8).collect();
            let file = |kind: u8, axes: &[u32], values: Vec<u8>| {
                let axes = axes.iter().flat_map(|axis| axis.to_be_bytes());
                [0, 0, 8, kind].into_iter().chain(axes).chain(values).collect::<Vec<u8>>()
            };
            let path = |what: &str| directory.join(format!("{name}-{what}-ubyte"));
            fs::write(path("images-idx3"), file(3, &[count, 28, 28], images)).unwrap();
            fs::write(path("labels-idx1"), file(1, &[count], labels)).unwrap();
        }
    }

    /// Trains as `train-mnist --distributed` does in so many processes, or as it does without that option in none; returns the report.
    fn report(directory: &Path, processes: usize) -> Value {
        let file = |name: &str| directory.join(format!("{processes} {name}")).display().to_string();
        let (json, out, data) = (file("report"), file("model"), directory.display().to_string());
        let options = ["--epochs", "2", "--batch-size", "40", "--hidden", "60"];
        let files = ["--data-dir", &data, "--json", &json, "--out", &out];
        let words = ["train-mnist"].into_iter().chain(options).chain(files);
        let arguments = &Program::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).arguments;
        if processes == 0 {
            train_mnist::train(arguments, &Processes::alone()).unwrap();
        }
        std::thread::scope(|scope| {
            for member in ThreadGroup::of(processes) {
                scope.spawn(move || train_mnist::train(arguments, &Processes::of(Arc::new(member))).unwrap());
            }
        });
        assert!(fs::exists(&out).unwrap(), "the first has saved the model");
        serde_json::from_slice(&fs::read(json).unwrap()).unwrap()
    }

    #[test]
    fn the_program_finds_the_same_with_any_number_of_processes() {
        let directory = tempfile::tempdir().unwrap();
        write_data(directory.path());
        let one = report(directory.path(), 0);
        assert_eq!(one["shards"], 2);
        for processes in [1, 2, 3] {
            let several = report(directory.path(), processes);
            for figure in ["params_sha256", "test_loss", "confusion"] {
                assert_eq!(several[figure], one[figure], "{processes} processes: {figure}");
            }
            let figures = several["processes"].as_array().unwrap();
            assert_eq!(figures.len(), processes);
            let have_sent = |process: &Value| processes == 1 || process["bytes"].as_u64() > Some(10_000);
            assert!(figures.iter().all(have_sent), "{figures:?}");
            // Of three processes the first has no rows.
            let shards =
                |rank: usize| serde_json::from_value::<[usize; 2]>(figures[rank]["shards"].clone()).unwrap();
            assert_eq!(shards(processes - 1), [usize::from(processes > 1), 2]);
            assert!(processes < 3 || shards(0) == [0, 0]);
        }
    }
}
