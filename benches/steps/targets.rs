//! The targets of the figures, for a machine with AVX-512 and two cores that share a cache.

use std::fmt;

use super::measure::Figure;

/// The targets of one workload: ratios, which carry over to other machines of this kind, or a time where a step is nothing
/// but overhead.
struct Target {
    workload: &'static str,
    /// The maximum ratio to the baseline, on one thread.
    ratio: Option<f64>,
    /// The maximum of microseconds per step, on one thread.
    microseconds: Option<f64>,
    /// The minimum speedup of two threads over one.
    speedup: Option<f64>,
}

const TARGETS: [Target; 5] = [
    Target { workload: "mlp32", ratio: Some(0.85), microseconds: None, speedup: Some(1.4) },
    Target { workload: "mlp128", ratio: Some(1.20), microseconds: None, speedup: Some(1.6) },
    Target { workload: "wide128", ratio: Some(1.12), microseconds: None, speedup: Some(1.7) },
    Target { workload: "lenet64", ratio: Some(1.40), microseconds: None, speedup: Some(1.7) },
    Target { workload: "tiny", ratio: None, microseconds: Some(3.0), speedup: None },
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
    match (figure.threads, target) {
        (1, Target { ratio: Some(_), .. }) if !figure.baseline_valid => Verdict::Unknown("no valid baseline"),
        (1, &Target { ratio: Some(bound), .. }) => at_most(figure.ratio, bound, Unit::Baselines),
        (1, &Target { microseconds: Some(bound), .. }) => at_most(figure.ours_us, bound, Unit::Microseconds),
        (2, &Target { speedup: Some(bound), .. }) => match figure.speedup {
            Some(value) if figure.cores_are_far() => Verdict::Far(value),
            Some(value) => Verdict::Judged { met: value >= bound, value, bound, unit: Unit::Speedup },
            None => Verdict::Unknown("1 thread was not measured"),
        },
        _ => Verdict::None,
    }
}

fn at_most(value: f64, bound: f64, unit: Unit) -> Verdict {
    Verdict::Judged { met: value <= bound, value, bound, unit }
}

/// What is wrong with a figure beyond all noise: a step that allocates, or a ratio of more than twice its target in both
/// the medians and the fastest rounds.
pub(crate) fn failure(figure: &Figure) -> Option<String> {
    let Figure { workload, threads, allocations, best_ratio, .. } = figure;
    if *allocations > 0.0 {
        return Some(format!(
            "{workload} on {threads} threads: {allocations} allocations per step, where 0 are allowed"
        ));
    }
    match judge(figure) {
        Verdict::Judged { value, bound, unit: Unit::Baselines, .. } => {
            let ratio = value.min(*best_ratio);
            let too_much = value.is_nan() || ratio > 2.0 * bound;
            too_much.then(|| {
                format!(
                    "{workload} on {threads} threads: {ratio:.2} times the baseline, more than twice the target of {bound:.2}"
                )
            })
        }
        _ => None,
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
            baseline_valid: true,
            ..Figure::default()
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
        let tiny = Figure { ours_us: 3.1, ..figure("tiny", 1, 2.6) };
        assert_eq!(judge(&tiny).to_string(), "3.10 us, at most 3.0: NOT MET");
        assert_eq!(judge(&figure("another", 1, 9.0)), Verdict::None);
        let old_kernel = Figure { baseline_valid: false, ..figure("mlp32", 1, 0.5) };
        assert_eq!(judge(&old_kernel), Verdict::Unknown("no valid baseline"));
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
