//! The sets of vector instructions: the best one that this CPU has, and the one that is used.

use std::cmp::Ordering;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The environment variable that forces a level: `baseline`, `avx2`, `avx512` or `neon`, in small or capital letters.
pub const LEVEL_VARIABLE: &str = "CHAINRULE_ISA";

/// The sets of vector instructions that are distinguished.
///
/// One is less than another if every CPU that has the other has it too: `baseline` is less than all others, `avx2` is less than
/// `avx512`, and `neon`, which other CPUs have, is neither less nor greater than these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// Loops in plain Rust, compiled for what every CPU of this architecture has.
    Baseline = 1,
    /// x86-64 with AVX2 and FMA (Haswell, Zen).
    Avx2 = 2,
    /// x86-64 with AVX-512 F, BW, CD, DQ and VL (Skylake-X, Zen 4).
    Avx512 = 3,
    /// AArch64, which always has NEON.
    Neon = 4,
}

impl Level {
    /// All of them, those of an architecture from old to new.
    pub const ALL: [Self; 4] = [Self::Baseline, Self::Avx2, Self::Avx512, Self::Neon];

    /// What [`LEVEL_VARIABLE`] calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// The level of this name.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let is_comparable = self == other || *self == Self::Baseline || *other == Self::Baseline;
        let is_of_x86 = *self != Self::Neon && *other != Self::Neon;
        (is_comparable || is_of_x86).then(|| (*self as u8).cmp(&(*other as u8)))
    }
}

/// What is wrong with the level that [`LEVEL_VARIABLE`] forces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LevelError {
    /// There is no level of this name.
    Unknown(String),
    /// The CPU does not have this level.
    Unavailable {
        /// The level that the variable names.
        forced: Level,
        /// The best level that the CPU has.
        best: Level,
    },
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |levels: &[Level]| levels.iter().map(|level| level.name()).collect::<Vec<_>>().join(", ");
        match self {
            Self::Unknown(name) => {
                let all = names(&Level::ALL);
                write!(
                    f,
                    "{LEVEL_VARIABLE}={name} names no set of instructions: choose one of {all}, or unset it"
                )
            }
            Self::Unavailable { forced, best } => {
                let levels: Vec<_> = Level::ALL.into_iter().filter(|level| level <= best).collect();
                let (forced, available) = (forced.name(), names(&levels));
                write!(
                    f,
                    "{LEVEL_VARIABLE}={forced}: this CPU does not have it, only {available}; choose one of these, or unset it"
                )
            }
        }
    }
}

impl std::error::Error for LevelError {}

/// The level whose loops and kernels are used: the one that [`LEVEL_VARIABLE`] forces, otherwise the best that this CPU has.
///
/// The variable is read once. A library cannot refuse to start, so a name that is unknown counts as not set, and instead of a
/// level that the CPU does not have its best one is used. A program calls [`check_level`] first and says what is wrong.
#[inline]
pub fn level() -> Level {
    static USED: AtomicU8 = AtomicU8::new(0);
    cached(&USED, || {
        let best = best_level();
        check(variable().as_deref(), best).ok().flatten().unwrap_or(best)
    })
}

/// The best level that this CPU has, whatever is forced.
pub fn best_level() -> Level {
    static BEST: AtomicU8 = AtomicU8::new(0);
    cached(&BEST, detect)
}

/// The level that [`LEVEL_VARIABLE`] forces; `None` if it is not set.
///
/// # Errors
/// A level that does not exist, or that this CPU does not have.
pub fn check_level() -> Result<Option<Level>, LevelError> {
    check(variable().as_deref(), best_level())
}

/// What is kept in `level`, or else what `find` finds.
#[inline]
fn cached(level: &AtomicU8, find: fn() -> Level) -> Level {
    match level.load(Relaxed) {
        1 => Level::Baseline,
        2 => Level::Avx2,
        3 => Level::Avx512,
        4 => Level::Neon,
        _ => {
            let found = find();
            level.store(found as u8, Relaxed);
            found
        }
    }
}

/// The text of the variable, unless it is not set or empty.
fn variable() -> Option<String> {
    let value = std::env::var_os(LEVEL_VARIABLE)?;
    Some(value.to_string_lossy().into_owned()).filter(|name| !name.is_empty())
}

/// The level of this name, on a CPU whose best one is `best`.
fn check(name: Option<&str>, best: Level) -> Result<Option<Level>, LevelError> {
    let Some(name) = name else { return Ok(None) };
    match Level::from_name(name) {
        None => Err(LevelError::Unknown(name.to_owned())),
        Some(forced) if forced <= best => Ok(Some(forced)),
        Some(forced) => Err(LevelError::Unavailable { forced, best }),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    if cfg!(target_arch = "aarch64") { Level::Neon } else { Level::Baseline }
}

#[cfg(target_arch = "x86_64")]
#[cold]
fn detect() -> Level {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        Level::Baseline
    } else if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
    {
        Level::Avx512
    } else {
        Level::Avx2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_level_is_forced_by_its_name() {
        assert_eq!(check(None, Level::Avx2), Ok(None));
        for best in Level::ALL {
            for level in Level::ALL.into_iter().filter(|&level| level <= best) {
                assert_eq!(check(Some(level.name()), best), Ok(Some(level)));
                assert_eq!(check(Some(&level.name().to_uppercase()), best), Ok(Some(level)));
            }
        }
        let forced = Level::Avx512;
        let error = check(Some("avx512"), Level::Avx2).unwrap_err();
        assert_eq!(error, LevelError::Unavailable { forced, best: Level::Avx2 });
        assert!(error.to_string().contains("baseline, avx2;"), "{error}");
        for (forced, best) in [(Level::Avx2, Level::Neon), (Level::Neon, Level::Avx512)] {
            let error = check(Some(forced.name()), best).unwrap_err();
            assert_eq!(error, LevelError::Unavailable { forced, best });
        }
        let error = check(Some("avx2"), Level::Neon).unwrap_err();
        assert!(error.to_string().contains("only baseline, neon;"), "{error}");
        let error = check(Some("sse9"), Level::Avx2).unwrap_err();
        assert!(
            error.to_string().contains("CHAINRULE_ISA=sse9") && error.to_string().contains("avx512"),
            "{error}"
        );
    }

    #[test]
    fn a_level_is_less_than_those_that_have_all_of_it() {
        let [baseline, avx2, avx512, neon] = Level::ALL;
        assert!(baseline < avx2 && avx2 < avx512 && baseline < avx512 && baseline < neon);
        for level in [avx2, avx512] {
            assert_eq!((level.partial_cmp(&neon), neon.partial_cmp(&level)), (None, None));
        }
        for level in Level::ALL {
            assert_eq!(level.partial_cmp(&level), Some(Ordering::Equal));
        }
    }

    #[test]
    fn what_is_forced_is_used() {
        let right = check_level().ok().flatten().unwrap_or(best_level());
        assert_eq!(level(), right);
    }

    /// All unit tests of this crate once more, at each level below the one that they run at anyway.
    #[test]
    fn the_tests_pass_at_every_level() {
        if cfg!(miri) || variable().is_some() {
            return;
        }
        for level in Level::ALL.into_iter().filter(|&level| level < best_level()) {
            let mut tests = Command::new(std::env::current_exe().unwrap());
            let output = tests.env(LEVEL_VARIABLE, level.name()).arg("--quiet").output().unwrap();
            assert!(output.status.success(), "{level:?}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}
