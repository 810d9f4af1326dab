//! Optimizers that see whole parameters, all of them at once, or keep other weights for evaluation; groups, accumulation, and
//! steps that are left out.

use std::ops::ControlFlow;
use std::sync::mpsc;

use chainrule_core::{Sequential, SettingError};
use chainrule_data::Rows;
use chainrule_layers::{BatchNorm, Dense, Dropout, Embedding, Flatten, Relu, Tanh};
use chainrule_losses::{CrossEntropy, MeanSquaredError};
use chainrule_metrics::Accuracy;
use chainrule_optim::{
    AdaptiveClip, ClipByGlobalNorm, ClipByNorm, Ema, L1L2, Lookahead, MaxNorm, NonNegative, OrthogonalMode,
    OrthogonalPenalty, Sam, Swa, UnitNorm, UpdateRule, adafactor, adam, adamw, cocob, dadapt_adamw, dog,
    dowg, fromage, groups, kfac, lamb, lars, lbfgs, mechanic, momo, muon, novograd, polyak_sgd, prodigy,
    schedule_free_adamw, schedule_free_sgd, sgd, shampoo, soap,
};
use chainrule_tensor::Seed;
use chainrule_train::{Event, Fit, Model, TrainError, Trainer};
use ndarray::{Array2, Axis};

const SAMPLES: usize = 70;

/// Samples of five numbers in three classes.
fn classes(seed: u64) -> Rows<f32, u8> {
    let mut rng = Seed(seed).rng();
    let x = Array2::from_shape_simple_fn((SAMPLES, 5), || rng.normal() as f32);
    let class = |x: f32| {
        if x < -0.3 {
            0
        } else if x < 0.5 {
            1
        } else {
            2
        }
    };
    let targets = x.rows().into_iter().map(|x| class(x[0] + 0.5 * x[1])).collect();
    Rows::new(x, targets).unwrap()
}

fn network() -> Sequential<f32> {
    Sequential::new().then(Dense::new(40)).then(Tanh).then(Dense::new(12)).then(Relu).then(Dense::new(3))
}

fn trainer(layers: Sequential<f32>, optimizer: impl UpdateRule<f32> + 'static) -> Trainer<f32, u8> {
    let model = Model::new([5], layers, Seed(3)).unwrap();
    Trainer::new(model, CrossEntropy::default(), optimizer).batch_size(16).shards(3).metric(Accuracy)
}

/// Optimizers of each sort.
fn every_sort() -> Vec<Box<dyn UpdateRule<f32>>> {
    let orthogonal = OrthogonalPenalty { factor: 0.01, mode: OrthogonalMode::Columns };
    vec![
        Box::new((ClipByNorm(0.1), sgd(0.1).momentum(0.9))),
        Box::new((AdaptiveClip { clipping: 0.05, epsilon: 1e-3 }, adam(0.01))),
        Box::new((adam(0.01), MaxNorm(1.0))),
        Box::new((sgd(0.1), UnitNorm)),
        Box::new((adam(0.01), NonNegative)),
        Box::new((orthogonal, adam(0.01))),
        Box::new((L1L2 { l1: 1e-3, l2: 1e-3 }, sgd(0.1))),
        Box::new((adam(0.01), Ema { decay: 0.9, every: 2 })),
        Box::new((sgd(0.1), Swa { start: 1, every: 1, by_epoch: true })),
        Box::new((sgd(0.1), Lookahead { alpha: 0.5, every: 3 })),
        Box::new(schedule_free_adamw(0.01)),
        Box::new(schedule_free_sgd(0.5)),
        Box::new(lars(0.5).trust_coefficient(0.02)),
        Box::new(lamb(0.02)),
        Box::new(novograd(0.01)),
        Box::new(fromage(0.05)),
        Box::new(adafactor(0.05)),
        Box::new(muon(0.02)),
        Box::new(shampoo(0.02).every(4)),
        Box::new(soap(0.01).every(3)),
        Box::new(kfac(0.03)),
        Box::new((Sam::default(), kfac(0.03).inverse_interval(2))),
        Box::new((
            ClipByGlobalNorm(1.0),
            (groups(kfac(0.05).weight_decay(1e-3)).on("*.bias", adam(0.01)).freeze("0.*"), MaxNorm(2.0)),
        )),
        Box::new(mechanic(kfac(0.03)).first_scale(0.1)),
        Box::new((Sam::default(), (ClipByGlobalNorm(1.0), sgd(0.1)))),
        Box::new(lbfgs(1.0).max_iter(3).history(4)),
        Box::new((dog(1.0).reps_rel(1e-2), Ema::default())),
        Box::new(dowg(1.0)),
        Box::new(dadapt_adamw(1.0).d0(1e-2)),
        Box::new(prodigy(1.0).distance(1e-2, 1.0)),
        Box::new(cocob()),
        Box::new(mechanic((ClipByGlobalNorm(1.0), adam(0.01))).first_scale(0.1)),
        Box::new(momo(0.5)),
        Box::new(polyak_sgd(0.5)),
        Box::new((
            ClipByGlobalNorm(1.0),
            groups((adam(0.01), MaxNorm(1.5)))
                .on("*.bias", (ClipByGlobalNorm(0.5), sgd(0.1)))
                .on("2.*", adamw(0.01))
                .freeze("0.*"),
        )),
    ]
}

