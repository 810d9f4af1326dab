//! A training any process of which is killed at any moment, and which goes on in another number of processes.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::launcher::{Ended, Job, mpirun, this_program};
use super::process::{CHECKPOINT, DIRECTORY, RESULT, go_on, trainer};

/// How many processes may share the training.
const SIZES: std::ops::RangeInclusive<usize> = 1..=4;

/// For how long the others may go on.
const END: Duration = Duration::from_secs(30);

/// `CHAINRULE_KILLS` is how often, 2 by default.
pub(crate) fn goes_on_after_any_process_was_killed() {
    let kills: usize = env::var("CHAINRULE_KILLS").map_or(2, |kills| kills.parse().expect("a number"));
    let directory = tempfile::tempdir().expect("there is space for a directory");
    let alone = go_on(trainer(7).distributable(true), directory.path(), true).expect("it is a training");
    clear(directory.path());
    let begin = Instant::now();
    check(start(directory.path(), 3).end(), directory.path(), &alone);
    let takes = begin.elapsed();
    println!("a training of 3 processes: {:.1} s", takes.as_secs_f64());

    let (mut killed, mut resumed, mut ended, mut latest) = (0, 0, 0, Duration::ZERO);
    while killed < kills || ended == 0 {
        let size = SIZES.start() + (random() * SIZES.count() as f64) as usize;
        let is_checkpoint = |name: &String| [CHECKPOINT, &format!("{CHECKPOINT}.1")].contains(&&**name);
        let goes_on = names(directory.path()).iter().any(is_checkpoint);
        resumed += usize::from(goes_on);
        let mut job = start(directory.path(), size);
        let mut rank = None;
        // One that begins at the beginning says nothing about going on.
        if killed < kills || !goes_on {
            let random_rank = (random() * size as f64) as usize;
            sleep(takes.mul_f64(random()));
            rank = kill(directory.path(), random_rank, &mut job).then_some(random_rank);
        }
        let begin = Instant::now();
        let job = job.end();
        if let (Some(rank), false) = (rank, job.succeeded) {
            let time = begin.elapsed();
            latest = latest.max(time);
            assert!(time < END, "process {rank} of {size}: {time:?}\n{}", job.said);
            killed += 1;
            only_what_is_documented(directory.path());
            forget_processes(directory.path());
            continue;
        }
        // It was not killed, or had ended before.
        assert!(job.succeeded, "{job:?}");
        check_said(&job.said, &alone);
        ended += usize::from(goes_on);
        let left: Vec<String> = names(directory.path()).into_iter().collect();
        assert_eq!(left, [CHECKPOINT, &format!("{CHECKPOINT}.1")]);
        clear(directory.path());
    }
    println!(
        "{killed} times killed, at most {:.1} s until all had ended, {resumed} times resumed, {ended} times from there to the end",
        latest.as_secs_f64()
    );
}

/// Starts the training, or what is left of it.
fn start(directory: &Path, size: usize) -> Job {
    fs::create_dir_all(directory.join("processes")).expect("the directory is there");
    Job::start(mpirun(size).arg(this_program()).arg("goes on").env(DIRECTORY, directory))
}

/// Kills the process of this rank, which may not have begun; whether there was one.
fn kill(directory: &Path, rank: usize, job: &mut Job) -> bool {
    while !job.has_ended() {
        if let Ok(id) = fs::read_to_string(directory.join("processes").join(rank.to_string())) {
            return Command::new("kill").args(["-9", &id]).status().is_ok_and(|status| status.success());
        }
        sleep(Duration::from_millis(5));
    }
    false
}

fn check(ended: Ended, directory: &Path, alone: &str) {
    assert!(ended.succeeded, "{ended:?}");
    check_said(&ended.said, alone);
    clear(directory);
}

/// One process has said the result.
fn check_said(said: &str, alone: &str) {
    let results: Vec<&str> =
        said.lines().filter_map(|line| line.strip_prefix(RESULT)).map(str::trim).collect();
    assert_eq!(results, [alone], "{said}");
}

/// The names of the files, but for those with the numbers of the processes.
fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let names =
        entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "processes").collect()
}

/// What `docs/interruptions.md` names: the checkpoints that are kept, and one that was being written.
fn only_what_is_documented(directory: &Path) {
    let names = names(directory);
    let is_temporary = |name: &&String| {
        name.strip_prefix(&format!("{CHECKPOINT}."))
            .and_then(|rest| rest.strip_suffix(".tmp"))
            .is_some_and(|word| word.len() == 8)
    };
    let temporary = names.iter().filter(is_temporary).count();
    let kept = [CHECKPOINT.to_owned(), format!("{CHECKPOINT}.1")];
    assert!(
        temporary <= 1 && names.iter().all(|name| kept.contains(name) || is_temporary(&name)),
        "{names:?}"
    );
}

/// The next job has other processes.
fn forget_processes(directory: &Path) {
    fs::remove_dir_all(directory.join("processes")).expect("it was there");
}

/// Begins again.
fn clear(directory: &Path) {
    for entry in fs::read_dir(directory).expect("the directory is there") {
        let path = entry.expect("it can be read").path();
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.expect("it is a file of this test");
    }
}

/// A number from 0 to 1, anew each time.
fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / 2f64.powi(64)
}
