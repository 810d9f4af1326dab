//! Samples that are mixed with others of the data set, and their targets with them.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chainrule_core::{Described, Range, describe};
use chainrule_tensor::{Real, Rng, Seed, Shape, Target, TargetView};

use super::AugmentError;
use crate::{Dataset, Samples};

/// A way to mix two samples.
pub trait Mixing: Debug + Send + Sync {
    /// Checks the settings, and that samples of this shape can be mixed.
    ///
    /// # Errors
    ///
    /// [`AugmentError`] says what is allowed.
    fn check(&self, shape: Shape) -> Result<(), AugmentError>;

    /// Mixes another sample of this shape into a sample. Returns the share that the sample keeps, from 0 to 1: so much counts its target,
    /// and that of the other one the rest.
    fn mix<T: Real>(&self, sample: &mut [T], other: &[T], shape: Shape, rng: &mut Rng) -> f64;
}

/// The weighted mean of two samples, `λ x + (1 - λ) x'`, with λ from a beta distribution whose parameters are both this number: the
/// smaller it is, the less is mixed (Zhang et al. 2018, who take 0.1 to 0.4).
#[derive(Clone, Copy, Debug)]
pub struct MixUp(pub f64);

/// A rectangle of another picture, in its proportions and anywhere, of a part `1 - λ` of the area, with λ from a beta distribution
/// whose parameters are both this number; what of it is outside is cut off and does not count (Yun et al. 2019, who take 1).
#[derive(Clone, Copy, Debug)]
pub struct CutMix(pub f64);

describe! {
    /// The mean of two samples of the data, weighted at random, whose target is a share of each class.
    MixUp = "mix_up";
    formula "y = λ x + (1 - λ) x', λ ~ Beta(α, α)";
    source "Zhang et al. 2018";
    settings {
        /// The parameter of the beta distribution: the smaller it is, the less is mixed.
        0 as "alpha": 0.2, Range::POSITIVE;
    }
}

describe! {
    /// A rectangle of another picture in a picture, whose target is the share of each class.
    CutMix = "cut_mix";
    formula "1 - λ of the area is of the other picture, λ ~ Beta(α, α)";
    source "Yun et al. 2019";
    settings {
        /// The parameter of the beta distribution.
        0 as "alpha": 1, Range::POSITIVE;
    }
}

impl Mixing for MixUp {
    fn check(&self, _: Shape) -> Result<(), AugmentError> {
        Ok(self.check_ranges()?)
    }

    fn mix<T: Real>(&self, sample: &mut [T], other: &[T], _: Shape, rng: &mut Rng) -> f64 {
        let share = beta(self.0, rng);
        let [own, rest] = [share, 1.0 - share].map(T::of);
        sample.iter_mut().zip(other).for_each(|(value, &other)| *value = own * *value + rest * other);
        share
    }
}

impl Mixing for CutMix {
    fn check(&self, shape: Shape) -> Result<(), AugmentError> {
        self.check_ranges()?;
        if matches!(*shape, [_, _] | [_, _, _]) { Ok(()) } else { Err(AugmentError::Shape { shape }) }
    }

    fn mix<T: Real>(&self, sample: &mut [T], other: &[T], shape: Shape, rng: &mut Rng) -> f64 {
        let [.., height, width] = *shape else { return 1.0 };
        let side = (1.0 - beta(self.0, rng)).sqrt();
        let mut draw = |len: usize| {
            let cut = (side * len as f64).round() as usize;
            let middle = rng.below(len);
            middle.saturating_sub(cut / 2)..(middle + cut.div_ceil(2)).min(len)
        };
        let (rows, columns) = (draw(height), draw(width));
        let planes = sample.chunks_exact_mut(height * width).zip(other.chunks_exact(height * width));
        for (plane, other) in planes {
            for row in rows.clone() {
                let place = row * width + columns.start..row * width + columns.end;
                plane[place.clone()].copy_from_slice(&other[place]);
            }
        }
        1.0 - (rows.len() * columns.len()) as f64 / (height * width) as f64
    }
}

/// A number from the beta distribution with two equal parameters: `x / (x + y)` for x and y from the gamma distribution.
fn beta(parameter: f64, rng: &mut Rng) -> f64 {
    let [x, y] = [gamma(parameter, rng), gamma(parameter, rng)];
    // With a tiny parameter both can be 0; then it is at one of the ends.
    if x + y > 0.0 { x / (x + y) } else { (rng.uniform() < 0.5).into() }
}

