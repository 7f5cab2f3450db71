//! Three densities of deviation 1, and their integrals over intervals.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// A density of mean 0 and deviation 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Density {
    /// e^(-x^2 / 2) / sqrt(2 pi).
    Gauss,
    /// e^(-abs(x) / b) / (2 b) with b = 1 / sqrt(2).
    Laplace,
    /// 1 / (2 sqrt(3)) between -sqrt(3) and sqrt(3).
    Uniform,
}

/// 1 / sqrt(2 pi).
const GAUSS_PEAK: f64 = 0.398_942_280_401_432_7;
const SQRT_3: f64 = 1.732_050_807_568_877_2;

/// The Gaussian density.
pub(crate) fn gauss(x: f64) -> f64 {
    GAUSS_PEAK * libm::exp(-0.5 * x * x)
}

/// The Gaussian's upper tail, int_x^inf.
pub(crate) fn gauss_tail(x: f64) -> f64 {
    0.5 * libm::erfc(x * FRAC_1_SQRT_2)
}

impl Density {
    pub const ALL: [Self; 3] = [Self::Gauss, Self::Laplace, Self::Uniform];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauss => "gauss",
            Self::Laplace => "laplace",
            Self::Uniform => "uniform",
        }
    }

    /// The density at x.
    pub fn at(self, x: f64) -> f64 {
        match self {
            Self::Gauss => gauss(x),
            Self::Laplace => FRAC_1_SQRT_2 * libm::exp(-SQRT_2 * x.abs()),
            Self::Uniform => f64::from(u8::from(x.abs() <= SQRT_3)) / (2.0 * SQRT_3),
        }
    }

    /// The x below which lies the share u of the mass, u between 0 and 1, both excluded. Gauss: by bisection.
    pub fn quantile(self, u: f64) -> f64 {
        match self {
            Self::Gauss => {
                let (mut low, mut high) = (-64.0, 64.0);
                for _ in 0..64 {
                    let middle = 0.5 * (low + high);
                    if gauss_tail(-middle) < u {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                0.5 * (low + high)
            }
            // In each half from its own end, so that small shares are not lost in numbers near 1.
            Self::Laplace if u < 0.5 => FRAC_1_SQRT_2 * libm::log(2.0 * u),
            Self::Laplace => -FRAC_1_SQRT_2 * libm::log(2.0 - 2.0 * u),
            Self::Uniform => SQRT_3 * (2.0 * u - 1.0),
        }
    }

    /// int p, int x p and int x^2 p from a to b; infinite ends are allowed, a <= b.
    pub fn moments(self, a: f64, b: f64) -> [f64; 3] {
        // By symmetry: in each half the tails, which are small numbers, are subtracted, and not numbers near 1.
        if b <= 0.0 {
            let [mass, first, second] = self.moments(-b, -a);
            return [mass, -first, second];
        }
        if a < 0.0 {
            let (left, right) = (self.moments(0.0, -a), self.moments(0.0, b));
            return [left[0] + right[0], right[1] - left[1], left[2] + right[2]];
        }
        let (from, to) = (self.tails(a), self.tails(b));
        [from[0] - to[0], from[1] - to[1], from[2] - to[2]]
    }

    /// The moments from x >= 0 to infinity.
    fn tails(self, x: f64) -> [f64; 3] {
        if x == f64::INFINITY {
            return [0.0; 3];
        }
        match self {
            Self::Gauss => {
                let (p, tail) = (gauss(x), gauss_tail(x));
                [tail, p, x * p + tail]
            }
            Self::Laplace => {
                // With p = e^(-x / b) / (2 b): b p, b (x + b) p, b (x^2 + 2 b x + 2 b^2) p.
                let (b, p) = (FRAC_1_SQRT_2, self.at(x));
                [b * p, b * (x + b) * p, b * (x * x + 2.0 * b * x + 2.0 * b * b) * p]
            }
            Self::Uniform => {
                let (x, p) = (x.min(SQRT_3), 1.0 / (2.0 * SQRT_3));
                [(SQRT_3 - x) * p, (3.0 - x * x) / 2.0 * p, (3.0 * SQRT_3 - x * x * x) / 3.0 * p]
            }
        }
    }

    /// int (x - y)^2 p from a to b.
    pub(crate) fn error(self, a: f64, b: f64, y: f64) -> f64 {
        let [mass, first, second] = self.moments(a, b);
        second - 2.0 * y * first + y * y * mass
    }
}
