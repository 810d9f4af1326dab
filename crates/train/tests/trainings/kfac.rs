//! K-FAC: the factors that the engine gives it, and the steps that it takes with them.

use std::sync::mpsc::{Sender, channel};

use chainrule_core::{Residual, Sequential, SettingError};
use chainrule_data::Rows;
use chainrule_layers::{Dense, Tanh};
use chainrule_losses::{CrossEntropy, Reduced, Reduction};
use chainrule_optim::{Kfac, Optimizer, Real, Stepper, Update, UpdateRule, Whole, adam, groups, kfac, sgd};
use chainrule_tensor::Seed;
use chainrule_train::{Model, TrainError, Trainer};
use ndarray::{Array1, Array2, Axis};

/// A network of two layers with tanh between them, in plain algebra.
struct TwoLayers {
    /// The weight and the bias of each layer.
    layers: [(Array2<f64>, Array1<f64>); 2],
}

/// What belongs to the product of a layer: the rows of x and of dz.
struct Operands {
    x: Array2<f64>,
    dz: Array2<f64>,
}

impl TwoLayers {
    fn of(model: &Model<f64>) -> Self {
        let layer = |name: &str| {
            let bias = Array1::from(model.parameter(&format!("{name}.bias")).unwrap().to_vec());
            let weight = model.parameter(&format!("{name}.weight")).unwrap().to_vec();
            (Array2::from_shape_vec((weight.len() / bias.len(), bias.len()), weight).unwrap(), bias)
        };
        Self { layers: [layer("0"), layer("2")] }
    }

    /// The products of both layers, where dz is the gradient of `factor Σ wᵢ Lᵢ` with the cross-entropy L.
    fn products(&self, x: &Array2<f64>, classes: &[u8], weights: &[f64], factor: f64) -> [Operands; 2] {
        let [(w1, b1), (w2, b2)] = &self.layers;
        let hidden = (x.dot(w1) + b1).mapv(f64::tanh);
        let mut dz = (hidden.dot(w2) + b2).mapv(f64::exp);
        for (mut row, (&class, weight)) in dz.rows_mut().into_iter().zip(classes.iter().zip(weights)) {
            row /= row.sum();
            row[usize::from(class)] -= 1.0;
            row *= weight * factor;
        }
        let before = dz.dot(&w2.t()) * hidden.mapv(|h| 1.0 - h * h);
        [Operands { x: x.clone(), dz: before }, Operands { x: hidden, dz }]
    }
}

/// Sends the factors of each weight, and moves nothing.
#[derive(Debug)]
struct Recorder(Sender<(String, Vec<f64>)>);

impl Optimizer for Recorder {
    fn needs_factors(&self) -> bool {
        true
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }
}

impl UpdateRule<f64> for Recorder {
    fn transform_all(&self, mut whole: Whole<'_, f64>) {
        whole.for_each(|Update { parameter, factors, .. }| {
            let parameter = parameter.unwrap();
            assert_eq!(factors.len(), parameter.factors());
            if parameter.product {
                self.0.send((parameter.name.clone(), factors.to_vec())).unwrap();
            }
        });
    }

    fn update(&self, pass: Update<'_, f64>) {
        assert!(pass.factors.is_empty());
    }
}

const CLASSES: usize = 3;

/// Samples of so many numbers, of very different sizes, and their classes.
fn samples<T: Real>(rows: usize, columns: usize, smallest: f64) -> (Array2<T>, Vec<u8>) {
    let mut rng = Seed(11).rng();
    let scale = |column: usize| smallest.powf(column as f64 / (columns - 1).max(1) as f64);
    let x = Array2::from_shape_fn((rows, columns), |(_, column)| 1.0 + scale(column) * rng.normal());
    let class = |row: ndarray::ArrayView1<'_, f64>| {
        let score = |turn: f64| -> f64 {
            row.iter().enumerate().map(|(i, x)| (x - 1.0) / scale(i) * (turn + 1.7 * i as f64).cos()).sum()
        };
        let scores = [0.0, 2.0, 4.0].map(score);
        (0..CLASSES).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap() as u8
    };
    let classes = x.rows().into_iter().map(class).collect();
    (x.mapv(T::of), classes)
}

