//! Small data.

use chainrule_data::{Images, Rows, digits};
use chainrule_tensor::Seed;
use ndarray::Array2;

/// The target of a regression.
pub(crate) type Value = [f32; 1];

/// Every second pixel of every second row of digits.
pub(crate) fn pictures(samples: usize) -> Rows<f32, u8> {
    pictures_of(&digits(samples, Seed(1)))
}

/// Every second pixel of every second row of these pictures.
pub(crate) fn pictures_of(pictures: &Images) -> Rows<f32, u8> {
    let (x, classes) = read(pictures);
    let pixel = |(row, pixel): (usize, usize)| x[[row, 56 * (pixel / 14) + 2 * (pixel % 14)]];
    Rows::new(Array2::from_shape_fn((classes.len(), 196), pixel), classes).unwrap()
}

/// Samples of three classes around three points.
pub(crate) fn classes(samples: usize) -> Rows<f32, u8> {
    let mut rng = Seed(2).rng();
    let class: Vec<u8> = (0..samples).map(|_| rng.below(3) as u8).collect();
    let mut value = |(row, column): (usize, usize)| {
        let centre = if column % 3 == usize::from(class[row]) { 1.5 } else { 0.0 };
        (centre + rng.normal()) as f32
    };
    let x = Array2::from_shape_fn((samples, 6), &mut value);
    Rows::new(x, class).unwrap()
}

/// Whether the first of some numbers is larger than the second, as 0 and 1.
pub(crate) fn yes_or_no(samples: usize) -> Rows<f32, Value> {
    values(samples, |row| f32::from(u8::from(row[0] > row[1])))
}

/// A line with some noise.
pub(crate) fn line(samples: usize) -> Rows<f32, Value> {
    values(samples, |row| row[0] - 2.0 * row[1] + 0.5 * row[2] + 0.3 * row[3])
}

/// Samples of five numbers, and what `target` makes of them.
pub(crate) fn values(samples: usize, target: impl Fn(&[f32]) -> f32) -> Rows<f32, Value> {
    scaled(samples, [1.0; 5], [0.0; 5], target)
}

/// The same with other scales and means of the numbers, which the targets do not know.
pub(crate) fn scaled(
    samples: usize,
    scales: [f32; 5],
    means: [f32; 5],
    target: impl Fn(&[f32]) -> f32,
) -> Rows<f32, Value> {
    let mut rng = Seed(4).rng();
    let plain = Array2::from_shape_simple_fn((samples, 5), || rng.normal() as f32);
    let targets = plain.rows().into_iter().map(|row| [target(&row.to_vec())]).collect();
    let x = Array2::from_shape_fn((samples, 5), |(row, column)| {
        means[column] + scales[column] * plain[[row, column]]
    });
    Rows::new(x, targets).unwrap()
}

/// Other targets for the same samples.
pub(crate) fn with_targets<Y: Clone + Send + Sync, Z: Clone + Send + Sync>(
    data: &Rows<f32, Y>,
    change: impl FnOnce(Vec<Y>) -> Vec<Z>,
) -> Rows<f32, Z> {
    let (x, targets) = read(data);
    Rows::new(x, change(targets)).unwrap()
}

/// The same targets for other samples.
pub(crate) fn with_samples<Y: Clone + Send + Sync>(
    data: &Rows<f32, Y>,
    change: impl Fn(f32) -> f32,
) -> Rows<f32, Y> {
    let (x, targets) = read(data);
    Rows::new(x.mapv(change), targets).unwrap()
}

/// All samples and targets.
pub(crate) fn read<D: chainrule_data::Samples<f32>>(data: &D) -> (Array2<f32>, Vec<D::Target>) {
    let mut x = Array2::zeros((data.len(), data.shape().size()));
    let rows = x.rows_mut().into_iter().enumerate();
    let targets = rows.map(|(index, row)| data.read(index, row.into_slice().unwrap())).collect();
    (x, targets)
}

/// In another order.
pub(crate) fn shuffled<Y>(mut targets: Vec<Y>) -> Vec<Y> {
    Seed(8).rng().shuffle(&mut targets);
    targets
}
