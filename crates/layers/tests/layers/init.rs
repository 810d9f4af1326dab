//! What the initialisers draw: moments, limits, structure, and that a seed says it all.

use std::sync::Arc;

use chainrule_core::{Initializer, ParamSpec, Plan};
use chainrule_layers::init::*;
use chainrule_tensor::{Seed, Shape};

fn drawn_at(init: &dyn Initializer, shape: &[usize], fans: (usize, usize), seed: Seed) -> Vec<f64> {
    let shape = Shape::new(shape).unwrap();
    let mut values = vec![f64::NAN; shape.size()];
    init.fill(ParamSpec { shape, fan_in: fans.0, fan_out: fans.1 }, seed, &mut values);
    values
}

fn drawn(init: &dyn Initializer, shape: &[usize]) -> Vec<f64> {
    drawn_at(init, shape, (shape[0], shape.get(1).copied().unwrap_or(1)), Seed(1))
}

/// Mean and variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n)
}

/// The minimum and the maximum.
fn limits(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, -f64::INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
}

fn all() -> Vec<Arc<dyn Initializer>> {
    vec![
        Arc::new(Zeros),
        Arc::new(Ones),
        Arc::new(Constant(0.3)),
        Arc::new(Identity::new(0.7)),
        Arc::new(Dirac::new()),
        Arc::new(Uniform::default()),
        Arc::new(Normal::default()),
        Arc::new(TruncatedNormal::default()),
        Arc::new(VarianceScaling::new(1.3).fan(Fan::Out)),
        Arc::new(FanInUniform),
        Arc::new(GlorotUniform),
        Arc::new(GlorotNormal),
        Arc::new(HeUniform),
        Arc::new(HeNormal),
        Arc::new(LecunUniform),
        Arc::new(LecunNormal),
        Arc::new(HeNormal::keras()),
        Arc::new(Sparse::new(0.4)),
        Arc::new(Orthogonal::default()),
    ]
}

#[test]
fn means_and_variances() {
    // With fan_in 300 and fan_out 100.
    let cases: [(&dyn Initializer, f64, f64); 22] = [
        (&Uniform::default(), 0.5, 1.0 / 12.0),
        (&Uniform::keras(), 0.0, 0.01 / 12.0),
        (&Uniform::new(-1.0, 3.0), 1.0, 16.0 / 12.0),
        (&Normal::default(), 0.0, 1.0),
        (&Normal::keras(), 0.0, 0.0025),
        (&Normal::new(2.0, 0.5), 2.0, 0.25),
        (&TruncatedNormal::default(), 0.0, 0.773_741),
        (&TruncatedNormal::new(0.0, 0.02), 0.0, 0.0004),
        (&TruncatedNormal::keras(0.3, 0.1), 0.3, 0.007_737_41),
        (&FanInUniform, 0.0, 1.0 / 900.0),
        (&GlorotUniform, 0.0, 2.0 / 400.0),
        (&GlorotNormal, 0.0, 2.0 / 400.0),
        (&GlorotNormal::keras(), 0.0, 2.0 / 400.0),
        (&HeUniform, 0.0, 2.0 / 300.0),
        (&HeNormal, 0.0, 2.0 / 300.0),
        (&HeNormal::keras(), 0.0, 2.0 / 300.0),
        (&LecunUniform, 0.0, 1.0 / 300.0),
        (&LecunNormal, 0.0, 1.0 / 300.0),
        (&VarianceScaling::new(3.0).fan(Fan::Out), 0.0, 3.0 / 100.0),
        (&VarianceScaling::keras(3.0).fan(Fan::Mean), 0.0, 3.0 / 200.0),
        (&HeNormal.scaling().fan(Fan::Out), 0.0, 2.0 / 100.0),
        (&XavierUniform.scaling().gain(gain(Nonlinearity::Tanh)), 0.0, 25.0 / 9.0 * 2.0 / 400.0),
    ];
    for (init, mean, variance) in cases {
        let (m, v) = moments(&drawn(init, &[300, 100]));
        assert!((m - mean).abs() < 0.02 * variance.sqrt(), "{init:?}: mean {m} for {mean}");
        assert!((v / variance - 1.0).abs() < 0.03, "{init:?}: variance {v} for {variance}");
    }
}

