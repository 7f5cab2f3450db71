//! Lowering: what is refused, what small programs look like, and how many bytes they move.

use compiler::{compile, CompileError, Compiled, OuterLoop, Usage};
use golden::{Bounds, Channel, Extent, Layer, Network, Operation, Window};
use spec::config::RawConfig;
use spec::{Command, Config};

const CHANNEL: Channel = Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 };

fn layer(config: &Config, inputs: Vec<usize>, operation: Operation, n: usize) -> Layer {
    Layer {
        name: "layer".to_owned(),
        channels: vec![vec![CHANNEL; n]; inputs.len()],
        inputs,
        operation,
        pad: 0,
        bounds: Bounds::full(config.numerics()),
        table: None,
    }
}

fn convolution(config: &Config, window: Window, groups: usize, k: usize, n: usize) -> Layer {
    layer(config, vec![0], Operation::Convolution { window, groups, weights: vec![1; k * n] }, n)
}

fn compiled(config: &Config, input: Extent, layers: Vec<Layer>, batch: usize) -> Result<Compiled, CompileError> {
    let values = vec![1; batch * input.elements()];
    compile(config, &Network { input, layers }, batch, &values, 0, &|commands| commands.len() as u64)
}

fn dense(config: &Config, m: usize, widths: &[usize]) -> Result<Vec<Command>, CompileError> {
    let layers = widths
        .windows(2)
        .enumerate()
        .map(|(index, pair)| Layer { inputs: vec![index], ..convolution(config, Window::POINT, 1, pair[0], pair[1]) });
    compiled(config, Extent::vector(widths[0]), layers.collect(), m).map(|compiled| compiled.program.commands)
}

fn with(name: &str, change: impl FnOnce(&mut RawConfig)) -> Config {
    let mut raw = RawConfig::from(&Config::named(name).expect("it ships with Systole"));
    change(&mut raw);
    Config::try_from(raw).expect("the change is valid")
}

#[test]
fn a_layer_that_no_tiling_fits_is_refused_with_the_limits() {
    // Three columns of 5 bits fill a byte only eight tiles on; four accumulator rows hold four tiles of one row.
    let config = with("tiny", |raw| raw.geometry.accumulator_rows = 4);
    let error = dense(&config, 2, &[4, 30]).expect_err("ten tiles do not fit");
    assert_eq!(
        error.to_string(),
        "layer layer (output 1 x 1 x 30 of 2 images, 1 terms): no tiling fits; column tiles that are stored together must \
         start on a byte, which takes groups of 8, but a half of the accumulator has 4 rows, half of the parameter buffer \
         holds 8 tiles and the activation buffer has 32 rows"
    );
    assert!(dense(&config, 2, &[4, 12]).is_ok(), "four tiles make whole rows");
}

