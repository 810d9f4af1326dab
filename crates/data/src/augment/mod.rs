//! Random changes of pictures, new ones in every epoch: a network that sees them is less likely to learn pictures by heart.
//!
//! The decision here: **a change is a function of the seed, the epoch and the sample**, not of the thread or the order in which
//! samples are read. So results are the same to the last bit for any number of threads, and after a resume.
//!
//! ```
//! use chainrule_data::augment::{RandomAffine, Augmented, Brightness};
//! use chainrule_data::{Dataset, Samples, digits};
//! use chainrule_tensor::Seed;
//!
//! let train = Augmented::new(digits(100, Seed(1)), 7)?
//!     .with(RandomAffine::new().rotate(10.0).shift(0.1))?
//!     .with(Brightness(0.2))?;
//! let (mut first, mut second) = (vec![0.0f32; 784], vec![0.0f32; 784]);
//! train.enter_epoch(0);
//! train.read(3, &mut first);
//! train.enter_epoch(1); // a trainer does this
//! train.read(3, &mut second);
//! assert_ne!(first, second);
//! # Ok::<(), chainrule_data::augment::AugmentError>(())
//! ```

mod any_augmentation;
mod crop;
mod cutout;
mod elastic;
mod flip;
mod interpolated;
mod mixed;
mod random_affine;
mod values;

use std::cell::RefCell;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use chainrule_core::{Description, SettingError};
use chainrule_tensor::{Real, Rng, Seed, Shape};

pub use any_augmentation::{AnyAugmentation, AnyMixing, register_augmentations};
pub use crop::PadAndCrop;
pub use cutout::Cutout;
pub use elastic::Elastic;
pub use flip::{HorizontalFlip, VerticalFlip};
pub use mixed::{CutMix, MixUp, Mixed, Mixing};
pub use random_affine::RandomAffine;
pub use values::{Brightness, Contrast, Noise};

use self::interpolated::interpolated;
use crate::{Dataset, Samples};

/// A random change of a picture.
///
/// What is drawn comes from `rng` alone, which belongs to one sample in one epoch.
pub trait Augmentation: Debug + Send + Sync {
    /// Changes the picture.
    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng);

    /// What this is: that of its entry, if it has one (see [`describe!`](chainrule_core::describe!)).
    fn description(&self) -> Description {
        Description::of_debug(self)
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`SettingError`] says what is allowed. By default there is none.
    fn check(&self) -> Result<(), SettingError> {
        Ok(())
    }
}

impl Augmentation for Box<dyn Augmentation> {
    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        (**self).apply(picture, rng);
    }

    fn description(&self) -> Description {
        (**self).description()
    }

    fn check(&self) -> Result<(), SettingError> {
        (**self).check()
    }
}

/// A picture that is being changed.
#[derive(Debug)]
pub struct Picture<'a> {
    /// The number of channels, the height and the width.
    pub size: [usize; 3],
    /// The values, channel by channel and row by row.
    pub values: &'a mut [f32],
    /// As many values for what cannot be changed in place; they hold anything.
    pub scratch: &'a mut [f32],
}

impl Picture<'_> {
    /// Calls `f` with each channel and as much scratch space, and takes what it has written there as the new channel.
    fn rewrite(&mut self, mut f: impl FnMut(&[f32], &mut [f32])) {
        let plane = self.size[1] * self.size[2];
        for (values, scratch) in self.values.chunks_exact(plane).zip(self.scratch.chunks_exact_mut(plane)) {
            f(values, scratch);
        }
        self.values.copy_from_slice(self.scratch);
    }
}

/// Another data set, whose pictures are changed at random each time that an epoch reads them. Targets stay as they are, so a change
/// must not make another class of a picture.
///
/// The changes are made in single precision, one after the other, on the thread that reads the sample, without allocating.
#[derive(Debug)]
pub struct Augmented<D> {
    data: D,
    augmentations: Vec<Box<dyn Augmentation>>,
    seed: Seed,
    epoch: AtomicU64,
    size: [usize; 3],
}

impl<D: Dataset> Augmented<D> {
    /// The same pictures, with no changes yet. Samples have the shape `[height, width]` or `[channels, height, width]`.
    ///
    /// # Errors
    ///
    /// [`AugmentError::Shape`] if they have another.
    pub fn new(data: D, seed: impl Into<Seed>) -> Result<Self, AugmentError> {
        let shape = data.shape();
        let size = match *shape {
            [height, width] => [1, height, width],
            [channels, height, width] => [channels, height, width],
            _ => return Err(AugmentError::Shape { shape }),
        };
        if shape.size() == 0 {
            return Err(AugmentError::Shape { shape });
        }
        Ok(Self { data, augmentations: Vec::new(), seed: seed.into(), epoch: AtomicU64::new(0), size })
    }

    /// Changes pictures in this way too, after the others.
    ///
    /// # Errors
    ///
    /// [`AugmentError::Setting`] if one of its settings cannot be.
    pub fn with(mut self, augmentation: impl Augmentation + 'static) -> Result<Self, AugmentError> {
        augmentation.check()?;
        self.augmentations.push(Box::new(augmentation));
        Ok(self)
    }

    /// Changes the values of a sample, a row of a batch.
    fn change<T: Real>(&self, index: usize, row: &mut [T]) {
        thread_local! {
            /// Values and scratch space of the pictures that this thread reads.
            static BUFFERS: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
        }
        if self.augmentations.is_empty() {
            return;
        }
        BUFFERS.with_borrow_mut(|buffers| {
            let [values, scratch] = buffers.each_mut().map(|buffer| {
                buffer.resize(buffer.len().max(row.len()), 0.0);
                &mut buffer[..row.len()]
            });
            values.iter_mut().zip(&*row).for_each(|(value, &from)| *value = from.as_f64() as f32);
            let epoch = self.seed.child(self.epoch.load(Ordering::Relaxed));
            let mut rng = epoch.child(index as u64).rng();
            let mut picture = Picture { size: self.size, values, scratch };
            for augmentation in &self.augmentations {
                augmentation.apply(&mut picture, &mut rng);
            }
            row.iter_mut().zip(&*picture.values).for_each(|(to, &value)| *to = T::of(f64::from(value)));
        });
    }
}

impl<D: Dataset> Dataset for Augmented<D> {
    type Target = D::Target;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> Shape {
        self.data.shape()
    }

    fn classes(&self) -> Option<usize> {
        self.data.classes()
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        self.data.prefetch(index, columns);
    }

    fn enter_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
        self.data.enter_epoch(epoch);
    }

    fn announce(&self, order: &[u32], batch: usize) {
        self.data.announce(order, batch);
    }

    fn failure(&self) -> Option<String> {
        self.data.failure()
    }
}

impl<T: Real, D: Samples<T>> Samples<T> for Augmented<D> {
    fn read(&self, index: usize, row: &mut [T]) -> Self::Target {
        let target = self.data.read(index, row);
        self.change(index, row);
        target
    }
}

/// What cannot be augmented, or not in this way.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    /// Samples that are no pictures.
    #[error(
        "samples of the shape {shape} are no pictures: augment [height, width] or [channels, height, width], each at least 1"
    )]
    Shape {
        /// The shape of a sample.
        shape: Shape,
    },
    /// Samples without classes.
    #[error(
        "samples without a number of classes cannot be mixed: use a data set that knows it, such as `Rows::with_classes`"
    )]
    Classes,
    /// A setting that cannot be.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

#[cfg(test)]
mod tests;