fn network<T: Real>(hidden: usize) -> Sequential<T>
where
    Dense: chainrule_core::Layer<T>,
    Tanh: chainrule_core::Layer<T>,
{
    Sequential::<T>::default().then(Dense::new(hidden)).then(Tanh).then(Dense::new(CLASSES))
}

fn assert_close(found: &[f64], right: &[f64], what: &str) {
    assert_eq!(found.len(), right.len(), "{what}");
    let largest = right.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    for (index, (found, right)) in found.iter().zip(right).enumerate() {
        assert!((found - right).abs() <= 1e-11 * largest, "{what}: {found} for {right} at {index}");
    }
}

/// For losses that are means and sums, with weights; whatever the shards, the passes and the threads.
#[test]
fn factors_are_second_moments_of_the_batch() {
    let rows = 26;
    // The second network is so large that its gradients are computed bucket by bucket.
    for (columns, hidden) in [(6, 5), (90, 100)] {
        let (x, classes) = samples::<f64>(rows, columns, 0.1);
        let data = Rows::new(x.clone(), classes.clone()).unwrap();
        let class_weights = [0.5, 2.0, 1.0];
        let weights: Vec<f64> = classes.iter().map(|&class| class_weights[usize::from(class)]).collect();
        let sum: f64 = weights.iter().sum();
        let m = rows as f64;
        for (reduction, factor, of_dz) in
            [(Reduction::Mean, 1.0 / sum, m), (Reduction::MeanOfRows, 1.0 / m, m), (Reduction::Sum, 1.0, 1.0)]
        {
            for (shards, passes, threads) in [(1, 1, 1), (3, 1, 2), (2, 3, 2)] {
                let model = Model::<f64>::new([columns], network(hidden), Seed(3)).unwrap();
                let products = TwoLayers::of(&model).products(&x, &classes, &weights, factor);
                let (sender, receiver) = channel();
                let loss = Reduced { loss: CrossEntropy.class_weights(class_weights), reduction };
                let mut trainer = Trainer::new(model, loss, Recorder(sender)).batch_size(rows).shuffle(false);
                trainer = trainer.shards(shards).threads(threads).accumulate(passes);
                trainer.fit(&data, 2).unwrap();
                let found: Vec<_> = receiver.try_iter().collect();
                assert_eq!(found.len(), 4);
                for (index, (name, factors)) in found.iter().enumerate() {
                    let Operands { x, dz } = &products[index % 2];
                    let what = format!("{name}: {reduction:?}, {shards} shards, {passes} passes");
                    assert_eq!(*name, ["0.weight", "2.weight"][index % 2]);
                    let (of_x, of_z) = factors.split_at(x.ncols().pow(2));
                    assert_close(of_x, (x.t().dot(x) / m).as_slice().unwrap(), &what);
                    assert_close(of_z, (dz.t().dot(dz) * of_dz).as_slice().unwrap(), &what);
                }
            }
        }
    }
}

/// Solves `M v = b` by elimination with pivots.
fn solve(mut matrix: Array2<f64>, mut b: Array1<f64>) -> Array1<f64> {
    let size = b.len();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|&i, &j| matrix[[i, column]].abs().total_cmp(&matrix[[j, column]].abs()))
            .unwrap();
        for k in 0..size {
            matrix.swap([column, k], [pivot, k]);
        }
        b.swap(column, pivot);
        for row in 0..size {
            if row == column {
                continue;
            }
            let factor = matrix[[row, column]] / matrix[[column, column]];
            for k in column..size {
                matrix[[row, k]] -= factor * matrix[[column, k]];
            }
            b[row] -= factor * b[column];
        }
    }
    b / matrix.diag()
}

/// The Kronecker product of two matrices.
fn kronecker(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let size = b.nrows();
    Array2::from_shape_fn((a.nrows() * size, a.ncols() * size), |(i, j)| {
        a[[i / size, j / size]] * b[[i % size, j % size]]
    })
}

