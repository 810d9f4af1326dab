//! What the trainer promises, for every layer: the list of this crate, in complete trainings.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::{fmt, fs};

use chainrule_core::{Backward, Forward, Layer, Mode, ParamKind, Plan, Sequential, ShapeError};
use chainrule_data::{Dataset, Samples};
use chainrule_layer_cases::{Case, every_layer};
use chainrule_layers::{Dense, Flatten, Tanh};
use chainrule_losses::CrossEntropy;
use chainrule_optim::{ClipByGlobalNorm, Optimizer, SettingError, Update, UpdateRule, Whole, adam, sgd};
use chainrule_tensor::{Seed, Shape};
use chainrule_train::{Fit, Model, PredictError, TrainError, Trainer};
use ndarray::{Array2, s};

/// Samples of a batch; the last batch of an epoch has fewer.
const BATCH: usize = 40;
const LAST: usize = 5;
const STEPS: usize = 3;
const SAMPLES: usize = (STEPS - 1) * BATCH + LAST;

/// Samples of a case, with one of three classes drawn at random.
struct Classified {
    shape: Shape,
    x: Array2<f32>,
    classes: Vec<u8>,
}

impl Classified {
    fn of(case: &Case<f32>) -> Self {
        let x = case.samples(SAMPLES, Seed(1));
        let mut rng = Seed(2).rng();
        Self { shape: case.input, x, classes: (0..SAMPLES).map(|_| rng.below(3) as u8).collect() }
    }
}

impl Dataset for Classified {
    type Target = u8;

    fn len(&self) -> usize {
        self.classes.len()
    }

    fn shape(&self) -> Shape {
        self.shape
    }
}

impl Samples<f32> for Classified {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        row.copy_from_slice(self.x.row(index).as_slice().unwrap());
        self.classes[index]
    }
}

/// How many times a thread looks for the other before it gives up: a fork that no other thread takes would test one thread.
/// Looks are counted rather than seconds, which also pass while the program is stopped.
const PATIENCE: u32 = 50_000_000;

/// Waits until `arrived` returns true.
fn wait(what: &str, arrived: impl Fn() -> bool) {
    let met = (0..PATIENCE).any(|_| {
        thread::yield_now();
        arrived()
    });
    assert!(met, "no second thread in {what}");
}

/// Passes values on. If it counts, the two shards of a full batch wait for each other here, which they can only do on two
/// threads.
#[derive(Clone)]
struct Meeting(Option<Arc<AtomicUsize>>);

/// The same in all trainings, so that one can resume from the file of another.
impl fmt::Debug for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meeting")
    }
}

impl Layer<f32> for Meeting {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((input, ()))
    }

    fn forward(&self, Forward { x, mut y, mode, .. }: Forward<'_, f32>) {
        y.assign(&x);
        let full_batch = x.nrows() == BATCH / 2;
        if let Some(count) = &self.0
            && mode != Mode::Eval
            && full_batch
        {
            let before = count.fetch_add(1, Ordering::SeqCst);
            wait("the forward pass", || count.load(Ordering::SeqCst) > (before | 1));
        }
    }

    fn backward(&self, Backward { dy, dx, .. }: Backward<'_, f32>) {
        if let Some(mut dx) = dx {
            dx.assign(&dy);
        }
    }
}

/// An optimizer. If it records them, it waits in the steps of full batches until two threads have called it.
struct Recording<O>(O, Option<Mutex<(u64, Vec<ThreadId>)>>);

impl<O: fmt::Debug> fmt::Debug for Recording<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<O: Optimizer> Optimizer for Recording<O> {
    fn slots(&self) -> usize {
        self.0.slots()
    }

    fn needs_all_gradients(&self) -> bool {
        self.0.needs_all_gradients()
    }

    fn uses_kind(&self) -> bool {
        self.0.uses_kind()
    }
}

impl<O: UpdateRule<f32>> UpdateRule<f32> for Recording<O> {
    fn transform_all(&self, whole: Whole<'_, f32>) {
        self.0.transform_all(whole);
    }

    fn update(&self, pass: Update<'_, f32>) {
        let full_batch = pass.step.index % STEPS as u64 != STEPS as u64 - 1;
        if full_batch && let Some(seen) = &self.1 {
            let mut now = seen.lock().unwrap();
            if now.0 != pass.step.index {
                *now = (pass.step.index, Vec::new());
            }
            if !now.1.contains(&thread::current().id()) {
                now.1.push(thread::current().id());
            }
            drop(now);
            wait("the update", || seen.lock().unwrap().1.len() > 1);
        }
        self.0.update(pass);
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.0.validate()
    }
}

/// The layers of a case and three outputs.
fn narrow(case: &Case<f32>) -> Sequential<f32> {
    case.layers.clone().then(Flatten).then(Dense::new(3))
}

