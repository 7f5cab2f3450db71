//! The optima against a table that others recomputed to convergence, and golden's quantizer against the optima on
//! samples.
//!
//! The table's densities have deviation 1. Its levels were computed apart from this code (sum of interval integrals,
//! numpy); the classical source is J. Max, "Quantizing for Minimum Distortion", 1960, whose printed values it agrees
//! with but for the last digits.

use calibrate::{levels_mse, optimal_levels, optimal_scale, samples, sqnr_db, CalibrateError, Choice, Density};
use golden::{Kind, QFormat, Range};

/// One row for each number of bits, 1..=8.
struct Row {
    midrise_step: f64,
    midrise_db: f64,
    lloyd_mse: f64,
    lloyd_db: f64,
    /// -q..=q; one bit has none.
    symmetric_db: f64,
    full_db: f64,
    laplace_midrise_db: f64,
    laplace_lloyd_db: f64,
}

const fn row(gauss: [f64; 6], laplace: [f64; 2]) -> Row {
    let [midrise_step, midrise_db, lloyd_mse, lloyd_db, symmetric_db, full_db] = gauss;
    let [laplace_midrise_db, laplace_lloyd_db] = laplace;
    Row { midrise_step, midrise_db, lloyd_mse, lloyd_db, symmetric_db, full_db, laplace_midrise_db, laplace_lloyd_db }
}

const TABLE: [Row; 8] = [
    row([1.5958, 4.40, 0.36338, 4.396, f64::NAN, 2.25], [3.01, 3.010]),
    row([0.9957, 9.25, 0.117482, 9.300, 7.21, 8.26], [7.07, 7.540]),
    row([0.5860, 14.27, 0.0345478, 14.616, 13.29, 13.91], [11.44, 12.638]),
    row([0.3352, 19.38, 0.00950101, 20.222, 18.90, 19.26], [15.96, 18.133]),
    row([0.1881, 24.57, 0.00250467, 26.012, 24.33, 24.53], [20.60, 23.870]),
    row([0.1041, 29.83, 0.000644240, 31.910, 29.71, 29.82], [25.36, 29.743]),
    row([0.0569, 35.17, 0.000163478, 37.865, 35.11, 35.16], [30.23, 35.688]),
    row([0.0308, 40.57, 4.11851e-5, 43.853, 40.54, 40.57], [35.21, 41.671]),
];

fn format(kind: Kind, bits: u32, range: Range) -> QFormat {
    QFormat::new(kind, bits, range).expect("it exists")
}

fn near(what: &str, bits: u32, given: f64, expected: f64, tolerance: f64) {
    assert!((given - expected).abs() <= tolerance, "{what}, {bits} bits: {given}, the table has {expected}");
}

#[test]
fn optima_are_those_of_the_table() {
    for (bits, row) in (1..).zip(&TABLE) {
        let db = |density, kind, range| optimal_scale(density, format(kind, bits, range)).expect("few bits").sqnr_db();
        let midrise = optimal_scale(Density::Gauss, format(Kind::Bipolar, bits, Range::Full)).expect("few bits");
        near("step", bits, 2.0 * midrise.scale, row.midrise_step, 6e-5);
        near("midrise", bits, midrise.sqnr_db(), row.midrise_db, 0.01);
        near("Laplace midrise", bits, db(Density::Laplace, Kind::Bipolar, Range::Full), row.laplace_midrise_db, 0.01);
        near("full range", bits, db(Density::Gauss, Kind::Signed, Range::Full), row.full_db, 0.01);
        if bits > 1 {
            near("symmetric", bits, db(Density::Gauss, Kind::Signed, Range::Narrow), row.symmetric_db, 0.01);
        }
        let lloyd = optimal_levels(Density::Gauss, bits).expect("few bits");
        near("Lloyd MSE", bits, lloyd.mse / row.lloyd_mse, 1.0, 1e-4);
        near("Lloyd", bits, lloyd.sqnr_db(), row.lloyd_db, 0.001);
        let laplace = optimal_levels(Density::Laplace, bits).expect("few bits").sqnr_db();
        near("Laplace Lloyd", bits, laplace, row.laplace_lloyd_db, 0.001);
    }
}

/// A uniform source that a quantizer fits gains 20 log10(2) dB a bit.
#[test]
fn uniform_density_gains_six_decibels_a_bit() {
    for bits in 1..=8 {
        let expected = 20.0 * 2.0_f64.log10() * f64::from(bits);
        let midrise = optimal_scale(Density::Uniform, format(Kind::Bipolar, bits, Range::Full)).expect("few bits");
        near("uniform midrise", bits, midrise.sqnr_db(), expected, 1e-6);
        let lloyd = optimal_levels(Density::Uniform, bits).expect("few bits");
        near("uniform Lloyd", bits, lloyd.sqnr_db(), expected, 1e-6);
    }
}

/// Without knowing how the levels were found: each is its interval's mean, and moving one makes the error greater.
#[test]
fn levels_are_a_minimum() {
    for density in Density::ALL {
        let best = optimal_levels(density, 3).expect("few bits");
        for i in 0..8 {
            for distance in [-1e-3, 1e-3] {
                let mut moved = best.levels.clone();
                moved[i] += distance;
                assert!(levels_mse(density, &moved) > best.mse, "{density:?}: level {i} moved by {distance}");
            }
        }
    }
}