#[test]
fn values_lie_within_their_limits_and_reach_them() {
    let cut = 2.0 * (1.0f64 / 300.0).sqrt() / 0.879_625_661_034_239_8;
    let cases: [(&dyn Initializer, f64, f64); 9] = [
        (&Uniform::new(-3.0, 5.0), -3.0, 5.0),
        (&FanInUniform, -(1.0f64 / 300.0).sqrt(), (1.0f64 / 300.0).sqrt()),
        (&GlorotUniform, -(6.0f64 / 400.0).sqrt(), (6.0f64 / 400.0).sqrt()),
        (&HeUniform, -(6.0f64 / 300.0).sqrt(), (6.0f64 / 300.0).sqrt()),
        (&LecunNormal::keras(), -cut, cut),
        (&TruncatedNormal::default(), -2.0, 2.0),
        (&TruncatedNormal::keras(1.0, 0.5), 0.0, 2.0),
        (&TruncatedNormal::new(0.0, 1.0).between(-0.5, 3.0), -0.5, 3.0),
        (&TruncatedNormal::new(0.0, 1.0).between(0.5, 1.0), 0.5, 1.0),
    ];
    for (init, low, high) in cases {
        let (min, max) = limits(&drawn(init, &[300, 100]));
        let near = 0.02 * (high - low);
        assert!(low <= min && min < low + near, "{init:?}: {min} for {low}");
        assert!(max <= high && high - near < max, "{init:?}: {max} for {high}");
    }
}

#[test]
fn limits_far_in_a_tail_are_kept() {
    for (low, high) in [(6.0, 7.0), (-40.0, -30.0), (1000.0, 1001.0), (-1001.0, -1000.0)] {
        let values = drawn(&TruncatedNormal::new(0.0, 1.0).between(low, high), &[50, 10]);
        let (min, max) = limits(&values);
        assert!(low <= min && max <= high, "{min} to {max} for {low} to {high}");
    }
    // The mean of the values above 6 is φ(6) / Φ(-6) = 6.1585.
    let (mean, _) = moments(&drawn(&TruncatedNormal::new(0.0, 1.0).between(6.0, 9.0), &[300, 300]));
    assert!((mean - 6.1585).abs() < 0.002, "{mean}");
    // Settings without a sense end all the same.
    for strange in [TruncatedNormal::new(0.0, 0.0), TruncatedNormal::new(0.0, 1.0).between(1.0, -1.0)] {
        drawn(&strange, &[3]);
    }
}

#[test]
fn a_seed_says_it_all() {
    for init in all() {
        let at = |seed| drawn_at(&*init, &[6, 4], (6, 4), Seed(seed));
        assert_eq!(at(5), at(5), "{init:?}");
        assert!(at(5).iter().all(|v| v.is_finite()), "{init:?} fills everything");
        let fixed = ["Zeros", "Ones", "Constant", "Identity", "Dirac"];
        if !fixed.iter().any(|name| format!("{init:?}").starts_with(name)) {
            assert_ne!(at(5), at(6), "{init:?}");
        }
    }
}

#[test]
fn both_precisions_start_from_the_same_values() {
    let mut plan = Plan::new();
    for init in all() {
        plan.weight("weight", [5, 3], (5, 3), &init).unwrap();
    }
    let mut single = vec![0f32; plan.size()];
    let mut double = vec![0f64; plan.size()];
    plan.init(Seed(2), &mut single);
    plan.init(Seed(2), &mut double);
    assert!(single.iter().zip(&double).all(|(&single, &double)| single == double as f32));
}

#[test]
fn any_shape_can_be_filled() {
    for init in all() {
        for shape in [&[][..], &[0], &[3], &[0, 2], &[2, 0], &[1, 5], &[5, 1], &[2, 3, 2, 2], &[2, 1, 0]] {
            let values = drawn_at(&*init, shape, (2, 2), Seed(1));
            assert!(values.iter().all(|v| v.is_finite()), "{init:?} of {shape:?}");
        }
    }
}

#[test]
fn constants() {
    assert_eq!(drawn(&Zeros, &[2]), [0.0; 2]);
    assert_eq!(drawn(&Ones, &[2]), [1.0; 2]);
    assert_eq!(drawn(&Constant(0.3), &[2]), [0.3; 2]);
}

