//! Ranges of activations, each chosen once.

use super::recipe::{ActivationRecipe, ZeroPoint};
use calibrate::{CalibrateError, Choice, Grid};
use golden::QFormat;
use spec::Format;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ranges of one network's activations on one set of calibration data, as they were chosen for earlier recipes.
///
/// A range depends on what the float network makes of the data, on the tensor's format, method and symmetry: not on weights. So a
/// network that is quantized for many widths of its weights needs each only once.
#[derive(Debug, Default)]
pub struct Ranges {
    /// A range's own lock is held while it is chosen, so that no two threads choose the same.
    chosen: Mutex<HashMap<Key, Arc<Mutex<Option<Choice>>>>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    tensor: usize,
    format: Format,
    /// As a text, since parameters of methods are no integers.
    method: String,
    affine: bool,
    grid: Grid,
}

impl Ranges {
    /// The range of the tensor with that number, whose values on the calibration data are `values`.
    pub(super) fn choose(
        &self,
        tensor: usize,
        values: &[f32],
        format: Format,
        recipe: &ActivationRecipe,
        grid: Grid,
    ) -> Result<Choice, CalibrateError> {
        let affine = recipe.symmetry == ZeroPoint::Affine;
        let key = Key { tensor, format, method: recipe.method.to_string(), affine, grid };
        let place = Arc::clone(lock(&self.chosen).entry(key).or_default());
        let mut place = lock(&place);
        if let Some(choice) = *place {
            return Ok(choice);
        }
        let quantized = QFormat::full(format.bits(), format.is_signed())?;
        let choice = calibrate::choose(values, quantized, recipe.method.0, recipe.symmetry.into(), grid)?;
        *place = Some(choice);
        Ok(choice)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A choice is written whole or not at all.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
