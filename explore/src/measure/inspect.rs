//! Golden's values, with what the sums behind them reach.

use golden::{ChannelPeaks, Form, LayerError, Network};
use spec::Numerics;

/// Runs golden's fast form for `batch` images, channels-last. `each` gets the number, the outputs and the channels' peaks of each
/// layer in order.
pub fn inspect(
    network: &Network,
    numerics: &Numerics,
    batch: usize,
    input: &[i32],
    seed: u64,
    mut each: impl FnMut(usize, &[i32], Vec<ChannelPeaks>),
) -> Result<(), LayerError> {
    let extents = network.extents(numerics)?;
    network.run_inspected(numerics, batch, input, seed, Form::Fast, |index, inputs, outputs| {
        let layer = &network.layers[index];
        each(index, outputs, layer.peaks(numerics, batch, extents[layer.inputs[0]], inputs)?);
        Ok(())
    })
}
