//! Codebooks: a few levels fixed in advance, one of which stands for each weight.

use crate::error::GoldenError;
use crate::format::QFormat;

/// Integer levels in ascending order; an element is stored as the index of its level.
///
/// Levels are integers in steps of a scale, so a machine of their format multiplies by them as by any weight: whatever
/// chose the levels, the array's sums are exact.
///
/// Nearest level: of two that are equally near, the one farther from zero is taken (and of two equally far from zero, the
/// positive one).
///
/// ```
/// use golden::{Codebook, QFormat};
/// let levels = Codebook::powers_of_two(QFormat::full(8, true)?, 3)?;
/// assert_eq!(levels.levels(), [-4, -2, -1, 0, 1, 2, 4]);
/// assert_eq!([2.9, 3.0, -0.5].map(|steps| levels.nearest(steps)), [2, 4, -1]);
/// # Ok::<(), golden::GoldenError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codebook {
    format: QFormat,
    levels: Vec<i32>,
}

impl Codebook {
    /// Any levels of the format: ascending, no two equal, at most 2^16 of them.
    pub fn new(format: QFormat, levels: Vec<i32>) -> Result<Self, GoldenError> {
        let refuse = |property, value: String, rule: String| Err(GoldenError::Codebook { property, value, rule });
        if levels.is_empty() || levels.len() > 1 << 16 {
            return refuse("number of levels", levels.len().to_string(), "1..=65536".to_owned());
        }
        if let Some(pair) = levels.windows(2).find(|pair| pair[0] >= pair[1]) {
            return refuse(
                "levels",
                format!("{}, {}", pair[0], pair[1]),
                "in ascending order, all different".to_owned(),
            );
        }
        if let Some(&level) = levels.iter().find(|&&level| !format.contains(level.into())) {
            let rule = format!("a value of {format}: {}..={}", format.min(), format.max());
            return refuse("level", level.to_string(), rule);
        }
        Ok(Self { format, levels })
    }

    /// 0 and +-2^i for i in 0..n: 2 n + 1 levels. A multiplier by one of them is a shift.
    ///
    /// Source: Miyashita et al., "Convolutional Neural Networks using Logarithmic Data Representation", 2016.
    pub fn powers_of_two(format: QFormat, n: u32) -> Result<Self, GoldenError> {
        Self::signed(format, (0..n.min(32)).map(|exponent| 1_i64 << exponent))
    }

    /// Sums of `terms` numbers, each 0 or a power of two, with both signs: term t (from 0) has the exponents
    /// `t, t + terms, t + 2 terms, ..` below `exponents`. A multiplier by one of them is `terms` shifts and additions.
    ///
    /// Source: Li et al., "Additive Powers-of-Two Quantization", 2020, section 2.2: the sets of exponents interleave, so that no
    /// two sums are equal.
    ///
    /// ```
    /// use golden::{Codebook, QFormat};
    /// // Exponents 0, 2 and 1, 3.
    /// let levels = Codebook::additive_powers_of_two(QFormat::full(8, true)?, 2, 4)?;
    /// assert_eq!(levels.levels()[8..], [0, 1, 2, 3, 4, 6, 8, 9, 12]);
    /// # Ok::<(), golden::GoldenError>(())
    /// ```
    pub fn additive_powers_of_two(format: QFormat, terms: u32, exponents: u32) -> Result<Self, GoldenError> {
        if !(1..=4).contains(&terms) {
            let rule = "1..=4".to_owned();
            return Err(GoldenError::Codebook { property: "number of terms", value: terms.to_string(), rule });
        }
        let mut sums = vec![0_i64];
        for term in 0..terms {
            let powers: Vec<i64> = (term..exponents.min(32)).step_by(terms as usize).map(|e| 1 << e).collect();
            sums =
                sums.iter().flat_map(|&sum| std::iter::once(sum).chain(powers.iter().map(move |&p| sum + p))).collect();
        }
        Self::signed(format, sums.into_iter().filter(|&sum| sum > 0))
    }

    /// -1, 0, 1.
    pub fn ternary() -> Self {
        Self { format: QFormat::TERNARY, levels: vec![-1, 0, 1] }
    }

    /// -1, 1.
    pub fn binary() -> Self {
        Self { format: QFormat::BIPOLAR, levels: vec![-1, 1] }
    }

    fn signed(format: QFormat, magnitudes: impl Iterator<Item = i64>) -> Result<Self, GoldenError> {
        let mut levels = vec![0_i32];
        for magnitude in magnitudes {
            for level in [magnitude, -magnitude] {
                let Ok(level) = i32::try_from(level) else {
                    let rule = format!("a value of {format}: {}..={}", format.min(), format.max());
                    return Err(GoldenError::Codebook { property: "level", value: level.to_string(), rule });
                };
                levels.push(level);
            }
        }
        levels.sort_unstable();
        Self::new(format, levels)
    }

    pub fn format(&self) -> QFormat {
        self.format
    }

    pub fn levels(&self) -> &[i32] {
        &self.levels
    }

    /// Bits of an index.
    pub fn index_bits(&self) -> u32 {
        spec::format::bits_for(self.levels.len() as u64 - 1)
    }

    /// The level nearest to a real number of steps. Infinities take the ends; NaN the level nearest to zero.
    pub fn nearest(&self, steps: f64) -> i32 {
        self.levels[self.nearest_index(steps)]
    }

    /// The index of [`Codebook::nearest`].
    pub fn nearest_index(&self, steps: f64) -> usize {
        let steps = if steps.is_nan() { 0.0 } else { steps };
        let above = self.levels.partition_point(|&level| f64::from(level) < steps);
        let Some(&high) = self.levels.get(above) else { return self.levels.len() - 1 };
        let Some(&low) = above.checked_sub(1).and_then(|below| self.levels.get(below)) else { return 0 };
        // Halves of integers are exact, and so is the comparison, whatever is lost in differences.
        let middle = (f64::from(low) + f64::from(high)) / 2.0;
        let up = if steps == middle { i64::from(high) >= -i64::from(low) } else { steps > middle };
        if up {
            above
        } else {
            above - 1
        }
    }
}