#[test]
fn threads_and_interruptions_change_no_bit() {
    let data = classes(1);
    for (index, optimizer) in every_sort().into_iter().enumerate() {
        let what = format!("{optimizer:?}");
        let mut whole = trainer(network(), optimizer).threads(1);
        let history = whole.fit(&data, Fit::epochs(4).validation(&data)).unwrap();
        assert!(history.epochs[3].train.loss < history.epochs[0].train.loss, "{what}");
        let right = whole.model().parameters_sha256();
        let averaged = whole.evaluated_model().parameters_sha256();

        let optimizer = every_sort().swap_remove(index);
        let mut first = trainer(network(), optimizer).threads(2);
        let mut steps = 0;
        first = first.callback(move |event: &Event<'_>| {
            steps += u64::from(matches!(event, Event::Step { .. }));
            // In the second of the epochs of five steps.
            if steps == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(first.fit(&data, 4).unwrap().stopped);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        first.save(&path).unwrap();
        let optimizer = every_sort().swap_remove(index);
        let mut second = trainer(network(), optimizer).resume(&path).unwrap();
        second.fit(&data, 3).unwrap();
        assert_eq!(second.model().parameters_sha256(), right, "{what}");
        assert_eq!(second.evaluated_model().parameters_sha256(), averaged, "{what}");
        assert_eq!(
            second.evaluate(&data).unwrap(),
            *history.epochs[3].validation.as_ref().unwrap(),
            "{what}"
        );
        assert_eq!(second.model().parameters_sha256(), right, "an evaluation changes nothing: {what}");
        assert_eq!(second.into_model().parameters_sha256(), averaged, "{what}");
    }
}

#[test]
fn means_of_weights_are_evaluated_in_place_of_them() {
    let data = classes(1);
    let (sender, receiver) = mpsc::channel();
    let mut trainer = trainer(network(), (sgd(0.1), Ema { decay: 0.5, every: 1 }));
    // One step after the other, so that the weights after each are seen.
    let mut mean: Option<Vec<f32>> = None;
    trainer = trainer.callback(move |event: &Event<'_>| {
        if let Event::Step { .. } = event {
            sender.send(()).unwrap();
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    for _ in 0..8 {
        trainer.fit(&data, 1).unwrap();
        let params = trainer.model().parameters();
        mean = Some(match mean {
            None => params.to_vec(),
            Some(mean) => mean.iter().zip(params).map(|(a, p)| a + 0.5 * (p - a)).collect(),
        });
    }
    assert_eq!(receiver.try_iter().count(), 8);
    let model = trainer.evaluated_model();
    for (found, right) in model.parameters().iter().zip(mean.unwrap()) {
        assert!((found - right).abs() < 1e-6, "{found} {right}");
    }
    assert_ne!(model.parameters_sha256(), trainer.model().parameters_sha256());
}

#[test]
fn constraints_hold_after_each_step() {
    let data = classes(1);
    let mut trainer = trainer(network(), (sgd(0.5), MaxNorm(0.7)));
    trainer.fit(&data, 3).unwrap();
    let model = trainer.into_model();
    for (name, rows) in [("0.weight", 5), ("2.weight", 40), ("4.weight", 12)] {
        let weight = model.parameter(name).unwrap();
        let weight = Array2::from_shape_vec((rows, weight.len() / rows), weight.to_vec()).unwrap();
        let norms = weight.map_axis(Axis(0), |column| column.dot(&column).sqrt());
        assert!(norms.iter().all(|&norm| norm < 0.7001), "{name}: {norms}");
        assert!(norms.iter().any(|&norm| norm > 0.69), "{name}: {norms}");
    }
}

#[test]
fn groups_have_their_own_optimizers() {
    let data = classes(1);
    let layers = || network();
    let start = Model::new([5], layers(), Seed(3)).unwrap();
    let mut mixed = trainer(layers(), groups(sgd(0.1)).freeze("0.*").on("*.bias", sgd(0.0)));
    mixed.fit(&data, 2).unwrap();
    let model = mixed.into_model();
    for name in ["0.weight", "0.bias", "2.bias", "4.bias"] {
        assert_eq!(model.parameter(name), start.parameter(name), "{name}");
    }
    for name in ["2.weight", "4.weight"] {
        assert_ne!(model.parameter(name), start.parameter(name), "{name}");
    }
    let mut wrong = trainer(layers(), groups(sgd(0.1)).freeze("0.wieght"));
    let error = wrong.fit(&data, 1).unwrap_err();
    assert!(matches!(&error, TrainError::Setting(SettingError::Pattern { .. })), "{error}");
    let text = error.to_string();
    assert!(text.contains("`0.wieght`") && text.contains("0.weight, 0.bias, 2.weight"), "{text}");
}

#[test]
fn a_batch_in_several_passes_is_the_batch() {
    let data = classes(1);
    let random = || {
        let layers = Sequential::<f32>::new().then(Dense::new(30)).then(Relu).then(Dropout::new(0.3));
        layers.then(Dense::new(3))
    };
    for clipped in [false, true] {
        let train = |passes: usize| {
            let model = Model::new([5], random(), Seed(3)).unwrap();
            let optimizer: Box<dyn UpdateRule<f32>> = match clipped {
                true => Box::new((ClipByGlobalNorm(0.1), sgd(0.2).momentum(0.9))),
                false => Box::new(sgd(0.2).momentum(0.9)),
            };
            let mut trainer = Trainer::new(model, CrossEntropy::default(), optimizer).metric(Accuracy);
            trainer = trainer.batch_size(24).shards(2).accumulate(passes);
            let history = trainer.fit(&data, 3).unwrap();
            (trainer.into_model(), history)
        };
        let (whole, history) = train(1);
        // 24 samples in passes of 5 or 8, and the last batch of 22.
        for passes in [3, 5] {
            let (parts, of_parts) = train(passes);
            for (a, b) in whole.parameters().iter().zip(parts.parameters()) {
                assert!((a - b).abs() < 2e-5, "{a} {b}");
            }
            for (a, b) in history.epochs.iter().zip(&of_parts.epochs) {
                assert!((a.train.loss - b.train.loss).abs() < 1e-5);
                assert_eq!(a.train.metrics, b.train.metrics);
            }
        }
    }
}

#[test]
fn accumulated_statistics_and_tables() {
    let mut rng = Seed(4).rng();
    let ids = Array2::from_shape_simple_fn((60, 4), || rng.below(300) as f32);
    let targets: Vec<u8> = ids.rows().into_iter().map(|ids| (ids[0] as usize % 3) as u8).collect();
    let data = Rows::new(ids, targets).unwrap();
    let layers = |sparse: bool| {
        let words = Embedding::new(300, 8);
        let words = if sparse { words.sparse() } else { words };
        Sequential::<f32>::new().then(words).then(Flatten).then(BatchNorm::new()).then(Dense::new(3))
    };
    let train = |sparse: bool, passes: usize| {
        let model = Model::new([4], layers(sparse), Seed(3)).unwrap();
        let mut trainer = Trainer::new(model, CrossEntropy::default(), adam(0.01)).batch_size(30).shards(1);
        trainer = trainer.accumulate(passes);
        trainer.fit(&data, 3).unwrap();
        trainer.into_model()
    };
    // A table has dense gradients then, whatever its layer says.
    assert_eq!(train(true, 3).parameters_sha256(), train(false, 3).parameters_sha256());
    assert!(train(true, 3).parameters().iter().all(|p| p.is_finite()));
    assert_ne!(train(true, 1).parameters_sha256(), train(true, 3).parameters_sha256());
}

/// With running statistics and dropout, which are those of the first evaluation; and in several passes.
#[test]
fn a_batch_can_be_evaluated_again() {
    let data = classes(1);
    let layers = || {
        let layers = Sequential::<f32>::new().then(Dense::new(20)).then(BatchNorm::new()).then(Relu);
        layers.then(Dropout::new(0.2)).then(Dense::new(3))
    };
    let train = |optimizer: Box<dyn UpdateRule<f32>>, passes: usize| {
        let mut trainer = trainer(layers(), optimizer).batch_size(70).accumulate(passes);
        let history = trainer.fit(&data, 1).unwrap();
        (trainer.into_model(), history.epochs[0].train.loss)
    };
    let (plain, loss) = train(Box::new(sgd(0.1)), 1);
    let (sharp, of_sharp) = train(Box::new((Sam { rho: 0.5, adaptive: false }, sgd(0.1))), 1);
    assert_eq!(loss, of_sharp, "the loss is that of the first evaluation");
    for statistic in ["1.running_mean", "1.running_var"] {
        assert_eq!(plain.parameter(statistic), sharp.parameter(statistic), "{statistic}");
    }
    assert_ne!(plain.parameter("0.weight"), sharp.parameter("0.weight"));
    // At no distance, it is the same gradient, of the same dropout.
    let (same, _) = train(Box::new((Sam { rho: 0.0, adaptive: false }, sgd(0.1))), 1);
    assert_eq!(same.parameters_sha256(), plain.parameters_sha256());
    let (whole, _) = train(Box::new((Sam { rho: 0.0, adaptive: false }, sgd(0.1))), 3);
    let (parts, _) = train(Box::new((ClipByGlobalNorm(1e9), sgd(0.1))), 3);
    assert_eq!(whole.parameters_sha256(), parts.parameters_sha256());
}

#[test]
fn whole_data_sets_in_few_steps() {
    let data = classes(1);
    let train = |optimizer: Box<dyn UpdateRule<f32>>, steps: u64| {
        let mut trainer = trainer(network(), optimizer).batch_size(SAMPLES);
        trainer.fit(&data, steps).unwrap();
        trainer.evaluate(&data).unwrap().loss
    };
    let newton = train(Box::new(lbfgs(1.0)), 3);
    let adam = train(Box::new(adam(0.01)), 60);
    assert!(newton < adam, "{newton} after 3 steps of 20 iterations, {adam} after 60 steps of Adam");
}

#[test]
fn steps_that_are_not_finite_can_be_left_out() {
    let mut rng = Seed(5).rng();
    let mut x = Array2::from_shape_simple_fn((40, 3), || rng.normal() as f32);
    let targets: Vec<[f32; 1]> = x.rows().into_iter().map(|x| [x.sum()]).collect();
    x[[9, 1]] = f32::NAN;
    x[[30, 0]] = 1e30;
    x[[35, 0]] = 1e30;
    let data = Rows::new(x, targets).unwrap();
    for passes in [1, 2] {
        let train = |skip: u64| {
            let model = Model::new([3], Sequential::<f32>::new().then(Dense::new(1)), Seed(1)).unwrap();
            let (sender, receiver) = mpsc::channel();
            let mut trainer = Trainer::new(model, MeanSquaredError, adam(0.01)).batch_size(8);
            trainer = trainer.shuffle(false).skip_nonfinite(skip).accumulate(passes);
            trainer = trainer.callback(move |event: &Event<'_>| {
                if let Event::Skipped { error } = event {
                    sender.send(error.to_string()).unwrap();
                }
                ControlFlow::Continue(())
            });
            let result = trainer.fit(&data, 2);
            (trainer, result, receiver.try_iter().collect::<Vec<_>>())
        };
        // Batches 1, 3 and 4 of 5 in each epoch.
        let (trainer, history, errors) = train(2);
        let history = history.unwrap();
        assert_eq!((history.skipped, history.epochs.len(), errors.len()), (6, 2, 6));
        assert!(errors[0].contains("sample 9"), "{}", errors[0]);
        assert!(history.epochs.iter().all(|epoch| epoch.train.loss.is_finite()));
        assert!(trainer.model().parameters().iter().all(|p| p.is_finite()));
        let (trainer, history, errors) = train(1);
        let error = history.unwrap_err().to_string();
        assert!(error.contains("batch 4") && error.contains("sample 35"), "{error}");
        assert_eq!(errors.len(), 2);
        assert!(trainer.model().parameters().iter().all(|p| p.is_finite()));
        assert!(train(0).1.is_err());
    }
}

#[test]
fn what_cannot_be_accumulated_is_refused() {
    let data = classes(1);
    let mut none = trainer(network(), sgd(0.1)).accumulate(0);
    assert!(matches!(none.fit(&data, 1), Err(TrainError::Zero(_))));
    let layers = Sequential::<f32>::new().then(Dense::new(4)).then(BatchNorm::new()).then(Dense::new(3));
    let mut single = trainer(layers, sgd(0.1)).batch_size(10).accumulate(10);
    let error = single.fit(&data, 1).unwrap_err();
    assert!(matches!(error, TrainError::SingleSample { .. }), "{error}");
}
