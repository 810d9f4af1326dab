//! The targets of the figures, by the instructions of the CPU; those of two threads are for cores that share a cache.

use std::fmt;

use chainrule::tensor::simd::Level;

use super::measure::Figure;

/// The targets of one workload: shares and ratios, which carry over to other machines of this kind, or a time where a step is
/// nothing but overhead.
struct Target {
    workload: &'static str,
    /// The minimum share of the sgemm peak on one thread.
    share: ByLevel,
    /// The maximum ratio to the baseline on one thread, where columns of zeros are left out: then the share says less.
    ratio: Option<f64>,
    /// The maximum of microseconds per step, on one thread.
    microseconds: ByLevel,
    /// The minimum speedup of two threads over one.
    speedup: Option<f64>,
}

/// A bound for each of the levels that have targets.
#[derive(Clone, Copy)]
struct ByLevel {
    avx2: Option<f64>,
    avx512: Option<f64>,
}

impl ByLevel {
    const NONE: Self = Self { avx2: None, avx512: None };

    const fn new(avx2: f64, avx512: f64) -> Self {
        Self { avx2: Some(avx2), avx512: Some(avx512) }
    }

    /// For the level that the figure was measured at.
    fn of(self, figure: &Figure) -> Option<f64> {
        let is = |level: Level| figure.instructions == level.name();
        if is(Level::Avx512) {
            return self.avx512;
        }
        self.avx2.filter(|_| is(Level::Avx2))
    }
}

impl Target {
    const fn new(workload: &'static str, avx2: f64, avx512: f64, speedup: f64) -> Self {
        let share = ByLevel::new(avx2, avx512);
        Self { workload, share, ratio: None, microseconds: ByLevel::NONE, speedup: Some(speedup) }
    }

    const fn ratio(self, most: f64) -> Self {
        Self { ratio: Some(most), ..self }
    }
}

const TARGETS: [Target; 8] = [
    Target::new("mlp32", 0.65, 0.70, 1.4).ratio(0.85),
    Target::new("mlp128", 0.78, 0.80, 1.7).ratio(1.2),
    Target::new("wide128", 0.85, 0.88, 1.85).ratio(1.12),
    Target::new("lenet64", 0.50, 0.62, 1.85),
    Target::new("lstm64", 0.75, 0.80, 1.9),
    Target::new("transformer64", 0.55, 0.62, 1.9),
    Target::new("resnet64", 0.50, 0.55, 1.85),
    Target {
        workload: "tiny",
        share: ByLevel::NONE,
        ratio: None,
        microseconds: ByLevel::new(5.0, 2.7),
        speedup: None,
    },
];

/// The verdict on a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The figure has no target.
    None,
    /// There is a target that cannot be checked: the baseline is not valid, or one thread was not measured.
    Unknown(&'static str),
    /// Whether the value is within the bound.
    Judged { met: bool, value: f64, bound: f64, unit: Unit },
    /// The speedup on cores that share no cache: the targets are for cores that do.
    Far(f64),
}

/// The unit of a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unit {
    OfThePeak,
    Baselines,
    Microseconds,
    Speedup,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (met, value, bound, unit) = match *self {
            Self::None => return Ok(()),
            Self::Unknown(why) => return f.write_str(why),
            Self::Far(value) => return write!(f, "{value:.2} times 1 thread, without a shared cache"),
            Self::Judged { met, value, bound, unit } => (met, value, bound, unit),
        };
        match unit {
            Unit::OfThePeak => {
                write!(f, "{:.1} % of the peak, at least {:.0} %: ", 100.0 * value, 100.0 * bound)
            }
            Unit::Baselines => write!(f, "{value:.3} baselines, at most {bound:.2}: "),
            Unit::Microseconds => write!(f, "{value:.2} us, at most {bound:.1}: "),
            Unit::Speedup => write!(f, "{value:.2} times 1 thread, at least {bound:.1}: "),
        }?;
        f.write_str(if met { "met" } else { "NOT MET" })
    }
}

/// Checks a figure against its target.
pub(crate) fn judge(figure: &Figure) -> Verdict {
    let Some(target) = TARGETS.iter().find(|target| target.workload == figure.workload) else {
        return Verdict::None;
    };
    match (figure.threads, figure.speedup) {
        (1, _) => judge_one_thread(figure, target),
        (2, None) => Verdict::Unknown("1 thread was not measured"),
        (2, Some(value)) => match target.speedup {
            None => Verdict::None,
            Some(_) if figure.cores_are_far() => Verdict::Far(value),
            Some(bound) => Verdict::Judged { met: value >= bound, value, bound, unit: Unit::Speedup },
        },
        _ => Verdict::None,
    }
}

fn judge_one_thread(figure: &Figure, target: &Target) -> Verdict {
    let &Figure { ratio, used_columns, peak_share, ours_us, baseline_valid, .. } = figure;
    if let Some(bound) = target.microseconds.of(figure) {
        return at_most(ours_us, bound, Unit::Microseconds);
    }
    // The peak is that of the BLAS as well.
    match (target.ratio, target.share.of(figure)) {
        (None, None) => Verdict::None,
        _ if !baseline_valid => Verdict::Unknown("no valid baseline"),
        (Some(bound), _) if used_columns < 1.0 => at_most(ratio, bound, Unit::Baselines),
        (_, Some(bound)) => {
            Verdict::Judged { met: peak_share >= bound, value: peak_share, bound, unit: Unit::OfThePeak }
        }
        (_, None) => Verdict::None,
    }
}

