//! Random values whose variance depends on the fans.

use chainrule_core::{Initializer, ParamSpec, Range, describe, described, setting_words};
use chainrule_tensor::Seed;

use super::{Normal, TruncatedNormal, Uniform};

/// Random with mean 0 and variance `scale / n`, `n` the fan-in, the fan-out or their mean.
///
/// Glorot's rule (also Xavier's) preserves the variance of activations and gradients through linear layers, He's (also Kaiming's)
/// through rectified ones, LeCun's through self-normalising ones; [`gain`](super::gain) has the factors for others. As in PyTorch,
/// the tails of the normal distribution are kept; Keras truncates them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VarianceScaling {
    scale: f64,
    fan: Fan,
    distribution: Distribution,
}

describe! {
    /// Random with mean 0 and a variance that depends on the number of inputs or outputs.
    VarianceScaling = "variance_scaling";
    formula "variance = scale / n";
    settings {
        /// The factor of the variance.
        scale: 1.0, Range::NOT_NEGATIVE;
        /// What the variance is divided by: `fan_in`, `fan_out`, or `fan_avg`, their mean.
        fan ("mode"): fan_in;
        /// `normal`, `truncated_normal` at two deviations, or `uniform`.
        distribution: normal;
    }
    presets { keras { distribution = truncated_normal } }
}

/// What the variance is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// The number of inputs that an output sums over: preserves the variance of the values.
    In,
    /// The number of outputs that an input contributes to: preserves the variance of the gradients.
    Out,
    /// The mean of both.
    Mean,
}

/// How the values are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Normal, not truncated.
    Normal,
    /// Normal, truncated at two deviations and scaled so that the truncated distribution has the variance: Keras' normal.
    TruncatedNormal,
    /// Uniform in `±√(3 scale / n)`.
    Uniform,
}

impl VarianceScaling {
    /// Normal, with this scale over the fan-in.
    pub const fn new(scale: f64) -> Self {
        Self { scale, fan: Fan::In, distribution: Distribution::Normal }
    }

    /// As [`new`](Self::new), truncated at two deviations: the defaults of Keras' `VarianceScaling`.
    pub const fn keras(scale: f64) -> Self {
        Self::new(scale).distribution(Distribution::TruncatedNormal)
    }

    /// Sets the fan.
    #[must_use]
    pub const fn fan(self, fan: Fan) -> Self {
        Self { fan, ..self }
    }

    /// Sets the distribution.
    #[must_use]
    pub const fn distribution(self, distribution: Distribution) -> Self {
        Self { distribution, ..self }
    }

    /// Multiplies the values by a gain for the activation that follows: see [`gain`](super::gain).
    #[must_use]
    pub const fn gain(self, gain: f64) -> Self {
        Self { scale: self.scale * gain * gain, ..self }
    }
}

/// The standard deviation of a standard normal distribution truncated at -2 and 2.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

impl Initializer for VarianceScaling {
    fn fill(&self, spec: ParamSpec, seed: Seed, values: &mut [f64]) {
        let fan_in = spec.fan_in as f64;
        let fan_out = spec.fan_out as f64;
        let n = match self.fan {
            Fan::In => fan_in,
            Fan::Out => fan_out,
            Fan::Mean => 0.5 * (fan_in + fan_out),
        };
        match self.distribution {
            Distribution::Normal => Normal::new(0.0, (self.scale / n).sqrt()).fill(spec, seed, values),
            Distribution::TruncatedNormal => {
                TruncatedNormal::keras(0.0, (self.scale / n).sqrt() / TRUNCATED_DEVIATION)
                    .fill(spec, seed, values);
            }
            Distribution::Uniform => {
                let limit = (3.0 * self.scale / n).sqrt();
                Uniform::new(-limit, limit).fill(spec, seed, values);
            }
        }
    }

    described!();
}

setting_words!(Fan { In = "fan_in", Out = "fan_out", Mean = "fan_avg" });
setting_words!(Distribution { Normal = "normal", TruncatedNormal = "truncated_normal", Uniform = "uniform" });

/// Rules with a name of their own.
macro_rules! named {
    ($(
        #[doc = $doc:literal]
        $name:ident = $text:literal [$($alias:literal),*], $scale:expr, $fan:ident, $distribution:ident;
    )*) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name;

        impl $name {
            /// The general rule, to change its gain, fan or distribution.
            pub const fn scaling(self) -> VarianceScaling {
                VarianceScaling::new($scale).fan(Fan::$fan).distribution(Distribution::$distribution)
            }
        }

        describe! {
            #[doc = $doc]
            $name = $text;
            aliases [$($alias),*];
        }

        impl Initializer for $name {
            fn fill(&self, spec: ParamSpec, seed: Seed, values: &mut [f64]) {
                self.scaling().fill(spec, seed, values);
            }

            described!();
        }
    )*};
}

named! {
    /// Uniform in `±1/√fan_in`, the default of PyTorch's `Linear` and convolutions.
    FanInUniform = "fan_in_uniform" [], 1.0 / 3.0, In, Uniform;
    /// Uniform in `±√(6 / (fan_in + fan_out))` (Glorot and Bengio 2010); the default of Keras' layers.
    GlorotUniform = "glorot_uniform" ["xavier_uniform"], 1.0, Mean, Uniform;
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010).
    GlorotNormal = "glorot_normal" ["xavier_normal"], 1.0, Mean, Normal;
    /// Uniform in `±√(6 / fan_in)` (He et al. 2015), for layers followed by ReLU.
    HeUniform = "he_uniform" ["kaiming_uniform"], 2.0, In, Uniform;
    /// Normal with variance `2 / fan_in` (He et al. 2015), for layers followed by ReLU.
    HeNormal = "he_normal" ["kaiming_normal"], 2.0, In, Normal;
    /// Uniform in `±√(3 / fan_in)` (LeCun et al. 1998).
    LecunUniform = "lecun_uniform" [], 1.0, In, Uniform;
    /// Normal with variance `1 / fan_in` (LeCun et al. 1998).
    LecunNormal = "lecun_normal" [], 1.0, In, Normal;
}

macro_rules! keras {
    ($($name:ident)*) => {$(
        impl $name {
            /// The same variance with truncated tails, as in Keras.
            pub const fn keras() -> VarianceScaling {
                $name.scaling().distribution(Distribution::TruncatedNormal)
            }
        }
    )*};
}
keras!(GlorotNormal HeNormal LecunNormal);