#[test]
fn sizes_beyond_the_configuration_are_refused() {
    let config = Config::named("tiny").expect("it ships with Systole");
    let error = dense(&config, 1, &[1025, 2]).expect_err("max_k is 1024");
    assert_eq!(error.to_string(), "layer layer: k = 1025 exceeds numerics.max_k = 1024");
    assert_eq!(dense(&config, 0, &[2, 2]).map(|c| c.len()), Err(CompileError::Empty));
    let formats = with("tiny", |raw| raw.numerics.output_bits = 4);
    let error = dense(&formats, 1, &[2, 2, 2]).expect_err("outputs are no activations");
    assert_eq!(
        error.to_string(),
        "layer layer: convolution: its input is a layer's output, of format uint4, but activations are uint5"
    );
    let config = Config::named("default").expect("it ships with Systole");
    let refused = |input: Extent, window: Window| {
        let k = window.positions() * input.channels;
        compiled(&config, input, vec![convolution(&config, window, 1, k, 1)], 1).expect_err("too great").to_string()
    };
    let long = Extent { height: 1, width: 40_000, channels: 1 };
    assert_eq!(refused(long, Window::of([1, 3])), "layer layer: padded width = 40001 must be in 1..=32767");
    let strided = Window { stride: [1, 300], ..Window::of([1, 3]) };
    assert_eq!(
        refused(Extent { width: 900, ..long }, strided),
        "layer layer: stride of columns = 300 must be in 1..=255"
    );
    let image = Extent { height: 2, width: 2, channels: 1 };
    let network = Network { input: image, layers: vec![convolution(&config, Window::POINT, 1, 1, 1)] };
    let of = |values: &[i32]| compile(&config, &network, 1, values, 0, &|_| 0).expect_err("refused").to_string();
    assert_eq!(of(&[1; 3]), "the input has 3 elements, but 1 images of 2 x 2 x 1 have 4");
    assert_eq!(of(&[1, 1, 128, 1]), "the input: input[0][2] = 128 is out of range: it must be in -128..=127");
    let tall =
        with("default", |raw| (raw.geometry.rows, raw.geometry.cols, raw.geometry.requantizer_lanes) = (1, 16, 16));
    let pool = layer(&tall, vec![0], Operation::MaxPool { window: Window::of([2, 2]) }, 16);
    let error = compiled(&tall, Extent { channels: 16, ..image }, vec![pool], 1).expect_err("16 terms");
    assert_eq!(error.to_string(), "layer layer: columns of the mesh over its rows = 16 must be in 1..=15");
}

#[test]
fn the_least_product_is_six_commands() {
    let config = Config::named("tiny").expect("it ships with Systole");
    let commands = dense(&config, 1, &[1, 1]).expect("it fits");
    let kinds: Vec<&str> = commands
        .iter()
        .map(|command| match command {
            Command::Load(_) => "load",
            Command::Execute(_) => "execute",
            Command::Store(_) => "store",
            Command::Seed(_) => "seed",
            Command::Finish => "finish",
        })
        .collect();
    assert_eq!(kinds, ["load", "load", "execute", "load", "store", "finish"]);
}

#[test]
fn few_channels_share_the_rows_of_the_mesh() {
    let config = Config::named("default").expect("it ships with Systole");
    let folds = |channels: usize, kernel: usize| {
        let input = Extent { height: 9, width: 9, channels };
        let layer = convolution(&config, Window::of([kernel, kernel]), 1, kernel * kernel * channels, 8);
        let compiled = compiled(&config, input, vec![layer], 1).expect("it fits");
        assert!(compiled.layers[0].tiling.chunk == compiled.layers[0].output_extent.size(), "one chunk");
        let k = |command: &Command| match command {
            Command::Execute(execute) => Some(execute.k),
            _ => None,
        };
        compiled.program.commands.iter().filter_map(k).collect::<Vec<u16>>()
    };
    // 3 channels take 4 lanes: 4 pixels in 16 rows. A row of a 7 x 7 kernel is 4 + 3 pixels, one of 3 x 3 is 3.
    assert_eq!(folds(3, 7), [16, 12].repeat(7));
    assert_eq!(folds(3, 3), [12; 3]);
    assert_eq!(folds(1, 5), [5; 5]);
    // 9 channels leave no room for a second pixel.
    assert_eq!(folds(9, 3), [9; 9]);
}

#[test]
fn depthwise_convolutions_run_one_channel_a_row() {
    let config = Config::named("default").expect("it ships with Systole");
    let input = Extent { height: 6, width: 6, channels: 32 };
    let compiled =
        compiled(&config, input, vec![convolution(&config, Window::of([3, 3]), 32, 9, 32)], 1).expect("it fits");
    let plan = &compiled.layers[0];
    // Two column tiles of nine positions each; 16 x 16 PEs of which 16 have a weight.
    assert_eq!(plan.macs, 16 * 9 * 32);
    assert_eq!(plan.slots.total, 2 * 9 * 16 * 256);
    assert_eq!((plan.slots.unused_rows, plan.slots.unused_cols), (0, 0));
    assert_eq!(plan.macs * 16, plan.slots.total);
}

