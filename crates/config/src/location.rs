//! Where something of a configuration is.

use std::fmt;
use std::sync::Arc;

/// Where something of a configuration is: a line and a column of a file, or a setting beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    source: Arc<str>,
    /// The line and the column, both from 1.
    position: Option<(usize, usize)>,
}

impl Location {
    /// The file as a whole, or another source, such as `--set epochs=3`.
    pub(crate) fn whole(source: impl Into<Arc<str>>) -> Self {
        Self { source: source.into(), position: None }
    }

    /// The place of this byte of a text.
    pub(crate) fn of_byte(&self, text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[start..].chars().count() + 1;
        Self { source: Arc::clone(&self.source), position: Some((line, column)) }
    }

    /// So many columns to the right.
    #[must_use]
    pub(crate) fn further(&self, columns: usize) -> Self {
        let position = self.position.map(|(line, column)| (line, column + columns));
        Self { source: Arc::clone(&self.source), position }
    }

    /// The line and the column, both from 1, if it is in a file.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.position
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        match self.position {
            Some((line, column)) => write!(f, ", line {line}, column {column}"),
            None => Ok(()),
        }
    }
}

/// A value and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<V> {
    /// The value.
    pub value: V,
    /// Where it is.
    pub at: Location,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_in_characters() {
        let file = Location::whole("a.toml");
        let text = "x = 1\ny = \"é\" # z\n";
        assert_eq!(file.of_byte(text, 0).to_string(), "a.toml, line 1, column 1");
        assert_eq!(file.of_byte(text, 6).to_string(), "a.toml, line 2, column 1");
        let comment = text.find('#').unwrap();
        assert_eq!(file.of_byte(text, comment).further(2).position(), Some((2, 11)));
        assert_eq!(file.of_byte(text, 1000).position(), Some((3, 1)));
        assert_eq!(file.to_string(), "a.toml");
    }
}
