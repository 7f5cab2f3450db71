//! What is refused before anything is computed.

use super::error::QuantizeError;
use super::recipe::{LayerRecipe, Recipe, WeightMethod};
use super::Calibration;
use crate::float::{FloatLayer, FloatNetwork, FloatOperation};
use golden::Extent;
use spec::{MachineScheme, Numerics};

/// The recipe of each layer, if recipe, network, data and machine fit each other.
pub(super) fn check(
    network: &FloatNetwork,
    extents: &[Extent],
    calibration: Calibration<'_>,
    numerics: &Numerics,
    recipe: &Recipe,
) -> Result<Vec<LayerRecipe>, QuantizeError> {
    let weight = numerics.weight();
    if !weight.is_signed() || weight.bits() < 2 {
        return Err(QuantizeError::WeightFormat { format: weight });
    }
    let recipes = recipes(network, numerics, recipe)?;
    let bits = [
        ("weights.bits", recipe.weights.machine_bits(), recipe.machine_weight_bits(), "numerics.weight_bits", weight),
        (
            "activations.bits",
            recipe.activations.bits,
            recipe.activations.bits,
            "numerics.activation_bits",
            numerics.activation(),
        ),
    ];
    for (key, given, most, of, machine) in bits {
        if most != machine.bits() {
            return Err(QuantizeError::Bits { key, given, of, machine: machine.bits() });
        }
    }
    if let Some(gradients) = recipe.gradients {
        if !(2..=32).contains(&gradients.bits) {
            return Err(QuantizeError::GradientBits { bits: gradients.bits });
        }
        if calibration.labels.is_none() {
            return Err(QuantizeError::NoLabels);
        }
    }
    for (index, layer) in network.layers.iter().enumerate() {
        check_layer(network, layer, &recipes[index].weights.method, numerics)?;
        let k = layer.k(extents[layer.inputs[0]]);
        if u32::try_from(k).map_or(true, |k| k > numerics.max_k()) {
            return Err(QuantizeError::TooManyTerms { layer: layer.name.clone(), k, max_k: numerics.max_k() });
        }
    }
    check_data(network.input.elements(), calibration)?;
    Ok(recipes)
}

/// What the recipe says of each layer, if it says nothing of others.
fn recipes(network: &FloatNetwork, numerics: &Numerics, recipe: &Recipe) -> Result<Vec<LayerRecipe>, QuantizeError> {
    let unknown: Vec<String> =
        recipe.layers.keys().filter(|name| network.layers.iter().all(|layer| layer.name != **name)).cloned().collect();
    if !unknown.is_empty() {
        let layers = network.layers.iter().map(|layer| layer.name.clone()).collect();
        return Err(QuantizeError::UnknownLayers { unknown, layers });
    }
    let of = |layer: &FloatLayer| {
        let merged = recipe.of(&layer.name);
        let name = || layer.name.clone();
        if let Some(given) = recipe.layers.get(&layer.name) {
            let convolution = matches!(layer.operation, FloatOperation::Convolution { .. });
            if given.weights.is_some() && !convolution {
                return Err(QuantizeError::NoWeights { layer: name(), operation: layer.operation.name() });
            }
            if given.activations.is_some() && matches!(layer.operation, FloatOperation::MaxPool { .. }) {
                return Err(QuantizeError::KeepsScale { layer: name() });
            }
            let (bits, machine) = (merged.weights.machine_bits(), numerics.weight().bits());
            if given.weights.is_some() && !(2..=machine).contains(&bits) {
                return Err(QuantizeError::LayerBits { layer: name(), bits, machine });
            }
        }
        Ok(merged)
    };
    let recipes = network.layers.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    let weighted = network.layers.iter().zip(&recipes);
    let weighted = weighted.filter(|(layer, _)| matches!(layer.operation, FloatOperation::Convolution { .. }));
    let learned: Vec<bool> = weighted.map(|(_, recipe)| recipe.weights.method == WeightMethod::Probabilistic).collect();
    match learned.contains(&true) && learned.contains(&false) {
        true => Err(QuantizeError::PartlyLearned),
        false => Ok(recipes),
    }
}

fn check_layer(
    network: &FloatNetwork,
    layer: &FloatLayer,
    method: &WeightMethod,
    numerics: &Numerics,
) -> Result<(), QuantizeError> {
    let name = || layer.name.clone();
    let (activation, output) = (numerics.activation(), numerics.output());
    let pow2 = numerics.scheme() == MachineScheme::Pow2;
    if layer.inputs.iter().any(|&tensor| tensor > 0) && activation != output {
        return Err(QuantizeError::FormatsDiffer { layers: network.layers.len(), output, activation });
    }
    match &layer.operation {
        FloatOperation::Convolution { .. } => {
            use WeightMethod::{Mxint8, Probabilistic, Uniform};
            if pow2 && !matches!(method, Uniform(_) | Probabilistic | Mxint8 { .. }) {
                return Err(QuantizeError::ScalesOfCodebook { method: method.to_string() });
            }
        }
        FloatOperation::AveragePool { window } => {
            let positions = window.positions();
            if pow2 && !positions.is_power_of_two() {
                return Err(QuantizeError::AveragePositions { layer: name(), positions });
            }
        }
        FloatOperation::MaxPool { .. } | FloatOperation::Function(_) => {
            if activation != output {
                let operation = layer.operation.name();
                return Err(QuantizeError::KeepsIntegers { layer: name(), operation, output, activation });
            }
            if matches!(layer.operation, FloatOperation::Function(_)) && !numerics.activation_table() {
                return Err(QuantizeError::NoTable { layer: name() });
            }
        }
        FloatOperation::Add => {}
    }
    Ok(())
}

fn check_data(input_len: usize, calibration: Calibration<'_>) -> Result<(), QuantizeError> {
    if calibration.inputs.is_empty() || !calibration.inputs.len().is_multiple_of(input_len) {
        return Err(QuantizeError::CalibrationLength { given: calibration.inputs.len(), input_len });
    }
    let rows = calibration.inputs.len() / input_len;
    if let Some(labels) = calibration.labels.filter(|labels| labels.len() != rows) {
        return Err(QuantizeError::LabelCount { given: labels.len(), rows });
    }
    match calibration.inputs.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(QuantizeError::CalibrationValue { at, value: calibration.inputs[at] }),
        None => Ok(()),
    }
}