#[test]
fn bytes_moved_are_the_tensor_algebra_of_the_loops() {
    let (channels, n, size) = (32, 48, 12);
    for (weight_tiles, weight_bits, stride) in [(2, 8, 1), (2, 4, 1), (64, 8, 1), (2, 2, 2), (64, 3, 2)] {
        let config = with("default", |raw| {
            raw.geometry.weight_buffer_tiles = weight_tiles;
            raw.geometry.accumulator_rows = 64;
            raw.numerics.weight_bits = weight_bits;
        });
        let window = Window { stride: [stride; 2], pad_before: [1; 2], pad_after: [1; 2], ..Window::of([3, 3]) };
        let input = Extent { height: size, width: size, channels };
        let layers = vec![convolution(&config, window, 1, 9 * channels, n)];
        let compiled = compiled(&config, input, layers, 2).expect("it fits");
        let plan = &compiled.layers[0];
        let out = plan.output_extent.height;
        let [rows, cols] = plan.tiling.chunk;
        assert_eq!(cols, out, "whole rows fit");
        let bands: Vec<[usize; 2]> = (0..out).step_by(rows).map(|from| [from, out.min(from + rows)]).collect();
        let groups = 3_usize.div_ceil(plan.tiling.group_tiles);
        // A band reads the rows that its windows reach, of those that there are, and all of the width.
        let reach = |&[from, to]: &[usize; 2]| ((to - 1) * stride + 2).min(size) - (from * stride).saturating_sub(1);
        let pixels: usize = 2 * bands.iter().map(reach).sum::<usize>() * size;
        let activation_passes = match plan.tiling.outer {
            OuterLoop::Rows => 1,
            OuterLoop::Cols => groups,
        };
        // 2 slices of 16 channels, 9 positions, 3 column tiles: 54 weight tiles fit 64 slots, else every chunk reads them again.
        let weight_passes = if weight_tiles >= 54 { 1 } else { 2_usize.div_ceil(plan.tiling.images) * bands.len() };
        let parameter_passes = 1;
        let usage = Usage::of(&config, &compiled.program.commands[plan.commands.clone()]);
        let moved = usage.payload;
        assert_eq!(moved.activation_bits, (activation_passes * pixels * channels * 8) as u64, "{:?}", plan.tiling);
        let weight_words = (weight_passes * 9 * channels * n) as u64;
        assert_eq!(moved.weight_bits, weight_words * u64::from(weight_bits), "{:?}", plan.tiling);
        assert_eq!(moved.parameter_bits, (parameter_passes * n) as u64 * u64::from(config.numerics().parameter_bits()));
        assert_eq!(moved.output_bits, (2 * out * out * n * 8) as u64);
        assert_eq!(moved.bytes(), moved.read_bytes() + (2 * out * out * n) as f64);
        // Chunks of these rows and columns, tiles of the group side by side.
        assert_eq!(usage.rows.accumulator, plan.tiling.images * rows * cols * plan.tiling.group_tiles);
        assert_eq!(usage.rows.weights, 16 * weight_tiles.min(54));
    }
}

#[test]
fn small_images_share_the_weights_of_a_chunk() {
    let config = Config::named("default").expect("it ships with Systole");
    let input = Extent { height: 4, width: 4, channels: 16 };
    let window = Window { pad_before: [1; 2], pad_after: [1; 2], ..Window::of([3, 3]) };
    let batch = 64;
    let compiled = compiled(&config, input, vec![convolution(&config, window, 1, 144, 16)], batch).expect("it fits");
    let plan = &compiled.layers[0];
    // 512 accumulator rows hold 32 images of 16 pixels, and the weights are read for each such chunk.
    assert_eq!((plan.tiling.chunk, plan.tiling.images), ([4, 4], 32));
    let payload = Usage::of(&config, &compiled.program.commands).payload;
    assert_eq!(payload.weight_bits, 2 * 144 * 16 * 8);
    assert_eq!(payload.activation_bits, (batch * 16 * 16 * 8) as u64);
}
