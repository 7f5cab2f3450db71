//! Ranges against formulas worked by hand, published constants and brute force.

use calibrate::{
    choose, clipped_share, gauss_clip, laplace_clip, mse, samples, sqnr_db, CalibrateError, Choice, Density, Grid,
    Method, Symmetry,
};
use golden::{Kind, QFormat, Range};
use proptest::prelude::*;

const METHODS: [Method; 5] = [Method::MinMax, Method::Percentile(99.0), Method::Kl, Method::Mse, Method::Aciq];

fn int(bits: u32) -> QFormat {
    QFormat::full(bits, true).expect("it exists")
}

fn uint(bits: u32) -> QFormat {
    QFormat::full(bits, false).expect("it exists")
}

fn narrow(bits: u32) -> QFormat {
    QFormat::new(Kind::Signed, bits, Range::Narrow).expect("it exists")
}

fn pick(values: &[f32], format: QFormat, method: Method, symmetry: Symmetry, grid: Grid) -> Choice {
    choose(values, format, method, symmetry, grid).unwrap_or_else(|error| panic!("{method:?}: {error}"))
}

fn symmetric(values: &[f32], format: QFormat, method: Method) -> Choice {
    pick(values, format, method, Symmetry::Symmetric, Grid::Any)
}

fn affine(values: &[f32], format: QFormat, method: Method) -> Choice {
    pick(values, format, method, Symmetry::Affine, Grid::Any)
}

fn error_of(values: &[f32], format: QFormat, choice: Choice) -> f64 {
    mse(&choice.quantizer(format).expect("a scale"), values, &[values.len()]).expect("finite values")
}

/// Worked by hand: (3 - -1) / 255 and 1 / (4 / 255) = 63.75; the scale at which the greatest magnitude is the greatest
/// value.
#[test]
fn min_max_covers_the_range() {
    let values = [-1.0, 0.5, 3.0];
    let scale = 4.0_f32 / 255.0;
    assert_eq!(affine(&values, uint(8), Method::MinMax), Choice { scale, zero_point: 64 });
    assert_eq!(affine(&values, int(8), Method::MinMax), Choice { scale, zero_point: -64 });
    assert_eq!(symmetric(&values, int(8), Method::MinMax), Choice { scale: 3.0 / 127.0, zero_point: 0 });
    assert_eq!(symmetric(&values, uint(8), Method::MinMax), Choice { scale: 3.0 / 255.0, zero_point: 0 });
    assert_eq!(symmetric(&values, QFormat::TERNARY, Method::MinMax), Choice { scale: 3.0, zero_point: 0 });
    // An unsigned format sees what is negative as 0.
    let negative = [-5.0, 3.0];
    assert_eq!(symmetric(&negative, uint(8), Method::MinMax), Choice { scale: 3.0 / 255.0, zero_point: 0 });
    assert_eq!(symmetric(&[-5.0], uint(8), Method::MinMax), Choice { scale: 1.0, zero_point: 0 });
    // One signed bit is -1 and 0.
    assert_eq!(symmetric(&values, int(1), Method::MinMax), Choice { scale: 3.0, zero_point: 0 });
    let bipolar = QFormat::new(Kind::Bipolar, 2, Range::Full).expect("it exists");
    assert_eq!(symmetric(&values, bipolar, Method::MinMax), Choice { scale: 1.0, zero_point: 0 });
    // 4 / 255 is just above 2^-6 and 3 / 127 between 2^-6 and 2^-5.
    let shifts = |symmetry| pick(&values, int(8), Method::MinMax, symmetry, Grid::PowersOfTwo);
    assert_eq!(shifts(Symmetry::Affine), Choice { scale: 1.0 / 32.0, zero_point: -96 });
    assert_eq!(shifts(Symmetry::Symmetric), Choice { scale: 1.0 / 32.0, zero_point: 0 });
    // A power of two is not rounded up.
    let exact = pick(&[-63.5], int(8), Method::MinMax, Symmetry::Symmetric, Grid::PowersOfTwo);
    assert_eq!(exact.scale, 0.5);
}

