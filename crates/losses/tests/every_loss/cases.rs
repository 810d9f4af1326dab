//! Every loss in several settings, with outputs and targets that suit it. A new loss adds its lines to the list.

use chainrule_core::{Description, Registry, register};
use chainrule_losses::{Ctc, Loss, Padded, Real, Reduced, Target, Weighted, register as register_losses};
use ndarray::Array2;

/// What a case's outputs are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum OutputKind {
    Values,
    Positive,
    Chances,
    /// Values, then positive numbers.
    MeansAndVariances,
}

/// What a case's targets are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TargetKind {
    Values,
    Positive,
    Chances,
    Labels,
    Signs,
    LogChances,
    /// A class, of which there may be more than columns.
    Group,
    /// A value for a whole row.
    OneSign,
    OneChance,
    Nothing,
}

/// A loss with what suits it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) text: &'static str,
    pub(crate) given: OutputKind,
    pub(crate) wanted: TargetKind,
    /// The number of vectors of a row.
    pub(crate) parts: usize,
}

pub(crate) const ROWS: usize = 5;
/// The number of columns of a part.
pub(crate) const COLUMNS: usize = 3;

const fn case(text: &'static str, given: OutputKind, wanted: TargetKind) -> Case {
    Case { text, given, wanted, parts: 1 }
}

const fn in_parts(parts: usize, text: &'static str, given: OutputKind, wanted: TargetKind) -> Case {
    Case { text, given, wanted, parts }
}

pub(crate) const EVERY_LOSS: &[Case] = {
    use OutputKind::{
        Chances as ChancesOut, MeansAndVariances, Positive as PositiveOut, Values as ValuesOut,
    };
    use TargetKind::*;
    &[
        case("mean_squared_error", ValuesOut, Values),
        case("mean_absolute_error", ValuesOut, Values),
        case("mean_absolute_percentage_error", ValuesOut, Values),
        case("mean_squared_logarithmic_error", PositiveOut, Positive),
        case("huber", ValuesOut, Values),
        case("huber(delta=0.3)", ValuesOut, Values),
        case("smooth_l1", ValuesOut, Values),
        case("smooth_l1(beta=0)", ValuesOut, Values),
        case("log_cosh", ValuesOut, Values),
        case("quantile(0.9)", ValuesOut, Values),
        case("cross_entropy", ValuesOut, Chances),
        case("cross_entropy(label_smoothing=0.1)", ValuesOut, Chances),
        case("cross_entropy(weight=[0.5, 2, 1])", ValuesOut, Chances),
        case("cross_entropy(ignore_index=7)", ValuesOut, Chances),
        case("cross_entropy.keras", ChancesOut, Chances),
        case("cross_entropy.keras(label_smoothing=0.1)", ChancesOut, Chances),
        case("cross_entropy.keras(weight=[0.5, 2, 1], ignore_index=7)", ChancesOut, Chances),
        case("nll", ValuesOut, Chances),
        case("nll(weight=[0.5, 2, 1], ignore_index=9)", ValuesOut, Chances),
        case("categorical_focal", ValuesOut, Chances),
        case("categorical_focal(gamma=0.5, label_smoothing=0.1)", ValuesOut, Chances),
        case("categorical_focal.keras", ChancesOut, Chances),
        case("categorical_generalized_cross_entropy", ValuesOut, Chances),
        case("categorical_generalized_cross_entropy.keras(q=0.3)", ChancesOut, Chances),
        case("poly_cross_entropy", ValuesOut, Chances),
        case("sparsemax", ValuesOut, Chances),
        case("binary_cross_entropy", ValuesOut, Chances),
        case("binary_cross_entropy(label_smoothing=0.2)", ValuesOut, Chances),
        case("binary_cross_entropy(weight=[0.5, 2, 1], pos_weight=[3, 1, 0.5])", ValuesOut, Chances),
        case("binary_cross_entropy.keras", ChancesOut, Chances),
        case("binary_cross_entropy.keras(pos_weight=[3, 1, 0.5])", ChancesOut, Chances),
        case("bce_loss", ChancesOut, Chances),
        case("bce_loss(weight=[0.5, 2, 1])", ChancesOut, Chances),
        case("binary_focal", ValuesOut, Chances),
        case("binary_focal(gamma=0.5, alpha=0.25, label_smoothing=0.1)", ValuesOut, Chances),
        case("binary_focal.keras(gamma=1.5)", ChancesOut, Chances),
        case("binary_sparsemax", ValuesOut, Chances),
        case("hinge", ValuesOut, Signs),
        case("squared_hinge", ValuesOut, Signs),
        case("categorical_hinge", ValuesOut, Chances),
        case("multiclass_hinge", ValuesOut, Chances),
        case("multi_margin", ValuesOut, Chances),
        case("multi_margin(p=2, margin=0.5, weight=[0.5, 2, 1])", ValuesOut, Chances),
        case("multi_label_margin", ValuesOut, Labels),
        case("soft_margin", ValuesOut, Signs),
        case("multi_label_soft_margin", ValuesOut, Chances),
        case("multi_label_soft_margin(weight=[0.5, 2, 1])", ValuesOut, Chances),
        case("perceptron", ValuesOut, Signs),
        case("multiclass_perceptron", ValuesOut, Chances),
        case("kl_divergence", ValuesOut, Chances),
        case("kl_divergence(mean=true, log_target=true)", ValuesOut, LogChances),
        case("kl_divergence.keras", ChancesOut, Chances),
        case("poisson", PositiveOut, Positive),
        case("poisson_nll", ValuesOut, Positive),
        case("poisson_nll(log_input=false, full=true)", PositiveOut, Positive),
        in_parts(2, "gaussian_nll", MeansAndVariances, Values),
        case("cosine_similarity", ValuesOut, Values),
        in_parts(2, "cosine_embedding(margin=-0.9)", ValuesOut, OneSign),
        case("hinge_embedding", ValuesOut, Signs),
        in_parts(2, "margin_ranking(margin=0.5)", ValuesOut, Signs),
        in_parts(2, "contrastive(margin=4)", ValuesOut, OneChance),
        in_parts(3, "triplet_margin", ValuesOut, Nothing),
        in_parts(3, "triplet_margin(p=1, swap=true, margin=5)", ValuesOut, Nothing),
        in_parts(3, "triplet_margin(p=inf, margin=5)", ValuesOut, Nothing),
        in_parts(3, "triplet_margin(p=2.5, margin=5)", ValuesOut, Nothing),
        in_parts(3, "triplet_margin_with_distance(cosine)", ValuesOut, Nothing),
        in_parts(
            3,
            "triplet_margin_with_distance(squared_euclidean, margin=5, swap=true)",
            ValuesOut,
            Nothing,
        ),
        in_parts(3, "triplet_margin_with_distance(manhattan, margin=5)", ValuesOut, Nothing),
        case("ranking_softmax", ValuesOut, Positive),
        case("nt_xent", ValuesOut, Group),
        case("nt_xent(temperature=0.5)", ValuesOut, Group),
        case("circle(gamma=3)", ChancesOut, Group),
        case("circle(gamma=3, remove_diagonal=false)", ChancesOut, Group),
        case("dice", ChancesOut, Chances),
        case("dice(over_batch=true)", ChancesOut, Chances),
        case("tversky(alpha=0.3, beta=0.6)", ChancesOut, Chances),
        case("tversky(alpha=0.3, beta=0.6, over_batch=true)", ChancesOut, Chances),
        case("reduced(huber, sum)", ValuesOut, Values),
        case("reduced(nt_xent, mean_of_rows)", ValuesOut, Group),
    ]
};

