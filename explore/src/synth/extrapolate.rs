//! Areas of shapes that were not built, from builds of other shapes.
//!
//! Each resource is fitted by least squares to `a + b rows cols + c (rows + cols)`: what does not grow with the mesh, its PEs, and
//! its edges. With three shapes the last term is left out. The builds must differ in rows and columns only. Frequencies are
//! never extrapolated: they follow from placement, not from counts.

use super::Area;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;

/// Rows and columns of a mesh.
pub type Shape = (usize, usize);

/// An area that nothing was built of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extrapolated {
    /// Without counts by type of cell.
    pub area: Area,
    /// Always true: it marks the area wherever it is written.
    pub extrapolated: bool,
    pub n_builds: usize,
    /// The greatest relative distance of a build from the fit, over all resources of which the build has any.
    pub residual: f64,
}

/// Why an area does not follow from the builds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExtrapolateError {
    #[error("{given} distinct shapes were built; at least {LEAST} are needed")]
    TooFew { given: usize },
    #[error(
        "the shapes that were built do not tell apart {terms}; build others, with rows and columns that both vary"
    )]
    Dependent { terms: &'static str },
}

/// The fewest shapes.
pub const LEAST: usize = 3;

type Resource = (fn(&Area) -> Option<f64>, fn(&mut Area, f64));

/// Counts below 2^53 are exact as f64; negative fits are nothing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn count(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

macro_rules! counts {
    ($($field:ident),*) => {
        [$((|area: &Area| Some(area.$field as f64), |area: &mut Area, value: f64| area.$field = count(value)),)*
         (|area: &Area| area.area_um2, |area: &mut Area, value: f64| area.area_um2 = Some(value.max(0.0)))]
    };
}

const RESOURCES: [Resource; 8] = counts!(luts, ffs, carries, muxes, dsps, rams, lut_rams);

/// The area of `shape`.
///
/// # Errors
/// There are too few shapes among the builds, or they do not determine the fit.
pub fn extrapolate(builds: &[(Shape, Area)], shape: Shape) -> Result<Extrapolated, ExtrapolateError> {
    let distinct: BTreeSet<Shape> = builds.iter().map(|(shape, _)| *shape).collect();
    let n_terms = match distinct.len() {
        given @ 0..LEAST => return Err(ExtrapolateError::TooFew { given }),
        LEAST => 2,
        _ => 3,
    };
    let mut area = Area::default();
    let mut residual: f64 = 0.0;
    for (get, set) in RESOURCES {
        let values: Option<Vec<f64>> = builds.iter().map(|(_, area)| get(area)).collect();
        let Some(values) = values else { continue };
        let rows: Vec<([f64; 3], f64)> = builds.iter().map(|(shape, _)| terms(*shape)).zip(values).collect();
        let fit = fit(&rows, n_terms).ok_or(ExtrapolateError::Dependent {
            terms: if n_terms == 3 { "1, rows x cols and rows + cols" } else { "1 and rows x cols" },
        })?;
        let at = |terms: [f64; 3]| (0..n_terms).map(|i| fit[i] * terms[i]).sum::<f64>();
        for (terms, value) in rows.iter().filter(|(_, value)| *value > 0.0) {
            residual = residual.max((at(*terms) - value).abs() / value);
        }
        set(&mut area, at(terms(shape)));
    }
    Ok(Extrapolated { area, extrapolated: true, n_builds: builds.len(), residual })
}

fn terms((rows, cols): Shape) -> [f64; 3] {
    let (rows, cols) = (rows as f64, cols as f64);
    [1.0, rows * cols, rows + cols]
}

/// Least squares by the normal equations, which are solved by elimination; none if they are singular.
fn fit(rows: &[([f64; 3], f64)], n: usize) -> Option<[f64; 3]> {
    let mut matrix = [[0.0; 4]; 3];
    for (terms, value) in rows {
        for i in 0..n {
            for j in 0..n {
                matrix[i][j] += terms[i] * terms[j];
            }
            matrix[i][3] += terms[i] * value;
        }
    }
    let scale: [f64; 3] = std::array::from_fn(|i| matrix[i][i]);
    for column in 0..n {
        let pivot = (column..n).max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        matrix.swap(column, pivot);
        // The terms are whole numbers: what is left of a dependent one is rounding.
        if matrix[column][column].abs() <= 1e-9 * scale[column] {
            return None;
        }
        for row in (0..n).filter(|&row| row != column) {
            let factor = matrix[row][column] / matrix[column][column];
            let pivot_row = matrix[column];
            for (value, pivot) in matrix[row].iter_mut().zip(pivot_row).skip(column) {
                *value -= factor * pivot;
            }
        }
    }
    let mut solution = [0.0; 3];
    for i in 0..n {
        solution[i] = matrix[i][3] / matrix[i][i];
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 + 3 rows cols + 5 (rows + cols) LUTs.
    fn build((rows, cols): Shape) -> (Shape, Area) {
        let luts = 10 + 3 * rows as u64 * cols as u64 + 5 * (rows + cols) as u64;
        ((rows, cols), Area { luts, ffs: 7, area_um2: Some(2.5 * (rows * cols) as f64), ..Area::default() })
    }

    #[test]
    fn what_follows_the_formula_is_found_again() {
        let builds = [(2, 2), (2, 3), (3, 3), (4, 2), (4, 4)].map(build);
        let result = extrapolate(&builds, (16, 12)).expect("enough shapes");
        let (_, expected) = build((16, 12));
        assert_eq!((result.area.luts, result.area.ffs, result.area.dsps), (expected.luts, 7, 0));
        assert!((result.area.area_um2.expect("an area") - 480.0).abs() < 1e-6);
        assert!(result.residual < 1e-9, "{}", result.residual);
        assert!(result.extrapolated);
        assert_eq!(result.n_builds, 5);
    }

    #[test]
    fn too_few_shapes_and_dependent_ones_are_refused() {
        let twice = [(2, 2), (2, 2), (3, 3)].map(build);
        let error = extrapolate(&twice, (8, 8)).expect_err("two shapes");
        assert_eq!(error.to_string(), "2 distinct shapes were built; at least 3 are needed");
        let one_row_each = [(2, 2), (2, 3), (2, 4), (2, 5)].map(build);
        let error = extrapolate(&one_row_each, (8, 8)).expect_err("rows do not vary");
        assert_eq!(
            error.to_string(),
            "the shapes that were built do not tell apart 1, rows x cols and rows + cols; build others, with rows and \
             columns that both vary"
        );
    }

    /// Two terms cannot follow the edges: the residual says so.
    #[test]
    fn three_shapes_fit_two_terms_and_leave_a_residual() {
        let builds = [(2, 2), (3, 3), (4, 4)].map(build);
        let result = extrapolate(&builds, (5, 5)).expect("three shapes");
        assert!(result.residual > 0.005 && result.residual < 0.1, "{}", result.residual);
    }
}
