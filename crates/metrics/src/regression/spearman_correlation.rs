//! Spearman's correlation.

use super::definition::of_order;
use super::moments::CONSTANT;
use crate::Undefined;

of_order! {
    /// Spearman's correlation: Pearson's correlation of the ranks, from -1 to 1; equal values have the mean of their ranks.
    SpearmanCorrelation = "spearman_correlation";
    aliases ["spearman_corrcoef", "spearman_corr_coef", "spearman", "spearmanr"];
    formula "cov(rank y, rank t) / √(var rank y var rank t)";
    source "Spearman 1904";
    settings {}
    |_, pairs| {
        let ranks = [0, 1].map(|side| ranks(pairs, side));
        let mean = (pairs.len() as f64 + 1.0) / 2.0;
        let sum = |a: usize, b: usize| {
            ranks[a].iter().zip(&ranks[b]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>()
        };
        let [yy, tt, yt] = [sum(0, 0), sum(1, 1), sum(0, 1)];
        if yy == 0.0 || tt == 0.0 { Err(Undefined(CONSTANT)) } else { Ok(yt / (yy.sqrt() * tt.sqrt())) }
    }
}

/// The rank of each value of one side, from 1.
fn ranks(pairs: &[[f64; 2]], side: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    // 0 and -0 are equal, but not in the total order.
    let value = |index: usize| pairs[index][side] + 0.0;
    order.sort_unstable_by(|&a, &b| value(a).total_cmp(&value(b)));
    let mut ranks = vec![0.0; pairs.len()];
    let mut first = 0;
    for group in order.chunk_by(|&a, &b| value(a) == value(b)) {
        let rank = (2 * first + group.len() + 1) as f64 / 2.0;
        group.iter().for_each(|&index| ranks[index] = rank);
        first += group.len();
    }
    ranks
}