/// K-FAC with the Fisher information as a whole matrix.
struct DenseFisher {
    rate: f64,
    momentum: f64,
    decay: f64,
    stat_decay: f64,
    damping: f64,
    kl_clip: f64,
    interval: u64,
}

impl DenseFisher {
    /// The network after these steps with the same batch.
    fn train(&self, network: &mut TwoLayers, x: &Array2<f64>, classes: &[u8], steps: u64) {
        let m = x.nrows() as f64;
        let weights = vec![1.0; x.nrows()];
        let mut means: [Option<[Array2<f64>; 2]>; 2] = [None, None];
        let mut fisher = [Array2::zeros((0, 0)), Array2::zeros((0, 0))];
        let mut momenta: Vec<_> =
            network.layers.iter().map(|(w, b)| (Array2::zeros(w.dim()), Array1::zeros(b.dim()))).collect();
        for step in 0..steps {
            let products = network.products(x, classes, &weights, 1.0 / m);
            let mut steps = Vec::new();
            let mut sum = 0.0;
            for (index, Operands { x, dz }) in products.iter().enumerate() {
                let new = [x.t().dot(x) / m, dz.t().dot(dz) * m];
                let mean = means[index].get_or_insert_with(|| new.clone().map(|new| new * 0.0));
                for (mean, new) in mean.iter_mut().zip(new) {
                    *mean = &*mean * self.stat_decay + new * (1.0 - self.stat_decay);
                }
                if step % self.interval == 0 {
                    let correction = 1.0 - self.stat_decay.powi(step as i32 + 1);
                    let [a, g] = mean.clone().map(|mean| mean / correction);
                    let pi = (a.diag().mean().unwrap() / g.diag().mean().unwrap()).sqrt();
                    let damped = |matrix: Array2<f64>, by: f64| {
                        let size = matrix.nrows();
                        matrix + Array2::<f64>::eye(size) * by
                    };
                    let root = self.damping.sqrt();
                    fisher[index] = kronecker(&damped(a, pi * root), &damped(g, root / pi));
                }
                let dw = x.t().dot(dz);
                let natural = solve(fisher[index].clone(), dw.flatten().to_owned());
                let natural = natural.into_shape_with_order(dw.dim()).unwrap();
                sum += (&natural * &dw).sum();
                steps.push((natural, dz.sum_axis(Axis(0))));
            }
            let bound = (self.kl_clip / (self.rate * self.rate * sum)).sqrt().min(1.0);
            for (((w, b), (m_w, m_b)), (natural, db)) in
                network.layers.iter_mut().zip(&mut momenta).zip(steps)
            {
                *m_w = &*m_w * self.momentum + natural * bound + &*w * self.decay;
                *m_b = &*m_b * self.momentum + db;
                *w -= &(&*m_w * self.rate);
                *b -= &(&*m_b * self.rate);
            }
        }
    }
}

#[test]
fn steps_are_those_with_a_dense_fisher_matrix() {
    let (x, classes) = samples::<f64>(40, 7, 0.1);
    let data = Rows::new(x.clone(), classes.clone()).unwrap();
    for (kl_clip, interval) in [(1e-3, 1), (1e6, 1), (1e-2, 3)] {
        let reference = DenseFisher {
            rate: 0.05,
            momentum: 0.8,
            decay: 0.01,
            stat_decay: 0.9,
            damping: 0.02,
            kl_clip,
            interval,
        };
        let optimizer: Kfac = kfac(reference.rate)
            .momentum(reference.momentum)
            .weight_decay(reference.decay)
            .stat_decay(reference.stat_decay)
            .damping(reference.damping)
            .kl_clip(kl_clip)
            .inverse_interval(interval);
        let model = Model::<f64>::new([7], network(5), Seed(3)).unwrap();
        let mut right = TwoLayers::of(&model);
        let mut trainer =
            Trainer::new(model, CrossEntropy, optimizer).batch_size(40).shuffle(false).shards(2);
        let start = right.layers[0].0.clone();
        for steps in [1, 4] {
            right = TwoLayers::of(trainer.model());
            if steps == 4 {
                // From the beginning, since the reference keeps no state.
                let model = Model::<f64>::new([7], network(5), Seed(3)).unwrap();
                right = TwoLayers::of(&model);
            }
            reference.train(&mut right, &x, &classes, steps);
            trainer.fit(&data, steps - trainer.epochs_done()).unwrap();
            let found = TwoLayers::of(trainer.model());
            for ((found_w, found_b), (w, b)) in found.layers.iter().zip(&right.layers) {
                let what = format!("after {steps} steps, bound {kl_clip}, every {interval}");
                assert_close(found_w.as_slice().unwrap(), w.as_slice().unwrap(), &what);
                assert_close(found_b.as_slice().unwrap(), b.as_slice().unwrap(), &what);
            }
            assert!((&found.layers[0].0 - &start).iter().any(|moved| moved.abs() > 1e-4));
        }
    }
}