/// A number from the gamma distribution of this shape and scale 1 (Marsaglia and Tsang 2000).
fn gamma(shape: f64, rng: &mut Rng) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, rng) * (1.0 - rng.uniform()).powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = rng.normal();
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - rng.uniform()).ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
            return d * v;
        }
    }
}

/// Another data set of classes, whose samples are each mixed with one other, anew in every epoch. A target is a vector with the share of
/// each class, for a cross-entropy.
///
/// Which samples are mixed, and how, depends on the seed, the epoch and the sample alone, as with [`Augmented`](super::Augmented),
/// which can be inside. Not the batch but the whole data set is what others are drawn from. Reading a sample reads two, and allocates
/// room for the other one and for the target.
///
/// ```
/// use chainrule_data::augment::{MixUp, Mixed};
/// use chainrule_data::{Samples, digits};
/// use chainrule_tensor::Seed;
///
/// let train = Mixed::new(digits(100, Seed(1)), MixUp(0.3), 7)?;
/// let mut row = vec![0.0f32; 784];
/// let target = train.read(3, &mut row);
/// assert!((target.iter().sum::<f32>() - 1.0).abs() < 1e-6);
/// # Ok::<(), chainrule_data::augment::AugmentError>(())
/// ```
#[derive(Debug)]
pub struct Mixed<D, M, T> {
    data: D,
    mixing: M,
    classes: usize,
    seed: Seed,
    epoch: AtomicU64,
    numbers: PhantomData<fn() -> T>,
}

impl<D: Dataset, M: Mixing, T> Mixed<D, M, T> {
    /// The same samples, mixed.
    ///
    /// # Errors
    ///
    /// [`AugmentError::Classes`] if they have none, [`AugmentError::Shape`] or [`AugmentError::Setting`] if they cannot be mixed in
    /// this way.
    pub fn new(data: D, mixing: M, seed: impl Into<Seed>) -> Result<Self, AugmentError> {
        mixing.check(data.shape())?;
        let classes = data.classes().ok_or(AugmentError::Classes)?;
        let epoch = AtomicU64::new(0);
        Ok(Self { data, mixing, classes, seed: seed.into(), epoch, numbers: PhantomData })
    }
}

impl<D: Dataset, M: Mixing, T: Real> Dataset for Mixed<D, M, T> {
    type Target = Arc<[T]>;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> Shape {
        self.data.shape()
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }

    fn prefetch(&self, index: usize, columns: std::ops::Range<usize>) {
        self.data.prefetch(index, columns);
    }

    fn enter_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
        self.data.enter_epoch(epoch);
    }

    fn failure(&self) -> Option<String> {
        self.data.failure()
    }
}

impl<T: Real, D: Samples<T, Target: Target<T>>, M: Mixing> Samples<T> for Mixed<D, M, T> {
    fn read(&self, index: usize, row: &mut [T]) -> Arc<[T]> {
        let epoch = self.seed.child(self.epoch.load(Ordering::Relaxed));
        let mut rng = epoch.child(index as u64).rng();
        let partner = rng.below(self.len());
        let own = self.data.read(index, row);
        let mut sample = vec![T::zero(); row.len()];
        let other = self.data.read(partner, &mut sample);
        let share = self.mixing.mix(row, &sample, self.shape(), &mut rng);
        let mut values = vec![T::zero(); self.classes];
        add(&own, share, &mut values);
        add(&other, 1.0 - share, &mut values);
        values.into()
    }
}

