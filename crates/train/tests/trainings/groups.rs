//! Trainings of several processes, here threads that exchange messages, have the bits of one process.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use chainrule_core::Sequential;
use chainrule_data::augment::{Augmented, Noise};
use chainrule_data::{Dataset, Rows, Samples, Subset};
use chainrule_layers::{
    BatchNorm, Conv2d, Dense, Dropout, Embedding, Flatten, Gru, MaxPool2d, Relu, Reshape, Tanh,
};
use chainrule_losses::{CrossEntropy, Loss};
use chainrule_metrics::{Accuracy, ConfusionMatrix};
use chainrule_optim::{ClipByGlobalNorm, Ema, Sam, Update, UpdateRule, adam, kfac, sgd};
use chainrule_tensor::{Seed, Shape, each};
use chainrule_train::callbacks::{Checkpoints, EarlyStopping};
use chainrule_train::{
    Audit, Event, FileError, Fit, Group, GroupError, Model, ThreadGroup, TrainError, Trainer,
};
use ndarray::Array2;

const SHARDS: usize = 8;

const SIZES: [usize; 5] = [1, 2, 3, 4, 7];

type Parts = (Sequential<f32>, Box<dyn Loss<f32, u8>>, Box<dyn UpdateRule<f32>>);

/// Batches of 32, and a last one of 4, which leaves most shards empty.
fn rows(inputs: usize, mut value: impl FnMut(&mut chainrule_tensor::Rng) -> f32) -> Rows<f32, u8> {
    let mut rng = Seed(3).rng();
    let x = Array2::from_shape_simple_fn((2 * 32 + 4, inputs), || value(&mut rng));
    let targets = x.rows().into_iter().map(|x| (x.sum().abs() * 7.0) as u8 % 5).collect();
    Rows::new(x, targets).unwrap()
}

fn numbers(inputs: usize) -> Rows<f32, u8> {
    rows(inputs, |rng| rng.normal() as f32)
}

/// The same as pictures.
struct Pictures(Rows<f32, u8>);

impl Dataset for Pictures {
    type Target = u8;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self) -> Shape {
        Shape::from([8, 8])
    }
}

impl Samples<f32> for Pictures {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        Samples::read(&self.0, index, row)
    }
}

/// So wide that products are left to the sum.
fn mlp() -> Sequential<f32> {
    Sequential::new().then(Dense::new(90)).then(Relu).then(Dense::new(80)).then(Relu).then(Dense::new(5))
}

fn lenet() -> Sequential<f32> {
    let layers = Sequential::new().then(Reshape::new([1, 8, 8])).then(Conv2d::new(4, 3).padding(1));
    let layers = layers.then(BatchNorm::new()).then(Relu).then(MaxPool2d::new(2)).then(Flatten);
    layers.then(Dense::new(140)).then(BatchNorm::new()).then(Tanh).then(Dropout::new(0.3)).then(Dense::new(5))
}

fn words() -> Sequential<f32> {
    let layers = Sequential::new().then(Embedding::new(400, 6).sparse()).then(Flatten);
    layers.then(Dense::new(300)).then(Tanh).then(Dense::new(5))
}