/// The number of epochs of ten steps after which the loss of the data set is below `loss`, if it comes there in so many.
fn epochs_to(
    loss: f64,
    most: u64,
    data: &Rows<f32, u8>,
    optimizer: impl UpdateRule<f32> + 'static,
) -> Option<u64> {
    let model = Model::new([10], network(24), Seed(3)).unwrap();
    let mut trainer = Trainer::new(model, CrossEntropy, optimizer).batch_size(50).shards(1);
    (1..=most).find(|_| {
        trainer.fit(data, 1).unwrap();
        trainer.evaluate(data).unwrap().loss < loss
    })
}

/// Inputs whose spreads differ by a factor of 100, beside a mean of 1.
#[test]
fn fewer_steps_than_adam_where_inputs_are_ill_conditioned() {
    let (x, classes) = samples::<f32>(500, 10, 0.01);
    let data = Rows::new(x, classes).unwrap();
    let natural = epochs_to(0.6, 30, &data, kfac(0.03).damping(0.003)).expect("K-FAC comes below the loss");
    for rate in [1e-3, 3e-3, 0.01, 0.03, 0.1] {
        let epochs = epochs_to(0.6, 2 * natural, &data, adam(rate));
        assert_eq!(epochs, None, "K-FAC takes {natural} epochs, Adam at {rate} fewer than twice as many");
    }
}

/// Inputs that are zeros, equal, or fewer than there are columns; gradients that are zeros; damping that is next to nothing.
#[test]
fn degenerate_factors_give_no_nan() {
    let (x, classes) = samples::<f32>(12, 8, 1.0);
    let twice = Array2::from_shape_fn(x.dim(), |(row, column)| 1e3 * x[[row, column / 4]]);
    for x in
        [Array2::zeros(x.dim()), Array2::ones(x.dim()), twice, x.mapv(|x| 1e-12 * x), x.mapv(|x| 1e6 * x)]
    {
        let data = Rows::new(x, classes.clone()).unwrap();
        for batch in [1, 5, 12] {
            for damping in [1e-30, 0.003, 1e3] {
                let model = Model::new([8], network(6), Seed(3)).unwrap();
                let optimizer = kfac(0.03).damping(damping).inverse_interval(3);
                let mut trainer = Trainer::new(model, CrossEntropy, optimizer).batch_size(batch);
                trainer.fit(&data, 20).unwrap();
                assert!(trainer.model().parameters().iter().all(|p| p.is_finite()));
            }
        }
    }
    let model = Model::new([8], network(6), Seed(3)).unwrap();
    let before = model.parameters().to_vec();
    let loss = CrossEntropy.class_weights([0.0; CLASSES]);
    let mut trainer = Trainer::new(model, loss, kfac(0.03));
    trainer.fit(&Rows::new(x, classes).unwrap(), 15).unwrap();
    assert_eq!(trainer.model().parameters(), before, "without a gradient nothing moves");
}