#[test]
fn data_without_a_range() {
    for symmetry in [Symmetry::Symmetric, Symmetry::Affine] {
        for method in [Method::MinMax, Method::Percentile(100.0), Method::Mse] {
            assert_eq!(pick(&[0.0; 3], int(8), method, symmetry, Grid::Any).scale, 1.0, "{method:?}");
            // One value x still has the range from 0 to x.
            let choice = pick(&[-2.5; 3], int(8), method, symmetry, Grid::Any);
            let back = choice.quantizer(int(8)).expect("a scale");
            let codes = back.quantize(&[-2.5], &[1]).expect("finite");
            let error = back.dequantize(&codes, &[1]).expect("in range")[0] + 2.5;
            assert!(error.abs() < 1e-6, "{method:?} {symmetry:?}: {error}");
        }
        for method in [Method::Kl, Method::Aciq] {
            let error = choose(&[0.0; 3], int(8), method, symmetry, Grid::Any).expect_err("nothing to learn from");
            assert!(matches!(error, CalibrateError::AllEqual { value: 0.0, .. }), "{error}");
        }
    }
    let error = choose(&[1.5; 3], int(8), Method::Aciq, Symmetry::Affine, Grid::Any).expect_err("no deviation");
    assert_eq!(
        error.to_string(),
        "aciq cannot work: every element is 1.5, and it needs values that differ from their mean"
    );
}