fn at_most(value: f64, bound: f64, unit: Unit) -> Verdict {
    Verdict::Judged { met: value <= bound, value, bound, unit }
}

/// What is wrong with a figure beyond all noise: a step that allocates, or in both the medians and the fastest rounds a ratio of more
/// than twice its target, or a share of less than half.
pub(crate) fn failure(figure: &Figure) -> Option<String> {
    let Figure { workload, threads, allocations, best_ratio, best_share, .. } = figure;
    if *allocations > 0.0 {
        return Some(format!(
            "{workload} on {threads} threads: {allocations} allocations per step, where 0 are allowed"
        ));
    }
    let Verdict::Judged { value, bound, unit, .. } = judge(figure) else { return None };
    match unit {
        Unit::Baselines => {
            let ratio = value.min(*best_ratio);
            let too_much = value.is_nan() || ratio > 2.0 * bound;
            too_much.then(|| {
                format!(
                    "{workload} on {threads} threads: {ratio:.2} times the baseline, more than twice the target of {bound:.2}"
                )
            })
        }
        Unit::OfThePeak => {
            let share = value.max(*best_share);
            let too_little = value.is_nan() || share < bound / 2.0;
            too_little.then(|| {
                let [share, bound] = [share, bound].map(|share| 100.0 * share);
                format!(
                    "{workload} on {threads} threads: {share:.1} % of the sgemm peak, less than half the target of {bound:.0} %"
                )
            })
        }
        Unit::Microseconds | Unit::Speedup => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(workload: &str, threads: usize, ratio: f64) -> Figure {
        Figure {
            workload: workload.to_owned(),
            threads,
            ratio,
            best_ratio: ratio,
            used_columns: 0.6,
            baseline_valid: true,
            instructions: Level::Avx512.name(),
            ..Figure::default()
        }
    }

    /// On one thread, with no column left out.
    fn dense(workload: &str, level: Level, share: f64) -> Figure {
        Figure {
            used_columns: 1.0,
            peak_share: share,
            best_share: share,
            instructions: level.name(),
            ..figure(workload, 1, 1.0)
        }
    }

    #[test]
    fn marks_are_met_or_not() {
        assert_eq!(judge(&figure("mlp32", 1, 0.85)).to_string(), "0.850 baselines, at most 0.85: met");
        assert!(judge(&figure("mlp32", 1, 0.86)).to_string().ends_with("NOT MET"));
        assert!(judge(&figure("mlp32", 1, f64::NAN)).to_string().ends_with("NOT MET"));
        let mut two = figure("mlp32", 2, 9.0);
        assert_eq!(judge(&two), Verdict::Unknown("1 thread was not measured"));
        two.speedup = Some(1.5);
        assert_eq!(judge(&two).to_string(), "1.50 times 1 thread, at least 1.4: met");
        two.core_latency_ns = Some(200.0);
        assert_eq!(judge(&two).to_string(), "1.50 times 1 thread, without a shared cache");
        two.core_latency_ns = Some(25.0);
        assert!(judge(&two).to_string().ends_with("1.4: met"));
        let tiny = Figure { ours_us: 2.8, ..figure("tiny", 1, 2.6) };
        assert_eq!(judge(&tiny).to_string(), "2.80 us, at most 2.7: NOT MET");
        assert_eq!(judge(&figure("another", 1, 9.0)), Verdict::None);
        let old_kernel = Figure { baseline_valid: false, ..figure("mlp32", 1, 0.5) };
        assert_eq!(judge(&old_kernel), Verdict::Unknown("no valid baseline"));
    }

    #[test]
    fn shares_of_the_peak_have_marks_by_level() {
        let shown = |level, share| judge(&dense("mlp32", level, share)).to_string();
        assert_eq!(shown(Level::Avx512, 0.7), "70.0 % of the peak, at least 70 %: met");
        assert_eq!(shown(Level::Avx512, 0.69), "69.0 % of the peak, at least 70 %: NOT MET");
        assert_eq!(shown(Level::Avx2, 0.66), "66.0 % of the peak, at least 65 %: met");
        for level in [Level::Baseline, Level::Neon] {
            assert_eq!(judge(&dense("lenet64", level, 0.1)), Verdict::None);
            assert_eq!(failure(&dense("lenet64", level, 0.1)), None);
        }
        assert_eq!(failure(&dense("lenet64", Level::Avx512, 0.32)), None);
        assert!(failure(&dense("lenet64", Level::Avx512, 0.3)).unwrap().contains("30.0 % of the sgemm peak"));
        assert_eq!(failure(&Figure { best_share: 0.4, ..dense("lenet64", Level::Avx512, 0.3) }), None);
        assert!(failure(&dense("lenet64", Level::Avx2, f64::NAN)).is_some());
    }

    #[test]
    fn only_what_cannot_be_noise_fails() {
        assert_eq!(failure(&figure("mlp32", 1, 1.69)), None);
        assert!(failure(&figure("mlp32", 1, 1.71)).unwrap().contains("twice the target of 0.85"));
        let disturbed = Figure { best_ratio: 1.2, ..figure("mlp32", 1, 5.0) };
        assert_eq!(failure(&disturbed), None);
        assert!(failure(&figure("mlp32", 1, f64::NAN)).is_some());
        assert_eq!(failure(&figure("mlp32", 2, 30.0)), None);
        assert_eq!(failure(&Figure { ours_us: 100.0, ..figure("tiny", 1, 80.0) }), None);
        let allocates = Figure { allocations: 0.5, ..figure("tiny", 2, 1.0) };
        assert!(failure(&allocates).unwrap().contains("0.5 allocations per step"));
    }
}
