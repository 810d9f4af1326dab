//! Optimizers by name.

use chainrule_core::{Description, DescriptionError, Kind, Registry, register};

use crate::*;

impl<T: Real> Kind for Box<dyn UpdateRule<T>> {
    const KIND: &'static str = "optimizer";
    const KINDS: &'static str = "optimizers";

    fn description(&self) -> Description {
        (**self).description()
    }

    /// `clip_by_global_norm(1.0) then adam` is the first, then the second.
    fn chain(parts: &[Description], registry: &Registry) -> Result<Self, DescriptionError> {
        let parts: Vec<Self> = parts.iter().map(|part| registry.build(part)).collect::<Result<_, _>>()?;
        let chain = parts.into_iter().reduce(|first, second| Box::new((first, second)));
        chain.ok_or(DescriptionError::Chain { kind: Self::KIND })
    }
}

/// Registers the optimizers and stages of this crate, for parameters of one type.
///
/// A program that calls it compiles all of them; with the feature `registry`, those of `f32` have been compiled with this crate.
pub fn register_optimizers<T: Real>(registry: &mut Registry) {
    #[cfg(feature = "registry")]
    if const { size_of::<T>() == size_of::<f32>() } {
        return register_single(registry);
    }
    register_of::<T>(registry);
}

#[cfg(feature = "registry")]
#[inline(never)]
fn register_single(registry: &mut Registry) {
    register_of::<f32>(registry);
}

fn register_of<T: Real>(registry: &mut Registry) {
    register!(
        *registry, Box<dyn UpdateRule<T>>, Box::new;
        Sgd,
        Adam,
        AdamW,
        RmsProp,
        Adadelta,
        Adagrad,
        Adamax,
        AdamaxW,
        Amsgrad,
        Nadam,
        NadamW,
        Radam,
        AdaBelief,
        Yogi,
        Lion,
        Adan,
        AcProp,
        AdEmaMix,
        SimplifiedAdEmaMix,
        Adopt,
        Madgrad,
        Ftrl,
        Rprop,
        Asgd,
        SignSgd,
        Signum,
        OptimisticSgd,
        OptimisticAdam,
        NoisySgd,
        Sm3,
        Sophia,
        Lars,
        Lamb,
        NovoGrad,
        Fromage,
        Adafactor,
        Muon,
        Shampoo,
        Soap,
        Kfac,
        Lbfgs,
        Sam,
        Dog,
        Dowg,
        DAdaptAdamW,
        Prodigy,
        Cocob,
        Mechanic<T>,
        Momo,
        PolyakSgd,
        ClipByGlobalNorm,
        ClipByValue,
        ClipByNorm,
        AdaptiveClip,
        WeightDecay,
        L1L2,
        OrthogonalPenalty,
        MaxNorm,
        MinMaxNorm,
        UnitNorm,
        NonNegative,
        Ema,
        Swa,
        Lookahead,
        ScheduleFreeAdamW,
        ScheduleFreeSgd,
        Groups<T>,
        FrozenParameters,
    );
}
