//! The loss of labels whose steps are not known.

use chainrule_core::{Described, Range, SettingCheck, SettingError, describe, described};
use chainrule_tensor::{Outputs, Real, Steps, Target, TargetError, TargetView};
use ndarray::{ArrayView1, ArrayViewMut1};

use crate::classification::log_softmax;
use crate::domain::check_weight;
use crate::total::weighted;
use crate::{Criterion, Domain, Loss, LossPass, Scope};

/// The loss of a sequence of labels whose steps are not known, connectionist temporal classification (Graves et al. 2006):
/// `L = -ln Σ Πₜ p(t, πₜ)` over all paths π of one class for each step that give the labels when repetitions are removed, and then
/// blanks. p is the softmax of the outputs of a step.
///
/// The outputs of a row are `[steps, classes]`, and the target is the labels, such as a `Vec<u8>`: fewer than the steps, and one step
/// more for each label that equals the one before it. [`Padded`] says that only the first steps are the sample's.
///
/// All sums are of logarithms, so that nothing vanishes. The gradient is `p(t, k) - P(πₜ = k)`, with the probability that a path goes
/// through k at t, given the labels. As PyTorch's mean, the loss of a row is divided by the number of its labels, unless
/// [`per_label`](Self::per_label) is false, as in Keras and optax.
///
/// Labels that cannot be told in the steps are an error that names the sample; with [`zero_infinity`](Self::zero_infinity) they have
/// the loss 0 and no gradient, and count, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ctc {
    /// The number of classes of a step, the blank included.
    pub classes: usize,
    /// The class that stands for no label.
    pub blank: usize,
    /// Whether labels that cannot be told have the loss 0.
    pub zero_infinity: bool,
    /// Whether the loss of a row is divided by the number of its labels.
    pub per_label: bool,
}

impl Ctc {
    /// For outputs of this many classes for each step, of which the first is the blank.
    pub const fn new(classes: usize) -> Self {
        Self { classes, blank: 0, zero_infinity: false, per_label: true }
    }
}

describe! {
    /// The loss of a sequence of labels whose steps are not known.
    Ctc = "ctc";
    aliases ["ctc_loss"];
    formula "L = -ln Σ Π p(t, π) over the paths π that give the labels";
    source "Graves et al. 2006";
    settings {
        /// The number of classes of a step, the blank included.
        classes: required, Range::AT_LEAST_ONE;
        /// The class that stands for no label.
        blank ("mask_index", "blank_id"): 0;
        /// Whether labels that cannot be told have the loss 0.
        zero_infinity: false;
        /// Whether the loss of a row is divided by the number of its labels.
        per_label: true;
    }
    presets { keras { per_label = false } }
}

/// Labels of a sample, of whose outputs only the first steps are its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Padded<S> {
    /// The labels.
    pub labels: S,
    /// The number of steps that are not padding.
    pub steps: usize,
}

/// A sequence of labels, as [`Ctc`] reads it: what is a [`Steps`] of classes, or [`Padded`].
pub trait LabelSequence<T> {
    /// A label, which is a class.
    type Label: Target<T>;

    /// Whether sequences of this type have weights.
    const WEIGHTED: bool;

    /// The labels, in order.
    fn labels(&self) -> &[Self::Label];

    /// The number of steps that are not padding, if there is padding.
    fn length(&self) -> Option<usize>;

    /// How much the sample counts.
    fn weight(&self) -> f64;
}

impl<T, S: Steps> LabelSequence<T> for S
where
    S::Target: Target<T>,
{
    type Label = S::Target;

    const WEIGHTED: bool = <S as Steps>::WEIGHTED;

    fn labels(&self) -> &[S::Target] {
        self.steps()
    }

    fn length(&self) -> Option<usize> {
        None
    }

    fn weight(&self) -> f64 {
        Steps::weight(self)
    }
}

impl<T, S: Steps> LabelSequence<T> for Padded<S>
where
    S::Target: Target<T>,
{
    type Label = S::Target;

    const WEIGHTED: bool = <S as Steps>::WEIGHTED;

    fn labels(&self) -> &[S::Target] {
        self.labels.steps()
    }

    fn length(&self) -> Option<usize> {
        Some(self.steps)
    }

    fn weight(&self) -> f64 {
        Steps::weight(&self.labels)
    }
}

