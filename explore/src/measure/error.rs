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
    Quantize(Box<QuantizeError>),
    #[error(transparent)]
    Layer(Box<LayerError>),
    #[error(transparent)]
    Compile(Box<CompileError>),
}

/// What went wrong, whatever the point.
#[derive(Debug, Error)]
pub enum Failure {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Model { path: PathBuf, source: Box<OnnxError> },
    #[error("{} is quantized already: a sweep quantizes float networks itself", path.display())]
    Quantized { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Network { path: PathBuf, source: Box<LayerError> },
    #[error("{}: {source}", path.display())]
    Data { path: PathBuf, source: Box<DataError> },
    #[error("{} has no array labels: accuracy needs the class of each row of test", path.display())]
    NoLabels { path: PathBuf },
    #[error("batch = {batch} must be in 1..={rows}, the rows of test in {}", path.display())]
    Batch { batch: usize, rows: usize, path: PathBuf },
    #[error(transparent)]
    Case(Box<CaseError>),
    #[error("simulator: {0}")]
    Run(Box<EngineError>),
    #[error("the simulator gave no counters")]
    Counters,
}

/// The causes are boxed, as they are large and rare.
macro_rules! boxed {
    ($($error:ident => $into:ident::$variant:ident),* $(,)?) => {
        $(impl From<$error> for $into {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        })*
    };
}

boxed!(
    QuantizeError => Refusal::Quantize,
    LayerError => Refusal::Layer,
    CompileError => Refusal::Compile,
    EngineError => Failure::Run,
);

impl From<CaseError> for MeasureError {
    fn from(error: CaseError) -> Self {
        match error {
            // A program that its own check refuses is the compiler's fault.
            CaseError::Compile(CompileError::Invalid(_)) => Failure::Case(Box::new(error)).into(),
            CaseError::Compile(error) => Refusal::from(error).into(),
            CaseError::Layer(error) => Refusal::from(error).into(),
            error => Failure::Case(Box::new(error)).into(),
        }
    }
}