#[test]
fn identities() {
    assert_eq!(drawn(&Identity::default(), &[2, 3]), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(drawn(&Identity::new(2.0), &[3, 2]), [2.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
}

#[test]
fn dirac_lets_channels_through() {
    // Two outputs and three inputs, a kernel of 3 x 2: the middle is [1, 1].
    let values = drawn(&Dirac::new(), &[2, 3, 3, 2]);
    let ones: Vec<usize> = (0..values.len()).filter(|&i| values[i] == 1.0).collect();
    assert_eq!(ones, [3, (3 + 1) * 6 + 3]);
    assert_eq!(values.iter().sum::<f64>(), 2.0);
    // Two groups of two outputs with one input each, a kernel of 3: the first output of each group is its input.
    let values = drawn(&Dirac::new().groups(2), &[4, 1, 3]);
    assert_eq!(values, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    // Settings without a sense end all the same.
    assert_eq!(drawn(&Dirac::new().groups(0), &[1, 1, 1]), [1.0]);
    assert_eq!(drawn(&Dirac::new().groups(5), &[2, 1, 1]), [0.0, 0.0]);
}

#[test]
fn sparse_has_as_many_zeros_in_each_column() {
    let (rows, columns) = (10, 200);
    for (sparsity, zeros) in [(0.0, 0), (0.25, 3), (0.9, 9), (1.0, 10), (7.0, 10), (f64::NAN, 0)] {
        let values = drawn(&Sparse::new(sparsity).deviation(0.5), &[rows, columns]);
        for column in 0..columns {
            let count = (0..rows).filter(|row| values[row * columns + column] == 0.0).count();
            assert_eq!(count, zeros, "a sparsity of {sparsity}");
        }
    }
    let values = drawn(&Sparse::new(0.5), &[100, 200]);
    let (_, variance) = moments(&values);
    assert!((variance / (0.5 * 1e-4) - 1.0).abs() < 0.05, "{variance}");
}

#[test]
fn gains_are_those_of_pytorch() {
    let cases = [
        (Nonlinearity::Linear, 1.0),
        (Nonlinearity::Sigmoid, 1.0),
        (Nonlinearity::Tanh, 5.0 / 3.0),
        (Nonlinearity::Relu, std::f64::consts::SQRT_2),
        (Nonlinearity::LeakyRelu(0.01), 1.414_142_856_997_835_4),
        (Nonlinearity::LeakyRelu(1.0), 1.0),
        (Nonlinearity::Selu, 0.75),
    ];
    for (nonlinearity, right) in cases {
        assert!((gain(nonlinearity) - right).abs() < 1e-15, "{nonlinearity:?}: {}", gain(nonlinearity));
    }
}

#[test]
fn names_of_the_same_rule() {
    assert_eq!(drawn(&XavierNormal, &[3, 2]), drawn(&GlorotNormal, &[3, 2]));
    assert_eq!(drawn(&XavierUniform, &[3, 2]), drawn(&GlorotUniform, &[3, 2]));
    assert_eq!(drawn(&KaimingNormal, &[3, 2]), drawn(&HeNormal, &[3, 2]));
    assert_eq!(drawn(&KaimingUniform, &[3, 2]), drawn(&HeUniform, &[3, 2]));
    assert_eq!(VarianceScaling::new(1.0).gain(gain(Nonlinearity::Selu)), VarianceScaling::new(0.5625));
}

#[test]
fn orthonormal_lines() {
    for (rows, columns) in [(7, 4), (4, 7), (5, 5), (1, 3), (150, 70), (70, 150), (100, 100)] {
        let values = drawn(&Orthogonal::new(3.0), &[rows, columns]);
        let q = ndarray::Array2::from_shape_vec((rows, columns), values).unwrap();
        let product = if rows < columns { q.dot(&q.t()) } else { q.t().dot(&q) };
        for ((i, j), value) in product.indexed_iter() {
            let right = if i == j { 9.0 } else { 0.0 };
            assert!((value - right).abs() < 1e-12, "[{i}, {j}]: {value}");
        }
    }
}

/// `A = Q R` with a positive diagonal of R has one solution only, whoever computes it: LAPACK's is the same up to rounding.
#[test]
fn an_orthogonal_matrix_is_the_factor_of_the_normal_one() {
    for (rows, columns) in [(90, 40), (40, 90), (64, 64)] {
        let q = drawn(&Orthogonal::default(), &[rows, columns]);
        let a = drawn(&Normal::default(), &[rows, columns]);
        let (tall, wide) = (rows.max(columns), rows.min(columns));
        let a = ndarray::Array2::from_shape_vec((tall, wide), a).unwrap();
        let q = ndarray::Array2::from_shape_vec((rows, columns), q).unwrap();
        let q = if rows < columns { q.reversed_axes() } else { q };
        let r = q.t().dot(&a);
        assert!((q.dot(&r) - &a).iter().all(|difference| difference.abs() < 1e-12), "A = Q R");
        for ((i, j), value) in r.indexed_iter() {
            let right = if i == j { *value > 0.0 } else { i < j || value.abs() < 1e-12 };
            assert!(right, "R[{i}, {j}] is {value}");
        }
    }
}