/// Simpson's rule over the densities' formulas.
#[test]
fn moments_are_the_integrals() {
    for density in Density::ALL {
        // No kink and no end of the uniform density within.
        for (a, b) in [(-1.5, -0.2), (0.0, 0.9), (0.3, 1.7)] {
            let n = 2000;
            let mut sums = [0.0; 3];
            for i in 0..=n {
                let x = a + (b - a) * f64::from(i) / f64::from(n);
                let weight = if i == 0 || i == n { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
                for (power, sum) in sums.iter_mut().enumerate() {
                    *sum += weight * density.at(x) * x.powi(power as i32) * (b - a) / f64::from(n) / 3.0;
                }
            }
            for (given, expected) in density.moments(a, b).into_iter().zip(sums) {
                assert!((given - expected).abs() < 1e-12, "{density:?} {a}..{b}: {given}, Simpson has {expected}");
            }
        }
        let whole = density.moments(f64::NEG_INFINITY, f64::INFINITY);
        for (given, expected) in whole.into_iter().zip([1.0, 0.0, 1.0]) {
            assert!((given - expected).abs() < 1e-12, "{density:?}: {given} instead of {expected}");
        }
    }
}

/// Mean, second and fourth moment: 0, 1 and 3 (Gauss), 6 (Laplace), 9/5 (uniform).
#[test]
fn samples_have_the_moments_of_their_density() {
    for (density, fourth) in [(Density::Gauss, 3.0), (Density::Laplace, 6.0), (Density::Uniform, 1.8)] {
        let values = samples(density, 1, 400_000);
        let moment = |power: i32| values.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / values.len() as f64;
        for (power, expected, tolerance) in [(1, 0.0, 0.01), (2, 1.0, 0.01), (3, 0.0, 0.1), (4, fourth, 0.03 * fourth)]
        {
            let given = moment(power);
            assert!((given - expected).abs() < tolerance, "{density:?}: moment {power} is {given}, not {expected}");
        }
        assert_eq!(values[..10], samples(density, 1, 10)[..]);
        assert_ne!(values[..10], samples(density, 2, 10)[..]);
    }
}

fn reach(values: &[f32], density: Density, format: QFormat) -> f64 {
    let scale = optimal_scale(density, format).expect("few bits").scale as f32;
    let quantizer = Choice { scale, zero_point: 0 }.quantizer(format).expect("a scale");
    sqnr_db(&quantizer, values, &[values.len()]).expect("finite values")
}

/// What golden's quantizer reaches on 10^6 random samples, in units of the samples' own power.
#[test]
fn goldens_quantizer_reaches_the_table_on_gaussian_samples() {
    let values = samples(Density::Gauss, 20_260, 1_000_000);
    for (bits, row) in (1..).zip(&TABLE) {
        let reach = |kind, range| reach(&values, Density::Gauss, format(kind, bits, range));
        let (midrise, full) = (reach(Kind::Bipolar, Range::Full), reach(Kind::Signed, Range::Full));
        println!("gauss {bits} bits: midrise {midrise:.3} dB, full {full:.3} dB");
        near("midrise on samples", bits, midrise, row.midrise_db, 0.05);
        near("full range on samples", bits, full, row.full_db, 0.05);
        if bits > 1 {
            let symmetric = reach(Kind::Signed, Range::Narrow);
            println!("gauss {bits} bits: symmetric {symmetric:.3} dB");
            near("symmetric on samples", bits, symmetric, row.symmetric_db, 0.05);
        }
    }
}

/// The same for Laplace. Above 5 bits a few samples far out make most of the difference (at 8 bits 10^6 of them give
/// 35.2 +- 0.3 dB), so there the values are the middles of 3 10^6 equal shares of the mass.
#[test]
fn goldens_quantizer_reaches_the_table_on_laplacian_values() {
    let n = 1_000_000;
    let random = samples(Density::Laplace, 20_260, n);
    let share = 1.0 / (3 * n) as f64;
    let even: Vec<f32> = (0..3 * n).map(|i| Density::Laplace.quantile((i as f64 + 0.5) * share) as f32).collect();
    for (bits, row) in (1..).zip(&TABLE) {
        let format = format(Kind::Bipolar, bits, Range::Full);
        let (on_random, on_even) = (reach(&random, Density::Laplace, format), reach(&even, Density::Laplace, format));
        println!("laplace {bits} bits: midrise {on_random:.3} dB on samples, {on_even:.3} dB on even shares");
        if bits <= 5 {
            near("Laplace midrise on samples", bits, on_random, row.laplace_midrise_db, 0.05);
        }
        near("Laplace midrise on even shares", bits, on_even, row.laplace_midrise_db, 0.05);
    }
}

#[test]
fn wide_formats_are_refused() {
    let error = optimal_levels(Density::Gauss, 11).expect_err("too many");
    assert_eq!(error, CalibrateError::OutOfRange { property: "bits", value: 11, min: 1, max: 10 });
    assert_eq!(error.to_string(), "bits = 11 is out of range: it must be in 1..=10");
    assert!(optimal_levels(Density::Gauss, 0).is_err());
    assert!(optimal_scale(Density::Gauss, format(Kind::Signed, 16, Range::Full)).is_err());
}
