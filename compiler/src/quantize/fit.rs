//! One layer's weights as integers, by the recipe.

use super::error::QuantizeError;
use super::patches::Patches;
use super::recipe::{Granularity, LayerRecipe, WeightMethod, WeightRecipe, WeightRounding};
use calibrate::probabilistic::{learn_levels, LayerLevels, Learning, Target};
use calibrate::{CalibrateError, CodebookFit, Grid, Linear, Per};
use golden::mx::{self, MxExponent, MX_BLOCK};
use golden::{Codebook, InfinityPolicy, Kind, NanPolicy, Order, QFormat, Quantizer, QuantizerParts, Range, Scale};
use spec::Round;

/// A layer's weights: row-major k x n, a bias a column. A grouped convolution's columns belong to the groups in turn, equally many
/// each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a> {
    pub name: &'a str,
    pub k: usize,
    pub n: usize,
    pub weights: &'a [f32],
    pub bias: &'a [f32],
}

/// Weights in integers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fitted {
    /// Row-major k x n.
    pub values: Vec<i32>,
    /// One per output channel.
    pub scales: Vec<f32>,
    /// The values a weight may take: ends, the distances of the ends from their neighbours, and how many.
    pub low: i32,
    pub high: i32,
    pub gaps: [i32; 2],
    pub levels: usize,
}

/// Tensor numbers of streams that round weights; layers' outputs have the numbers from 0.
const WEIGHT_STREAMS: u32 = 1 << 31;

/// Passes over the calibration data, rows of a step, Adam's rate, start's spread and the entropy's factor: what measured well on the
/// digits network at two bits.
const LEARNING: Learning = Learning { rounds: 150, batch: 32, rate: 0.05, spread: 0.5, entropy: 0.5, seed: 0 };

fn per(granularity: Granularity) -> Per {
    match granularity {
        Granularity::PerTensor => Per::Tensor,
        Granularity::PerChannel => Per::Channel,
    }
}

/// Signed, without the least value.
pub(super) fn weight_format(bits: u32) -> Result<QFormat, QuantizeError> {
    Ok(QFormat::new(Kind::Signed, bits, Range::Narrow)?)
}

/// The layer's weights; `patches` is what the quantized layer sees of the calibration data.
pub(super) fn weights(
    layer: Matrix<'_>,
    index: usize,
    patches: &Patches<'_>,
    recipe: &WeightRecipe,
    grid: Grid,
    seed: u64,
) -> Result<Fitted, QuantizeError> {
    let at = |source: CalibrateError| QuantizeError::Calibrate { tensor: format!("layer {}", layer.name), source };
    let (w, shape, format) = (layer.weights, [layer.k, layer.n], weight_format(recipe.machine_bits())?);
    let per = per(recipe.granularity);
    let codebook = |fit: Result<CodebookFit, CalibrateError>| {
        let fit = fit.map_err(at)?;
        let mut fitted = Fitted::new(fit.values(), spread(&fit.scales, layer.n), fit.codebook.levels());
        fitted.clear_zero_columns(layer);
        Ok(fitted)
    };
    match recipe.method {
        // Learned weights are learned for all layers together, see `learn`; alone, a layer starts like a uniform one.
        WeightMethod::Uniform(_) | WeightMethod::Probabilistic => uniform(layer, index, patches, recipe, grid, seed),
        WeightMethod::KMeans { levels } => {
            codebook(calibrate::fit_kmeans(w, shape, levels, calibrate::Start::Linear, format))
        }
        WeightMethod::PowersOfTwo => {
            let levels = Codebook::powers_of_two(format, format.bits() - 1)?;
            codebook(calibrate::fit_levels(w, shape, levels, per))
        }
        WeightMethod::AdditivePowersOfTwo => {
            let levels = Codebook::additive_powers_of_two(format, 2, format.bits() - 1)?;
            codebook(calibrate::fit_levels(w, shape, levels, per))
        }
        WeightMethod::Mxint8 { rule } => mxint8(layer, rule, format),
        WeightMethod::Ternary => codebook(calibrate::fit_ternary(w, shape, per)),
        WeightMethod::Binary => codebook(calibrate::fit_binary(w, shape, per)),
    }
}

