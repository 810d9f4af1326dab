//! The Dice coefficient.

use super::accuracy::ratio;
use super::definition::averaged;
use crate::OneClass;

averaged! {
    /// The Dice coefficient: twice the samples that are of a class and were taken for it, over those of both sets.
    Dice = "dice";
    aliases ["dice_score", "sorensen_dice"];
    formula "2 tp / (2 tp + fp + fn)";
    source "Dice 1945";
    settings {}
    |_, OneClass { true_positives, false_positives, false_negatives, .. }| {
        let both = 2.0 * true_positives + false_positives + false_negatives;
        ratio(2.0 * true_positives, both, "no sample is of the class or was taken for it")
    }
}
