//! Losses over a batch of embeddings, each of which is compared with all others.

use chainrule_tensor::{Real, Target, TargetView, vector};

use crate::LossPass;
use crate::total::weighted;

/// The minimum of a norm that is divided by.
const MIN_NORM: f64 = 1e-8;

/// An embedding of a batch, and how similar all of them are to it.
pub(super) struct Anchor<'a> {
    /// For each embedding, the product with this one.
    pub(super) products: &'a [f64],
    /// The derivative of the loss with respect to each product: zeros at first.
    pub(super) slopes: &'a mut [f64],
    /// What each embedding is to this one.
    pub(super) pairing: &'a dyn Fn(usize) -> Pairing,
}

/// What an embedding is to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairing {
    /// It is the same one.
    Itself,
    /// It has the same label.
    Positive,
    /// It has another label.
    Negative,
}

/// The label of a target, which has been checked.
fn label<T, Y: Target<T>>(target: &Y) -> usize {
    match target.view() {
        TargetView::Class(class) => class,
        TargetView::Values(_) => unreachable!("the targets have been checked"),
    }
}

fn pairing_of<T, Y: Target<T>>(targets: &[Y], anchor: usize, other: usize) -> Pairing {
    if anchor == other {
        Pairing::Itself
    } else if label(&targets[anchor]) == label(&targets[other]) {
        Pairing::Positive
    } else {
        Pairing::Negative
    }
}

/// For each embedding, the numbers of those with the same label, without itself, and with others.
pub(super) fn counts<T, Y: Target<T>>(targets: &[Y]) -> impl Iterator<Item = (usize, usize)> {
    (0..targets.len()).map(|anchor| {
        let same = targets.iter().filter(|other| label(*other) == label(&targets[anchor])).count();
        (same - 1, targets.len() - same)
    })
}

/// Computes the loss of each row from its products with all rows, which are divided by their norms first if `normalised` says so.
pub(super) fn each_anchor<T: Real, Y: Target<T>>(
    pass: LossPass<'_, T, Y>,
    normalised: bool,
    compute: impl Fn(Anchor<'_>) -> f64,
) {
    let LossPass { y, targets, scale, dy, losses, scratch } = pass;
    let (rows, columns) = y.dim();
    let values = rows * columns;
    scratch.reserve(2 * values + 3 * rows);
    let (e, rest) = scratch.split_at_mut(values);
    let (de, rest) = rest.split_at_mut(values);
    let (norms, rest) = rest.split_at_mut(rows);
    let (products, rest) = rest.split_at_mut(rows);
    let slopes = &mut rest[..rows];
    e.iter_mut().zip(y).for_each(|(to, y)| *to = y.as_f64());
    de[..values].fill(0.0);
    if columns == 0 {
        return losses.fill(0.0);
    }
    for (e, norm) in e.chunks_exact_mut(columns).zip(&mut *norms) {
        *norm = if normalised { vector::norm(e) } else { 1.0 };
        if *norm < MIN_NORM {
            *norm = MIN_NORM;
        }
        e.iter_mut().for_each(|e| *e /= *norm);
    }
    let row = |row: usize| row * columns..(row + 1) * columns;
    for (anchor, loss) in losses.iter_mut().enumerate() {
        let own = &e[row(anchor)];
        products.iter_mut().zip(e.chunks_exact(columns)).for_each(|(product, e)| *product = dot(own, e));
        slopes.fill(0.0);
        let pairing = |other| pairing_of(targets, anchor, other);
        let weight = targets[anchor].weight();
        let anchor_loss = compute(Anchor { products, slopes, pairing: &pairing });
        *loss = weighted(weight, anchor_loss);
        if dy.is_none() {
            continue;
        }
        for (other, &slope) in slopes.iter().enumerate().filter(|&(_, &slope)| slope != 0.0) {
            for column in 0..columns {
                de[row(anchor)][column] += weight * slope * e[row(other)][column];
                de[row(other)][column] += weight * slope * e[row(anchor)][column];
            }
        }
    }
    let Some(mut dy) = dy else { return };
    for (index, mut dy) in dy.rows_mut().into_iter().enumerate() {
        let (e, de) = (&e[row(index)], &de[row(index)]);
        // Of e / ‖e‖: what changes the norm has no effect.
        let along = if normalised && norms[index] > MIN_NORM { dot(e, de) } else { 0.0 };
        for ((dy, e), de) in dy.iter_mut().zip(e).zip(de) {
            *dy = T::of(scale * (de - along * e) / norms[index]);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The logarithm of the sum of exponentials that `terms` gives, -∞ where there are none.
pub(super) fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = terms
        .clone()
        .fold(f64::NEG_INFINITY, |max, term| if term > max || term.is_nan() { term } else { max });
    if max.is_infinite() {
        return max;
    }
    max + terms.map(|term| (term - max).exp()).sum::<f64>().ln()
}

/// `ln(1 + eˣ)`; NaN stays NaN.
pub(super) fn softplus(x: f64) -> f64 {
    let linear = if x < 0.0 { 0.0 } else { x };
    linear + (-x.abs()).exp().ln_1p()
}
