//! Whether targets have anything to do with inputs, without a model.
//!
//! Three things are looked at: whether samples that are near to each other have similar targets, whether samples in similar
//! directions do (the Hilbert-Schmidt independence criterion with linear kernels; Gretton et al. 2005, "Measuring statistical dependence with Hilbert-Schmidt
//! norms"), and whether a single feature goes with a target. Each is compared with what it is for targets that were shuffled.

use chainrule_tensor::{Seed, gemm};
use ndarray::{Array2, ArrayView2, Axis};

/// How many times the targets are shuffled.
const SHUFFLES: u64 = 100;

/// How many deviations from the mean over the shuffled ones are no chance.
const CERTAIN: f64 = 3.5;

/// The number of samples from which it can be told.
pub(crate) const ENOUGH: usize = 100;

/// Whether targets, as [`seen_by`](super::targets::seen_by) the loss, depend on the samples in the rows of `x`, as far as can be told.
/// What is too little to tell is taken for related.
pub(crate) fn are_related(mut x: Array2<f64>, mut targets: Array2<f64>) -> bool {
    let rows = x.nrows();
    standardize(&mut targets);
    if rows < ENOUGH || differing(&targets) < rows / 10 {
        return true;
    }
    let between_targets = distances(targets.view());
    let is_near = |x: ArrayView2<'_, f64>| {
        let nearest = nearest(&distances(x));
        let mean = |order: &[usize]| {
            let pairs = nearest.iter().enumerate();
            pairs.map(|(row, &other)| between_targets[[order[row], order[other]]]).sum::<f64>()
        };
        // A smaller distance says more.
        is_certain(rows, |order| -mean(order))
    };
    if is_near(x.view()) {
        return true;
    }
    standardize(&mut x);
    if is_near(x.view()) || goes_with_a_feature(&x, &targets) {
        return true;
    }
    let of_inputs = products(x.view(), x.view());
    let of_targets = products(targets.view(), targets.view());
    is_certain(rows, |order| {
        let row_sum = |(row, products): (usize, ndarray::ArrayView1<'_, f64>)| {
            let targets = of_targets.row(order[row]);
            products.iter().zip(order).map(|(product, &other)| product * targets[other]).sum::<f64>()
        };
        of_inputs.rows().into_iter().enumerate().map(row_sum).sum()
    })
}

/// Whether a statistic of the targets in their own order is far above those in other orders.
fn is_certain(rows: usize, statistic: impl Fn(&[usize]) -> f64) -> bool {
    let mut order: Vec<usize> = (0..rows).collect();
    let found = statistic(&order);
    let mut rng = Seed(0).rng();
    let shuffled: Vec<f64> = (0..SHUFFLES)
        .map(|_| {
            rng.shuffle(&mut order);
            statistic(&order)
        })
        .collect();
    let count = SHUFFLES as f64;
    let mean = shuffled.iter().sum::<f64>() / count;
    let variance = shuffled.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    found - mean > CERTAIN * variance.sqrt()
}

/// Whether one feature is correlated with what one column says of the targets, more than the largest of so many correlations is by
/// chance. Features with single large values, which make correlations by chance, are left out.
fn goes_with_a_feature(x: &Array2<f64>, targets: &Array2<f64>) -> bool {
    let rows = x.nrows() as f64;
    let is_even = |column: ndarray::ArrayView1<'_, f64>| column.iter().all(|value| value.abs() < 6.0);
    let [features, columns] =
        [x, targets].map(|values| values.axis_iter(Axis(1)).map(is_even).collect::<Vec<_>>());
    let correlations = products(x.t(), targets.t());
    let chance = (2.0 * (2.0 * correlations.len() as f64).ln()).sqrt() + 1.5;
    correlations.indexed_iter().any(|((feature, column), sum)| {
        features[feature] && columns[column] && sum.abs() / rows > chance / rows.sqrt()
    })
}

/// How many rows differ from the one that most rows are like, counted in the first of the columns that varies.
fn differing(targets: &Array2<f64>) -> usize {
    let others = |column: ndarray::ArrayView1<'_, f64>| {
        let mut sorted = column.to_vec();
        sorted.sort_by(f64::total_cmp);
        let longest = sorted.chunk_by(|a, b| a == b).map(<[f64]>::len).max().unwrap_or(0);
        column.len() - longest
    };
    targets.axis_iter(Axis(1)).map(others).max().unwrap_or(0)
}

/// Gives each column a mean of 0 and a deviation of 1; of 0 if it does not vary.
fn standardize(values: &mut Array2<f64>) {
    for mut column in values.axis_iter_mut(Axis(1)) {
        let count = column.len() as f64;
        let mean = column.sum() / count;
        let deviation = (column.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let factor = if deviation > 1e-9 * mean.abs() { 1.0 / deviation } else { 0.0 };
        column.mapv_inplace(|value| (value - mean) * factor);
    }
}

/// `A Bᵀ`.
fn products(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut c = Array2::zeros((a.nrows(), b.nrows()));
    gemm(1.0, a, b.t(), 0.0, c.view_mut());
    c
}

/// The squared distances of all pairs of rows.
fn distances(values: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut distances = products(values, values);
    let squares = distances.diag().to_vec();
    for ((a, b), value) in distances.indexed_iter_mut() {
        *value = squares[a] + squares[b] - 2.0 * *value;
    }
    distances
}

/// The nearest other row of each.
fn nearest(distances: &Array2<f64>) -> Vec<usize> {
    let of_row = |(row, distances): (usize, ndarray::ArrayView1<'_, f64>)| {
        let others = (0..distances.len()).filter(|&other| other != row);
        others.min_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap_or(row)
    };
    distances.rows().into_iter().enumerate().map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples with a target that depends on them as `target` says, and the same with shuffled targets.
    fn both(features: usize, target: impl Fn(&[f64]) -> f64) -> [bool; 2] {
        let mut rng = Seed(3).rng();
        let x = Array2::from_shape_simple_fn((256, features), || rng.normal());
        let mut targets: Vec<f64> = x.rows().into_iter().map(|row| target(&row.to_vec())).collect();
        let column = |targets: &[f64]| Array2::from_shape_vec((256, 1), targets.to_vec()).unwrap();
        let right = are_related(x.clone(), column(&targets));
        rng.shuffle(&mut targets);
        [right, are_related(x, column(&targets))]
    }

    #[test]
    fn relations_of_several_kinds_are_told_from_none() {
        assert_eq!(both(5, |x| x[0] + x[1]), [true, false], "a line");
        assert_eq!(both(2, |x| f64::from(x[0] * x[1] > 0.0)), [true, false], "exclusive or");
        assert_eq!(both(3, |x| x.iter().map(|x| x * x).sum()), [true, false], "a distance");
        assert_eq!(both(200, |x| f64::from(x[7] > 0.3)), [true, false], "one feature of many");
        assert!(both(3, |_| 1.0)[0], "a constant says nothing");
    }

    #[test]
    fn chance_is_rarely_taken_for_a_relation() {
        let found = (0..40).filter(|&seed| {
            let mut rng = Seed(seed).rng();
            let x = Array2::from_shape_simple_fn((200, 20), || rng.normal());
            let classes = Array2::from_shape_simple_fn((200, 1), || rng.below(3) as f64);
            are_related(x, classes)
        });
        assert!(found.count() <= 3);
    }
}
