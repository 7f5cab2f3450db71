//! Areas of shapes that were not built, from builds of other shapes.
//!
//! Each resource is fitted by least squares to `a + b rows cols + c rows + d cols`: what does not grow with the mesh, its PEs, and
//! its edges, of which the first row is another than the first column. With four distinct shapes, or where all have as many rows
//! as columns, the edges are one term, `c (rows + cols)`; with three there are none. The builds must differ in rows and columns
//! only. Frequencies are never extrapolated: they follow from placement, not from counts.

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
        "the shapes that were built do not tell {terms} apart; build others, with rows and columns that both vary"
    )]
    Dependent { terms: &'static str },
    #[error("only shapes with rows = cols were built: {rows} x {cols} does not follow from them")]
    Square { rows: usize, cols: usize },
}

/// The fewest shapes.
pub const LEAST: usize = 3;

/// How a resource is read, and how it is written.
type Resource = (fn(&Area) -> Option<f64>, fn(&mut Area, f64));

/// Counts below 2^53 are exact as f64; what is fitted below 0 is nothing.
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

/// What a resource is a sum of.
#[derive(Clone, Copy, PartialEq)]
enum Terms {
    Mesh,
    MeshAndEdge,
    MeshRowsAndCols,
}

impl Terms {
    const MOST: usize = 4;

    /// The most that so many distinct shapes determine with one to spare.
    fn choose(shapes: &BTreeSet<Shape>) -> Result<Self, ExtrapolateError> {
        let square = shapes.iter().all(|(rows, cols)| rows == cols);
        match shapes.len() {
            given @ 0..LEAST => Err(ExtrapolateError::TooFew { given }),
            LEAST => Ok(Self::Mesh),
            4 => Ok(Self::MeshAndEdge),
            _ if square => Ok(Self::MeshAndEdge),
            _ => Ok(Self::MeshRowsAndCols),
        }
    }

    fn of(self, (rows, cols): Shape) -> Vec<f64> {
        let (rows, cols) = (rows as f64, cols as f64);
        match self {
            Self::Mesh => vec![1.0, rows * cols],
            Self::MeshAndEdge => vec![1.0, rows * cols, rows + cols],
            Self::MeshRowsAndCols => vec![1.0, rows * cols, rows, cols],
        }
    }

    const fn names(self) -> &'static str {
        match self {
            Self::Mesh => "1 and rows x cols",
            Self::MeshAndEdge => "1, rows x cols and rows + cols",
            Self::MeshRowsAndCols => "1, rows x cols, rows and cols",
        }
    }
}

/// The area of `shape`.
///
/// # Errors
/// There are too few shapes among the builds, or they do not determine the fit.
pub fn extrapolate(builds: &[(Shape, Area)], shape: Shape) -> Result<Extrapolated, ExtrapolateError> {
    let distinct: BTreeSet<Shape> = builds.iter().map(|(shape, _)| *shape).collect();
    let terms = Terms::choose(&distinct)?;
    let (rows, cols) = shape;
    if rows != cols && distinct.iter().all(|(rows, cols)| rows == cols) {
        return Err(ExtrapolateError::Square { rows, cols });
    }
    let mut area = Area::default();
    let mut residual: f64 = 0.0;
    for (get, set) in RESOURCES {
        let values: Option<Vec<f64>> = builds.iter().map(|(_, area)| get(area)).collect();
        let Some(values) = values else { continue };
        let equations: Vec<(Vec<f64>, f64)> = builds.iter().map(|(shape, _)| terms.of(*shape)).zip(values).collect();
        let fit = fit(&equations).ok_or(ExtrapolateError::Dependent { terms: terms.names() })?;
        let at = |terms: &[f64]| terms.iter().zip(&fit).map(|(term, factor)| term * factor).sum::<f64>();
        for (terms, value) in equations.iter().filter(|(_, value)| *value > 0.0) {
            residual = residual.max((at(terms) - value).abs() / value);
        }
        set(&mut area, at(&terms.of(shape)));
    }
    Ok(Extrapolated { area, extrapolated: true, n_builds: builds.len(), residual })
}

