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
pub fn register_optimizers<T: Real>(registry: &mut Registry) {
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
