//! The softmax loss of rankings.

use chainrule_core::{describe, described};
use chainrule_tensor::{Outputs, Real, Target};

use crate::classification::softmax_of_values;
use crate::{Criterion, Domain, LossPass, RowLoss, row_loss};

/// The softmax loss of rankings, `L = -Σⱼ tⱼ ln pⱼ`, where p is the softmax of the scores of the items of a list, which a row is, and t
/// is how relevant they are (ListNet, Cao et al. 2007, as optax has it: relevances are not normalised), with the gradient
/// `p Σt - t`. Targets are finite and at least 0; an item with the score -∞ does not take part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RankingSoftmax;

describe! {
    /// The cross-entropy of the scores of a list with how relevant its items are.
    RankingSoftmax = "ranking_softmax";
    aliases ["ranking_softmax_loss", "list_net"];
    formula "L = -Σ t ln softmax(y)";
    source "Cao et al. 2007";
}

impl Criterion for RankingSoftmax {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::not_negative("RankingSoftmax")
    }

    described!(validate);
}

impl RowLoss for RankingSoftmax {
    fn compute<T: Real, Y: Target<T>>(&self, pass: LossPass<'_, T, Y>) {
        softmax_of_values(pass);
    }
}

row_loss!(RankingSoftmax);
