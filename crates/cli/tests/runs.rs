//! Trainings that are killed, interrupted and told to end, and go on; what they say beforehand.
#![cfg(unix)]

mod start;

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chainrule::tensor::Seed;
use serde_json::Value;
use tempfile::TempDir;

use start::chainrule;

const CHECKPOINT: &str = "mnist.chainrule.checkpoint";

/// A directory with a subdirectory `data` of small files in the format of MNIST.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    for (name, count, seed) in [("train", 640u32, 1), ("t10k", 100, 2)] {
        let mut rng = Seed(seed).rng();
        let labels: Vec<u8> = (0..count).map(|_| rng.below(10) as u8).collect();
        let bright = |label: u8, pixel: usize| pixel % 10 == usize::from(label);
        let images: Vec<u8> = labels
            .iter()
            .flat_map(|&label| (0..784).map(move |pixel| (label, pixel)))
            .map(|(label, pixel)| rng.below(if bright(label, pixel) { 255 } else { 120 }) as u8)
            .collect();
        let header = |kind: u8, axes: &[u32]| {
            let axes = axes.iter().flat_map(|axis| axis.to_be_bytes());
            [0, 0, 8, kind].into_iter().chain(axes).collect::<Vec<u8>>()
        };
        fs::write(data.join(format!("{name}-labels-idx1-ubyte")), [header(1, &[count]), labels].concat())
            .unwrap();
        fs::write(
            data.join(format!("{name}-images-idx3-ubyte")),
            [header(3, &[count, 28, 28]), images].concat(),
        )
        .unwrap();
    }
    directory
}

