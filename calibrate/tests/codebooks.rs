//! Codebooks against formulas, brute force and the optima of densities.

use calibrate::{
    fit_binary, fit_kmeans, fit_levels, fit_ternary, kmeans, samples, CalibrateError, CodebookFit, Density, Per, Start,
};
use golden::{Codebook, QFormat};
use proptest::prelude::*;

fn int(bits: u32) -> QFormat {
    QFormat::full(bits, true).expect("it exists")
}

fn sqnr(weights: &[f32], fit: &CodebookFit, n: usize) -> f64 {
    let signal: f64 = weights.iter().map(|&w| f64::from(w).powi(2)).sum();
    10.0 * (signal / error(weights, &fit.dequantized(n))).log10()
}

fn error(weights: &[f32], back: &[f32]) -> f64 {
    weights.iter().zip(back).map(|(&w, &v)| (f64::from(w) - f64::from(v)).powi(2)).sum()
}

/// Centroids 0 and 10 at first: 0, 1, 2 and 9, 10 go to them, whose means are 1 and 9.5.
#[test]
fn kmeans_worked_by_hand() {
    let fitted = kmeans(&[9.0, 0.0, 2.0, 10.0, 1.0], 2, Start::Linear).expect("finite");
    assert_eq!(fitted.centroids, [1.0, 9.5]);
    assert_eq!(fitted.counts, [3, 2]);
    assert_eq!(fitted.errors, [0.0 + 1.0 + 4.0 + 1.0, 2.5]);
    // One centroid is the mean; as many as different values lose nothing.
    assert_eq!(kmeans(&[1.0, 2.0, 6.0], 1, Start::Linear).expect("finite").centroids, [3.0]);
    assert_eq!(kmeans(&[1.0, 2.0, 3.0], 3, Start::Linear).expect("finite").errors, [0.0, 0.0]);
}

proptest! {
    #[test]
    fn kmeans_never_gets_worse_and_ends_at_means(seed: u64, n in 1..=200_usize, share in 0.0..1.0_f64, linear: bool) {
        let start = if linear { Start::Linear } else { Start::CubeRoot };
        let values = samples(Density::Laplace, seed, n);
        let n_centroids = 1 + ((n - 1) as f64 * share) as usize;
        let fitted = kmeans(&values, n_centroids, start).expect("finite");
        prop_assert!(fitted.errors.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9));
        let mut sums = vec![(0.0, 0_u64); n_centroids];
        let distance = |x: f64, c: usize| (x - fitted.centroids[c]).abs();
        let mut total = 0.0;
        for &x in &values {
            let x = f64::from(x);
            let nearest = (0..n_centroids).fold(0, |best, c| if distance(x, c) < distance(x, best) { c } else { best });
            sums[nearest].0 += x;
            sums[nearest].1 += 1;
            total += distance(x, nearest).powi(2);
        }
        prop_assert!((fitted.errors[fitted.errors.len() - 1] - total).abs() < 1e-9 * (1.0 + total));
        for ((sum, count), centroid) in sums.iter().zip(&fitted.centroids).filter(|((_, count), _)| *count > 0) {
            prop_assert!((sum / *count as f64 - centroid).abs() < 1e-9);
        }
    }
}

/// Lloyd-Max columns of the table in `optimal.rs`. With very many levels 10^6 samples leave the outermost a handful of values each: a
/// codebook fitted to them is better on them than any can be on the density, so there it must only not be worse.
#[test]
fn fitted_codebooks_reach_the_lloyd_max_optimum() {
    let tables = [
        (Density::Gauss, [4.396, 9.300, 14.616, 20.222, 26.012, 31.910, 37.865, 43.853]),
        (Density::Laplace, [3.010, 7.540, 12.638, 18.133, 23.870, 29.743, 35.688, 41.671]),
    ];
    for (density, table) in tables {
        let weights = samples(density, 20_260, 1_000_000);
        for (bits, expected) in (1..).zip(table) {
            let [linear, cube_root] = [Start::Linear, Start::CubeRoot].map(|start| {
                // 16-bit levels, so that rounding of centroids does not count.
                let fit = fit_kmeans(&weights, [1000, 1000], 1 << bits, start, int(16)).expect("finite");
                sqnr(&weights, &fit, 1000)
            });
            println!(
                "{} {bits} bits: linear {linear:.3}, cube root {cube_root:.3} dB, table {expected}",
                density.name()
            );
            let near = |given: f64| (given - expected).abs() < 0.05;
            let many = bits > if density == Density::Gauss { 7 } else { 6 };
            let good = near(cube_root) || many && (expected..expected + 0.5).contains(&cube_root);
            assert!(good, "{density:?}, {bits} bits: {cube_root}, the table has {expected}");
            // With more centroids the linear start ends elsewhere, see `Start`.
            assert!(bits > 5 || near(linear), "{density:?}, {bits} bits: {linear}, the table has {expected}");
        }
    }
}

