//! Names of tensors that are changed while they are read.

/// A pattern of names, and what they become.
///
/// In the pattern each `*` stands for any characters, as few as possible, and in the replacement the first `*` for those of the first,
/// and so on. A pattern without `*` is a whole name.
///
/// ```
/// use chainrule_interop::Rename;
/// let rename = Rename::new("encoder.*.fc*.weight", "*.dense.*.weight")?;
/// assert_eq!(rename.apply("encoder.0.fc1.weight").as_deref(), Some("0.dense.1.weight"));
/// assert_eq!(rename.apply("decoder.0.fc1.weight"), None);
/// # Ok::<(), chainrule_interop::RenameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// What stands between the stars of the pattern.
    pattern: Vec<String>,
    replacement: Vec<String>,
}

impl Rename {
    /// Names like `pattern` become names like `replacement`.
    ///
    /// # Errors
    ///
    /// [`RenameError`] if the replacement has more stars than the pattern.
    pub fn new(pattern: &str, replacement: &str) -> Result<Self, RenameError> {
        let parts = |text: &str| text.split('*').map(str::to_owned).collect::<Vec<_>>();
        let (pattern, replacement) = (parts(pattern), parts(replacement));
        if replacement.len() > pattern.len() {
            return Err(RenameError { pattern: pattern.join("*"), replacement: replacement.join("*") });
        }
        Ok(Self { pattern, replacement })
    }

    /// What a name becomes, if the pattern matches it.
    pub fn apply(&self, name: &str) -> Option<String> {
        let (first, rest) = self.pattern.split_first()?;
        let mut left = name.strip_prefix(first.as_str())?;
        let mut stars = Vec::new();
        for (index, part) in rest.iter().enumerate() {
            // The last part has to be the end of the name.
            let last = index + 1 == rest.len();
            let at = if last {
                left.ends_with(part.as_str()).then(|| left.len() - part.len())
            } else {
                left.find(part.as_str())
            };
            let at = at?;
            stars.push(&left[..at]);
            left = &left[at + part.len()..];
        }
        if !left.is_empty() {
            return None;
        }
        let mut renamed = String::new();
        for (index, part) in self.replacement.iter().enumerate() {
            if let Some(before) = index.checked_sub(1) {
                renamed.push_str(stars[before]);
            }
            renamed.push_str(part);
        }
        Some(renamed)
    }
}

/// A replacement with more stars than its pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{replacement}` has more `*` than `{pattern}`, so nothing is known to stand for the last of them")]
pub struct RenameError {
    /// The pattern.
    pub pattern: String,
    /// The replacement.
    pub replacement: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_match_are_changed() {
        for (pattern, replacement, name, renamed) in [
            ("a.weight", "b.weight", "a.weight", Some("b.weight")),
            ("a.weight", "b.weight", "a.weight2", None),
            ("*", "model.*", "0.bias", Some("model.0.bias")),
            ("module.*", "*", "module.0.bias", Some("0.bias")),
            ("*.gamma", "*.weight", "1.gamma", Some("1.weight")),
            ("*.gamma", "*.weight", "gamma", None),
            ("*a*a", "*-*", "xaya", Some("x-y")),
            ("a*a", "*", "a", None),
            ("*_l1*", "1.*_l0*", "weight_ih_l1_reverse", Some("1.weight_ih_l0_reverse")),
            ("x.*", "gone", "x.y", Some("gone")),
        ] {
            let found = Rename::new(pattern, replacement).unwrap().apply(name);
            assert_eq!(found.as_deref(), renamed, "{pattern} {replacement} {name}");
        }
        assert!(Rename::new("a", "*").is_err());
    }
}