fn refused(layers: Sequential<f32>, optimizer: impl UpdateRule<f32> + 'static) -> String {
    let (x, classes) = samples::<f32>(12, 3, 1.0);
    let model = Model::new([3], layers, Seed(3)).unwrap();
    let error =
        Trainer::new(model, CrossEntropy, optimizer).fit(&Rows::new(x, classes).unwrap(), 1).unwrap_err();
    assert!(matches!(error, TrainError::Setting(SettingError::Conflict { owner: "Kfac", .. })), "{error}");
    error.to_string()
}

#[test]
fn what_has_no_factors_is_refused() {
    let inner = || Residual(Sequential::new().then(Dense::new(3)));
    let error = refused(Sequential::new().then(inner()), kfac(0.03));
    assert!(error.contains("dense layer") && error.contains("choose another optimizer"), "{error}");
    refused(network(4), groups(kfac(0.03)).on("*.weight", sgd(0.1)));
    let error = Stepper::new(kfac(0.03), &[1.0f32]).unwrap_err();
    assert!(matches!(error, SettingError::Conflict { owner: "Stepper", .. }), "{error}");
    assert!(error.to_string().contains("`Trainer`"), "{error}");
}

/// What is inside other layers is trained as well, by plain steps.
#[test]
fn other_parameters_take_plain_steps() {
    let (x, classes) = samples::<f64>(30, 4, 1.0);
    let data = Rows::new(x, classes).unwrap();
    let train = |optimizer: Box<dyn UpdateRule<f64>>| {
        let inner = Residual(Sequential::<f64>::default().then(Dense::new(4)).then(Tanh));
        let layers = Sequential::<f64>::default().then(inner).then(Dense::new(CLASSES));
        let model = Model::<f64>::new([4], layers, Seed(3)).unwrap();
        let mut trainer = Trainer::new(model, CrossEntropy, optimizer).batch_size(30).shuffle(false);
        trainer.fit(&data, 1).unwrap();
        trainer.into_model()
    };
    let natural = train(Box::new(kfac(0.1).weight_decay(0.5)));
    let plain = train(Box::new(sgd(0.1).momentum(0.9).weight_decay(0.5)));
    for name in ["0.residual.0.weight", "0.residual.0.bias", "1.bias"] {
        assert_close(natural.parameter(name).unwrap(), plain.parameter(name).unwrap(), name);
    }
    assert_ne!(natural.parameter("1.weight"), plain.parameter("1.weight"));
}

/// A batch in several passes is the batch, up to rounding.
#[test]
fn passes_change_nothing() {
    let (x, classes) = samples::<f64>(30, 6, 0.1);
    let data = Rows::new(x, classes).unwrap();
    let train = |passes: usize, shards: usize| {
        let model = Model::<f64>::new([6], network(5), Seed(3)).unwrap();
        let loss = CrossEntropy.class_weights([0.5, 2.0, 1.0]);
        let optimizer = kfac(0.03).inverse_interval(2);
        let mut trainer =
            Trainer::new(model, loss, optimizer).batch_size(15).shards(shards).accumulate(passes);
        trainer.fit(&data, 3).unwrap();
        trainer.model().parameters().to_vec()
    };
    let right = train(1, 1);
    for (passes, shards) in [(1, 3), (2, 1), (4, 2)] {
        let found = train(passes, shards);
        let error = found.iter().zip(&right).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < 1e-9, "{passes} passes, {shards} shards: {error:e}");
    }
}

/// In steps that are large enough to be handed to several threads.
#[test]
fn threads_change_no_bit() {
    let (x, classes) = samples::<f32>(192, 90, 0.1);
    let data = Rows::new(x, classes).unwrap();
    let train = |threads: usize| {
        let model = Model::new([90], network(100), Seed(3)).unwrap();
        let optimizer = kfac(0.03).inverse_interval(2);
        let mut trainer =
            Trainer::new(model, CrossEntropy, optimizer).batch_size(64).shards(4).threads(threads);
        trainer.fit(&data, 2).unwrap();
        trainer.model().parameters_sha256()
    };
    let right = train(1);
    assert_eq!([2, 3, 4].map(train), [right.clone(), right.clone(), right]);
}
