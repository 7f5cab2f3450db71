//! Lowering: what is refused, and what a small program looks like.

use compiler::{compile, CompileError};
use golden::{Bounds, Channel, Extent, Layer, Network, Operation, Window};
use spec::config::RawConfig;
use spec::{Command, Config};

const CHANNEL: Channel = Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 };

fn compile_shape(config: &Config, m: usize, widths: &[usize]) -> Result<Vec<Command>, CompileError> {
    let layer = |(index, pair): (usize, &[usize])| Layer {
        name: "dense".to_owned(),
        inputs: vec![index],
        operation: Operation::Convolution { window: Window::POINT, groups: 1, weights: vec![1; pair[0] * pair[1]] },
        pad: 0,
        channels: vec![vec![CHANNEL; pair[1]]],
        bounds: Bounds::full(config.numerics()),
        table: None,
    };
    let network =
        Network { input: Extent::vector(widths[0]), layers: widths.windows(2).enumerate().map(layer).collect() };
    let input = vec![1; m * widths[0]];
    compile(config, &network, m, &input, 0, &|commands| commands.len() as u64).map(|compiled| compiled.program.commands)
}

fn tiny_with(change: impl FnOnce(&mut RawConfig)) -> Config {
    let mut raw = RawConfig::from(&Config::named("tiny").expect("it ships with Systole"));
    change(&mut raw);
    Config::try_from(raw).expect("the change is valid")
}

#[test]
fn a_layer_that_no_tiling_fits_is_refused_with_the_limits() {
    // Three columns of 5 bits fill a byte only eight tiles on; four accumulator rows hold four tiles of one row.
    let config = tiny_with(|raw| raw.geometry.accumulator_rows = 4);
    let error = compile_shape(&config, 2, &[4, 30]).expect_err("ten tiles do not fit");
    assert_eq!(
        error.to_string(),
        "layer dense (2 x 4 x 30): no tiling fits; column tiles that are stored together must start on a byte, which \
         takes groups of 8, but a half of the accumulator has 4 rows and half of the parameter buffer holds 8 tiles"
    );
    assert!(compile_shape(&config, 2, &[4, 12]).is_ok(), "four tiles make whole rows");
}

#[test]
fn sizes_beyond_the_configuration_are_refused() {
    let config = Config::named("tiny").expect("it ships with Systole");
    let error = compile_shape(&config, 1, &[1025, 2]).expect_err("max_k is 1024");
    assert_eq!(error.to_string(), "layer dense: k = 1025 must be in 1..=1024");
    assert_eq!(compile_shape(&config, 0, &[2, 2]).map(|c| c.len()), Err(CompileError::Empty));
    let formats = tiny_with(|raw| raw.numerics.output_bits = 4);
    let error = compile_shape(&formats, 1, &[2, 2, 2]).expect_err("outputs are no activations");
    assert_eq!(
        error.to_string(),
        "layer dense needs its input as uint5, but the layer before it writes the output format uint4"
    );
}

#[test]
fn the_least_product_is_six_commands() {
    let config = Config::named("tiny").expect("it ships with Systole");
    let commands = compile_shape(&config, 1, &[1, 1]).expect("it fits");
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