/// A training of so many epochs, 20 steps each, or the rest of it, if there is a checkpoint.
fn training(directory: &Path, epochs: u64) -> Command {
    let mut command = chainrule();
    command.current_dir(directory).env_remove("CHAINRULE_DATA");
    command.args([
        "train-mnist",
        "--data-dir",
        "data",
        "--json",
        "report.json",
        "--checkpoint-every",
        "3steps",
    ]);
    let exists = |name: &str| directory.join(name).exists();
    if exists(CHECKPOINT) || exists(&format!("{CHECKPOINT}.1")) {
        command.args(["--resume", CHECKPOINT]);
    } else {
        command.args([
            "--hidden",
            "16",
            "--activation",
            "leaky_relu:0.2",
            "--metric",
            "f1",
            "--metric",
            "auroc",
        ]);
        command.args([
            "--optimizer",
            "clip_by_global_norm:1 then adam(lr=0.003) then ema(0.9)",
            "--seed",
            "7",
        ]);
        command.arg("--epochs").arg(epochs.to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What a report says, but for how long it took.
fn report(directory: &Path) -> Value {
    let mut report: Value =
        serde_json::from_slice(&fs::read(directory.join("report.json")).unwrap()).unwrap();
    report["train_seconds"] = Value::Null;
    for epoch in report["epochs"].as_array_mut().unwrap() {
        epoch["seconds"] = Value::Null;
    }
    report
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits until the training has saved itself once more; an error says what else has happened.
fn wait_for_checkpoint(directory: &Path, child: &mut Child) -> Result<(), String> {
    let path = directory.join(CHECKPOINT);
    let modified = || fs::metadata(&path).and_then(|found| found.modified()).ok();
    let before = modified();
    let begin = Instant::now();
    while modified() == before {
        if let Some(status) = child.try_wait().unwrap() {
            return Err(format!("it ended: {status}"));
        }
        if begin.elapsed() > Duration::from_secs(60) {
            return Err("it has saved nothing for a minute".into());
        }
        sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// `CHAINRULE_KILLS` is how often, 20 by default.
#[test]
fn killed_at_any_moment_it_ends_with_the_same_bits() {
    const EPOCHS: u64 = 3;
    let straight = directory();
    let timed = || {
        let begin = Instant::now();
        assert!(training(straight.path(), EPOCHS).status().unwrap().success());
        begin.elapsed()
    };
    // Other programs make some of them longer.
    let takes = (0..3).map(|_| timed()).min().unwrap();
    let right = report(straight.path());
    assert_eq!(right["epochs"].as_array().unwrap().len() as u64, EPOCHS);
    let model = fs::read(straight.path().join("mnist.chainrule")).unwrap();
    assert_eq!(names(straight.path()), ["data", "mnist.chainrule", "report.json"]);

    let kills = std::env::var("CHAINRULE_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let pieces = directory();
    let (mut killed, mut ended, mut resumed) = (0, 0, 0);
    while killed < kills || ended == 0 {
        let mut command = training(pieces.path(), EPOCHS);
        resumed += u64::from(command.get_args().any(|argument| argument == "--resume"));
        let mut child = command.spawn().unwrap();
        if killed < kills {
            // A number from 0 to 1, anew each time.
            let moment = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
            sleep(takes.mul_f64(moment));
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        if status.signal() == Some(9) {
            killed += 1;
            continue;
        }
        assert!(status.success(), "{status}");
        ended += 1;
        assert_eq!(report(pieces.path()), right);
        assert_eq!(fs::read(pieces.path().join("mnist.chainrule")).unwrap(), model);
        assert_eq!(names(pieces.path()), ["data", "mnist.chainrule", "report.json"]);
        fs::remove_file(pieces.path().join("mnist.chainrule")).unwrap();
        fs::remove_file(pieces.path().join("report.json")).unwrap();
    }
    println!("{killed} times killed, {resumed} times resumed, {ended} times at the end");
    assert!(resumed * 8 > killed, "the moments were spread over the training");
}

#[test]
fn options_that_are_given_once_more_replace_those_of_the_checkpoint() {
    let directory = directory();
    let train = |arguments: &[&str]| {
        let mut command = chainrule();
        // What is for all commands may stand before the name of this one.
        command.current_dir(directory.path()).args(["-v", "train-mnist", "--data-dir", "data"]);
        command.args(["--json", "report.json", "--checkpoint-every", "7steps", "--hidden", "16"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        report(directory.path())
    };
    let right = train(&["--metric", "f1", "--epochs", "1", "--checkpoint", "run"]);
    assert!(directory.path().join("run.1").exists(), "one of the middle is kept");
    assert_eq!(train(&["--resume", "run.1", "--metric=f1"]), right);
}

#[test]
fn asked_to_end_it_saves_and_says_how_to_go_on() {
    const EPOCHS: u64 = 150;
    let straight = directory();
    assert!(training(straight.path(), EPOCHS).status().unwrap().success());
    let right = report(straight.path());
    let pieces = directory();
    let mut go_on: Option<Vec<String>> = None;
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let mut command = match &go_on {
            None => training(pieces.path(), EPOCHS),
            Some(arguments) => {
                let mut command = chainrule();
                command.current_dir(pieces.path()).args(arguments).stdout(Stdio::null());
                command
            }
        };
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        wait_for_checkpoint(pieces.path(), &mut child).unwrap();
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stderr).unwrap();
        let (before, command) = said.trim_end().rsplit_once('\n').unwrap();
        assert!(before.contains("of 150; go on with"), "{said}");
        // The options are simple enough to be told apart by spaces.
        let arguments: Vec<String> = command.split_whitespace().skip(1).map(str::to_owned).collect();
        let expected = "train-mnist --resume mnist.chainrule.checkpoint --json report.json --data-dir data --checkpoint-every 3steps";
        assert_eq!(arguments.join(" "), expected);
        go_on = Some(arguments);
    }
    let mut last = chainrule();
    let output = last.current_dir(pieces.path()).args(go_on.unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("going on after"));
    assert_eq!(report(pieces.path()), right);
    assert_eq!(names(pieces.path()), ["data", "mnist.chainrule", "report.json"]);
}

#[test]
fn a_terminal_that_is_closed_ends_it_but_not_under_nohup() {
    let directory = directory();
    // As `nohup` does, which these tests may run under: what is ignored stays so.
    let ignored = "trap '' HUP; exec \"$0\" \"$@\"";
    let is_ignored = Command::new("sh").args(["-c", "kill -HUP $$"]).status().unwrap().success();
    for (shell, names, code) in [("exec \"$0\" \"$@\"", &["HUP"][..], 129), (ignored, &["HUP", "TERM"], 143)]
    {
        if is_ignored && code == 129 {
            eprintln!("skipped: SIGHUP is ignored here");
            continue;
        }
        let training = training(directory.path(), 1000);
        let mut command = Command::new("sh");
        command.args(["-c", shell]).arg(training.get_program()).args(training.get_args());
        command.current_dir(directory.path()).env("OPENBLAS_CORETYPE", "auto").env_remove("CHAINRULE_DATA");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for_checkpoint(directory.path(), &mut child).unwrap();
        for name in names {
            signal(&child, name);
        }
        assert_eq!(child.wait().unwrap().code(), Some(code), "{names:?}");
    }
}

/// What a training of several processes does with `mpirun`, in whose place a script is.
#[cfg(feature = "mpi")]
#[test]
fn launched_again_after_a_failure() {
    // The first job leaves a checkpoint, if it is to leave one; the second one fails in another way.
    const MPIRUN: &str = "#!/bin/sh\n\
        [ \"$1\" = --version ] && exit\n\
        echo \"$CHAINRULE_PROCESSES: $*\" >> jobs\n\
        [ $(wc -l < jobs) = 1 ] || exit 3\n\
        [ -z \"$SAVES\" ] || echo new > run\n\
        exit 137\n";
    let directory = directory();
    let directory = directory.path();
    fs::create_dir(directory.join("bin")).unwrap();
    fs::write(directory.join("script"), MPIRUN).unwrap();
    // By another process, so that none that the tests start has it open for writing.
    let copy = "cp script bin/mpirun && chmod +x bin/mpirun";
    assert!(Command::new("sh").args(["-c", copy]).current_dir(directory).status().unwrap().success());
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", directory.join("bin").display());
    let launch = |saves: &str, words: &str| {
        let mut command = chainrule();
        command.current_dir(directory).env("PATH", &path).env("SAVES", saves);
        let output = command.args(words.split(' ')).output().unwrap();
        let jobs = fs::read_to_string(directory.join("jobs")).unwrap_or_default();
        let _ = fs::remove_file(directory.join("jobs"));
        let program = command.get_program().to_string_lossy().into_owned();
        let jobs: Vec<String> = jobs.lines().map(|line| line.replace(&program, "chainrule")).collect();
        (output.status.code(), jobs, String::from_utf8(output.stderr).unwrap())
    };
    let training = "train-mnist --hidden 16 --patience 9s --checkpoint run --out model";
    let job = |count: usize| format!("{count}: -n {count} chainrule {training} --distributed");
    let command = format!("{training} --processes 3,2 --retries=1");

    let (code, jobs, said) = launch("yes", &command);
    assert_eq!(jobs, [job(3), job(2) + " --resume run"], "{said}");
    assert_eq!(code, Some(3), "{said}");
    let first =
        "the job of 3 processes ended with status 137, retry 1 of 1: going on from run in 2 processes";
    assert!(said.contains(first), "{said}");
    let last = "the job of 2 processes ended with status 3; go on with\n  \
                chainrule train-mnist --resume run --processes 2 --out model\n";
    assert!(said.ends_with(last), "{said}");

    // The checkpoint is there, but of the training before.
    let (code, jobs, said) = launch("", &command);
    assert_eq!((code, jobs), (Some(3), vec![job(3), job(2)]), "{said}");
    assert!(said.contains("going on from the beginning in 2 processes"), "{said}");
    assert!(said.ends_with("the job of 2 processes ended with status 3\n"), "{said}");

    // What each job would refuse.
    for (words, error) in [
        ("--processes 2 --model lenet", "--hidden applies only to the network mlp"),
        ("--processes 2 --json data", "cannot write data"),
    ] {
        let (code, jobs, said) = launch("", &format!("{training} {words}"));
        assert!(code == Some(1) && jobs.is_empty() && said.contains(error), "{words}: {jobs:?} {said}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let directory = directory();
    // A pipe without a reader: to save the training takes for ever.
    let pipe = directory.path().join("pipe");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no mkfifo");
        return;
    }
    let mut command = training(directory.path(), 1000);
    command.args(["--checkpoint", "pipe", "--checkpoint-every", "end"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = child.stderr.take().unwrap();
    let mut seen = Vec::new();
    let mut byte = [0];
    // The first epoch is over.
    while !String::from_utf8_lossy(&seen).contains("epoch 1/1000") {
        assert_eq!(said.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    signal(&child, "INT");
    sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it waits for a reader");
    signal(&child, "INT");
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(2), "{status}");
}

#[test]
fn a_reader_that_goes_away_does_not_end_it() {
    let directory = directory();
    let mut child =
        training(directory.path(), 20).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().unwrap().success());
    assert_eq!(report(directory.path())["epochs"].as_array().unwrap().len(), 20);
    // Where nothing can be written, that is an error at the end, and the model is saved all the same.
    let Ok(full) = File::options().write(true).open("/dev/full") else { return };
    fs::remove_file(directory.path().join("mnist.chainrule")).unwrap();
    let status =
        training(directory.path(), 1).stdout(full.try_clone().unwrap()).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(directory.path().join("mnist.chainrule").exists());
}

#[test]
fn only_a_checkpoint_of_this_command_is_resumed() {
    let directory = directory();
    let said = |arguments: &[&str]| {
        let mut command = chainrule();
        let output =
            command.current_dir(directory.path()).arg("train-mnist").args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&["--resume", "nothing"]).contains("cannot read nothing"));
    assert!(training(directory.path(), 1).status().unwrap().success());
    assert!(said(&["--resume", "mnist.chainrule"]).contains("is no checkpoint of `chainrule train-mnist`"));
    // One whose notes choose what is overwritten.
    let path = directory.path().join("mnist.chainrule");
    let mut contents = chainrule::train::file::read(&path).unwrap();
    let notes = vec![("train-mnist seed".into(), "1".into()), ("train-mnist out".into(), "data".into())];
    contents.record = Some(chainrule::train::file::RunRecord { notes, ..Default::default() });
    chainrule::train::file::write(&path, &contents).unwrap();
    assert!(said(&["--resume", "mnist.chainrule"]).contains("an option that no training has: --out"));
    // Other weights than those that the options make.
    let mut child = training(directory.path(), 1000).spawn().unwrap();
    wait_for_checkpoint(directory.path(), &mut child).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let error = said(&["--resume", CHECKPOINT, "--data-dir", "data", "--hidden", "8"]);
    assert!(error.contains("holds another architecture"), "{error}");
    let error = said(&["--resume", CHECKPOINT, "--data-dir", "data", "--optimizer", "sgd"]);
    assert!(error.contains("the checkpoint is of another training"), "{error}");
}

#[test]
fn it_says_what_it_will_take_and_keeps_to_a_time() {
    let directory = directory();
    let run = |arguments: &[&str]| {
        let mut command = chainrule();
        command.current_dir(directory.path()).args(["train-mnist", "--data-dir", "data", "--hidden", "16"]);
        let output = command.args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said, String::from_utf8(output.stdout).unwrap())
    };
    let (_, said, _) = run(&["--epochs", "3", "--batch-size", "50"]);
    let line = said.lines().find(|line| line.starts_with("12730 parameters, ")).unwrap();
    assert!(line.contains(" MiB to train them; 39 steps in 3 epochs, about "), "{line}");

    let (succeeds, said, _) = run(&["--for", "3s", "--json", "report.json"]);
    assert!(succeeds, "{said}");
    let report = report(directory.path());
    let epochs = report["epochs"].as_array().unwrap().len();
    assert!(said.contains(&format!("{} steps in {epochs} epoch", 20 * epochs)) && epochs > 1, "{said}");
    let (succeeds, said, _) = run(&["--for", "0.000001s"]);
    assert!(!succeeds && said.contains("an epoch takes about "), "{said}");
    let (succeeds, said, _) = run(&["--for", "60"]);
    assert!(!succeeds && said.contains("such as 60s, 5m or 1h"), "{said}");

    fs::remove_file(directory.path().join("mnist.chainrule")).unwrap();
    let (succeeds, said, printed) =
        run(&["--find-lr", "rates.svg", "--optimizer", "clip_by_norm:1 then sgd:lr=0.5"]);
    assert!(succeeds && printed.contains("try --lr "), "{said}{printed}");
    let rate: f64 = printed.split_whitespace().nth(2).unwrap().trim_end_matches(',').parse().unwrap();
    assert!((1e-6..1.0).contains(&rate), "{printed}");
    assert!(fs::read_to_string(directory.path().join("rates.svg")).unwrap().starts_with("<svg"));
    assert!(!directory.path().join("mnist.chainrule").exists(), "it has not trained");
}
