//! `--blas NAME`: which BLAS the program is built with.

use crate::{Stop, nearest::nearest};

/// The features of the programs that choose a BLAS, the default first, and last `none` for none of them.
const NAMES: [&str; 6] = ["openblas", "openblas-static", "intel-mkl", "accelerate", "netlib", "none"];

/// A choice of BLAS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BlasChoice(&'static str);

impl BlasChoice {
    /// The system's OpenBLAS, the choice of the default features.
    pub(crate) const SYSTEM_OPENBLAS: Self = Self(NAMES[0]);
    /// Our own kernels.
    pub(crate) const NONE: Self = Self(NAMES[5]);

    /// Takes `--blas NAME` or `--blas=NAME` out of the arguments; `None` without one. The last one counts.
    pub(crate) fn take(arguments: &[String]) -> Result<(Option<Self>, Vec<String>), Stop> {
        let mut chosen = None;
        let mut rest = Vec::new();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument == "--blas" {
                chosen = Some(Self::named(arguments.next().map_or("", String::as_str))?);
            } else if let Some(name) = argument.strip_prefix("--blas=") {
                chosen = Some(Self::named(name)?);
            } else {
                rest.push(argument.clone());
            }
        }
        Ok((chosen, rest))
    }

    fn named(name: &str) -> Result<Self, Stop> {
        if let Some(known) = NAMES.into_iter().find(|known| *known == name) {
            return Ok(Self(known));
        }
        let known = NAMES.join(", ");
        Err(Stop::Usage(if name.is_empty() {
            format!("--blas needs a name: {known}.")
        } else {
            format!("there is no BLAS `{name}`; the nearest is `{}`, of {known}.", nearest(name, &NAMES))
        }))
    }

    /// The arguments for cargo; none for the default.
    pub(crate) fn cargo_arguments(self) -> Vec<&'static str> {
        match self {
            Self::SYSTEM_OPENBLAS => vec![],
            Self::NONE => vec!["--no-default-features"],
            Self(feature) => vec!["--no-default-features", "--features", feature],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(arguments: &[&str]) -> Result<(Option<BlasChoice>, Vec<String>), Stop> {
        BlasChoice::take(&arguments.iter().map(|a| a.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn both_spellings_are_consumed() {
        for spelling in [
            &["--lr", "0.1", "--blas", "none", "--seed", "1"][..],
            &["--blas=none", "--lr", "0.1", "--seed", "1"],
        ] {
            let (blas, rest) = take(spelling).unwrap();
            assert_eq!(blas, Some(BlasChoice::NONE));
            assert_eq!(rest, ["--lr", "0.1", "--seed", "1"]);
        }
        assert_eq!(take(&["--seed", "1"]).unwrap().0, None);
    }

    #[test]
    fn a_choice_becomes_features() {
        assert!(BlasChoice::SYSTEM_OPENBLAS.cargo_arguments().is_empty());
        assert_eq!(BlasChoice::NONE.cargo_arguments(), ["--no-default-features"]);
        let netlib = BlasChoice::named("netlib").unwrap().cargo_arguments();
        assert_eq!(netlib, ["--no-default-features", "--features", "netlib"]);
    }

    #[test]
    fn an_unknown_or_missing_name_is_a_usage_error() {
        let Err(Stop::Usage(message)) = take(&["--blas", "intel-mlk"]) else { panic!() };
        assert!(message.contains("the nearest is `intel-mkl`"), "{message}");
        let Err(Stop::Usage(message)) = take(&["--blas"]) else { panic!() };
        assert!(message.contains("needs a name"), "{message}");
    }
}
