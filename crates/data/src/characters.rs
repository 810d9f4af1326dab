//! Text as a sequence of characters, to predict the next.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use chainrule_tensor::{Real, SequenceSlice, Shape};

use crate::{Dataset, Samples};

/// The characters of a text, numbered.
///
/// ```
/// use chainrule_data::Vocabulary;
/// let vocabulary = Vocabulary::of("abba cab");
/// assert_eq!(vocabulary.len(), 4);
/// let ids = vocabulary.encode("cab")?;
/// assert_eq!(vocabulary.decode(&ids), "cab");
/// assert!(vocabulary.encode("dab").unwrap_err().to_string().contains("'d'"));
/// # Ok::<(), chainrule_data::CharacterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary(Vec<char>);

impl Vocabulary {
    /// All characters of the text, in the order of Unicode.
    pub fn of(text: &str) -> Self {
        Self(text.chars().collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// The number of characters.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no characters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers of a text's characters.
    ///
    /// # Errors
    ///
    /// [`CharacterError`] for the first character that is not in the vocabulary.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, CharacterError> {
        let id = |(position, character): (usize, char)| match self.0.binary_search(&character) {
            Ok(id) => Ok(id as u32),
            Err(_) => Err(CharacterError::Unknown { character, position }),
        };
        text.chars().enumerate().map(id).collect()
    }

    /// The text of these numbers, without those that are not in the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> String {
        ids.iter().filter_map(|&id| self.0.get(id as usize)).collect()
    }
}

/// Windows of a text: a sample is the numbers of `steps` characters, and its target is the next character of each.
///
/// The windows of a text of `n` characters follow each other without a gap, so there are `(n - 1) / steps` of them.
/// With [`lanes`](Self::lanes) they are ordered for training that carries states from batch to batch.
#[derive(Clone, Debug)]
pub struct Characters {
    text: Arc<[u32]>,
    steps: usize,
    classes: usize,
    lanes: usize,
    /// The number of windows in a lane.
    depth: usize,
}

impl Characters {
    /// The windows of `steps` characters of a text.
    ///
    /// # Errors
    ///
    /// [`CharacterError`] if a character is not in the vocabulary, or if the text is too short for one window.
    pub fn new(text: &str, vocabulary: &Vocabulary, steps: usize) -> Result<Self, CharacterError> {
        let text: Arc<[u32]> = vocabulary.encode(text)?.into();
        match (text.len().saturating_sub(1)).checked_div(steps) {
            Some(depth @ 1..) => Ok(Self { text, steps, classes: vocabulary.len(), lanes: 1, depth }),
            _ => Err(CharacterError::Short { characters: text.len(), steps }),
        }
    }

    /// Divides the text into this many lanes, and orders the windows so that each batch of `lanes` samples has the next
    /// window of every lane: row `i` of a batch continues row `i` of the batch before it.
    ///
    /// # Errors
    ///
    /// [`CharacterError`] if the text is too short for a window in each lane.
    pub fn lanes(self, lanes: usize) -> Result<Self, CharacterError> {
        let windows = (self.text.len() - 1) / self.steps;
        match windows.checked_div(lanes) {
            Some(depth @ 1..) => Ok(Self { lanes, depth, ..self }),
            _ => Err(CharacterError::Short { characters: self.text.len(), steps: self.steps * lanes }),
        }
    }

    fn window(&self, index: usize) -> Range<usize> {
        let (lane, place) = (index % self.lanes, index / self.lanes);
        let start = (lane * self.depth + place) * self.steps;
        start..start + self.steps
    }
}

impl Dataset for Characters {
    type Target = SequenceSlice<u32>;

    fn len(&self) -> usize {
        self.lanes * self.depth
    }

    fn shape(&self) -> Shape {
        Shape::from([self.steps])
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }
}

impl<T: Real> Samples<T> for Characters {
    fn read(&self, index: usize, row: &mut [T]) -> SequenceSlice<u32> {
        let window = self.window(index);
        for (value, &id) in row.iter_mut().zip(&self.text[window.clone()]) {
            *value = T::of(f64::from(id));
        }
        let next = window.start + 1..window.end + 1;
        SequenceSlice::new(Arc::clone(&self.text), next).expect("windows end before the last character")
    }
}

/// A text that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CharacterError {
    /// A character that is not in the vocabulary.
    #[error(
        "character {position} is {character:?}, which is not in the vocabulary: build it from the whole text, or remove the character"
    )]
    Unknown {
        /// The character.
        character: char,
        /// Its index in the text, from 0.
        position: usize,
    },
    /// Fewer characters than a window and one more.
    #[error(
        "the text has {characters} characters, too few for windows of {steps} and one more: use a longer text, or fewer steps"
    )]
    Short {
        /// The number of characters.
        characters: usize,
        /// The number of steps.
        steps: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Steps;

    fn read(data: &Characters, index: usize) -> (Vec<f32>, Vec<u32>) {
        let mut row = [0.0; 3];
        let target = data.read(index, &mut row);
        (row.to_vec(), target.steps().to_vec())
    }

    #[test]
    fn a_target_is_the_next_character() {
        let vocabulary = Vocabulary::of("abcdefghijklm");
        let data = Characters::new("abcdefghijklm", &vocabulary, 3).unwrap();
        assert_eq!(data.len(), 4);
        assert_eq!(read(&data, 3), (vec![9.0, 10.0, 11.0], vec![10, 11, 12]));
        let lanes = data.lanes(2).unwrap();
        assert_eq!(read(&lanes, 0).0[0], 0.0);
        assert_eq!(read(&lanes, 1).0[0], 6.0);
        assert_eq!(read(&lanes, 2).0[0], 3.0);
        assert_eq!(read(&lanes, 3), (vec![9.0, 10.0, 11.0], vec![10, 11, 12]));
    }

    #[test]
    fn texts_that_cannot_be_used() {
        let vocabulary = Vocabulary::of("abc");
        let new = |text, steps| Characters::new(text, &vocabulary, steps);
        assert!(matches!(new("abx", 1), Err(CharacterError::Unknown { character: 'x', position: 2 })));
        for (text, steps) in [("", 1), ("abc", 3), ("abc", 0)] {
            assert!(matches!(new(text, steps), Err(CharacterError::Short { .. })), "{text} {steps}");
        }
        assert!(matches!(new("abcabc", 2).unwrap().lanes(3), Err(CharacterError::Short { steps: 6, .. })));
        assert!(matches!(new("abcabc", 2).unwrap().lanes(0), Err(CharacterError::Short { .. })));
    }
}