/// One scale per channel; channels of zeros get the whole matrix's, so that their bias keeps its precision.
fn scales(layer: Matrix<'_>, recipe: &WeightRecipe, grid: Grid, format: QFormat) -> Result<Vec<f32>, QuantizeError> {
    let method = match recipe.method {
        WeightMethod::Uniform(method) => method,
        // The distributions start from the scale of least error.
        _ => calibrate::Method::Mse,
    };
    let at = |source: CalibrateError| QuantizeError::Calibrate { tensor: format!("layer {}", layer.name), source };
    let choose = |values: &[f32]| {
        if values.iter().all(|&w| w == 0.0) {
            return Ok(None);
        }
        let choice = calibrate::choose(values, format, method, calibrate::Symmetry::Symmetric, grid);
        choice.map(|choice| Some(choice.scale)).map_err(at)
    };
    let whole = || Ok::<f32, QuantizeError>(choose(layer.weights)?.unwrap_or(1.0));
    if recipe.granularity == Granularity::PerTensor {
        return Ok(vec![whole()?; layer.n]);
    }
    let column = |j: usize| layer.weights.iter().skip(j).step_by(layer.n).copied().collect::<Vec<f32>>();
    (0..layer.n).map(|j| choose(&column(j)).and_then(|scale| scale.map_or_else(whole, Ok))).collect()
}

fn uniform(
    layer: Matrix<'_>,
    index: usize,
    patches: &Patches<'_>,
    recipe: &WeightRecipe,
    grid: Grid,
    seed: u64,
) -> Result<Fitted, QuantizeError> {
    let format = weight_format(recipe.bits)?;
    let scales = scales(layer, recipe, grid, format)?;
    let shape = [layer.k, layer.n];
    let values = match recipe.rounding {
        WeightRounding::AdaRound => by_group(layer, patches, |part, inputs, columns| {
            let rounded = calibrate::adaround(part.weights, [part.k, part.n], inputs, &scales[columns], format);
            rounded.map(|rounded| rounded.values)
        })?,
        WeightRounding::Element(rounding) => {
            let quantizer = Quantizer::new(QuantizerParts {
                format,
                scales: scales.iter().map(|&scale| Scale::f32(scale)).collect::<Result<_, _>>()?,
                zero_points: vec![0; layer.n],
                granularity: golden::Granularity::Axis(1),
                rounding: rounding.golden(seed, WEIGHT_STREAMS + index as u32),
                order: Order::DivideThenAdd,
                nan: NanPolicy::Refuse,
                infinity: InfinityPolicy::Refuse,
            })?;
            quantizer.quantize(layer.weights, &shape)?
        }
    };
    Ok(Fitted::new(values, scales, &levels_of(format)))
}

/// MXINT8 blocks along k, brought to one power-of-two scale a channel: an element of a block with the exponent e is e - least bits
/// further left, least being the least exponent of the channel's blocks that are not all 0. Exact, or refused.
fn mxint8(layer: Matrix<'_>, rule: MxExponent, format: QFormat) -> Result<Fitted, QuantizeError> {
    let (k, n) = (layer.k, layer.n);
    let (mut values, mut scales) = (vec![0; k * n], vec![1.0; n]);
    for channel in 0..n {
        let column: Vec<f32> = layer.weights.iter().skip(channel).step_by(n).copied().collect();
        let blocks = column.chunks(MX_BLOCK).map(|block| mx::encode(block, rule, Round::HalfToEven));
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        let used = blocks.iter().filter(|block| block.elements.iter().any(|&element| element != 0));
        let Some(least) = used.map(|block| block.exponent).min() else { continue };
        // The exponent of the elements' last bit; f32 has it as a normal number from -126 on.
        let power = least - 6;
        if power < -126 {
            return Err(QuantizeError::MxScale { layer: layer.name.to_owned(), channel, power });
        }
        scales[channel] = f32::from_bits(((power + 127) as u32) << 23);
        let elements = blocks.iter().flat_map(|block| block.elements.iter().map(|&element| (element, block.exponent)));
        for (row, (element, exponent)) in elements.enumerate().filter(|(_, (element, _))| *element != 0) {
            // Elements have 8 bits; a spread of exponents beyond 48 fits no weight.
            let value = i64::from(element) << (exponent - least).min(48);
            if !format.contains(value) {
                let (layer, bits) = (layer.name.to_owned(), format.bits());
                return Err(QuantizeError::MxSpread { layer, channel, value, bits });
            }
            values[row * n + channel] = value as i32;
        }
    }
    Ok(Fitted::new(values, scales, &levels_of(format)))
}