#[test]
fn extremes_keep_normal_scales() {
    for x in [f32::from_bits(1), f32::MIN_POSITIVE, f32::MAX] {
        for method in METHODS {
            for symmetry in [Symmetry::Symmetric, Symmetry::Affine] {
                for grid in [Grid::Any, Grid::PowersOfTwo] {
                    let choice = pick(&[-x, x / 2.0, x], int(8), method, symmetry, grid);
                    assert!(choice.scale.is_normal(), "{method:?} {symmetry:?} {x:e}: {choice:?}");
                    assert!(int(8).contains(choice.zero_point), "{method:?} {symmetry:?} {x:e}: {choice:?}");
                }
            }
        }
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let refuse = |values: &[f32], format, method, symmetry| {
        choose(values, format, method, symmetry, Grid::Any).expect_err("it must be refused").to_string()
    };
    for method in METHODS {
        assert_eq!(refuse(&[], int(8), method, Symmetry::Affine), "values has no elements: at least 1 is needed");
        let nan = refuse(&[1.0, f32::NAN], int(8), method, Symmetry::Affine);
        assert_eq!(nan, "values[1] = NaN is not finite: every element must be");
        let infinite = refuse(&[f32::NEG_INFINITY], int(8), method, Symmetry::Symmetric);
        assert_eq!(infinite, "values[0] = -inf is not finite: every element must be");
        let bipolar = refuse(&[1.0], QFormat::BIPOLAR, method, Symmetry::Affine);
        assert_eq!(
            bipolar,
            "affine quantization of bipolar1 needs zero points, and it has 0 only: it must be symmetric"
        );
    }
    for p in [0.0, -1.0, 100.1, f64::NAN] {
        let text = refuse(&[1.0], int(8), Method::Percentile(p), Symmetry::Symmetric);
        assert_eq!(text, format!("percentile = {p} is out of range: it must be in (0, 100]"));
    }
    let text = refuse(&[1.0], int(8), Method::Percentile(50.0), Symmetry::Affine);
    assert_eq!(text, "percentile = 50 is out of range: it must be in (50, 100] for an affine range");
    let text = refuse(&[1.0], int(13), Method::Kl, Symmetry::Symmetric);
    assert_eq!(text, "number of levels of a format for KL = 4096 is out of range: it must be in 1..=2048");
    assert!(gauss_clip(0.0).is_err() && laplace_clip(f64::NAN).is_err());
}

/// Of 0, 1, .., 10 the 75th percentile is 7.5 and the 25th 2.5, which a range with 0 does not cut off.
#[test]
fn percentiles_are_interpolated() {
    let values: Vec<f32> = (0..=10).map(|x| x as f32).collect();
    assert_eq!(symmetric(&values, int(8), Method::Percentile(75.0)).scale, 7.5 / 127.0);
    assert_eq!(affine(&values, uint(8), Method::Percentile(75.0)).scale, 7.5 / 255.0);
    // From -9 to 1: percentiles 25 and 75 are -6.5 and -1.5.
    let shifted: Vec<f32> = values.iter().map(|x| x - 9.0).collect();
    assert_eq!(affine(&shifted, uint(8), Method::Percentile(75.0)), Choice { scale: 6.5 / 255.0, zero_point: 255 });
    assert_eq!(symmetric(&shifted, int(8), Method::Percentile(100.0)), symmetric(&shifted, int(8), Method::MinMax));
}

/// Two independent derivations print these clips for 1..=8 bits.
#[test]
fn aciq_clips_are_the_rederived_ones() {
    let gauss = [1.24, 1.71, 2.15, 2.56, 2.94, 3.29, 3.62, 3.92];
    let laplace = [1.86, 2.83, 3.90, 5.03, 6.20, 7.41, 8.65, 9.90];
    for (bits, (gauss, laplace)) in (1..).zip(gauss.into_iter().zip(laplace)) {
        let levels = f64::from(1 << bits);
        let (clip, other) = (gauss_clip(levels).expect("levels"), laplace_clip(levels).expect("levels"));
        assert!((clip - gauss).abs() <= 0.005, "{bits} bits: {clip}, the list has {gauss}");
        assert!((other - laplace).abs() <= 0.005, "{bits} bits: {other}, the list has {laplace}");
    }
}

/// On samples the clip is the closed one times the sample's deviation or mean magnitude, so the right density was
/// found.
#[test]
fn aciq_tells_gauss_from_laplace() {
    let clips = [(Density::Gauss, 2.56), (Density::Laplace, 5.03 * std::f64::consts::FRAC_1_SQRT_2)];
    for (density, expected) in clips {
        let values = samples(density, 7, 200_000);
        let clip = 7.0 * f64::from(symmetric(&values, int(4), Method::Aciq).scale);
        assert!((clip / expected - 1.0).abs() < 0.01, "{density:?}: {clip}, expected {expected}");
        let moved: Vec<f32> = values.iter().map(|x| x + 3.0).collect();
        let choice = affine(&moved, uint(4), Method::Aciq);
        // 3 + clip down to 0, as the range holds 0.
        let high = 15.0 * f64::from(choice.scale);
        assert!((high / (3.0 + expected).max(2.0 * expected) - 1.0).abs() < 0.02, "{density:?}: {high}");
        // Rectified: half a density, whose steps are half as wide, as with one bit more.
        let rectified: Vec<f32> = values.iter().map(|x| x.max(0.0)).collect();
        let half = 15.0 * f64::from(symmetric(&rectified, uint(4), Method::Aciq).scale);
        let expected = if density == Density::Gauss { 2.94 } else { 6.20 * std::f64::consts::FRAC_1_SQRT_2 };
        assert!((half / expected - 1.0).abs() < 0.01, "{density:?}: {half}, expected {expected}");
    }
}

/// A uniform density ends at sqrt(3) deviations, within the clip of 8 bits: nothing beyond the values is covered.
#[test]
fn aciq_never_covers_more_than_the_values() {
    let values = samples(Density::Uniform, 4, 5000);
    assert_eq!(affine(&values, int(8), Method::Aciq), affine(&values, int(8), Method::MinMax));
    assert_eq!(symmetric(&values, int(8), Method::Aciq), symmetric(&values, int(8), Method::MinMax));
}

/// A far outlier among values that need no fine steps is cut; evenly spread values are not.
#[test]
fn kl_cuts_outliers_only() {
    let even: Vec<f32> = (0..204_800).map(|i| i as f32 / 204_800.0).collect();
    let whole = 127.0 * symmetric(&even, int(8), Method::Kl).scale;
    assert!(whole > 0.9, "{whole}");
    let mut gauss = samples(Density::Gauss, 3, 100_000);
    gauss.push(100.0);
    let cut = 127.0 * symmetric(&gauss, int(8), Method::Kl).scale;
    assert!((3.0..20.0).contains(&cut), "{cut}");
    let choice = affine(&gauss, uint(8), Method::Kl);
    let (low, high) = (-choice.zero_point as f32 * choice.scale, (255 - choice.zero_point) as f32 * choice.scale);
    assert!((-5.5..-2.5).contains(&low) && (2.5..20.0).contains(&high), "{low} {high}");
}

/// KL(P || Q) of a window of a histogram, written from its definition with whole distributions.
fn divergence(bins: &[f64], window: std::ops::Range<usize>, levels: usize) -> f64 {
    let n = window.len();
    let mut p = bins[window.clone()].to_vec();
    p[0] += bins[..window.start].iter().sum::<f64>();
    p[n - 1] += bins[window.end..].iter().sum::<f64>();
    let mut q = vec![0.0; n];
    for level in 0..levels {
        let group = level * n / levels..(level + 1) * n / levels;
        let filled = group.clone().filter(|&at| p[at] > 0.0).count() as f64;
        let count: f64 = bins[window.start + group.start..window.start + group.end].iter().sum();
        group.filter(|&at| p[at] > 0.0).for_each(|at| q[at] = count / filled);
    }
    let (all, kept) = (p.iter().sum::<f64>(), q.iter().sum::<f64>());
    let term = |(p, q): (&f64, &f64)| if *p == 0.0 { 0.0 } else { p / all * (p / all / (q.max(1e-4) / kept)).ln() };
    p.iter().zip(&q).map(term).sum()
}

/// The first window of the least divergence.
fn argmin(windows: impl Iterator<Item = (f64, std::ops::Range<usize>)>) -> std::ops::Range<usize> {
    windows.fold((f64::INFINITY, 0..0), |best, next| if next.0 < best.0 - 1e-12 { next } else { best }).1
}

fn histogram(values: &[f32], low: f64, width: f64) -> Vec<f64> {
    let mut bins = vec![0.0; 2048];
    values.iter().for_each(|&x| bins[(((f64::from(x) - low) / width) as usize).min(2047)] += 1.0);
    bins
}

#[test]
fn kl_is_the_argmin_of_its_definition() {
    let values = samples(Density::Laplace, 11, 3000);
    let magnitudes: Vec<f32> = values.iter().map(|x| x.abs()).collect();
    let width = magnitudes.iter().fold(0.0_f64, |most, &x| most.max(x.into())) / 2048.0;
    let bins = histogram(&magnitudes, 0.0, width);
    let window = argmin((128..=2048).map(|n| (divergence(&bins, 0..n, 8), 0..n)));
    let expected = ((window.end as f64 + 0.5) * width) as f32 / 7.0;
    assert_eq!(symmetric(&values, narrow(4), Method::Kl).scale, expected, "{window:?}");
}

/// Of each width the fullest window that holds 0; most values lie far from 0, so fuller ones do not.
#[test]
fn kl_of_an_affine_range_is_the_argmin_of_its_definition() {
    for shift in [0.0, 1.5, -4.0] {
        let values: Vec<f32> = samples(Density::Laplace, 12, 3000).iter().map(|x| x + shift).collect();
        let low = values.iter().fold(0.0_f64, |least, &x| least.min(x.into()));
        let high = values.iter().fold(0.0_f64, |most, &x| most.max(x.into()));
        let width = (high - low) / 2048.0;
        let bins = histogram(&values, low, width);
        let zero = (-low / width) as usize;
        let fullest = |n: usize| {
            let held = (0..=2048 - n).filter(|&start| start <= zero.min(2047) && zero.min(2047) < start + n);
            let count = |start: usize| bins[start..start + n].iter().sum::<f64>();
            held.fold((-1.0, 0), |best, start| if count(start) > best.0 { (count(start), start) } else { best }).1
        };
        let windows = (128..=2048).map(|n| (fullest(n), n)).map(|(start, n)| start..start + n);
        let window = argmin(windows.map(|window| (divergence(&bins, window.clone(), 8), window)));
        let (from, to) = (low + window.start as f64 * width, low + window.end as f64 * width);
        let scale = ((to.max(0.0) - from.min(0.0)) / 7.0) as f32;
        let given = affine(&values, uint(3), Method::Kl);
        assert!((given.scale / scale - 1.0).abs() < 1e-6, "{given:?}, {window:?} gives {scale}");
        assert_eq!(given.zero_point, (-from.min(0.0) / f64::from(scale)).round() as i64, "{window:?}");
    }
}

/// No scale of a dense scan has a clearly smaller error.
#[test]
fn mse_is_the_best_of_a_dense_scan() {
    for (density, seed) in [(Density::Gauss, 1), (Density::Laplace, 2), (Density::Uniform, 3)] {
        let values = samples(density, seed, 1000);
        for format in [narrow(2), int(2), narrow(3), int(4), int(8), QFormat::BIPOLAR, QFormat::TERNARY, uint(3)] {
            let choice = symmetric(&values, format, Method::Mse);
            let error = error_of(&values, format, choice);
            let greatest = values.iter().fold(0.0_f32, |most, x| most.max(x.abs())) / format.max() as f32;
            for i in 1..=1500 {
                let scale = greatest * i as f32 / 1000.0;
                let scanned = error_of(&values, format, Choice { scale, zero_point: 0 });
                assert!(error <= scanned * 1.002, "{density:?} {format}: {error} at {choice:?}, {scanned} at {scale}");
            }
        }
    }
}

/// Values that are integers times a scale lose no more than what f32 rounds, although no end of the range is a round clip.
#[test]
fn mse_finds_the_scale_of_data_that_have_one() {
    for unit in [0.0371_f32, 1.0, 12.7] {
        let values = [-5.0, 3.0, 2.0, 1.0, 4.0, -1.0, -2.0].map(|q| q * unit);
        for symmetry in [Symmetry::Symmetric, Symmetry::Affine] {
            let choice = pick(&values, int(4), Method::Mse, symmetry, Grid::Any);
            let quantizer = choice.quantizer(int(4)).expect("a scale");
            let given = sqnr_db(&quantizer, &values, &[values.len()]).expect("finite");
            assert!(given > 138.0, "{unit} {symmetry:?}: {given} dB, {choice:?}");
        }
    }
}

#[test]
fn mse_of_an_affine_range_is_the_best_of_a_dense_scan() {
    let mut values: Vec<f32> = samples(Density::Gauss, 5, 300).iter().map(|x| x.max(-0.3) + 0.1).collect();
    values.push(6.0);
    for format in [uint(2), int(3), uint(4), QFormat::TERNARY] {
        let choice = affine(&values, format, Method::Mse);
        let error = error_of(&values, format, choice);
        assert!(error <= error_of(&values, format, affine(&values, format, Method::MinMax)));
        for zero_point in format.min()..=format.max() {
            for i in 1..=250 {
                let scale = 6.2 / (format.max() - format.min()) as f32 * i as f32 / 250.0;
                let scanned = error_of(&values, format, Choice { scale, zero_point });
                assert!(error <= scanned * 1.02, "{format}: {error} at {choice:?}, {scanned} at {scale}, {zero_point}");
            }
        }
    }
}

/// Every exponent there is, for both symmetries.
#[test]
fn powers_of_two_are_chosen_by_error() {
    let values = samples(Density::Laplace, 9, 1000);
    for format in [narrow(2), int(4), int(8)] {
        let choice = pick(&values, format, Method::Mse, Symmetry::Symmetric, Grid::PowersOfTwo);
        let error = error_of(&values, format, choice);
        for exponent in -30..=10 {
            let other = Choice { scale: 2.0_f32.powi(exponent), zero_point: 0 };
            assert!(error <= error_of(&values, format, other), "{format}: {choice:?} against {other:?}");
        }
        let choice = pick(&values, format, Method::Mse, Symmetry::Affine, Grid::PowersOfTwo);
        assert_eq!(choice.scale.to_bits() & 0x7f_ffff, 0, "{choice:?}");
        assert!(error_of(&values, format, choice) <= error, "{format}: a zero point can only help");
    }
    for method in METHODS {
        for symmetry in [Symmetry::Symmetric, Symmetry::Affine] {
            let free = pick(&values, int(4), method, symmetry, Grid::Any).scale;
            let scale = pick(&values, int(4), method, symmetry, Grid::PowersOfTwo).scale;
            assert_eq!(scale.to_bits() & 0x7f_ffff, 0, "{method:?}: {scale}");
            if method != Method::Mse {
                assert!(free <= scale && scale < 2.0 * free, "{method:?}: {free} became {scale}");
            }
        }
    }
}

/// At scale 1/2, int3 ends at -2 and 1.5: of -3, -2.2, 1, 1.7, 1.8 the first and the last are beyond by more than 1/4.
#[test]
fn measures_worked_by_hand() {
    let quantizer = Choice { scale: 0.5, zero_point: 0 }.quantizer(int(3)).expect("a scale");
    let values = [-3.0, -2.2, 1.0, 1.7, 1.8];
    assert_eq!(clipped_share(&quantizer, &values, &[5]), Ok(0.4));
    // Errors -1, -0.2, 0, 0.2, 0.3: squares sum to 1.17; the values' to 9 + 4.84 + 1 + 2.89 + 3.24 = 20.97.
    assert!((mse(&quantizer, &values, &[5]).expect("finite") - 1.17 / 5.0).abs() < 1e-6);
    let expected = 10.0 * (20.97_f64 / 1.17).log10();
    assert!((sqnr_db(&quantizer, &values, &[5]).expect("finite") - expected).abs() < 1e-5);
    assert_eq!(sqnr_db(&quantizer, &[0.5], &[1]), Ok(f64::INFINITY));
    assert!(sqnr_db(&quantizer, &[0.0], &[1]).is_err());
    assert!(mse(&quantizer, &values, &[4]).is_err());
}

proptest! {
    /// Min-max loses at most half a step of any value, up to what f32 and the rounded zero point lose.
    #[test]
    fn min_max_brings_every_value_back(
        values in prop::collection::vec(-1e3_f32..1e3, 1..40),
        bits in 2..=12_u32,
        signed: bool,
        shifts: bool,
    ) {
        let format = QFormat::full(bits, signed).expect("it exists");
        let grid = if shifts { Grid::PowersOfTwo } else { Grid::Any };
        let choice = pick(&values, format, Method::MinMax, Symmetry::Affine, grid);
        let quantizer = choice.quantizer(format).expect("a scale");
        let codes = quantizer.quantize(&values, &[values.len()]).expect("finite");
        for (x, y) in values.iter().zip(quantizer.dequantize(&codes, &[values.len()]).expect("in range")) {
            prop_assert!((x - y).abs() <= choice.scale * 1.001, "{x} came back as {y}, {choice:?}");
        }
        prop_assert_eq!(clipped_share(&quantizer, &values, &[values.len()]), Ok(0.0));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]

    /// Every method's scale follows the data's scale, exactly for powers of two.
    #[test]
    fn choices_follow_the_data(seed: u64, exponent in -8..=8_i32) {
        let factor = 2.0_f32.powi(exponent);
        let values = samples(Density::Gauss, seed, 300);
        let scaled: Vec<f32> = values.iter().map(|x| x * factor).collect();
        for method in METHODS {
            for symmetry in [Symmetry::Symmetric, Symmetry::Affine] {
                let [a, b] = [&values, &scaled].map(|values| pick(values, int(4), method, symmetry, Grid::Any));
                prop_assert!((b.scale / (a.scale * factor) - 1.0).abs() < 1e-6, "{method:?} {symmetry:?}: {a:?} {b:?}");
                prop_assert_eq!(a.zero_point, b.zero_point);
            }
        }
    }
}