impl Criterion for Ctc {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::classes("Ctc")
    }

    described!();

    fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        let ok = self.blank < self.classes;
        SettingCheck("Ctc").range(ok, "blank", self.blank as f64, "one of the classes")
    }
}

/// The class of a label that has been checked.
fn class<T, L: Target<T>>(label: &L) -> usize {
    match label.view() {
        TargetView::Class(class) => class,
        TargetView::Values(_) => unreachable!("the targets have been checked"),
    }
}

/// The number of steps that these labels need: one each, and one between equal ones.
fn needed<T, L: Target<T>>(labels: &[L]) -> usize {
    let repeated = labels.windows(2).filter(|pair| class(&pair[0]) == class(&pair[1])).count();
    labels.len() + repeated
}

/// The memory of a row: logarithms of probabilities `[steps, classes]`, and of sums over paths `[steps, states]`.
struct Tables<'a> {
    ln: &'a mut [f64],
    alpha: &'a mut [f64],
    beta: &'a mut [f64],
    /// The part of each class in the paths, at one step.
    share: &'a mut [f64],
}

/// The outputs of a row, where their gradient goes, and its factor.
struct RowOutputs<'a, T> {
    y: ArrayView1<'a, T>,
    dy: Option<ArrayViewMut1<'a, T>>,
    scale: f64,
}

impl Ctc {
    /// The class of a state: the blank before, between and after the labels.
    fn state<T, L: Target<T>>(&self, labels: &[L], state: usize) -> usize {
        if state.is_multiple_of(2) { self.blank } else { class(&labels[state / 2]) }
    }

    /// Whether a path may go to this state from the one two before it: past a blank, between labels that differ.
    fn skips<T, L: Target<T>>(&self, labels: &[L], state: usize) -> bool {
        state >= 3 && !state.is_multiple_of(2) && class(&labels[state / 2]) != class(&labels[state / 2 - 1])
    }

    /// The logarithm of the sum over all paths, with the tables that the gradient is made of.
    fn forward_backward<T, L: Target<T>>(&self, labels: &[L], steps: usize, tables: &mut Tables<'_>) -> f64 {
        let Tables { ln, alpha, beta, .. } = tables;
        let states = 2 * labels.len() + 1;
        let at = |step: usize, state: usize| step * states + state;
        let ln = |step: usize, state: usize| ln[step * self.classes + self.state(labels, state)];
        for step in 0..steps {
            for state in 0..states {
                let before = if step == 0 {
                    if state < 2 { 0.0 } else { f64::NEG_INFINITY }
                } else {
                    let from = |back: usize| alpha[at(step - 1, state - back)];
                    let sum = if state > 0 { add(from(0), from(1)) } else { from(0) };
                    if self.skips(labels, state) { add(sum, from(2)) } else { sum }
                };
                alpha[at(step, state)] = before + ln(step, state);
            }
        }
        // β leaves out the step itself, whose probability is in α.
        for step in (0..steps).rev() {
            for state in 0..states {
                beta[at(step, state)] = if step + 1 == steps {
                    if state + 2 >= states { 0.0 } else { f64::NEG_INFINITY }
                } else {
                    let to = |on: usize| beta[at(step + 1, state + on)] + ln(step + 1, state + on);
                    let sum = if state + 1 < states { add(to(0), to(1)) } else { to(0) };
                    if state + 2 < states && self.skips(labels, state + 2) { add(sum, to(2)) } else { sum }
                };
            }
        }
        let last = |back: usize| alpha[at(steps - 1, states - back)];
        if states > 1 { add(last(1), last(2)) } else { last(1) }
    }

