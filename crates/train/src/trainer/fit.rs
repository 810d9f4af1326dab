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
    pub(super) epochs: u64,
    pub(super) validation: Option<&'a dyn Samples<T, Target = Y>>,
}

impl<'a, T: Real, Y> Fit<'a, T, Y> {
    /// This many epochs, without validation.
    pub fn epochs(epochs: u64) -> Self {
        Self { epochs, validation: None }
    }

    /// Evaluates the model on `data` after each epoch.
    pub fn validation(self, data: &'a impl Samples<T, Target = Y>) -> Self {
        Self { validation: Some(data), ..self }
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
            .field("epochs", &self.epochs)
            .field("validated", &self.validation.is_some())
            .finish()
    }
}
