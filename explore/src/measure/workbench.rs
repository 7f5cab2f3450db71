//! Float networks and data, read once for all points.

use super::error::{Failure, MeasureError, Refusal};
use crate::data;
use crate::point::Point;
use compiler::float::{count_correct, FloatLayer, FloatNetwork, FloatOperation, FloatRun};
use compiler::npz::{Matrix, Npz};
use compiler::onnx::{import, ImportOptions, Imported, ModelFile, OnnxError};
use compiler::quantize::{quantize_with_ranges, Calibration, Quantized, Ranges};
use golden::LayerError;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The files of one seed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sources {
    pub model: PathBuf,
    pub data: PathBuf,
}

/// Float networks and data by their paths, shared by threads. Each is read once, and dropped only if too much is held: the one
/// that was not used for longest goes first.
pub struct Workbench {
    most_bytes: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    items: HashMap<Sources, Item>,
    /// Counts uses.
    now: u64,
}

struct Item {
    used: u64,
    /// Known once it is read.
    bytes: usize,
    /// Locked while it is read, so that other threads wait for it and nobody reads twice.
    subject: Arc<Mutex<Option<Arc<Subject>>>>,
}

/// A float network with its data, and what it makes of them.
pub(super) struct Subject {
    pub network: FloatNetwork,
    calibration: Matrix,
    pub test: Matrix,
    pub labels: Vec<i64>,
    pub float_correct: usize,
    /// The float network's outputs of each layer for the rows of test; none if they are too large to keep.
    outputs: Option<Vec<Vec<f32>>>,
    ranges: Ranges,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Everything behind these locks is whole at any time: values are put in at once.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Workbench {
    /// What a sweep holds at most, unless a single network with its data takes more.
    pub const MOST_BYTES: usize = 1 << 30;

    /// Holds about `most_bytes`.
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, shelf: Mutex::default() }
    }

    /// The network and the data of these files.
    pub(super) fn subject(&self, sources: &Sources) -> Result<Arc<Subject>, MeasureError> {
        let place = {
            let mut shelf = lock(&self.shelf);
            shelf.now += 1;
            let used = shelf.now;
            let fresh = || Item { used, bytes: 0, subject: Arc::default() };
            let item = shelf.items.entry(sources.clone()).or_insert_with(fresh);
            item.used = used;
            Arc::clone(&item.subject)
        };
        let mut place = lock(&place);
        if let Some(subject) = &*place {
            return Ok(Arc::clone(subject));
        }
        // Half, so that two threads have room.
        let subject = Arc::new(Subject::read(sources, self.most_bytes / 2)?);
        *place = Some(Arc::clone(&subject));
        self.make_room(sources, subject.bytes());
        Ok(subject)
    }

    /// Notes the size of what was read, and drops the others that were not used for longest until everything fits.
    fn make_room(&self, sources: &Sources, bytes: usize) {
        let mut shelf = lock(&self.shelf);
        if let Some(item) = shelf.items.get_mut(sources) {
            item.bytes = bytes;
        }
        loop {
            let held: usize = shelf.items.values().map(|item| item.bytes).sum();
            let others = shelf.items.iter().filter(|(key, item)| *key != sources && item.bytes > 0);
            let oldest = others.min_by_key(|(_, item)| item.used).map(|(key, _)| key.clone());
            match oldest {
                Some(key) if held > self.most_bytes => shelf.items.remove(&key),
                _ => return,
            };
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        lock(&self.shelf).items.values().filter(|item| item.bytes > 0).count()
    }
}

impl Subject {
    /// Reads the files; keeps the float network's outputs if they take at most `keep_bytes`.
    fn read(sources: &Sources, keep_bytes: usize) -> Result<Self, Failure> {
        let network = float_network(&sources.model)?;
        let at_network = |source| Failure::Network { path: sources.model.clone(), source: Box::new(source) };
        let (inputs, classes) = data::sizes(&network).map_err(at_network)?;
        let path = || sources.data.clone();
        let bytes = std::fs::read(&sources.data).map_err(|source| Failure::Read { path: path(), source })?;
        let at_data = |source| Failure::Data { path: path(), source: Box::new(source) };
        let mut npz = Npz::new(bytes).map_err(|error| at_data(error.into()))?;
        let calibration = npz.matrix("calibration", inputs).map_err(|error| at_data(error.into()))?;
        let (test, labels) = data::test_data(&mut npz, inputs, classes).map_err(at_data)?;
        let labels = labels.ok_or_else(|| Failure::NoLabels { path: path() })?;
        Self::new(network, calibration, test, labels, keep_bytes).map_err(at_network)
    }