/// The layers of a case, and enough after them that a step is worth two threads and there are several buckets of parameters
/// to share.
fn wide(case: &Case<f32>, threads: usize) -> Sequential<f32> {
    let meeting = Meeting((threads > 1).then(Arc::default));
    let layers = case.layers.clone().then(Flatten).then(Dense::new(96)).then(meeting).then(Tanh);
    layers.then(Dense::new(96)).then(Tanh).then(Dense::new(3))
}

fn trainer<O: UpdateRule<f32> + 'static>(
    case: &Case<f32>,
    layers: Sequential<f32>,
    optimizer: O,
    seed: u64,
) -> Trainer<f32, u8> {
    let model = Model::new(case.input, layers, Seed(seed)).unwrap();
    let trainer = Trainer::new(model, CrossEntropy::default(), optimizer).seed(Seed(seed));
    trainer.batch_size(BATCH).shards(2).threads(1)
}

fn bits(model: &Model<f32>) -> Vec<u32> {
    model.parameters().iter().map(|parameter| parameter.to_bits()).collect()
}

/// Trains, and checks that all numbers stay finite.
fn fit(case: &Case<f32>, trainer: &mut Trainer<f32, u8>, data: &Classified, epochs: u64) {
    let history = trainer.fit(data, epochs).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    assert_eq!(history.epochs.len() as u64, epochs, "{}", case.name);
    assert!(history.epochs.iter().all(|epoch| epoch.train.loss.is_finite()), "{}", case.name);
    assert!(trainer.model().parameters().iter().all(|p| p.is_finite()), "{}", case.name);
}

#[test]
fn threads_are_no_part_of_the_result() {
    fn check<O: UpdateRule<f32> + 'static>(case: &Case<f32>, optimizer: fn() -> O) {
        let data = Classified::of(case);
        let run = |threads| {
            let optimizer = Recording(optimizer(), (threads > 1).then(|| Mutex::new((u64::MAX, Vec::new()))));
            let mut trainer = trainer(case, wide(case, threads), optimizer, 3).threads(threads);
            fit(case, &mut trainer, &data, 3);
            let scores = trainer.evaluate(&data).unwrap();
            assert!(scores.loss.is_finite(), "{}", case.name);
            (bits(trainer.model()), scores)
        };
        assert!(run(1) == run(2), "{}: two threads give other bits with {:?}", case.name, optimizer());
    }
    for case in &every_layer() {
        check(case, || adam(1e-2));
        check(case, || (ClipByGlobalNorm(0.1), adam(1e-2)));
    }
}

