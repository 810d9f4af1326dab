//! What one call of [`Trainer::fit`](super::Trainer::fit) does.

use std::fmt;

use chainrule_data::Samples;
use chainrule_tensor::Real;

/// How many epochs to train, and what to validate on.
///
/// A number of epochs converts into it, so both of these work:
///
/// ```
/// # use chainrule_core::Sequential;
/// # use chainrule_data::digits;
/// # use chainrule_layers::{Dense, Flatten};
/// # use chainrule_losses::CrossEntropy;
/// # use chainrule_optim::adam;
/// # use chainrule_tensor::Seed;
/// # use chainrule_train::{Model, Trainer};
/// use chainrule_train::Fit;
/// # let model = Model::new([28, 28], Sequential::new().then(Flatten).then(Dense::new(10)), Seed(0))?;
/// # let mut trainer = Trainer::new(model, CrossEntropy, adam(1e-3));
/// # let (train, test) = (digits(100, Seed(1)), digits(50, Seed(2)));
/// trainer.fit(&train, 2)?;
/// let history = trainer.fit(&train, Fit::epochs(3).validation(&test))?;
/// assert!(history.epochs[2].validation.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct Fit<'a, T: Real, Y> {
    length: Length,
    pub(super) validation: Option<&'a dyn Samples<T, Target = Y>>,
    /// After how many batches the model is also validated in the middle of an epoch; never for 0.
    pub(super) validate_every: u64,
}

/// How long it trains.
#[derive(Clone, Copy, Debug)]
enum Length {
    /// This many epochs, the rest of one that was interrupted included.
    Epochs(u64),
    /// Until this many epochs are completed in all.
    Until(u64),
}

impl<'a, T: Real, Y> Fit<'a, T, Y> {
    /// This many epochs, without validation.
    pub fn epochs(epochs: u64) -> Self {
        Self { length: Length::Epochs(epochs), validation: None, validate_every: 0 }
    }

    /// Until this many epochs are completed in all, those of earlier calls and before a resume included: for a training that may have
    /// been interrupted. Nothing is left to do where they are.
    pub fn until(epochs: u64) -> Self {
        Self { length: Length::Until(epochs), ..Self::epochs(0) }
    }

    /// Evaluates the model on `data` after each epoch.
    pub fn validation(self, data: &'a dyn Samples<T, Target = Y>) -> Self {
        Self { validation: Some(data), ..self }
    }

    /// Evaluates the model on the validation data also after every so many batches of an epoch, for epochs that take long. Callbacks see
    /// the scores in [`Event::Step`](super::Event::Step), and early stopping looks at them.
    pub fn validate_every(self, batches: u64) -> Self {
        Self { validate_every: batches, ..self }
    }

    /// The number of epochs for a training in which so many are completed.
    pub(super) fn epochs_left(&self, completed: u64) -> u64 {
        match self.length {
            Length::Epochs(epochs) => epochs,
            Length::Until(epochs) => epochs.saturating_sub(completed),
        }
    }

    /// Whether it trains for no epochs on purpose.
    pub(super) fn may_be_over(&self) -> bool {
        matches!(self.length, Length::Until(_))
    }
}

impl<T: Real, Y> From<u64> for Fit<'_, T, Y> {
    fn from(epochs: u64) -> Self {
        Self::epochs(epochs)
    }
}

impl<T: Real, Y> fmt::Debug for Fit<'_, T, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fit")
            .field("length", &self.length)
            .field("validated", &self.validation.is_some())
            .field("validate_every", &self.validate_every)
            .finish()
    }
}
