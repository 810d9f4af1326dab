//! A step of training with 40,000 inputs of which 40 are not 0, read without the zeros, against the same step with them.

use std::time::Duration;

use chainrule::data::SparseRows;
use chainrule::prelude::*;
use chainrule::tensor::SparseMatrix;
use criterion::Criterion;

const INPUTS: usize = 40_000;

/// The number of values of a sample that are not 0: 0.1 %.
const VALUES: usize = 40;

/// How long a single measurement lasts; it is the median of up to 50 steps.
const TIME: Duration = Duration::from_millis(500);

type MakeOptimizer = fn() -> Box<dyn UpdateRule<f32>>;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut rng = Seed(1).rng();
    let mut x = SparseMatrix::<f32>::new(INPUTS);
    for _ in 0..1024 {
        let mut columns: Vec<u32> = (0..VALUES).map(|_| rng.below(INPUTS) as u32).collect();
        columns.sort_unstable();
        columns.dedup();
        let values: Vec<f32> = columns.iter().map(|_| rng.normal() as f32).collect();
        x.push(&columns, &values).expect("increasing columns");
    }
    let targets: Vec<u8> = (0..1024).map(|sample| (sample % 10) as u8).collect();
    let dense = Rows::new(x.to_dense(), targets.clone()).expect("a target for each sample");
    let sparse = SparseRows::new(x, targets).expect("a target for each sample");
    let optimizers: [(&str, MakeOptimizer); 2] =
        [("adam", || Box::new(adam(1e-3))), ("sgd", || Box::new(sgd(0.1)))];
    for (name, optimizer) in optimizers {
        let mut group =
            criterion.benchmark_group(format!("a step of 40000-128-10, {name}, 32 sparse samples"));
        group.sample_size(10);
        let first = || Dense::new(128);
        // In this order one after the other, so that a ratio is one of neighbours.
        let forms: [(&str, Dense, &dyn Samples<f32, Target = u8>); 4] = [
            ("sparse samples, sparse layer", first().sparse(), &sparse),
            ("dense", first(), &dense),
            ("sparse samples", first(), &sparse),
            ("sparse layer", first().sparse(), &dense),
        ];
        for (form, first, data) in forms {
            group.bench_function(form, |bencher| {
                let layers = Sequential::new().then(first.clone()).then(Relu).then(Dense::new(10));
                let model = Model::new([INPUTS], layers, Seed(0)).expect("layers that fit");
                let trainer = Trainer::new(model, CrossEntropy, optimizer());
                let mut trainer = trainer.batch_size(32).shards(1).threads(1);
                bencher.iter_custom(|iterations| {
                    trainer.measure_step(data, TIME).expect("a finite step") * iterations as u32
                });
            });
        }
        group.finish();
    }
}
