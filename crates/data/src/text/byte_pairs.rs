//! Texts by pairs of bytes that are often together.

use std::collections::{BinaryHeap, HashMap, HashSet};

use super::PADDING;

/// The number of the first byte, 0; that of padding is before it.
const BYTES: u32 = 1;

/// The first number of a pair.
const PAIRS: u32 = BYTES + 256;

/// Byte-pair encoding (Gage 1994; Sennrich et al. 2016): bytes are numbers, and of a text those two that follow each other most often
/// become a number of their own, again and again. So frequent words are one number, rare ones a few, and no text is unknown.
///
/// The number 0 is left for padding, 1 to 256 are the bytes of UTF-8, and the pairs follow. Pairs do not reach over the beginning of a
/// word: a space belongs to the word after it, as with GPT-2. Of equally frequent pairs the one with the smaller numbers comes first, so
/// that the same texts lead to the same numbers.
///
/// ```
/// use chainrule_data::text::BytePairs;
/// let pairs = BytePairs::learn(["low lower lowest", "slow"], 260);
/// assert_eq!(pairs.size(), 260); // padding, the bytes, and `lo`, `low` and ` low`
/// assert_eq!(pairs.encode("slow low"), [116, 258, 259]);
/// assert_eq!(pairs.decode(&pairs.encode("Löwe 🦁")), "Löwe 🦁");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BytePairs {
    pairs: Vec<[u32; 2]>,
    ranks: HashMap<[u32; 2], u32>,
}

/// A word while pairs are learnt.
struct LearntWord {
    numbers: Vec<u32>,
    count: u64,
}

impl BytePairs {
    /// Learns pairs from texts, so many that there are at most `size` numbers, those of padding and the bytes included. Pairs that occur
    /// once are none.
    pub fn learn<S: AsRef<str>>(texts: impl IntoIterator<Item = S>, size: usize) -> Self {
        let mut counts: HashMap<Vec<u8>, u64> = HashMap::new();
        for text in texts {
            for word in words(text.as_ref()) {
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(word.to_vec(), 1)),
                }
            }
        }
        let mut words: Vec<(Vec<u8>, u64)> = counts.into_iter().collect();
        words.sort_unstable();
        let words = words.into_iter();
        let word = |(bytes, count): (Vec<u8>, u64)| LearntWord { numbers: numbers_of(&bytes), count };
        Self::of(&pairs_of(words.map(word).collect(), size.saturating_sub(PAIRS as usize)))
            .expect("each pair is of numbers before it")
    }

    /// These pairs of numbers.
    ///
    /// # Errors
    ///
    /// [`BytePairsError`] if a pair is of a number that is not before it.
    pub fn of(pairs: &[[u32; 2]]) -> Result<Self, BytePairsError> {
        let mut ranks = HashMap::with_capacity(pairs.len());
        for (number, &pair) in (PAIRS..).zip(pairs) {
            if pair.iter().any(|&part| part < BYTES || part >= number) {
                return Err(BytePairsError { index: (number - PAIRS) as usize, pair });
            }
            ranks.entry(pair).or_insert(number);
        }
        Ok(Self { pairs: pairs.to_vec(), ranks })
    }

    /// The pairs; the number of each is its index and 257.
    pub fn pairs(&self) -> &[[u32; 2]] {
        &self.pairs
    }

    /// The number of numbers that there may be, those of padding and the bytes included.
    pub fn size(&self) -> usize {
        self.pairs.len() + PAIRS as usize
    }

    /// The numbers of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut encoded = Vec::new();
        for word in words(text) {
            let mut numbers = numbers_of(word);
            // The pair that was learnt first is joined first.
            while let Some(&joined) = numbers.windows(2).filter_map(|pair| self.ranks.get(pair)).min() {
                join(&mut numbers, self.pairs[(joined - PAIRS) as usize], joined, |_, _| {});
            }
            encoded.append(&mut numbers);
        }
        encoded
    }

    /// The text of these numbers, without padding and numbers that there are not; bytes that are no text are replaced by `\u{fffd}`.
    pub fn decode(&self, numbers: &[u32]) -> String {
        let mut bytes = Vec::new();
        let mut stack: Vec<u32> = Vec::new();
        for &number in numbers {
            stack.push(number);
            while let Some(number) = stack.pop() {
                match number {
                    PADDING => {}
                    BYTES..PAIRS => bytes.push((number - BYTES) as u8),
                    _ => stack.extend(
                        self.pairs.get((number - PAIRS) as usize).into_iter().flatten().rev().copied(),
                    ),
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn numbers_of(bytes: &[u8]) -> Vec<u32> {
    bytes.iter().map(|&byte| BYTES + u32::from(byte)).collect()
}

/// The words of a text as bytes, each with the space before it.
fn words(text: &str) -> impl Iterator<Item = &[u8]> {
    let bytes = text.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= bytes.len() {
            return None;
        }
        // From the second byte on, so that a space begins a word.
        let end = bytes[start + 1..].iter().position(u8::is_ascii_whitespace);
        let end = end.map_or(bytes.len(), |end| start + 1 + end);
        let word = &bytes[start..end];
        start = end;
        Some(word)
    })
}

/// Replaces each occurrence of a pair, from the left, by its number; `changed` is told of the pairs that go and come.
fn join(numbers: &mut Vec<u32>, pair: [u32; 2], joined: u32, mut changed: impl FnMut([u32; 2], i64)) {
    let mut written = 0usize;
    let mut read = 0;
    while read < numbers.len() {
        if numbers[read..].starts_with(&pair) {
            if let Some(before) = written.checked_sub(1).map(|before| numbers[before]) {
                changed([before, pair[0]], -1);
                changed([before, joined], 1);
            }
            if let Some(&after) = numbers.get(read + 2) {
                changed([pair[1], after], -1);
                changed([joined, after], 1);
            }
            numbers[written] = joined;
            read += 2;
        } else {
            numbers[written] = numbers[read];
            read += 1;
        }
        written += 1;
    }
    numbers.truncate(written);
}

/// The most frequent pairs of these words, one after the other, at most `most`.
fn pairs_of(mut words: Vec<LearntWord>, most: usize) -> Vec<[u32; 2]> {
    let mut counts: HashMap<[u32; 2], i64> = HashMap::new();
    let mut places: HashMap<[u32; 2], HashSet<u32>> = HashMap::new();
    for (index, word) in (0..).zip(&words) {
        for pair in word.numbers.windows(2).map(|pair| [pair[0], pair[1]]) {
            *counts.entry(pair).or_default() += word.count as i64;
            places.entry(pair).or_default().insert(index);
        }
    }
    // Counts that have changed since are corrected when they come up.
    let entry = |pair: [u32; 2], count: i64| (count, std::cmp::Reverse(pair));
    let mut heap: BinaryHeap<_> = counts.iter().map(|(&pair, &count)| entry(pair, count)).collect();
    let mut pairs = Vec::new();
    while pairs.len() < most
        && let Some((count, std::cmp::Reverse(pair))) = heap.pop()
    {
        let now = counts.get(&pair).copied().unwrap_or(0);
        if now != count {
            if now > 1 && now < count {
                heap.push(entry(pair, now));
            }
            continue;
        }
        if count < 2 {
            break;
        }
        let joined = PAIRS + pairs.len() as u32;
        pairs.push(pair);
        let mut of_pair: Vec<u32> = places.remove(&pair).into_iter().flatten().collect();
        of_pair.sort_unstable();
        let mut grown = HashSet::new();
        for index in of_pair {
            let LearntWord { numbers, count } = &mut words[index as usize];
            let count = *count as i64;
            join(numbers, pair, joined, |other, sign| {
                *counts.entry(other).or_default() += sign * count;
                if sign > 0 {
                    places.entry(other).or_default().insert(index);
                    grown.insert(other);
                }
            });
        }
        counts.remove(&pair);
        heap.extend(grown.into_iter().filter_map(|pair| Some(entry(pair, *counts.get(&pair)?))));
    }
    pairs
}

/// A pair of numbers that are not before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "pair {index} is {pair:?}, but a pair is of bytes, 1 to 256, and of pairs before it: they are damaged"
)]
pub struct BytePairsError {
    index: usize,
    pair: [u32; 2],
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Seed;