/// All layers' weights by learnt distributions: each layer's recipe asks for them. `inputs` are the calibration data.
pub(super) fn learn(
    layers: &[Linear],
    names: &[&str],
    inputs: &[f32],
    recipes: &[LayerRecipe],
    grid: Grid,
    seed: u64,
) -> Result<Vec<Fitted>, QuantizeError> {
    let (mut levels, mut scales) = (Vec::new(), Vec::new());
    for ((layer, name), recipe) in layers.iter().zip(names).zip(recipes) {
        let format = weight_format(recipe.weights.bits)?;
        let matrix = Matrix { name, k: layer.k, n: layer.n, weights: &layer.weights, bias: &layer.bias };
        levels.push(levels_of(format));
        scales.push(self::scales(matrix, &recipe.weights, grid, format)?);
    }
    let of_layers: Vec<LayerLevels<'_>> =
        levels.iter().zip(&scales).map(|(levels, scales)| LayerLevels { levels, scales }).collect();
    let learning = Learning { seed, ..LEARNING };
    // The float network itself is the target: the same with and without labels.
    let learnt = learn_levels(layers, &of_layers, inputs, Target::FloatNetwork, learning);
    let learnt = learnt.map_err(|source| QuantizeError::Calibrate { tensor: "all layers".to_owned(), source })?;
    let of = |((values, scales), levels): ((Vec<i32>, Vec<f32>), &Vec<i32>)| Fitted::new(values, scales, levels);
    Ok(learnt.values.into_iter().zip(scales).zip(&levels).map(of).collect())
}

/// The layer's bias, corrected if the recipe asks for it.
pub(super) fn bias(
    layer: Matrix<'_>,
    fitted: &Fitted,
    patches: &Patches<'_>,
    recipe: &WeightRecipe,
) -> Result<Vec<f32>, QuantizeError> {
    if !recipe.bias_correction {
        return Ok(layer.bias.to_vec());
    }
    let real = fitted.real();
    by_group(layer, patches, |part, inputs, columns| {
        let quantized = columns_of(&real, layer.n, columns);
        calibrate::bias_correction(part.weights, &quantized, [part.k, part.n], inputs, part.bias)
    })
}

/// What `fit` makes of each group's columns and patches, put together to rows of n.
fn by_group<T: Copy>(
    layer: Matrix<'_>,
    patches: &Patches<'_>,
    mut fit: impl FnMut(Matrix<'_>, &[f32], std::ops::Range<usize>) -> Result<Vec<T>, CalibrateError>,
) -> Result<Vec<T>, QuantizeError> {
    let group_n = layer.n / patches.groups();
    let mut parts = Vec::with_capacity(patches.groups());
    for group in 0..patches.groups() {
        let columns = group * group_n..(group + 1) * group_n;
        let (weights, bias) = (columns_of(layer.weights, layer.n, columns.clone()), &layer.bias[columns.clone()]);
        let part = Matrix { n: group_n, weights: &weights, bias, ..layer };
        let fitted = fit(part, &patches.of_group(group), columns)
            .map_err(|source| QuantizeError::Calibrate { tensor: format!("layer {}", layer.name), source })?;
        parts.push(fitted);
    }
    let rows = parts.first().map_or(0, |part| part.len() / group_n);
    let row = |row: usize| parts.iter().flat_map(move |part| part[row * group_n..(row + 1) * group_n].iter().copied());
    Ok((0..rows).flat_map(row).collect())
}

fn columns_of<T: Copy>(values: &[T], n: usize, columns: std::ops::Range<usize>) -> Vec<T> {
    values.chunks_exact(n).flat_map(|row| row[columns.clone()].iter().copied()).collect()
}

/// All values of a format of at most 16 bits, as the machine's weights are.
fn levels_of(format: QFormat) -> Vec<i32> {
    (format.min()..=format.max()).map(|level| level as i32).collect()
}

impl Fitted {
    fn new(values: Vec<i32>, scales: Vec<f32>, levels: &[i32]) -> Self {
        let last = levels.len() - 1;
        let gap = |low: usize, high: usize| (levels[high] - levels[low]).max(1);
        let gaps = [gap(0, 1.min(last)), gap(last.saturating_sub(1), last)];
        Self { values, scales, low: levels[0], high: levels[last], gaps, levels: levels.len() }
    }

    /// Channels of zeros have no scale of their own: they get the greatest of the others, so that their bias keeps its precision,
    /// and weights of 0, which every machine has, also where the codebook has not.
    fn clear_zero_columns(&mut self, layer: Matrix<'_>) {
        let n = layer.n;
        let is_zero = |j: usize| layer.weights.iter().skip(j).step_by(n).all(|&w| w == 0.0);
        let zeros: Vec<usize> = (0..n).filter(|&j| is_zero(j)).collect();
        let others = (0..n).filter(|j| !zeros.contains(j)).map(|j| self.scales[j]);
        let scale = others.reduce(f32::max).unwrap_or(1.0);
        for j in zeros {
            self.scales[j] = scale;
            self.values.iter_mut().skip(j).step_by(n).for_each(|value| *value = 0);
        }
    }

    /// scale times integer.
    pub fn real(&self) -> Vec<f32> {
        let n = self.scales.len();
        self.values.iter().enumerate().map(|(at, &value)| self.scales[at % n] * value as f32).collect()
    }
}

fn spread(scales: &[f32], n: usize) -> Vec<f32> {
    match scales {
        [one] => vec![*one; n],
        many => many.to_vec(),
    }
}
