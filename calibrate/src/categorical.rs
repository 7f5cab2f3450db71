//! Categorical distributions over levels, one for each weight of a matrix.

use crate::error::CalibrateError;
use crate::network::softmax;
use crate::weights::{check_scales, scale_of};

/// Up to so many levels, every weight may take every level.
const FULL_SUPPORT: usize = 16;
/// Among more levels, a weight may take so many, those around its nearest.
const NEAR_SUPPORT: usize = 3;

/// The distributions of one layer's k x n weights; a weight is its scale times a level.
#[derive(Clone, Debug)]
pub(crate) struct Categorical {
    /// Ascending.
    levels: Vec<i32>,
    /// Levels that a weight may take, one after another from `first`.
    support: usize,
    first: Vec<usize>,
    /// Of each weight.
    scales: Vec<f64>,
    /// support of them for each weight.
    pub(crate) logits: Vec<f64>,
    probabilities: Vec<f64>,
}

/// Means and variances of weights.
pub(crate) struct Moments {
    pub(crate) mean: Vec<f64>,
    pub(crate) variance: Vec<f64>,
}

impl Categorical {
    /// The start: the logit of a level is -(w / s - level)^2 / (2 gap^2 spread^2), gap the mean distance of
    /// neighbouring levels.
    pub(crate) fn new(
        weights: &[f32],
        n: usize,
        levels: &[i32],
        scales: &[f32],
        spread: f64,
    ) -> Result<Self, CalibrateError> {
        check_scales(scales, n)?;
        if levels.len() < 2 || levels.windows(2).any(|pair| pair[0] >= pair[1]) {
            let rule = "two or more, in ascending order, all different";
            return Err(CalibrateError::Real { property: "number of levels", value: levels.len() as f64, rule });
        }
        if levels.len() > weights.len() {
            return Err(CalibrateError::Codebook { levels: levels.len(), elements: weights.len() });
        }
        let support = if levels.len() <= FULL_SUPPORT { levels.len() } else { NEAR_SUPPORT };
        let ends = f64::from(levels[levels.len() - 1]) - f64::from(levels[0]);
        let width = spread * ends / (levels.len() - 1) as f64;
        let scales: Vec<f64> = (0..weights.len()).map(|at| scale_of(scales, at % n).into()).collect();
        let (mut first, mut logits) = (Vec::new(), Vec::new());
        for (&w, scale) in weights.iter().zip(&scales) {
            let steps = f64::from(w) / scale;
            let distance = |level: i32| (steps - f64::from(level)).abs();
            let nearest =
                (0..levels.len())
                    .fold(0, |best, i| if distance(levels[i]) < distance(levels[best]) { i } else { best });
            let start = nearest.saturating_sub(support / 2).min(levels.len() - support);
            first.push(start);
            logits.extend(levels[start..start + support].iter().map(|&l| distance(l) / width).map(|d| -d * d / 2.0));
        }
        let probabilities = softmax(&logits, support);
        Ok(Self { levels: levels.to_vec(), support, first, scales, logits, probabilities })
    }

    /// To be called when logits have changed.
    pub(crate) fn update(&mut self) {
        self.probabilities = softmax(&self.logits, self.support);
    }

    fn levels_of(&self, weight: usize) -> impl Iterator<Item = f64> + '_ {
        let first = self.first[weight];
        self.levels[first..first + self.support].iter().map(|&level| level.into())
    }

    fn expected(&self, weight: usize, p: &[f64]) -> [f64; 2] {
        self.levels_of(weight).zip(p).fold([0.0; 2], |[mean, square], (l, p)| [mean + p * l, square + p * l * l])
    }

    pub(crate) fn moments(&self) -> Moments {
        let (mut mean, mut variance) = (Vec::new(), Vec::new());
        for (weight, (p, s)) in self.probabilities.chunks_exact(self.support).zip(&self.scales).enumerate() {
            let [first, second] = self.expected(weight, p);
            mean.push(s * first);
            // A sharp distribution's difference may round below 0.
            variance.push(s * s * (second - first * first).max(0.0));
        }
        Moments { mean, variance }
    }

    /// Derivatives by logits of a loss with those derivatives by means and variances, plus `entropy` for each unit of
    /// entropy.
    ///
    /// With g_l = scale l d_mean + scale^2 (l^2 - 2 l E l) d_variance - entropy ln p_l: p_l (g_l - sum of p g).
    pub(crate) fn gradient(&self, d_mean: &[f64], d_variance: &[f64], entropy: f64) -> Vec<f64> {
        let mut out = Vec::with_capacity(self.logits.len());
        let mut g = vec![0.0; self.support];
        for (weight, (p, s)) in self.probabilities.chunks_exact(self.support).zip(&self.scales).enumerate() {
            let [first, _] = self.expected(weight, p);
            let mut mean = 0.0;
            for ((g, level), &p) in g.iter_mut().zip(self.levels_of(weight)).zip(p) {
                let variance = s * s * (level * level - 2.0 * level * first) * d_variance[weight];
                *g = s * level * d_mean[weight] + variance - entropy * logarithm(p);
                mean += p * *g;
            }
            out.extend(g.iter().zip(p).map(|(g, p)| p * (g - mean)));
        }
        out
    }

    /// The sum of the weights' entropies, in bits.
    pub(crate) fn entropy_bits(&self) -> f64 {
        self.probabilities.iter().map(|&p| -p * logarithm(p)).sum::<f64>() / std::f64::consts::LN_2
    }

    /// Each weight's likeliest level, the lowest of equal ones.
    pub(crate) fn mode(&self) -> Vec<i32> {
        let best = |p: &[f64]| (0..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
        let level = |(p, &first): (&[f64], &usize)| self.levels[first + best(p)];
        self.probabilities.chunks_exact(self.support).zip(&self.first).map(level).collect()
    }
}

/// ln p, kept finite: p ln p goes to 0.
fn logarithm(p: f64) -> f64 {
    libm::log(p.max(1e-300))
}
