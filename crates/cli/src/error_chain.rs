//! Errors as the program prints them.

use std::error::Error;

/// The text of an error and of all its sources, which the texts of chainrule's errors do not repeat.
pub fn text(error: &dyn Error) -> String {
    let sources = std::iter::successors(error.source(), |&error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

#[cfg(test)]
mod tests {
    use std::io;

    #[derive(Debug)]
    struct Outer(io::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the file cannot be read")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn sources_follow_the_error() {
        let error = Outer(io::Error::other("the disk is on fire"));
        assert_eq!(super::text(&error), "the file cannot be read: the disk is on fire");
    }
}
