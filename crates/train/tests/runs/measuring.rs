//! Steps that are measured leave no trace.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chainrule_core::Sequential;
use chainrule_data::{Dataset, Samples};
use chainrule_layers::{Dense, Flatten, Gru};
use chainrule_losses::MeanSquaredError;
use chainrule_optim::{ClipByGlobalNorm, Ema, adam};
use chainrule_tensor::Shape;
use chainrule_train::{Event, Fit, Model, Trainer};

use super::{data, trainer_with};

#[test]
fn a_measured_training_is_the_same_training() {
    let run = |measure: bool| {
        let optimizer = ((ClipByGlobalNorm(1.0), adam(0.01)), Ema { decay: 0.9, every: 1 });
        let mut trainer = trainer_with(optimizer).callback(|event: &Event<'_>| match event {
            Event::Step { epoch: 1, batch: 4, .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        let time = |trainer: &mut Trainer<f32, u8>| {
            if measure {
                let begin = Instant::now();
                let step = trainer.measure_step(&data(1), Duration::from_millis(5)).unwrap();
                assert!(step > Duration::ZERO && step < begin.elapsed());
            }
        };
        time(&mut trainer);
        assert!(trainer.fit(&data(1), 3).unwrap().stopped);
        time(&mut trainer);
        trainer.fit(&data(1), Fit::until(3)).unwrap();
        assert!(trainer.training_bytes().total() > 4 * 93 * 3);
        (trainer.model().parameters_sha256(), trainer.evaluate(&data(2)).unwrap())
    };
    assert_eq!(run(true), run(false));
}

/// Sums of all numbers so far in the same row, over all batches.
struct Sums;

impl Dataset for Sums {
    type Target = [f32; 1];

    fn len(&self) -> usize {
        40
    }

    fn shape(&self) -> Shape {
        Shape::from([2, 1])
    }
}

impl Samples<f32> for Sums {
    fn read(&self, index: usize, row: &mut [f32]) -> [f32; 1] {
        row.fill((index % 7) as f32 / 7.0);
        [(index / 4) as f32 / 10.0]
    }
}

#[test]
fn states_that_are_carried_stay_too() {
    let run = |measure: bool| {
        let layers = Sequential::new().then(Gru::new(3).stateful()).then(Flatten).then(Dense::new(1));
        let model = Model::new([2, 1], layers, 1).unwrap();
        let mut trainer = Trainer::<f32, [f32; 1]>::new(model, MeanSquaredError, adam(0.02))
            .batch_size(4)
            .shards(2)
            .shuffle(false)
            .callback(|event: &Event<'_>| match event {
                Event::Step { epoch: 1, batch: 4, .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            });
        for _ in 0..2 {
            if measure {
                trainer.measure_step(&Sums, Duration::ZERO).unwrap();
            }
            trainer.fit(&Sums, Fit::until(3)).unwrap();
        }
        trainer.model().parameters_sha256()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn the_rate_finder_sees_where_the_loss_falls_and_rises() {
    use chainrule_optim::sgd;
    use chainrule_train::RateFinder;
    // With one batch an epoch as well as with many.
    for batch_size in [8, 77] {
        let finder = RateFinder::default().rates(1e-4, 1e3).steps(150);
        let curve =
            finder.run(trainer_with(sgd(finder.schedule())).batch_size(batch_size), &data(1)).unwrap();
        let points = &curve.points;
        assert!((50..=150).contains(&points.len()), "{}", points.len());
        for (step, point) in points.iter().enumerate() {
            let rate = 1e-4 * 1e7f64.powf(step as f64 / 149.0);
            assert!((point.rate / rate - 1.0).abs() < 1e-9, "{step}: {}", point.rate);
        }
        assert_eq!(points[0].loss, points[0].smoothed);
        let rate = curve.suggestion().unwrap();
        assert!((1e-3..1.0).contains(&rate), "{rate}");
    }
    // A rate of 0 changes nothing, and a step that is not finite ends it.
    let finder = RateFinder::default().rates(1e-4, 1e30).steps(60);
    let curve = finder.run(trainer_with(sgd(finder.schedule())), &data(1)).unwrap();
    assert!(curve.points.len() < 60);
}
