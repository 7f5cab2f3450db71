//! Why a point was not measured.

use crate::data::DataError;
use compiler::onnx::OnnxError;
use compiler::quantize::QuantizeError;
use compiler::CompileError;
use golden::LayerError;
use std::path::PathBuf;
use testbenches::{CaseError, EngineError};
use thiserror::Error;

/// See the module.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// The point breaks a rule: others may be measured.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Files, or programs of this project, are not as they must be.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// A rule of network, recipe or compiler that the point breaks.
#[derive(Debug, Error)]
pub enum Refusal {
    #[error("the point has no network")]
    NoNetwork,
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// What went wrong, whatever the point.
#[derive(Debug, Error)]
pub enum Failure {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Model { path: PathBuf, source: OnnxError },
    #[error("{} is quantized already: a sweep quantizes float networks itself", path.display())]
    Quantized { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Network { path: PathBuf, source: LayerError },
    #[error("{}: {source}", path.display())]
    Data { path: PathBuf, source: DataError },
    #[error("{} has no array labels: accuracy needs the class of each row of test", path.display())]
    NoLabels { path: PathBuf },
    #[error("batch = {batch} must be in 1..={rows}, the rows of test in {}", path.display())]
    Batch { batch: usize, rows: usize, path: PathBuf },
    #[error(transparent)]
    Case(CaseError),
    #[error("simulator: {0}")]
    Run(#[from] EngineError),
    #[error("the simulator gave no counters")]
    Counters,
}

impl From<CaseError> for MeasureError {
    fn from(error: CaseError) -> Self {
        match error {
            // A program that its own check refuses is the compiler's fault.
            CaseError::Compile(error @ CompileError::Invalid(_)) => Failure::Case(error.into()).into(),
            CaseError::Compile(error) => Refusal::Compile(error).into(),
            CaseError::Layer(error) => Refusal::Layer(error).into(),
            error => Failure::Case(error).into(),
        }
    }
}
