//! The paths through the steps that give a sequence of labels.

use chainrule_tensor::{Target, TargetView};

/// The class of a label that has been checked.
fn class<T, L: Target<T>>(label: &L) -> usize {
    match label.view() {
        TargetView::Class(class) => class,
        TargetView::Values(_) => unreachable!("the targets have been checked"),
    }
}

/// The number of steps that these labels need: one each, and one between equal ones.
pub(super) fn needed<T, L: Target<T>>(labels: &[L]) -> usize {
    let repeated = labels.windows(2).filter(|pair| class(&pair[0]) == class(&pair[1])).count();
    labels.len() + repeated
}

/// The paths that give these labels: each goes through the states blank, label, blank, label, ..., blank, and may leave out a blank
/// between two labels that differ.
pub(super) struct Paths<'a, L> {
    pub(super) labels: &'a [L],
    pub(super) steps: usize,
    pub(super) blank: usize,
    /// The number of classes of a step.
    pub(super) classes: usize,
}

/// The memory of a row.
pub(super) struct Tables<'a> {
    /// The logarithms of the probabilities, `[steps, classes]`.
    pub(super) ln: &'a mut [f64],
    /// Those of the sums over the paths up to a step and a state, `[steps, states]`.
    pub(super) alpha: &'a mut [f64],
    /// Those of the sums over what is left of the paths, `[steps, states]`.
    pub(super) beta: &'a mut [f64],
    /// How probable it is that a path goes through a class at one step, `[classes]`.
    pub(super) share: &'a mut [f64],
}

impl<L> Paths<'_, L> {
    pub(super) fn states(&self) -> usize {
        2 * self.labels.len() + 1
    }

    /// The class of a state.
    fn class_of<T>(&self, state: usize) -> usize
    where
        L: Target<T>,
    {
        if state.is_multiple_of(2) { self.blank } else { class(&self.labels[state / 2]) }
    }

    /// Whether a path may go to this state from the one two before it.
    fn skips<T>(&self, state: usize) -> bool
    where
        L: Target<T>,
    {
        let is_label = state >= 3 && !state.is_multiple_of(2);
        is_label && self.class_of(state) != self.class_of(state - 2)
    }

    /// The logarithm of the sum over all paths, -∞ if there is none; fills the tables of sums from `ln`.
    pub(super) fn sum<T>(&self, Tables { ln, alpha, beta, .. }: &mut Tables<'_>) -> f64
    where
        L: Target<T>,
    {
        let &Self { labels, steps, classes, .. } = self;
        if steps == 0 && labels.is_empty() {
            // The one without a step.
            return 0.0;
        }
        if steps == 0 || needed(labels) > steps {
            return f64::NEG_INFINITY;
        }
        let states = self.states();
        let at = |step: usize, state: usize| step * states + state;
        let ln = |step: usize, state: usize| ln[step * classes + self.class_of(state)];
        for step in 0..steps {
            for state in 0..states {
                let before = if step == 0 {
                    if state < 2 { 0.0 } else { f64::NEG_INFINITY }
                } else {
                    let from = |back: usize| alpha[at(step - 1, state - back)];
                    let sum = if state > 0 { add(from(0), from(1)) } else { from(0) };
                    if self.skips(state) { add(sum, from(2)) } else { sum }
                };
                alpha[at(step, state)] = before + ln(step, state);
            }
        }
        for step in (0..steps).rev() {
            for state in 0..states {
                beta[at(step, state)] = if step + 1 == steps {
                    if state + 2 >= states { 0.0 } else { f64::NEG_INFINITY }
                } else {
                    let to = |on: usize| beta[at(step + 1, state + on)] + ln(step + 1, state + on);
                    let sum = if state + 1 < states { add(to(0), to(1)) } else { to(0) };
                    if state + 2 < states && self.skips(state + 2) { add(sum, to(2)) } else { sum }
                };
            }
        }
        let last = |back: usize| alpha[at(steps - 1, states - back)];
        if states > 1 { add(last(1), last(2)) } else { last(1) }
    }

    /// Writes how probable it is that a path goes through each class at a step, given their sum.
    pub(super) fn shares<T>(&self, step: usize, sum: f64, Tables { alpha, beta, share, .. }: &mut Tables<'_>)
    where
        L: Target<T>,
    {
        share.fill(0.0);
        let states = self.states();
        for state in 0..states {
            let paths = alpha[step * states + state] + beta[step * states + state];
            share[self.class_of(state)] += (paths - sum).exp();
        }
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