/// Adds a share of a target to the values of all classes.
fn add<T: Real>(target: &impl Target<T>, share: f64, values: &mut [T]) {
    let share = T::of(share);
    match target.view() {
        TargetView::Class(class) => values.iter_mut().skip(class).take(1).for_each(|value| *value += share),
        TargetView::Values(of) => values.iter_mut().zip(of).for_each(|(value, &of)| *value += share * of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Images;

    /// Four pictures of 8 by 8 pixels, each of one value: a fifth of 1 to 4, of classes 0 to 3.
    fn pictures() -> Images {
        let pixels = (1..=4).flat_map(|value| [51 * value; 64]).collect();
        Images::new([8, 8], pixels, vec![0, 1, 2, 3], 4).unwrap()
    }

    fn read<M: Mixing>(data: &Mixed<Images, M, f32>, index: usize) -> (Vec<f32>, Arc<[f32]>) {
        let mut row = vec![0.0; 64];
        let target = data.read(index, &mut row);
        (row, target)
    }

    #[test]
    fn shares_of_classes_are_those_of_the_values() {
        let up = Mixed::new(pictures(), MixUp(0.4), 1).unwrap();
        let cut = Mixed::new(pictures(), CutMix(1.0), 1).unwrap();
        let mut mixed = 0;
        for epoch in 0..50 {
            up.enter_epoch(epoch);
            cut.enter_epoch(epoch);
            for index in 0..4 {
                for (row, target) in [read(&up, index), read(&cut, index)] {
                    let expected: f32 =
                        (1..=4).zip(&*target).map(|(value, share)| value as f32 / 5.0 * share).sum();
                    let mean = row.iter().sum::<f32>() / 64.0;
                    assert!((mean - expected).abs() < 1e-6, "{target:?}");
                    assert!((target.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                    mixed += usize::from(target.iter().filter(|share| **share > 0.0).count() == 2);
                }
            }
        }
        // A quarter are mixed with themselves, and some rectangles are empty or cover everything.
        assert!((200..330).contains(&mixed), "{mixed}");
    }

    #[test]
    fn rectangles_are_of_the_other_picture() {
        let data = Mixed::new(pictures(), CutMix(1.0), 2).unwrap();
        let (row, _) = (0..100)
            .map(|epoch| {
                data.enter_epoch(epoch);
                read(&data, 0)
            })
            .find(|(_, target)| (0.3..0.7).contains(&target[0]))
            .unwrap();
        let inside = |(index, value): (usize, &f32)| (*value > 0.3).then_some([index / 8, index % 8]);
        let places: Vec<[usize; 2]> = row.iter().enumerate().filter_map(inside).collect();
        let [rows, columns] = [0, 1].map(|axis| {
            let along = places.iter().map(|place| place[axis]);
            along.clone().max().unwrap() - along.min().unwrap() + 1
        });
        assert_eq!(rows * columns, places.len());
    }

    #[test]
    fn what_is_mixed_depends_on_seed_epoch_and_sample_alone() {
        let data = Mixed::new(pictures(), MixUp(1.0), 3).unwrap();
        let other = Mixed::new(pictures(), MixUp(1.0), 4).unwrap();
        let first = read(&data, 2);
        assert_ne!(first, read(&other, 2));
        data.enter_epoch(1);
        assert_ne!(first, read(&data, 2));
        data.enter_epoch(0);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(read(&data, 2), first));
        });
    }

    #[test]
    fn shares_have_a_beta_distribution() {
        // Mean 1/2, variance 1 / (4 (2 a + 1)).
        for parameter in [0.05, 0.4, 1.0, 7.0] {
            let mut rng = Seed(5).rng();
            let count = 40_000;
            let shares: Vec<f64> = (0..count).map(|_| beta(parameter, &mut rng)).collect();
            let mean = shares.iter().sum::<f64>() / f64::from(count);
            let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / f64::from(count);
            let right = 0.25 / (2.0 * parameter + 1.0);
            assert!((mean - 0.5).abs() < 0.01, "{parameter}: {mean}");
            assert!((variance / right - 1.0).abs() < 0.03, "{parameter}: {variance} {right}");
        }
        let mut rng = Seed(6).rng();
        assert!((0..100).map(|_| beta(1e-300, &mut rng)).all(|share| share == 0.0 || share == 1.0));
    }

    #[test]
    fn what_cannot_be_mixed_is_refused() {
        let error = |result: Result<Mixed<Images, _, f32>, AugmentError>| result.unwrap_err().to_string();
        for parameter in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(error(Mixed::new(pictures(), MixUp(parameter), 1)).contains("a finite number above 0"));
        }
        let rows = crate::Rows::new(ndarray::Array2::<f32>::zeros((2, 6)), vec![0u8, 1]).unwrap();
        assert!(matches!(Mixed::<_, _, f32>::new(&rows, MixUp(1.0), 1), Err(AugmentError::Classes)));
        let rows = rows.with_classes(2);
        assert!(matches!(Mixed::<_, _, f32>::new(&rows, CutMix(1.0), 1), Err(AugmentError::Shape { .. })));
        assert!(Mixed::<_, _, f32>::new(&rows, MixUp(1.0), 1).is_ok());
    }
}