/// The members of a training: a group of this size, or one process alone.
fn in_group<R: Send>(size: usize, work: impl Fn(Option<ThreadGroup>) -> R + Sync) -> Vec<R> {
    if size == 0 {
        return vec![work(None)];
    }
    thread::scope(|scope| {
        let work = &work;
        let members = ThreadGroup::of(size).into_iter();
        let threads: Vec<_> =
            members.map(|member| member.patience(Duration::from_secs(30))).map(Some).collect();
        let threads: Vec<_> = threads.into_iter().map(|member| scope.spawn(|| work(member))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn trainer((layers, loss, optimizer): Parts, inputs: impl Into<Shape>) -> Trainer<f32, u8> {
    let model = Model::new(inputs, layers, Seed(1)).unwrap();
    Trainer::new(model, loss, optimizer)
        .batch_size(32)
        .shards(SHARDS)
        .seed(5)
        .metric(Accuracy)
        .metric(ConfusionMatrix::default())
}

fn join(trainer: Trainer<f32, u8>, member: Option<ThreadGroup>) -> Trainer<f32, u8> {
    match member {
        Some(member) => trainer.group(member),
        None => trainer.distributable(true),
    }
}

/// All bits of what a training has found, but for its seconds.
fn outcome(trainer: &mut Trainer<f32, u8>, data: &impl Samples<f32, Target = u8>) -> String {
    let mut text = trainer.model().parameters_sha256() + &trainer.evaluated_model().parameters_sha256();
    for report in trainer.history() {
        let bits = report.train.loss.to_bits();
        write!(text, " {bits:x} {:?} {:?}", report.train.metric("accuracy"), report.validation).unwrap();
    }
    // Of the epochs before, a checkpoint keeps only the metrics that are numbers.
    write!(text, " {:?}", trainer.history().last().map(|report| &report.train.metrics)).unwrap();
    let scores = trainer.evaluate(data).unwrap();
    write!(text, " {:x} {:?}", scores.loss.to_bits(), scores.metrics).unwrap();
    text
}

/// Trains alone and in groups, and compares.
fn check(data: &(impl Samples<f32, Target = u8> + Sync), build: impl Fn() -> Trainer<f32, u8> + Sync) {
    let trained = |size, threads| {
        in_group(size, |member| {
            let mut trainer = join(build().threads(threads), member);
            trainer.fit(data, Fit::epochs(2).validation(data).validate_every(2)).unwrap();
            outcome(&mut trainer, data)
        })
    };
    let alone = trained(0, 1).remove(0);
    assert_eq!(trained(0, 2)[0], alone);
    for size in SIZES {
        for threads in [1, 2] {
            for (rank, found) in trained(size, threads).into_iter().enumerate() {
                assert_eq!(found, alone, "process {rank} of {size}, {threads} threads");
            }
        }
    }
}

type Optimizer = Box<dyn UpdateRule<f32>>;

fn clipped() -> Optimizer {
    Box::new((ClipByGlobalNorm(0.5), adam(3e-3)))
}

fn plain() -> Optimizer {
    Box::new(adam(1e-2))
}

fn averaged() -> Optimizer {
    Box::new((sgd(0.05).momentum(0.9), Ema { decay: 0.9, every: 1 }))
}

fn cross_entropy() -> Box<dyn Loss<f32, u8>> {
    Box::new(CrossEntropy)
}

#[test]
fn dense_networks() {
    let data = numbers(200);
    let weighted = || Box::new(CrossEntropy.class_weights([1.0, 0.5, 2.0, 1.0, 0.25]));
    check(&data, || trainer((mlp(), weighted(), clipped()), [200]));
    check(&data, || trainer((mlp(), cross_entropy(), averaged()), [200]).accumulate(3));
}

#[test]
fn convolutions_with_statistics_over_the_batch() {
    let data = Augmented::new(Pictures(numbers(64)), 6).unwrap().with(Noise(0.1)).unwrap();
    check(&data, || trainer((lenet(), cross_entropy(), plain()), [8, 8]));
    check(&data, || trainer((lenet(), cross_entropy(), clipped()), [8, 8]).accumulate(2).portable(true));
}

#[test]
fn processes_without_rows() {
    let data = numbers(200);
    let pictures = Pictures(numbers(64));
    let trained = |size: usize, shards: Option<usize>| {
        in_group(size, |member| {
            let dense = trainer((mlp(), cross_entropy(), clipped()), [200]).shards(shards);
            // For that all run a pass of their own.
            let mut dense = dense.record_sizes(3);
            let of_batch = dense.shard_count();
            let mut convolutions = trainer((lenet(), cross_entropy(), plain()), [8, 8]).shards(shards);
            let found = match member {
                None => {
                    (dense, convolutions) = (dense.distributable(true), convolutions.distributable(true));
                    dense.fit(&data, Fit::epochs(2).validation(&data)).unwrap();
                    convolutions.fit(&pictures, 1).unwrap();
                    [outcome(&mut dense, &data), outcome(&mut convolutions, &pictures)]
                }
                Some(member) => {
                    let member = Arc::new(member);
                    (dense, convolutions) = (dense.group(member.clone()), convolutions.group(member));
                    dense.fit(&data, Fit::epochs(2).validation(&data)).unwrap();
                    convolutions.fit(&pictures, 1).unwrap();
                    [outcome(&mut dense, &data), outcome(&mut convolutions, &pictures)]
                }
            };
            let warns =
                dense.warnings().iter().map(ToString::to_string).find(|text| text.contains("no rows"));
            (of_batch, (found, dense.weight_sizes().to_vec()), warns)
        })
    };
    // Also the number that a training has by default.
    for shards in [Some(1), Some(2), None] {
        let (of_batch, alone, _) = trained(0, shards).remove(0);
        for size in SIZES {
            for (rank, (_, found, warns)) in trained(size, shards).into_iter().enumerate() {
                assert_eq!(found, alone, "process {rank} of {size}, {shards:?} shards");
                let idle = size.saturating_sub(of_batch);
                let expected = (idle > 0).then(|| format!("{idle} of {size} processes have no rows"));
                let is_right = match (&warns, &expected) {
                    (Some(text), Some(expected)) => {
                        text.starts_with(expected) && text.contains("more shards")
                    }
                    (warns, expected) => warns.is_none() && expected.is_none(),
                };
                assert!(is_right, "{warns:?} {expected:?}");
            }
        }
    }
}

#[test]
fn shards_of_many_rows_compute_their_products() {
    // So many samples are more values than the parameters, and with all products at once a training has other bits.
    let x = Array2::from_shape_simple_fn((410, 200), {
        let mut rng = Seed(9).rng();
        move || rng.normal() as f32
    });
    let data = Rows::new(x, (0..410).map(|row| (row % 5) as u8).collect()).unwrap();
    let layers = || Sequential::new().then(Dense::new(41)).then(Relu).then(Dense::new(5));
    for (optimizer, passes) in [(plain as fn() -> Optimizer, 1), (clipped, 2)] {
        let build = || {
            let trainer = trainer((layers(), cross_entropy(), optimizer()), [200]).shards(2);
            trainer.batch_size(200 * passes).accumulate(passes)
        };
        let trained = |size| {
            in_group(size, |member| {
                let trainer = build();
                let mut trainer = match member {
                    Some(member) => trainer.group(member),
                    None => trainer,
                };
                trainer.fit(&data, 2).unwrap();
                trainer.model().parameters_sha256()
            })
        };
        let alone = trained(0).remove(0);
        for size in [1, 2, 3] {
            assert!(trained(size).iter().all(|found| *found == alone), "{size} processes, {passes} passes");
        }
    }
}

#[test]
fn tables() {
    let data = rows(4, |rng| (400.0 * rng.uniform().powi(3)).floor() as f32);
    for optimizer in [plain, clipped] {
        check(&data, || trainer((words(), cross_entropy(), optimizer()), [4]));
    }
}

/// So large that each of up to seven processes keeps the optimizer's state of its part alone.
fn large() -> Sequential<f32> {
    let layers = Sequential::new().then(Dense::new(1000)).then(BatchNorm::new()).then(Relu);
    layers.then(Dense::new(300)).then(Relu).then(Dense::new(5))
}

/// Sign descent with a mean of the gradients, which states no bound: each step is taken on copies.
#[derive(Clone, Debug)]
struct Unbounded;

impl chainrule_optim::Optimizer for Unbounded {
    fn slots(&self) -> usize {
        1
    }
}

impl UpdateRule<f32> for Unbounded {
    fn update(&self, update: Update<'_, f32>) {
        let (p, grads, [m]) = update.split();
        each!([p, m] = |g: grads| [p - 1e-3 * (m + g).signum(), 0.9 * m + g]);
    }
}

#[test]
fn each_process_with_its_part_of_the_optimizers_state() {
    let data = numbers(200);
    // Without the scores, which other tests compare: an evaluation knows nothing of parts.
    let trained = |size, threads, build: &(dyn Fn() -> Trainer<f32, u8> + Sync)| {
        in_group(size, |member| {
            let mut trainer = join(build().threads(threads), member);
            let history = trainer.fit(&data, 2).unwrap();
            format!("{} {:x}", trainer.model().parameters_sha256(), history.epochs[1].train.loss.to_bits())
        })
    };
    let build = |optimizer: Optimizer| trainer((large(), cross_entropy(), optimizer), [200]);
    type Build<'a> = &'a (dyn Fn() -> Trainer<f32, u8> + Sync);
    let builds: [Build<'_>; 4] = [
        &|| build(plain()),
        &|| build(Box::new(sgd(0.05).momentum(0.9))).accumulate(3),
        &|| build(Box::new(Unbounded)),
        // Of more than two processes some have no rows.
        &|| build(Box::new(Unbounded)).shards(2),
    ];
    for (case, build) in builds.into_iter().enumerate() {
        let kept = build().optimizer_bytes(7);
        assert!(kept.iter().all(|&bytes| bytes < kept.iter().sum::<u64>() / 5), "{kept:?}");
        let alone = trained(0, 2, build).remove(0);
        for (size, threads) in [(1, 1), (2, 1), (3, 2), (4, 1), (7, 1)] {
            for (rank, found) in trained(size, threads, build).into_iter().enumerate() {
                assert_eq!(found, alone, "case {case}, process {rank} of {size}");
            }
        }
    }
}

#[test]
fn what_each_process_keeps_of_the_optimizers_state() {
    let build = |layers, optimizer: Optimizer| trainer((layers, cross_entropy(), optimizer), [200]);
    let whole = build(large(), plain()).optimizer_bytes(1)[0];
    assert_eq!(whole, 8 * build(large(), plain()).model().parameters().len() as u64);
    for size in [2, 3, 4, 7] {
        let kept = build(large(), plain()).optimizer_bytes(size);
        assert_eq!(kept.iter().sum::<u64>(), whole, "{kept:?}");
        let share = whole as f64 / size as f64;
        assert!(kept.iter().all(|&bytes| (bytes as f64 / share - 1.0).abs() < 0.2), "{kept:?}");
    }
    // Of 32 processes only as many have a part as there are parts that are large enough.
    let kept = build(large(), plain()).optimizer_bytes(32);
    assert_eq!((kept[0], kept[24], kept.iter().sum::<u64>()), (0, 0, whole), "{kept:?}");
    assert!(kept[25] > 0 && kept[31] > 0, "{kept:?}");
    for trainer in [build(mlp(), plain()), build(large(), clipped()), build(large(), averaged())] {
        let kept = trainer.optimizer_bytes(4);
        assert!(kept.iter().all(|&bytes| bytes == trainer.optimizer_bytes(1)[0]), "{kept:?}");
    }
}

#[test]
fn a_checkpoint_has_the_optimizers_state_of_all_processes() {
    let data = numbers(200);
    let build = || trainer((large(), cross_entropy(), plain()), [200]);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let saved = |size: usize, rank: usize, steps: u64| {
        let path = file(&format!("{size} {rank} {steps}"));
        let together_path = path.with_extension("together");
        in_group(size, |member| {
            let is_saving = member.as_ref().is_none_or(|member| member.rank() == rank);
            let mut trainer = join(build(), member);
            if is_saving {
                let path = path.clone();
                trainer = trainer.on_event(move |event, training| match event {
                    Event::Step { .. } if training.steps_done() == steps => {
                        training.save(&path);
                        ControlFlow::Break(())
                    }
                    _ => ControlFlow::Continue(()),
                });
            }
            trainer.fit(&data, 2).unwrap();
            // No callback asks for it now.
            let after = trainer.checkpoint().map(|_| ());
            assert_eq!(matches!(after, Err(FileError::StateOfOthers)), size > 1, "{after:?}");
            let together = trainer.checkpoint_together(is_saving).unwrap();
            assert_eq!(together.is_some(), is_saving);
            if let Some(checkpoint) = together {
                checkpoint.write(&together_path).unwrap();
            }
            // And it goes on as it is.
            trainer.fit(&data, Fit::until(2)).unwrap();
            trainer.model().parameters_sha256()
        })
    };
    let alone = saved(0, 0, 2).remove(0);
    let expected = std::fs::read(file("0 0 2")).unwrap();
    for (size, rank, next) in [(2, 1, 3), (4, 0, 1), (3, 2, 0)] {
        assert!(saved(size, rank, 2).iter().all(|found| *found == alone), "{size} {rank}");
        let path = file(&format!("{size} {rank} 2"));
        for path in [path.with_extension("together"), path] {
            let resumed = in_group(next, |member| {
                let mut trainer = join(build(), member).resume(&path).unwrap();
                trainer.fit(&data, Fit::until(2)).unwrap();
                trainer.model().parameters_sha256()
            });
            assert!(resumed.iter().all(|found| *found == alone), "{size} {rank} {next}");
            assert_eq!(std::fs::read(path).unwrap().len(), expected.len());
        }
    }
    // A process cannot take up a part that others have.
    let mut members = [2, 3].map(ThreadGroup::of).into_iter();
    let (two, three) = (members.next().unwrap(), members.next().unwrap());
    let errors = thread::scope(|scope| {
        let data = &data;
        let threads: Vec<_> = two
            .into_iter()
            .zip(three.into_iter().skip(1))
            .map(|(first, second)| {
                scope.spawn(move || {
                    let mut trainer = build().group(first);
                    trainer.fit(data, 1).unwrap();
                    trainer.group(second.patience(Duration::from_secs(30))).fit(data, 1).unwrap_err()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap().to_string()).collect::<Vec<_>>()
    });
    assert!(
        errors.iter().any(|error| error.contains("another division of the optimizer's state")),
        "{errors:?}"
    );
}

#[test]
fn one_process_is_as_good_as_another_kind_of_sum() {
    // The sums of all shards at once have other bits, so that what is compared is not the same by accident.
    let data = numbers(200);
    let trained = |distributable| {
        let trainer = trainer((mlp(), cross_entropy(), plain()), [200]).portable(true);
        let mut trainer = trainer.distributable(distributable);
        trainer.fit(&data, 1).unwrap();
        trainer.into_model()
    };
    let [joined, by_shard] = [false, true].map(trained);
    assert_ne!(joined.parameters_sha256(), by_shard.parameters_sha256());
    for (a, b) in joined.parameters().iter().zip(by_shard.parameters()) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

/// Does something at the events of a training.
fn at(
    mut work: impl FnMut(&Event<'_>) -> bool + Send + 'static,
) -> impl FnMut(&Event<'_>) -> ControlFlow<()> + Send {
    move |event| if work(event) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

#[test]
fn a_training_goes_on_in_a_group_of_another_size() {
    let data = numbers(200);
    let build = || trainer((mlp(), cross_entropy(), clipped()), [200]).accumulate(2);
    let alone = {
        let mut trainer = build().distributable(true);
        trainer.fit(&data, 3).unwrap();
        outcome(&mut trainer, &data)
    };
    let directory = tempfile::tempdir().unwrap();
    for (size, next, batch) in [(3, 1, 1), (2, 7, 0), (4, 3, 2)] {
        // One process stops them all, in the middle of the second epoch, and one alone saves.
        let path = &directory.path().join(format!("{size}.training"));
        let stopped = in_group(size, |member| {
            let member = member.unwrap();
            let (rank, last) = (member.rank(), member.size() - 1);
            let mut trainer = build().group(member);
            if rank == last {
                let stops = move |event: &Event<'_>| matches!(event, Event::Batch { epoch: 1, batch: at } if *at == batch);
                trainer = trainer.callback(at(stops));
            }
            if rank == 0 {
                trainer = trainer.callback(Checkpoints::new(path));
            }
            let history = trainer.fit(&data, Fit::until(3)).unwrap();
            assert!(history.stopped);
            (trainer.epochs_done(), trainer.samples_done())
        });
        assert!(stopped.iter().all(|&found| found == (1, 32 * batch)), "{stopped:?}");
        let ended = in_group(next, |member| {
            let mut trainer = build().group(member.unwrap()).resume(path).unwrap();
            trainer.fit(&data, Fit::until(3)).unwrap();
            outcome(&mut trainer, &data)
        });
        assert!(ended.iter().all(|found| *found == alone), "{size} {next}");
    }
}

#[test]
fn what_a_single_process_asks_for_in_the_middle_of_an_epoch_is_of_all() {
    // After each step a checkpoint, by one process alone; the metrics that it holds are those over all rows.
    let data = numbers(200);
    let build = || trainer((mlp(), cross_entropy(), plain()), [200]);
    let directory = tempfile::tempdir().unwrap();
    let path = |size: usize, step: u64| directory.path().join(format!("{size} {step}"));
    let train = |size| {
        in_group(size, |member| {
            let is_first = member.as_ref().is_none_or(|member| member.rank() == 0);
            let mut trainer = join(build(), member);
            if is_first {
                let directory = directory.path().to_owned();
                trainer = trainer.on_event(move |event, training| {
                    if let Event::Step { .. } = event {
                        training.save(directory.join(format!("{size} {}", training.steps_done())));
                    }
                    ControlFlow::Continue(())
                });
            }
            trainer.fit(&data, 2).unwrap();
            outcome(&mut trainer, &data)
        })
    };
    let alone = train(0).remove(0);
    for size in [1, 3] {
        assert!(train(size).iter().all(|found| *found == alone));
        for step in 1..=6 {
            let mut trainer = build().distributable(true).resume(path(size, step)).unwrap();
            trainer.fit(&data, Fit::until(2)).unwrap();
            assert_eq!(outcome(&mut trainer, &data), alone, "{size} {step}");
        }
    }
}

#[test]
fn all_stop_early_and_go_back_together() {
    let data = numbers(200);
    let trained = |size| {
        in_group(size, |member| {
            let mut trainer = join(trainer((mlp(), cross_entropy(), averaged()), [200]), member);
            trainer = trainer.callback(EarlyStopping::new(2).min_delta(10.0).restore_best());
            let history = trainer.fit(&data, Fit::epochs(9).validation(&data)).unwrap();
            assert!(history.stopped);
            outcome(&mut trainer, &data)
        })
    };
    let alone = trained(0).remove(0);
    assert!(trained(3).iter().all(|found| *found == alone));
}

#[test]
fn steps_that_are_not_finite_are_left_out_by_all() {
    let wide = || Sequential::new().then(Dense::new(700)).then(Relu).then(Dense::new(5));
    // What is not finite is found in the loss, and in gradients, after some processes have updated their parts.
    for (value, layers) in [(f32::NAN, &mlp as &(dyn Fn() -> Sequential<f32> + Sync)), (1e25, &wide)] {
        let mut x = numbers(200).samples().to_owned();
        x[[40, 3]] = value;
        let data = Rows::new(x, numbers(200).targets().to_vec()).unwrap();
        let trained = |size, skipped| {
            in_group(size, |member| {
                let trainer = join(trainer((layers(), cross_entropy(), plain()), [200]), member);
                let mut trainer = trainer.skip_nonfinite(skipped);
                match trainer.fit(&data, 2) {
                    Ok(history) => format!("{} {}", history.skipped, trainer.model().parameters_sha256()),
                    Err(error) => error.to_string(),
                }
            })
        };
        for skipped in [0, 1] {
            let alone = trained(0, skipped).remove(0);
            let expected = format!("sample 40 has an input of {value:e}");
            assert!(alone.starts_with("2 ") || alone.contains(&expected), "{alone}");
            for found in trained(4, skipped) {
                assert_eq!(found, alone);
            }
        }
    }
}

#[test]
fn an_error_of_one_is_an_error_of_all() {
    let mut targets = numbers(64).targets().to_vec();
    targets[50] = 9;
    let data = Rows::new(numbers(64).samples().to_owned(), targets).unwrap();
    let data = Pictures(data);
    let found = in_group(3, |member| {
        let mut trainer = trainer((lenet(), cross_entropy(), plain()), [8, 8]).group(member.unwrap());
        let error = trainer.fit(&data, 1).unwrap_err();
        let again = trainer.evaluate(&data).unwrap_err();
        assert!(matches!(again, TrainError::Group(GroupError::Over)), "{again}");
        error
    });
    let is_own = |error: &&TrainError| matches!(error, TrainError::Target { sample: 50, .. });
    assert_eq!(found.iter().filter(is_own).count(), 1, "{found:?}");
    for error in found.iter().filter(|error| !is_own(error)) {
        let TrainError::Group(GroupError::Failed { message, .. }) = error else { panic!("{error}") };
        assert!(message.contains("sample 50"), "{message}");
    }
}

#[test]
fn a_process_that_ends_or_hangs_is_found_out() {
    let data = numbers(200);
    for hangs in [false, true] {
        let waits = Arc::new(Barrier::new(3));
        let found = in_group(3, |member| {
            let patience = if hangs { 5 } else { 30 };
            let member = member.unwrap().patience(Duration::from_secs(patience));
            let rank = member.rank();
            let mut trainer = trainer((mlp(), cross_entropy(), plain()), [200]).group(member);
            if rank == 1 {
                let waits = waits.clone();
                trainer = trainer.callback(at(move |event| {
                    if let Event::Batch { batch: 1, .. } = event {
                        if hangs {
                            waits.wait();
                        } else {
                            panic!("as intended");
                        }
                    }
                    false
                }));
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| trainer.fit(&data, 1)));
                drop(trainer);
                return ended.map_or("panicked".to_owned(), |ended| ended.unwrap_err().to_string());
            }
            let error = trainer.fit(&data, 1).unwrap_err();
            if hangs {
                waits.wait();
            }
            error.to_string()
        });
        let expected = if hangs { "process 1 has sent nothing for 5 seconds" } else { "process 1 has ended" };
        // Whoever finds it out first tells the others.
        assert!([0, 2].iter().all(|&rank| found[rank].contains(expected)), "{found:?}");
    }
}

#[test]
fn processes_that_differ_are_refused() {
    let data = numbers(200);
    let found = in_group(3, |member| {
        let member = member.unwrap();
        let rank = member.rank() as u64;
        let trainer = trainer((mlp(), cross_entropy(), plain()), [200]).group(member);
        let mut trainer = if rank == 2 { trainer.seed(7).batch_size(16) } else { trainer };
        trainer.fit(&data, 1).unwrap_err().to_string()
    });
    for text in found {
        let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
        let expected =
            ["seed        process 0: 5   process 2: 7", "batch size  process 0: 32  process 2: 16"];
        assert_eq!(lines, expected, "{text}");
    }
}

#[test]
fn what_a_group_does_not_support_is_refused() {
    let data = numbers(64);
    let error = |size: usize, build: &(dyn Fn() -> Trainer<f32, u8> + Sync)| {
        let found =
            in_group(size, |member| build().group(member.unwrap()).fit(&data, 1).unwrap_err().to_string());
        assert!(found.iter().all(|error| *error == found[0]), "{found:?}");
        found[0].clone()
    };
    let sam = || Box::new((Sam::default(), sgd(0.1)));
    let kfac = || Box::new(kfac(0.1));
    let stateful = || {
        let layers = Sequential::new().then(Reshape::new([8, 8])).then(Gru::new(4).stateful());
        trainer((layers, cross_entropy(), plain()), [64])
    };
    let mlp = |optimizer: Optimizer| trainer((mlp(), cross_entropy(), optimizer), [64]);
    for (text, build) in [
        ("more than once", &(|| mlp(sam())) as &(dyn Fn() -> Trainer<f32, u8> + Sync)),
        ("the factors of products", &|| mlp(kfac())),
        ("carry states", &stateful),
        ("the audit", &|| mlp(plain()).audit(Audit::default())),
    ] {
        let error = error(2, build);
        assert!(error.contains(text), "{error}");
    }
    let mut trainer = mlp(plain()).group(ThreadGroup::of(1).remove(0));
    let error = trainer.measure_step(&data, Duration::ZERO).unwrap_err();
    assert!(matches!(error, TrainError::Group(GroupError::Unsupported { .. })), "{error}");
}

/// Counts the messages that a member sends, and their bytes.
#[derive(Debug)]
struct Counting(ThreadGroup, Arc<[AtomicU64; 2]>);

impl Group for Counting {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn send(&self, to: usize, kind: u8, message: &[u8]) -> Result<(), GroupError> {
        self.1[0].fetch_add(1, Ordering::Relaxed);
        self.1[1].fetch_add(message.len() as u64, Ordering::Relaxed);
        self.0.send(to, kind, message)
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<u8, GroupError> {
        self.0.receive(from, message)
    }
}

#[test]
fn a_step_sends_about_twice_the_bytes_of_the_parameters() {
    let data = numbers(600);
    // With 700 units each process has a part of the optimizer's state, with 200 the whole.
    for (size, units) in [(2, 700), (4, 700), (2, 200), (4, 200)] {
        let sent = in_group(size, |member| {
            let sent = Arc::<[AtomicU64; 2]>::default();
            let layers = Sequential::new().then(Dense::new(units)).then(Relu).then(Dense::new(5));
            let mut trainer = trainer((layers, cross_entropy(), plain()), [600])
                .group(Counting(member.unwrap(), sent.clone()));
            let bytes = 4 * trainer.model().parameters().len() as u64;
            trainer.fit(&data, 1).unwrap();
            sent[1].load(Ordering::Relaxed) as f64 / (3 * bytes) as f64
        });
        assert!(sent.iter().all(|&times| times < 2.1), "{sent:?}");
        // Where each has a part, they tell each other samples and gradients of outputs, of few rows, instead of sums.
        let sums = 1.9 * (size - 1) as f64;
        assert_eq!(sent.iter().sum::<f64>() > sums, units == 200, "{sent:?}");
    }
}

/// Notes the lengths of messages, those that were received as negative numbers.
#[derive(Debug)]
struct Noting(ThreadGroup, Arc<Mutex<Vec<i64>>>);

impl Group for Noting {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn send(&self, to: usize, kind: u8, message: &[u8]) -> Result<(), GroupError> {
        self.1.lock().unwrap().push(message.len() as i64);
        self.0.send(to, kind, message)
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<u8, GroupError> {
        let kind = self.0.receive(from, message)?;
        self.1.lock().unwrap().push(-(message.len() as i64));
        Ok(kind)
    }
}

#[test]
fn sums_travel_while_others_are_computed() {
    let data = numbers(200);
    let one_batch = Subset::new(&data, (0..32).collect()).unwrap();
    let logs = in_group(2, |member| {
        let log = Arc::<Mutex<Vec<i64>>>::default();
        let mut trainer =
            trainer((mlp(), cross_entropy(), clipped()), [200]).group(Noting(member.unwrap(), log.clone()));
        trainer.fit(&one_batch, 1).unwrap();
        let log = log.lock().unwrap().clone();
        log.into_iter().filter(|bytes| bytes.abs() > 10_000).collect::<Vec<_>>()
    });
    // The first has sent some when the second has not received all, and the second sends the first sums back before it receives the last.
    let [a, b] = [logs[1][0], logs[1][2]];
    assert!(a < 0 && b < 0 && a + b < -4 * 25_000, "{logs:?}");
    assert_eq!(logs, [[-a, -b, a, b], [a, -a, b, -b]]);
}

#[test]
fn what_a_step_sends_is_known_before() {
    let [one, three] = [32, 96].map(|count| {
        let x = Array2::from_shape_fn((count, 200), |(row, column)| ((row * 7 + column) % 11) as f32);
        Rows::new(x, (0..count).map(|row| (row % 5) as u8).collect()).unwrap()
    });
    let weighted = || Box::new(CrossEntropy.class_weights([1.0, 0.5, 2.0, 1.0, 0.25]));
    let wide = || Sequential::new().then(Dense::new(400)).then(Relu).then(Dense::new(5));
    // Of each process its own part; of eight, one has none.
    let no_statistics = || Sequential::new().then(Dense::new(1000)).then(Relu).then(Dense::new(300));
    type Build<'a> = &'a (dyn Fn() -> Trainer<f32, u8> + Sync);
    let builds: [Build<'_>; 7] = [
        &|| trainer((wide(), cross_entropy(), plain()), [200]),
        // Some have no rows.
        &|| trainer((wide(), cross_entropy(), plain()), [200]).shards(3),
        &|| trainer((mlp(), cross_entropy(), plain()), [200]).shards(3),
        &|| trainer((no_statistics(), cross_entropy(), plain()), [200]).accumulate(2),
        &|| trainer((no_statistics(), cross_entropy(), plain()), [200]),
        &|| trainer((mlp(), weighted(), clipped()), [200]),
        // The last pass has fewer rows.
        &|| trainer((mlp(), cross_entropy(), plain()), [200]).accumulate(3),
    ];
    for (case, build) in builds.into_iter().enumerate() {
        for size in [2, 4, 8] {
            let sent = |data: &Rows<f32, u8>| {
                in_group(size, |member| {
                    let sent = Arc::<[AtomicU64; 2]>::default();
                    let mut trainer = build().group(Counting(member.unwrap(), sent.clone()));
                    trainer.fit(data, 1).unwrap();
                    [0, 1].map(|index| sent[index].load(Ordering::Relaxed))
                })
            };
            let (one, three, expected) = (sent(&one), sent(&three), build().traffic(size));
            assert_eq!(expected.len(), size);
            for (rank, expected) in expected.into_iter().enumerate() {
                let found = [0, 1].map(|index| three[rank][index] - one[rank][index]);
                let expected = [expected.messages, expected.bytes].map(|of_step| 2 * of_step);
                assert_eq!(found, expected, "case {case}, process {rank} of {size}");
            }
        }
    }
}
