//! Random numbers that depend on a seed and a position, and on nothing else.
//!
//! Which thread draws a number, and in what order, must not matter, and the bits must be the same in every release. So a
//! [`Seed`] is split by index instead of being shared, and the generator is SplitMix64 (Steele, Lea and Flood 2014, "Fast
//! splittable pseudorandom number generators"), implemented here because random-number crates do not guarantee their bits across
//! versions.

/// The golden ratio in 64 bits, the step of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64: every bit of the result depends on every bit of `z`.
#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seed that is split by index: `seed.child(i)` for the i-th layer, epoch, step or sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Seed(pub u64);

impl From<u64> for Seed {
    fn from(seed: u64) -> Self {
        Self(seed)
    }
}

impl Seed {
    /// An independent seed for the part with this index.
    #[inline]
    #[must_use]
    pub fn child(self, index: u64) -> Seed {
        Seed(mix(mix(self.0.wrapping_add(GOLDEN)) ^ mix(index.wrapping_add(1).wrapping_mul(GOLDEN))))
    }

    /// 64 random bits for position `index`: random access into this seed's stream.
    #[inline]
    pub fn bits(self, index: u64) -> u64 {
        mix(self.0.wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN)))
    }

    /// The stream of random numbers of this seed.
    pub fn rng(self) -> Rng {
        Rng { seed: self, next: 0 }
    }
}

/// A stream of random numbers from a [`Seed`].
#[derive(Clone, Debug)]
pub struct Rng {
    seed: Seed,
    next: u64,
}

impl Rng {
    /// The next 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let bits = self.seed.bits(self.next);
        self.next += 1;
        bits
    }

    /// A number in `[0, 1)`, a multiple of 2⁻⁵³.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in `[low, high)`.
    #[inline]
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A sample of the standard normal distribution (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// An integer in `0..n`; 0 if `n` is 0. The bias is below n / 2⁶⁴ (Lemire 2019, without rejection).
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<V>(&mut self, values: &mut [V]) {
        for i in (1..values.len()).rev() {
            values.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_those_of_splitmix64() {
        // The published sequence for the state 1234567.
        let mut rng = Seed(1_234_567).rng();
        assert_eq!(rng.bits(), 6_457_827_717_110_365_317);
        assert_eq!(rng.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn moments() {
        let mut rng = Seed(1).child(2).rng();
        let n = 100_000;
        let (mut sum, mut squares, mut flat) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let v = rng.normal();
            sum += v;
            squares += v * v;
            flat += rng.uniform();
        }
        let n = f64::from(n);
        assert!((sum / n).abs() < 0.015, "{}", sum / n);
        assert!((squares / n - 1.0).abs() < 0.02, "{}", squares / n);
        assert!((flat / n - 0.5).abs() < 0.005, "{}", flat / n);
    }

    #[test]
    fn shuffling_keeps_every_value() {
        let mut values: Vec<usize> = (0..100).collect();
        Seed(3).rng().shuffle(&mut values);
        assert_ne!(values, (0..100).collect::<Vec<_>>());
        values.sort_unstable();
        assert_eq!(values, (0..100).collect::<Vec<_>>());
        assert_eq!(Seed(3).rng().below(0), 0);
    }
}
