//! Random bits that are a function of a seed, a tensor's number and an output's index, and of nothing else.

/// Feistel rounds. Five leave the variance of counts of round-ups up to six times too great, eight still a third, ten nothing
/// that the measure of `golden/tests/stochastic.rs` sees.
pub const ROUNDS: usize = 10;

/// What the key's words are xored with in each round: the first 160 bits of the fraction of pi.
pub const ROUND_CONSTANTS: [u16; ROUNDS] =
    [0x243f, 0x6a88, 0x85a3, 0x08d3, 0x1319, 0x8a2e, 0x0370, 0x7344, 0xa409, 0x3822];

/// A keyed permutation of the numbers of 2 h bits: a Feistel network of two halves of h bits and [`ROUNDS`] rounds.
///
/// Round i takes (left, right) to (right ^ f(left) ^ k_i, left) with f(x) = ((x <<< 1) & (x <<< 8)) ^ (x <<< 2), rotations within
/// h bits, and k_i = word i mod 4 of the key (16 bits each, the lowest first) ^ [`ROUND_CONSTANTS`]`[i]`, cut to h bits. The
/// number enters as left = its high half; it leaves with the halves exchanged, so that its low half is the last one
/// computed.
///
/// Every round can be undone, whatever f is: so no two numbers have the same result, and over all of them every result
/// occurs once. That makes the random bits exactly uniform over a tensor of 2^(2 h) outputs.
///
/// ```
/// let permutation = golden::Permutation::new(16, 0x0123_4567_89ab_cdef);
/// assert_eq!(permutation.invert(permutation.apply(77)), 77);
/// ```
///
/// Source: the round function is that of the block cipher Simon (Beaulieu et al., "The SIMON and SPECK Families of Lightweight
/// Block Ciphers", 2013); key schedule and number of rounds are not, and nothing here is meant to keep a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permutation {
    half_bits: u32,
    key: u64,
}

impl Permutation {
    /// A permutation of numbers of `2 half_bits` bits.
    ///
    /// # Panics
    /// If `half_bits` is not in 3..=16.
    pub fn new(half_bits: u32, key: u64) -> Self {
        assert!((3..=16).contains(&half_bits), "half_bits = {half_bits} must be in 3..=16");
        Self { half_bits, key }
    }

    fn mask(self) -> u32 {
        (1 << self.half_bits) - 1
    }

    fn rotate(self, x: u32, by: u32) -> u32 {
        let by = by % self.half_bits;
        (x << by | x >> (self.half_bits - by)) & self.mask()
    }

    fn mix(self, x: u32) -> u32 {
        (self.rotate(x, 1) & self.rotate(x, 8)) ^ self.rotate(x, 2)
    }

    fn round_key(self, round: usize) -> u32 {
        let word = (self.key >> (16 * (round % 4))) & 0xffff;
        (word as u32 ^ u32::from(ROUND_CONSTANTS[round])) & self.mask()
    }

    /// The number's image; bits above the permutation's width are ignored.
    pub fn apply(self, number: u32) -> u32 {
        let (mut left, mut right) = (number >> self.half_bits & self.mask(), number & self.mask());
        for round in 0..ROUNDS {
            (left, right) = (right ^ self.mix(left) ^ self.round_key(round), left);
        }
        right << self.half_bits | left
    }

    /// The number whose image this is.
    pub fn invert(self, image: u32) -> u32 {
        let (mut left, mut right) = (image & self.mask(), image >> self.half_bits & self.mask());
        for round in (0..ROUNDS).rev() {
            (left, right) = (right, left ^ self.mix(right) ^ self.round_key(round));
        }
        left << self.half_bits | right
    }
}

/// The random bits of one tensor.
///
/// A stream is a pure function of (seed, tensor, number of random bits r): the r lowest bits of the seed are the `mask`, its other
/// bits and the tensor's number make the key. The bits of output i are the r lowest of `permutation(i mod 2^32) ^ mask`. So
/// any tiling, array and order of computation gives the same bits; and of the 2^r seeds that differ only in their r lowest
/// bits, each gives output i another value of its r bits: exactly floor(fraction 2^r) of them round up.
///
/// Outputs are numbered row by row from 0: `index = row n + column`.
///
/// ```
/// let stream = golden::Stream::new(42, 0, 8);
/// assert_eq!(stream.bits(5), golden::Stream::new(42, 0, 8).bits(5));
/// // The next seed differs in the lowest bit only.
/// assert_eq!(stream.bits(5) ^ 1, golden::Stream::new(43, 0, 8).bits(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    permutation: Permutation,
    mask: u32,
    random_bits: u32,
}

impl Stream {
    /// The stream of tensor number `tensor`.
    ///
    /// Key: `mix(mix(seed >> r + G) + tensor + 1)` with G = 0x9e3779b97f4a7c15 and mix the finalizer of SplitMix64, all modulo 2^64.
    ///
    /// # Panics
    /// If `random_bits` is not in 1..=32.
    pub fn new(seed: u64, tensor: u32, random_bits: u32) -> Self {
        assert!((1..=32).contains(&random_bits), "random_bits = {random_bits} must be in 1..=32");
        let mask = (seed & ((1 << random_bits) - 1)) as u32;
        let key = mix64(mix64((seed >> random_bits).wrapping_add(GAMMA)).wrapping_add(u64::from(tensor) + 1));
        Self { permutation: Permutation::new(16, key), mask, random_bits }
    }

    /// The stream of that key and mask, as a machine's command gives them.
    ///
    /// # Panics
    /// If `random_bits` is not in 1..=32.
    pub fn from_key(key: u64, mask: u32, random_bits: u32) -> Self {
        assert!((1..=32).contains(&random_bits), "random_bits = {random_bits} must be in 1..=32");
        let mask = (u64::from(mask) & ((1 << random_bits) - 1)) as u32;
        Self { permutation: Permutation::new(16, key), mask, random_bits }
    }

    pub fn key(&self) -> u64 {
        self.permutation.key
    }

    pub fn mask(&self) -> u32 {
        self.mask
    }

    pub fn random_bits(&self) -> u32 {
        self.random_bits
    }

    /// The `random_bits` random bits of output `index`.
    pub fn bits(&self, index: u32) -> u32 {
        let all = self.permutation.apply(index) ^ self.mask;
        (u64::from(all) & ((1 << self.random_bits) - 1)) as u32
    }
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64.
fn mix64(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