    /// A network that was read, with its data.
    pub fn new(
        network: FloatNetwork,
        calibration: Matrix,
        test: Matrix,
        labels: Vec<i64>,
        keep_bytes: usize,
    ) -> Result<Self, LayerError> {
        let extents = network.extents()?;
        let classes = extents[extents.len() - 1].elements();
        let elements: usize = extents.iter().skip(1).map(|extent| extent.elements()).sum();
        let keep = elements.saturating_mul(test.rows).saturating_mul(size_of::<f32>()) <= keep_bytes;
        let rows = network.layout.to_channels_last(network.input, &test.values);
        let mut outputs: Vec<Vec<f32>> = Vec::new();
        let mut run = network.run(&rows)?;
        while let Some(layer) = run.next_layer() {
            if !keep {
                outputs.clear();
            }
            outputs.push(layer.to_vec());
        }
        let float_correct = outputs.last().map_or(0, |scores| count_correct(scores, classes, &labels));
        let outputs = keep.then_some(outputs);
        Ok(Self { network, calibration, test, labels, float_correct, outputs, ranges: Ranges::default() })
    }

    /// About what is held.
    fn bytes(&self) -> usize {
        let kept: usize = self.outputs.iter().flatten().map(Vec::len).sum();
        let weights = |layer: &FloatLayer| match &layer.operation {
            FloatOperation::Convolution { weights, bias, .. } => weights.len() + bias.len(),
            _ => 0,
        };
        let weights: usize = self.network.layers.iter().map(weights).sum();
        size_of::<f32>() * (kept + weights + self.calibration.values.len() + self.test.values.len())
    }

    /// The network in integers, as the point has it. `seed` is that of stochastic rounding.
    pub fn quantize(&self, point: &Point, seed: u64) -> Result<Quantized, Refusal> {
        let recipe = point.recipe.as_ref().ok_or(Refusal::NoNetwork)?;
        let calibration = Calibration { inputs: &self.calibration.values, labels: None };
        let numerics = point.config.numerics();
        Ok(quantize_with_ranges(&self.network, calibration, numerics, recipe, seed, &self.ranges)?)
    }

    /// What the float network makes of the rows of test.
    pub fn float_layers(&self) -> Result<FloatLayers<'_>, LayerError> {
        match &self.outputs {
            Some(outputs) => Ok(FloatLayers::Kept(outputs.iter())),
            None => {
                let rows = self.network.layout.to_channels_last(self.network.input, &self.test.values);
                Ok(FloatLayers::Run(self.network.run(&rows)?))
            }
        }
    }
}

/// The float network's outputs, layer by layer.
pub(super) enum FloatLayers<'a> {
    Kept(std::slice::Iter<'a, Vec<f32>>),
    Run(FloatRun<'a>),
}

impl FloatLayers<'_> {
    pub fn next_layer(&mut self) -> Option<&[f32]> {
        match self {
            Self::Kept(outputs) => outputs.next().map(Vec::as_slice),
            Self::Run(run) => run.next_layer(),
        }
    }
}

fn float_network(path: &Path) -> Result<FloatNetwork, Failure> {
    let at = |source| match source {
        OnnxError::Read { source, .. } => Failure::Read { path: path.to_owned(), source },
        source => Failure::Model { path: path.to_owned(), source: Box::new(source) },
    };
    let model = ModelFile::read(path).map_err(at)?;
    match import(&model, &ImportOptions::default()).map_err(at)? {
        Imported::Float(network) => Ok(network),
        Imported::Quantized(_) => Err(Failure::Quantized { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