/// All losses for classes, vectors and weights of both.
pub(crate) fn registry<T: Real>() -> Registry
where
    Vec<T>: Target<T>,
{
    let mut registry = Registry::new();
    register_losses::<T, usize>(&mut registry);
    register_losses::<T, Vec<T>>(&mut registry);
    register_losses::<T, Weighted<usize>>(&mut registry);
    register_losses::<T, Weighted<Vec<T>>>(&mut registry);
    chainrule_losses::register_sequences::<T, Vec<usize>>(&mut registry);
    register!(registry, Box<dyn Loss<T, Padded<Vec<usize>>>>, Box::new;
        Ctc, Reduced<Box<dyn Loss<T, Padded<Vec<usize>>>>>);
    registry
}

/// A number from 0 to 1, without a pattern.
pub(crate) fn noise(index: usize) -> f64 {
    let bits = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let bits = (bits ^ (bits >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

impl Case {
    /// The loss for targets of this type.
    pub(crate) fn build<T: Real, Y: 'static>(&self, registry: &Registry) -> Box<dyn Loss<T, Y>> {
        let description: Description = self.text.parse().unwrap();
        registry.build(&description).unwrap_or_else(|error| panic!("{}: {error}", self.text))
    }

    /// Outputs that suit the loss, away from kinks.
    pub(crate) fn outputs(&self, rows: usize) -> Array2<f64> {
        let columns = COLUMNS * self.parts;
        Array2::from_shape_fn((rows, columns), |(row, column)| {
            let noise = 0.02 + 0.96 * noise(1000 + row * columns + column);
            match self.given {
                OutputKind::Values => 4.0 * noise - 2.0,
                OutputKind::Positive => 3.0 * noise,
                OutputKind::Chances => noise,
                OutputKind::MeansAndVariances if column < COLUMNS => 4.0 * noise - 2.0,
                OutputKind::MeansAndVariances => 0.2 + noise,
            }
        })
    }

    /// The number of classes of a row; none where a class is no target.
    pub(crate) fn classes(&self) -> Option<usize> {
        match self.wanted {
            TargetKind::Group => Some(2),
            TargetKind::Nothing | TargetKind::LogChances => None,
            TargetKind::OneChance | TargetKind::OneSign => Some(2),
            _ => Some(COLUMNS),
        }
    }

    /// Vectors that suit the loss; none where the target is a class.
    pub(crate) fn vectors(&self, rows: usize) -> Option<Vec<Vec<f64>>> {
        let width = match self.wanted {
            TargetKind::Group => return None,
            TargetKind::Nothing => 0,
            TargetKind::OneChance | TargetKind::OneSign => 1,
            _ => COLUMNS,
        };
        let value = |row: usize, column: usize| {
            let noise = noise(500_000 + row * COLUMNS + column);
            match self.wanted {
                TargetKind::Values => 4.0 * noise - 2.0,
                TargetKind::Positive => (8.0 * noise).round() / 2.0,
                TargetKind::Chances | TargetKind::OneChance => noise,
                TargetKind::Labels => noise.round(),
                TargetKind::Signs | TargetKind::OneSign => 2.0 * noise.round() - 1.0,
                TargetKind::LogChances => (0.01 + 0.99 * noise).ln(),
                TargetKind::Group | TargetKind::Nothing => unreachable!("they have no values"),
            }
        };
        Some((0..rows).map(|row| (0..width).map(|column| value(row, column)).collect()).collect())
    }

    /// Classes that suit the loss.
    pub(crate) fn class_targets(&self, rows: usize) -> Option<Vec<usize>> {
        let classes = self.classes()?;
        Some((0..rows).map(|row| (noise(900_000 + row) * classes as f64) as usize).collect())
    }
}