    /// The pairs as one counts them by hand: all again after each.
    fn by_hand(texts: &[String], most: usize) -> Vec<[u32; 2]> {
        let mut all: Vec<Vec<u32>> = texts.iter().flat_map(|text| words(text).map(numbers_of)).collect();
        let mut pairs = Vec::new();
        for joined in (PAIRS..).take(most) {
            let mut counts: HashMap<[u32; 2], i64> = HashMap::new();
            for word in &all {
                word.windows(2).for_each(|pair| *counts.entry([pair[0], pair[1]]).or_default() += 1);
            }
            let best = counts.into_iter().map(|(pair, count)| (count, std::cmp::Reverse(pair))).max();
            let Some((2.., std::cmp::Reverse(pair))) = best else { break };
            pairs.push(pair);
            all.iter_mut().for_each(|word| join(word, pair, joined, |_, _| {}));
        }
        pairs
    }

    #[test]
    fn pairs_are_those_that_are_counted_by_hand() {
        for seed in 0..30 {
            let mut rng = Seed(seed).rng();
            let letters = ["a", "b", "a", " ", "é", "aa", "\n"];
            let text = |_| (0..rng.below(60)).map(|_| letters[rng.below(letters.len())]).collect::<String>();
            let texts: Vec<String> = (0..20).map(text).collect();
            let learnt = BytePairs::learn(&texts, PAIRS as usize + 40);
            assert_eq!(learnt.pairs(), by_hand(&texts, 40), "seed {seed}");
            for text in &texts {
                let numbers = learnt.encode(text);
                assert_eq!(learnt.decode(&numbers), *text);
                assert!(numbers.iter().all(|&number| number != PADDING && (number as usize) < learnt.size()));
            }
            assert!(BytePairs::of(learnt.pairs()).unwrap() == learnt);
        }
    }

    #[test]
    fn any_numbers_and_texts_are_taken() {
        let pairs = BytePairs::learn(["the then there", "the the"], 1000);
        assert_eq!(pairs.encode(" the").len(), 1);
        assert_eq!(pairs.decode(&[0, u32::MAX, 5000, 256, 98]), "\u{fffd}a");
        assert_eq!((pairs.encode(""), pairs.encode("\u{0}")), (vec![], vec![1]));
        assert_eq!(BytePairs::learn([""; 0], 0).size(), 257);
        // Deep in each other.
        let long = "a".repeat(1 << 12);
        let deep = BytePairs::learn([&long], 300);
        assert_eq!(deep.decode(&deep.encode(&long)), long);
        assert!(deep.encode(&long).len() < 4);
        let error = BytePairs::of(&[[98, 99], [258, 3]]).unwrap_err().to_string();
        assert!(error.contains("pair 1 is [258, 3]"), "{error}");
        assert!(BytePairs::of(&[[0, 3]]).is_err());
    }
}
