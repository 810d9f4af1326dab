//! The program where its output is closed or full, or is no file.
#![cfg(unix)]

mod start;

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use start::chainrule;

fn program(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = chainrule();
    command.current_dir(directory).args(arguments).env_remove("CHAINRULE_DATA");
    command
}

/// A training of a moment.
fn training(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = program(directory, &["train-mnist", "--dataset", "digits", "--epochs", "1"]);
    command.args(["--hidden", "2", "--batch-size", "2000"]).args(arguments);
    command
}

/// Runs it with a standard output whose reader is gone.
fn with_closed_output(mut command: Command) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer).stderr(Stdio::piped()).output().unwrap()
}

/// A device that is always full, where the system has one.
fn full() -> Option<File> {
    File::options().write(true).open("/dev/full").ok()
}

/// The lines of standard error, none of which is a panic.
fn said(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("panicked"), "{text}");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_reader_that_is_gone_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["doctor"][..], &["--help"], &["train-mnist", "--help"], &["--version"]] {
        let output = with_closed_output(program(directory.path(), arguments));
        assert!(output.status.success(), "{arguments:?}: {:?}", said(&output));
        said(&output);
    }
    let output = with_closed_output(training(directory.path(), &[]));
    assert!(output.status.success(), "{:?}", said(&output));
    said(&output);
    assert!(directory.path().join("mnist.chainrule").is_file());
    // Nor one of what it says of its work.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output =
        training(directory.path(), &["-vvv"]).stdout(Stdio::piped()).stderr(writer).output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "{:?}", output.status);
}

#[test]
fn a_full_disk_is_one_line() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["doctor"][..], &["--help"], &["train-mnist", "--help"], &["--version"]] {
        let Some(output) = full() else { return };
        let output =
            program(directory.path(), arguments).stdout(output).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = said(&output);
        let errors: Vec<_> = said.iter().filter(|line| line.starts_with("error: ")).collect();
        assert!(matches!(errors[..], [line] if line.contains("standard output")), "{arguments:?}: {said:?}");
    }

    // The model is saved all the same, and where standard error is full too, the status alone tells.
    let (output, errors) = (full().unwrap(), full().unwrap());
    let status =
        training(directory.path(), &["--json", "report.json"]).stdout(output).stderr(errors).status();
    assert_eq!(status.unwrap().code(), Some(1));
    for name in ["mnist.chainrule", "report.json"] {
        assert!(directory.path().join(name).is_file(), "{name}");
    }
    let errors = full().unwrap();
    let output = program(directory.path(), &["doctor"]).stderr(errors).output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty());
}

#[test]
fn outputs_that_are_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let make = |program: &str, name: &str, arguments: &[&str]| {
        let path = directory.path().join(name);
        let made = Command::new(program).arg(&path).args(arguments).stderr(Stdio::null()).status();
        made.is_ok_and(|status| status.success()).then_some(path)
    };
    // A node of this test, since a mistake would replace the system's. Only the superuser can make one.
    let null = make("mknod", "null", &["c", "1", "3"]);
    let pipe = make("mkfifo", "pipe", &[]).expect("every user can make a pipe");
    symlink("file", directory.path().join("link")).unwrap();
    let out = if null.is_some() { "null" } else { "link" };
    let reader = std::thread::spawn(move || fs::read_to_string(pipe).unwrap());
    let output = training(directory.path(), &["--out", out, "--json", "pipe"]).output().unwrap();
    assert!(output.status.success(), "{:?}", said(&output));
    let report: serde_json::Value = serde_json::from_str(&reader.join().unwrap()).unwrap();
    assert_eq!(report["dataset"], "digits");
    if let Some(null) = null {
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    }
    assert!(fs::metadata(directory.path().join("pipe")).unwrap().file_type().is_fifo());
}

#[test]
fn what_cannot_be_written_is_said_before_the_training() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("folder")).unwrap();
    for (arguments, expected) in [
        (
            &["--out", "missing/model"][..],
            "cannot write missing/model: there is no directory missing: create it",
        ),
        (&["--out", "folder"], "cannot write folder: it is a directory"),
        (&["--json", "missing/report"], "cannot write missing/report: "),
        (&["--out", "same", "--json", "same"], "--out and --json are both same"),
    ] {
        let output = training(directory.path(), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = said(&output);
        assert!(matches!(&said[..], [line] if line.contains(expected)), "{arguments:?}: {said:?}");
    }
    let left: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["folder"]);
}

/// The commands that take memory, and those that take none, end by themselves however little there is, and say why.
#[test]
#[cfg(target_os = "linux")]
fn without_memory_every_command_ends_with_a_message() {
    use std::time::{Duration, Instant};

    let directory = tempfile::tempdir().unwrap();
    let rows = (0..400).map(|i| format!("{},{}\n", i % 20, if i % 20 < 10 { "no" } else { "yes" }));
    fs::write(directory.path().join("rows.csv"), format!("x,y\n{}", rows.collect::<String>())).unwrap();
    let made = program(directory.path(), &["init", "rows.csv", "--target", "y"]).output().unwrap();
    assert!(made.status.success(), "{:?}", said(&made));
    let mut training = program(directory.path(), &["train", "rows.toml", "--set", "epochs=1"]);
    assert!(training.output().unwrap().status.success());

    let sweep = ["sweep", "rows.toml", "--set", "epochs=1", "--try", "optimizer.lr=0.1,0.2"];
    let mnist =
        ["train-mnist", "--dataset", "digits", "--epochs", "1", "--hidden", "2", "--batch-size", "2000"];
    let commands: [&[&str]; 6] = [
        &mnist,
        &["train", "rows.toml", "--set", "epochs=1", "--out", "again.chainrule"],
        &sweep,
        &["predict", "rows.chainrule", "rows.csv", "-o", "predicted.csv"],
        &["list", "layers"],
        &["--help"],
    ];
    let mut refused = 0;
    for kilobytes in [200_000, 400_000] {
        for arguments in commands {
            let limit = format!("ulimit -c 0 && ulimit -v {kilobytes} && exec \"$0\" \"$@\"");
            let mut limited = Command::new("sh");
            limited.args(["-c", &limit, env!("CARGO_BIN_EXE_chainrule")]).args(arguments);
            limited.current_dir(directory.path()).env("OPENBLAS_CORETYPE", "auto");
            let (out, err) = (directory.path().join("out"), directory.path().join("err"));
            limited.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
            let mut running = limited.stdin(Stdio::null()).spawn().unwrap();
            // More than they take on a busy machine.
            let end = Instant::now() + Duration::from_secs(20);
            let status = loop {
                match running.try_wait().unwrap() {
                    Some(status) => break Some(status),
                    None if Instant::now() > end => break None,
                    None => std::thread::sleep(Duration::from_millis(5)),
                }
            };
            if status.is_none() {
                running.kill().unwrap();
            }
            let text = fs::read_to_string(&err).unwrap();
            let Some(status) = status else { panic!("{kilobytes} kB: {arguments:?} stands still: {text}") };
            assert!(!text.contains("panicked"), "{kilobytes} kB: {arguments:?}: {text}");
            let explained = text.contains("error: ") && (text.contains("memory") || text.contains("ulimit"));
            match status.code() {
                Some(0) => {}
                Some(1) => {
                    assert!(explained, "{kilobytes} kB: {arguments:?}: {text}");
                    refused += 1;
                }
                _ => panic!("{kilobytes} kB: {arguments:?} ends by {status}: {text}"),
            }
        }
    }
    assert!(refused > 0, "the limits leave memory enough for every command");
}
