//! What the figures are to reach, on a machine with AVX-512 and two cores with a common cache.

use std::fmt;

use super::measure::Figure;

/// The marks of one work. They are for ratios, which carry over to other machines of this kind; only where a step is
/// all overhead there is a time.
struct Mark {
    work: &'static str,
    /// At most so many times the floor, on one thread.
    ratio: Option<f64>,
    /// At most so many microseconds a step, on one thread.
    microseconds: Option<f64>,
    /// On two threads at least so many times as fast as on one.
    speedup: Option<f64>,
}

const MARKS: [Mark; 5] = [
    Mark { work: "mlp32", ratio: Some(1.10), microseconds: None, speedup: Some(1.4) },
    Mark { work: "mlp128", ratio: Some(1.20), microseconds: None, speedup: Some(1.6) },
    Mark { work: "wide128", ratio: Some(1.12), microseconds: None, speedup: Some(1.7) },
    Mark { work: "lenet64", ratio: Some(1.40), microseconds: None, speedup: Some(1.7) },
    Mark { work: "tiny", ratio: None, microseconds: Some(3.0), speedup: None },
];

/// A figure beside its mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing is asked of this figure.
    None,
    /// There is a mark, but nothing to hold against it: the floor is none, or one thread was not measured.
    Unknown(&'static str),
    /// Met or not, and the mark in words.
    Judged { met: bool, value: f64, bound: f64, unit: Unit },
    /// Times as fast as on one thread, where the cores have no cache in common: the marks are for those that have.
    Far(f64),
}

/// What a mark counts in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unit {
    Floors,
    Microseconds,
    Speedup,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (met, value, bound, unit) = match *self {
            Self::None => return Ok(()),
            Self::Unknown(why) => return f.write_str(why),
            Self::Far(value) => return write!(f, "{value:.2} times 1 thread, without a common cache"),
            Self::Judged { met, value, bound, unit } => (met, value, bound, unit),
        };
        match unit {
            Unit::Floors => write!(f, "{value:.3} floors, at most {bound:.2}: "),
            Unit::Microseconds => write!(f, "{value:.2} us, at most {bound:.1}: "),
            Unit::Speedup => write!(f, "{value:.2} times 1 thread, at least {bound:.1}: "),
        }?;
        f.write_str(if met { "met" } else { "NOT MET" })
    }
}

/// Holds a figure against its mark.
pub(crate) fn judge(figure: &Figure) -> Verdict {
    let Some(mark) = MARKS.iter().find(|mark| mark.work == figure.work) else { return Verdict::None };
    match (figure.threads, mark) {
        (1, Mark { ratio: Some(_), .. }) if !figure.floor_holds => Verdict::Unknown("no floor to judge by"),
        (1, &Mark { ratio: Some(bound), .. }) => at_most(figure.ratio, bound, Unit::Floors),
        (1, &Mark { microseconds: Some(bound), .. }) => at_most(figure.ours_us, bound, Unit::Microseconds),
        (2, &Mark { speedup: Some(bound), .. }) => match figure.speedup {
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

/// What is wrong with a figure beyond all noise: a step that allocates, or a ratio above twice its mark, in the medians
/// and in the fastest rounds.
pub(crate) fn failure(figure: &Figure) -> Option<String> {
    let Figure { work, threads, allocations, best_ratio, .. } = figure;
    if *allocations > 0.0 {
        return Some(format!(
            "{work} on {threads} threads: {allocations} allocations a step, where 0 are allowed"
        ));
    }
    match judge(figure) {
        Verdict::Judged { value, bound, unit: Unit::Floors, .. } => {
            let least = value.min(*best_ratio);
            let too_much = value.is_nan() || least > 2.0 * bound;
            too_much.then(|| {
                format!(
                    "{work} on {threads} threads: {least:.2} times the floor, more than twice the mark of {bound:.2}"
                )
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(work: &str, threads: usize, ratio: f64) -> Figure {
        Figure {
            work: work.to_owned(),
            threads,
            ratio,
            best_ratio: ratio,
            floor_holds: true,
            ..Figure::default()
        }
    }

    #[test]
    fn marks_are_met_or_not() {
        assert_eq!(judge(&figure("mlp32", 1, 1.1)).to_string(), "1.100 floors, at most 1.10: met");
        assert!(judge(&figure("mlp32", 1, 1.11)).to_string().ends_with("NOT MET"));
        assert!(judge(&figure("mlp32", 1, f64::NAN)).to_string().ends_with("NOT MET"));
        let mut two = figure("mlp32", 2, 9.0);
        assert_eq!(judge(&two), Verdict::Unknown("1 thread was not measured"));
        two.speedup = Some(1.5);
        assert_eq!(judge(&two).to_string(), "1.50 times 1 thread, at least 1.4: met");
        two.core_to_core_ns = Some(200.0);
        assert_eq!(judge(&two).to_string(), "1.50 times 1 thread, without a common cache");
        two.core_to_core_ns = Some(25.0);
        assert!(judge(&two).to_string().ends_with("1.4: met"));
        let tiny = Figure { ours_us: 3.1, ..figure("tiny", 1, 2.6) };
        assert_eq!(judge(&tiny).to_string(), "3.10 us, at most 3.0: NOT MET");
        assert_eq!(judge(&figure("another", 1, 9.0)), Verdict::None);
        let old_kernel = Figure { floor_holds: false, ..figure("mlp32", 1, 0.5) };
        assert_eq!(judge(&old_kernel), Verdict::Unknown("no floor to judge by"));
    }

    #[test]
    fn only_what_cannot_be_noise_fails() {
        assert_eq!(failure(&figure("mlp32", 1, 2.19)), None);
        assert!(failure(&figure("mlp32", 1, 2.21)).unwrap().contains("twice the mark of 1.10"));
        let disturbed = Figure { best_ratio: 1.2, ..figure("mlp32", 1, 5.0) };
        assert_eq!(failure(&disturbed), None);
        assert!(failure(&figure("mlp32", 1, f64::NAN)).is_some());
        assert_eq!(failure(&figure("mlp32", 2, 30.0)), None);
        assert_eq!(failure(&Figure { ours_us: 100.0, ..figure("tiny", 1, 80.0) }), None);
        let allocates = Figure { allocations: 0.5, ..figure("tiny", 2, 1.0) };
        assert!(failure(&allocates).unwrap().contains("0.5 allocations a step"));
    }
}