#[test]
fn a_resumed_training_gives_the_same_bits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("training");
    for case in &every_layer() {
        let data = Classified::of(case);
        for layers in [narrow(case), wide(case, 1)] {
            let optimizer = || adam(1e-2);
            let mut straight = trainer(case, layers.clone(), optimizer(), 3);
            fit(case, &mut straight, &data, 3);
            let mut first = trainer(case, layers.clone(), optimizer(), 3);
            fit(case, &mut first, &data, 2);
            first.save(&path).unwrap();
            // Whatever this trainer was set to before.
            let second = trainer(case, layers, optimizer(), 4).batch_size(7).shards(None);
            let mut second = second.resume(&path).unwrap();
            assert!(bits(second.model()) == bits(first.model()), "{}: the file has other bits", case.name);
            fit(case, &mut second, &data, 1);
            assert!(bits(second.model()) == bits(straight.model()), "{}: resumed", case.name);
            assert_eq!(second.evaluate(&data).unwrap(), straight.evaluate(&data).unwrap(), "{}", case.name);
            fs::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn a_model_from_a_file_predicts_the_same_bits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    for case in &every_layer() {
        let name = case.name;
        let data = Classified::of(case);
        let mut trainer = trainer(case, narrow(case), adam(1e-2), 3);
        fit(case, &mut trainer, &data, 3);
        trainer.model().save(&path).unwrap();
        let loaded = Model::load_into(&path, narrow(case)).unwrap();
        let x = data.x.view();
        let bits = |y: &Array2<f32>| y.mapv(f32::to_bits);
        let right = trainer.model().predict(x).unwrap();
        assert!(right.iter().all(|y| y.is_finite()), "{name}");
        assert_eq!(bits(&loaded.predict(x).unwrap()), bits(&right), "{name}");
        // Neither earlier predictions nor the number of rows matter.
        let mut predictor = loaded.predictor();
        for rows in [SAMPLES, 2, SAMPLES] {
            let y = predictor.predict(x.slice(s![..rows, ..])).unwrap().to_owned();
            let alone = loaded.predict(x.slice(s![..rows, ..])).unwrap();
            assert_eq!(bits(&y), bits(&alone), "{name}");
        }
    }
}

/// Parameters that training does not change: the case, a part of their name, and the reason.
const STILL: &[(&str, &str, &str)] = &[
    ("attention of one step", "0.query_", "one key has all the weight, whatever the query"),
    ("attention of padding", "0.", "padding gives zeros"),
    ("cross-attention padded", "query_", "one key is no padding, and has all the weight"),
    ("cross-attention to padding", "query_", "every key is padding"),
    ("cross-attention to padding", "key_value_", "every key is padding"),
    ("cross-attention to padding", "out_weight", "every key is padding, which leaves the bias"),
    ("decoder padded", "cross_attention.query_", "one key is no padding, and has all the weight"),
    ("decoder pre-norm padded", "cross_attention.query_", "one key is no padding, and has all the weight"),
    ("decoder pre-norm padded", "norm.0.", "it makes the queries, and one key has all the weight"),
    ("embedding bag of padding", "0.weight", "padding is not trained"),
    ("batch norm without affine", "running_", "a momentum of 0 keeps the statistics"),
    ("rnn one step", "recurrent_weight", "the state is 0"),
    ("lstm one step", "recurrent_weight", "the state is 0"),
    ("gru one step", "recurrent_weight", "the state is 0"),
];

#[test]
fn every_trained_parameter_changes() {
    let mut needed = vec![false; STILL.len()];
    for case in &every_layer() {
        let data = Classified::of(case);
        let mut trainer = trainer(case, narrow(case), adam(1e-2), 3);
        let before = trainer.model().parameters().to_vec();
        fit(case, &mut trainer, &data, 3);
        let model = trainer.model();
        // The last layer is ours.
        for entry in model.plan().entries().iter().filter(|entry| !entry.name.starts_with("2.")) {
            let name = &entry.name;
            let range = entry.range.clone();
            let moved = before[range.clone()] != model.parameters()[range];
            let still = |&(of, part, _): &(&str, &str, &str)| of == case.name && name.contains(part);
            match STILL.iter().position(still) {
                Some(reason) => {
                    assert!(!moved, "{}: {name} moves, though {}", case.name, STILL[reason].2);
                    needed[reason] = true;
                }
                None => assert_eq!(moved, entry.kind != ParamKind::Frozen, "{}: {name}", case.name),
            }
        }
    }
    for ((case, part, why), needed) in STILL.iter().zip(needed) {
        assert!(needed, "{case}, {part} does change, so it needs no reason: {why}");
    }
}

#[test]
fn shards_change_only_the_last_bits() {
    for case in &every_layer() {
        let data = Classified::of(case);
        let run = |shards| {
            let mut trainer = trainer(case, narrow(case), sgd(0.01), 3).shards(shards);
            fit(case, &mut trainer, &data, 1);
            trainer.into_model()
        };
        let whole = run(1);
        for shards in [2, 3] {
            for (cut, whole) in run(shards).parameters().iter().zip(whole.parameters()) {
                let far = (cut - whole).abs() > 1e-5 * (1.0 + whole.abs());
                assert!(!far, "{}: {cut} with {shards} shards, {whole} with one", case.name);
            }
        }
    }
}

/// Whatever numbers a sample has, a layer accepts or refuses them; if it accepts them, training continues or reports that it
/// diverged.
#[test]
fn any_number_gives_at_worst_an_error() {
    for case in &every_layer() {
        let name = case.name;
        let good = Classified::of(case);
        let mut refusals = 0;
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1.0, 0.5, 7.0, 1e30] {
            let mut data = Classified::of(case);
            let column = data.x.ncols() / 2;
            data.x[[57, column]] = wrong;
            let mut trainer = trainer(case, narrow(case), adam(1e-2), 3);
            let evaluated = trainer.evaluate(&data);
            let validated = trainer.fit(&good, Fit::epochs(1).validation(&data));
            let fitted = trainer.fit(&data, 1);
            let predicted = trainer.model().predict(data.x.view());
            match predicted {
                Ok(y) => {
                    assert_eq!(y.nrows(), SAMPLES, "{name}");
                    assert!(evaluated.is_ok() && validated.is_ok(), "{name}: {wrong} in evaluations");
                    let fair = matches!(
                        fitted,
                        Ok(_) | Err(TrainError::Diverged { .. } | TrainError::NotFinite { .. })
                    );
                    assert!(fair, "{name}: {wrong} in training gives {fitted:?}");
                }
                Err(error) => {
                    refusals += 1;
                    assert!(matches!(error, PredictError::Value(_)), "{name}: {error}");
                    let errors = [evaluated.unwrap_err(), validated.unwrap_err(), fitted.unwrap_err()];
                    for error in errors {
                        let at = matches!(error, TrainError::Value { sample: 57, .. });
                        assert!(at, "{name}: {wrong} gives {error}");
                    }
                }
            }
        }
        let table = name.contains("embedding");
        assert_eq!(refusals, if table { 8 } else { 0 }, "{name}, {}", case.layer);
        assert!(case.ids || !table, "{name}: only ids can be refused");
    }
}
