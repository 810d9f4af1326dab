//! Trainings where the system refuses memory: they end, in whichever way, and do not stand still.
#![cfg(target_os = "linux")]

use std::env;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chainrule_core::Sequential;
use chainrule_data::digits;
use chainrule_layers::{Dense, Flatten, Relu};
use chainrule_losses::CrossEntropy;
use chainrule_optim::sgd;
use chainrule_tensor::Seed;
use chainrule_train::{Model, Trainer};

/// Set in the processes that the test starts, which train.
const CHILD: &str = "CHAINRULE_TEST_TRAINS";

/// More than a training of a moment takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn train() {
    let data = digits(256, Seed(1));
    let layers = Sequential::new().then(Flatten).then(Dense::new(100)).then(Relu).then(Dense::new(10));
    let trained = Model::new([28, 28], layers, Seed(0)).map(|model| {
        let trainer = Trainer::new(model, CrossEntropy::default(), sgd(0.1));
        trainer.batch_size(64).threads(2).shards(2).fit(&data, 1)
    });
    println!("ended: {trained:?}");
    // The training is over. A regular end of the program waits for a thread that OpenBLAS starts when it is loaded, which asks for
    // memory without end if that was scarce at that moment.
    std::process::abort();
}

#[test]
fn a_training_without_memory_ends() {
    if env::var_os(CHILD).is_some() {
        return train();
    }
    let program = env::current_exe().unwrap();
    for kilobytes in (200_000..=800_000).step_by(75_000) {
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -c 0 && ulimit -v {kilobytes} && exec \"$0\" \"$@\"")])
            .arg(&program)
            .args(["--exact", "a_training_without_memory_ends", "--nocapture", "--test-threads", "1"])
            .env(CHILD, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if begin.elapsed() > PATIENCE {
                child.kill().unwrap();
                break None;
            }
            thread::sleep(Duration::from_millis(20));
        };
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = status.unwrap_or_else(|| panic!("{kilobytes} kB: it stands still: {said}"));
        // Either it went well, or it said why not; below some limit the program cannot even start.
        let explained = ["ended: Ok(Ok(", "BLAS", "memory", "allocate", "Resource temporarily unavailable"];
        assert!(explained.iter().any(|text| said.contains(text)), "{kilobytes} kB: {status}: {said}");
    }
}