/// With levels of 8 bits, 16 levels lose less than a tenth of a decibel of what the centroids reach.
#[test]
fn centroids_become_integers() {
    let weights = samples(Density::Gauss, 5, 4000);
    let centroids = kmeans(&weights, 16, Start::Linear).expect("finite");
    let signal: f64 = weights.iter().map(|&w| f64::from(w).powi(2)).sum();
    let free = 10.0 * (signal / centroids.errors[centroids.errors.len() - 1]).log10();
    let fit = fit_kmeans(&weights, [4000, 1], 16, Start::Linear, int(8)).expect("finite");
    let given = sqnr(&weights, &fit, 1);
    assert!(fit.codebook.levels().len() == 16 && fit.codebook.format() == int(8));
    assert!(given > free - 0.1 && given < free + 0.05, "{given} dB of {free}");
    // Two bits cannot hold 16 levels: what rounds to one integer is merged.
    let few = fit_kmeans(&weights, [4000, 1], 16, Start::Linear, int(2)).expect("finite");
    assert_eq!(few.codebook.levels(), [-2, -1, 0, 1]);
    // Every weight has its nearest level.
    for (&w, level) in weights.iter().zip(fit.values()) {
        let distance = |level: i32| (f64::from(w) - f64::from(fit.scales[0]) * f64::from(level)).abs();
        assert!(fit.codebook.levels().iter().all(|&other| distance(level) <= distance(other) + 1e-12));
    }
}

/// Weights that are integers times a scale are found again, up to what f32 rounds.
#[test]
fn levels_of_weights_that_have_a_scale_are_found() {
    let levels = [-5, -3, -1, 1, 3, 5];
    let weights = levels.map(|level| level as f32 * 0.0371);
    let fit = fit_kmeans(&weights, [6, 1], 6, Start::Linear, int(4)).expect("finite");
    assert_eq!(fit.codebook.levels(), levels);
    assert!(sqnr(&weights, &fit, 1) > 120.0, "{fit:?}");
}

/// A dense scan of scales finds none that is clearly better.
#[test]
fn scales_of_fixed_levels_are_the_best_of_a_scan() {
    let books = [
        Codebook::powers_of_two(int(8), 4).expect("it fits"),
        Codebook::additive_powers_of_two(int(8), 2, 6).expect("it fits"),
        Codebook::ternary(),
        Codebook::binary(),
    ];
    for (seed, book) in (1..).zip(books) {
        let weights = samples(Density::Gauss, seed, 600);
        let fit = fit_levels(&weights, [600, 1], book.clone(), Per::Tensor).expect("finite");
        let found = error(&weights, &fit.dequantized(1));
        let greatest = *book.levels().last().expect("levels") as f64;
        for i in 1..=3000 {
            let scale = 6.0 * f64::from(i) / 3000.0 / greatest;
            let back: Vec<f32> =
                weights.iter().map(|&w| (scale * f64::from(book.nearest(f64::from(w) / scale))) as f32).collect();
            assert!(
                found <= error(&weights, &back) * 1.002,
                "{:?}: {found} at {:?}, scan {scale}",
                book.levels(),
                fit.scales
            );
        }
        // A column of its own scale follows a factor.
        let columns: Vec<f32> = weights.iter().flat_map(|&w| [w, 4.0 * w]).collect();
        let fit = fit_levels(&columns, [600, 2], book, Per::Channel).expect("finite");
        assert_eq!(fit.scales[1], 4.0 * fit.scales[0]);
        assert!(fit.values().chunks_exact(2).all(|pair| pair[0] == pair[1]), "{fit:?}");
    }
}