/// Least squares by the normal equations, which are solved by elimination; none if they are singular.
fn fit(equations: &[(Vec<f64>, f64)]) -> Option<Vec<f64>> {
    let n = equations.first()?.0.len();
    let mut matrix = [[0.0; Terms::MOST + 1]; Terms::MOST];
    for (terms, value) in equations {
        for i in 0..n {
            for j in 0..n {
                matrix[i][j] += terms[i] * terms[j];
            }
            matrix[i][n] += terms[i] * value;
        }
    }
    let scale: Vec<f64> = (0..n).map(|i| matrix[i][i]).collect();
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
    Some((0..n).map(|i| matrix[i][n] / matrix[i][i]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 + 3 rows cols + 5 rows + 2 cols LUTs.
    fn build((rows, cols): Shape) -> (Shape, Area) {
        let luts = 10 + 3 * rows as u64 * cols as u64 + 5 * rows as u64 + 2 * cols as u64;
        ((rows, cols), Area { luts, ffs: 7, area_um2: Some(2.5 * (rows * cols) as f64), ..Area::default() })
    }

    #[test]
    fn what_follows_the_formula_is_found_again() {
        for (builds, shape) in [
            (vec![(2, 2), (2, 3), (3, 3), (4, 2), (4, 4)], (16, 12)),
            (vec![(2, 2), (3, 3), (4, 4), (5, 5)], (16, 16)),
            (vec![(2, 2), (3, 3), (4, 4), (5, 5), (6, 6)], (16, 16)),
        ] {
            let builds: Vec<_> = builds.into_iter().map(build).collect();
            let result = extrapolate(&builds, shape).expect("enough shapes");
            let (_, expected) = build(shape);
            assert_eq!((result.area.luts, result.area.ffs, result.area.dsps), (expected.luts, 7, 0));
            let um2 = result.area.area_um2.expect("an area");
            assert!((um2 - expected.area_um2.expect("an area")).abs() < 1e-6, "{um2}");
            assert!(result.residual < 1e-9, "{}", result.residual);
            assert!(result.extrapolated);
            assert_eq!(result.n_builds, builds.len());
        }
    }

    #[test]
    fn shapes_that_do_not_tell_are_refused() {
        for (builds, message) in [
            (vec![(2, 2), (2, 2), (3, 3)], "2 distinct shapes were built; at least 3 are needed"),
            (
                vec![(2, 2), (2, 3), (2, 4), (2, 5)],
                "the shapes that were built do not tell 1, rows x cols and rows + cols apart; build others, with rows and \
                 columns that both vary",
            ),
            (
                vec![(2, 2), (2, 3), (2, 4), (2, 5), (2, 6)],
                "the shapes that were built do not tell 1, rows x cols, rows and cols apart; build others, with rows and \
                 columns that both vary",
            ),
            (
                vec![(2, 2), (3, 3), (4, 4), (5, 5)],
                "only shapes with rows = cols were built: 8 x 9 does not follow from them",
            ),
        ] {
            let builds: Vec<_> = builds.into_iter().map(build).collect();
            assert_eq!(extrapolate(&builds, (8, 9)).expect_err("they do not tell").to_string(), message);
        }
    }

    /// 10, 20 and 60 over 1, 2 and 3 PEs: the line -20 + 25 x has the least squares, and is off by 5, 10 and 5.
    #[test]
    fn all_builds_count_where_none_is_met() {
        let build = |(cols, luts)| ((1, cols), Area { luts, ..Area::default() });
        let builds = [(1, 10), (2, 20), (3, 60)].map(build);
        let result = extrapolate(&builds, (1, 4)).expect("three shapes");
        assert_eq!(result.area.luts, 80, "{result:?}");
        assert!((result.residual - 0.5).abs() < 1e-9, "{}", result.residual);
    }

    /// Two terms cannot follow the edges: the residual says so.
    #[test]
    fn three_shapes_fit_two_terms_and_leave_a_residual() {
        let builds = [(2, 2), (3, 3), (4, 4)].map(build);
        let result = extrapolate(&builds, (5, 5)).expect("three shapes");
        assert!(result.residual > 0.005 && result.residual < 0.1, "{}", result.residual);
    }
}