    /// The loss of a row, and its gradient times the scale.
    fn row<T: Real, L: Target<T>>(
        &self,
        outputs: RowOutputs<'_, T>,
        labels: &[L],
        steps: usize,
        tables: &mut Tables<'_>,
    ) -> f64 {
        let RowOutputs { y, dy, scale } = outputs;
        let classes = self.classes;
        for step in 0..steps {
            let row = step * classes..(step + 1) * classes;
            tables.share.iter_mut().zip(y.iter().skip(row.start)).for_each(|(to, y)| *to = y.as_f64());
            log_softmax(tables.share, &mut tables.ln[row]);
        }
        let possible = steps > 0 && needed(labels) <= steps;
        let ln = if possible { self.forward_backward(labels, steps, tables) } else { f64::NEG_INFINITY };
        // Without a step there is one path, the empty one.
        let ln = if steps == 0 && labels.is_empty() { 0.0 } else { ln };
        let divisor = if self.per_label { labels.len().max(1) as f64 } else { 1.0 };
        let told = ln > f64::NEG_INFINITY || ln.is_nan();
        if let Some(mut dy) = dy {
            dy.fill(T::zero());
            let states = 2 * labels.len() + 1;
            let steps = if told { steps } else { 0 };
            for step in 0..steps {
                tables.share.fill(0.0);
                for state in 0..states {
                    let path = tables.alpha[step * states + state] + tables.beta[step * states + state];
                    tables.share[self.state(labels, state)] += (path - ln).exp();
                }
                for (class, share) in tables.share.iter().enumerate() {
                    let index = step * classes + class;
                    dy[index] = T::of(scale / divisor * (tables.ln[index].exp() - share));
                }
            }
        }
        if !told && self.zero_infinity { 0.0 } else { -ln / divisor }
    }
}

impl<T: Real, S: LabelSequence<T>> Loss<T, S> for Ctc {
    fn rows(&self, pass: LossPass<'_, T, S>) {
        let LossPass { y, targets, scale, mut dy, losses, scratch } = pass;
        for (row, (target, loss)) in targets.iter().zip(losses).enumerate() {
            let labels = target.labels();
            let steps = target.length().unwrap_or(y.ncols() / self.classes);
            let paths = steps * (2 * labels.len() + 1);
            scratch.reserve(steps * self.classes + 2 * paths + self.classes);
            let (ln, rest) = scratch.split_at_mut(steps * self.classes);
            let (alpha, rest) = rest.split_at_mut(paths);
            let (beta, rest) = rest.split_at_mut(paths);
            let share = &mut rest[..self.classes];
            let weight = target.weight();
            let dy = dy.as_mut().map(|dy| dy.row_mut(row));
            let outputs = RowOutputs { y: y.row(row), dy, scale: scale * weight };
            *loss =
                weighted(weight, self.row(outputs, labels, steps, &mut Tables { ln, alpha, beta, share }));
        }
    }

    fn check(&self, columns: usize, targets: &[S]) -> Result<(), TargetError> {
        targets.iter().enumerate().try_for_each(|(row, target)| self.check_one(columns, row, target))
    }

    fn scope(&self) -> Scope {
        if S::WEIGHTED { Scope::WeightedRow } else { Scope::Row }
    }

    fn weights(&self, targets: &[S], weights: &mut [f64]) {
        weights.iter_mut().zip(targets).for_each(|(weight, target)| *weight = target.weight());
    }
}

impl Ctc {
    fn check_one<T: Real, S: LabelSequence<T>>(
        &self,
        columns: usize,
        row: usize,
        target: &S,
    ) -> Result<(), TargetError> {
        let &Self { classes, blank, zero_infinity, .. } = self;
        let owner = "Ctc";
        check_weight(row, target.weight())?;
        if !columns.is_multiple_of(classes) {
            return Err(TargetError::Parts { row, columns, parts: classes, owner });
        }
        let steps = target.length().unwrap_or(columns / classes);
        if steps > columns / classes {
            return Err(TargetError::Steps { row, steps, columns });
        }
        let labels = target.labels();
        for (index, label) in labels.iter().enumerate() {
            match label.view() {
                TargetView::Values(_) => return Err(TargetError::NotAClass { row, owner }),
                TargetView::Class(class) if class >= classes => {
                    let source = TargetError::Class { row: index, class, columns: classes };
                    return Err(TargetError::Step { row, source: source.into() });
                }
                TargetView::Class(class) if class == blank => {
                    let allowed = "labels other than the blank";
                    return Err(TargetError::value(row, index, class as f64, allowed, owner));
                }
                TargetView::Class(_) => {}
            }
        }
        let needed = needed(labels);
        if needed > steps && !zero_infinity {
            return Err(TargetError::Alignment { row, labels: labels.len(), needed, steps });
        }
        Ok(())
    }
}

/// `ln(exp a + exp b)`.
fn add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if high == f64::NEG_INFINITY || high.is_nan() || low.is_nan() {
        high + low
    } else {
        high + (low - high).exp().ln_1p()
    }
}