/// mean abs(w) = 1.2, threshold 0.84: of 0.8, -1.2, 2, -0.8 two are kept, with a mean of 1.6.
#[test]
fn ternary_and_binary_worked_by_hand() {
    let weights = [0.8, -1.2, 2.0, -0.8];
    let fit = fit_ternary(&weights, [4, 1], Per::Tensor).expect("finite");
    assert_eq!((fit.values(), fit.scales), (vec![0, -1, 1, 0], vec![1.6]));
    let fit = fit_binary(&weights, [4, 1], Per::Tensor).expect("finite");
    assert_eq!((fit.values(), fit.scales), (vec![1, -1, 1, -1], vec![1.2]));
    // Columns 0.8, 2 and -1.2, -0.8: means 1.4 and 1, thresholds 0.98 and 0.7.
    let fit = fit_ternary(&weights, [2, 2], Per::Channel).expect("finite");
    assert_eq!((fit.values(), fit.scales), (vec![0, -1, 1, -1], vec![2.0, 1.0]));
    let fit = fit_binary(&weights, [2, 2], Per::Channel).expect("finite");
    assert_eq!(fit.scales, [1.4, 1.0]);
    // Zeros: no level is 0 in binary, and zero counts as positive.
    let fit = fit_binary(&[0.0, -0.0], [2, 1], Per::Tensor).expect("finite");
    assert_eq!((fit.values(), fit.scales), (vec![1, 1], vec![f32::MIN_POSITIVE]));
    let fit = fit_ternary(&[0.0; 3], [3, 1], Per::Tensor).expect("finite");
    assert_eq!((fit.values(), fit.scales), (vec![0, 0, 0], vec![1.0]));
}

/// The mean magnitude is the best scale of signs.
#[test]
fn binary_scale_has_the_least_error() {
    let weights = samples(Density::Laplace, 8, 300);
    let fit = fit_binary(&weights, [300, 1], Per::Tensor).expect("finite");
    let found = error(&weights, &fit.dequantized(1));
    for i in 1..=400 {
        let scale = i as f32 / 100.0;
        let back: Vec<f32> = fit.values().iter().map(|&sign| sign as f32 * scale).collect();
        assert!(found <= error(&weights, &back) + 1e-4, "{found} at {:?}, less at {scale}", fit.scales);
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let larger = CalibrateError::Codebook { levels: 5, elements: 4 };
    assert_eq!(kmeans(&[1.0; 4], 5, Start::Linear), Err(larger.clone()));
    assert_eq!(fit_kmeans(&[1.0; 4], [2, 2], 5, Start::Linear, int(8)), Err(larger.clone()));
    let book = Codebook::powers_of_two(int(8), 2).expect("it fits");
    assert_eq!(fit_levels(&[1.0; 4], [2, 2], book.clone(), Per::Tensor), Err(larger.clone()));
    assert_eq!(larger.to_string(), "a codebook of 5 levels is larger than its tensor of 4 elements");
    assert!(kmeans(&[1.0], 0, Start::Linear).is_err() && kmeans(&[], 1, Start::Linear).is_err());
    assert!(fit_levels(&[1.0; 6], [2, 2], book, Per::Tensor).is_err());
    let tiny = |levels, elements| CalibrateError::Codebook { levels, elements };
    assert_eq!(fit_ternary(&[1.0; 2], [2, 1], Per::Tensor), Err(tiny(3, 2)));
    assert_eq!(fit_binary(&[1.0], [1, 1], Per::Tensor), Err(tiny(2, 1)));
    assert!(fit_binary(&[f32::NAN; 2], [2, 1], Per::Tensor).is_err());
    assert!(fit_ternary(&[], [0, 1], Per::Tensor).is_err());
    // Equal values need one level only; the others stay empty.
    let fit = fit_kmeans(&[2.5; 4], [2, 2], 2, Start::Linear, int(8)).expect("finite");
    assert!(fit.dequantized(2).iter().all(|v| (v - 2.5).abs() < 1e-6), "{fit:?}");
}
