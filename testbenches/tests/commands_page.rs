//! The C programs of `docs/commands.md`: they compile, they are legal, and on the simulator they give golden's values.

mod common;

use common::{c::run_c, hand::pack, named};
use golden::{Bounds, Channel, Extent, Form, Layer, Network, Operation, Window};
use sim::{Environment, Stalls};
use spec::{validate, Command, Config};
use std::fs;
use testbenches::data::{Data, Random};
use testbenches::engine::run_simulator;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");

/// The commands that a call of a function of the page sends.
fn commands(config: &Config, call: &str) -> Vec<Command> {
    let page = fs::read_to_string(PAGE).expect("the page");
    let blocks = page.split("```c\n").skip(1).map(|rest| rest.split("```").next().expect("a block ends"));
    let functions = "static void send(systole_command c) { show(c); }\n".to_owned() + &blocks.collect::<String>();
    let printed = run_c(config, &functions, &format!("    {call};\n"));
    let word = |text: &str| u32::from_str_radix(text, 16).expect("eight digits");
    let command = |line: &str| {
        let words: Vec<u32> = line.split(' ').map(word).collect();
        Command::decode(&words.try_into().expect("eight words")).unwrap_or_else(|e| panic!("{call}: {e}"))
    };
    printed.lines().map(command).collect()
}

/// A memory that grows by tensors, and random data for them.
struct Data8 {
    random: Random,
    memory: Vec<u8>,
}

impl Data8 {
    fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), memory: Vec::new() }
    }

    fn place(&mut self, bytes: &[u8]) -> usize {
        let address = self.memory.len();
        self.memory.extend(bytes);
        self.memory.resize(self.memory.len().next_multiple_of(64) + 64, 0xa5);
        address
    }

    fn values(&mut self, len: usize) -> Vec<i32> {
        (0..len).map(|_| self.random.between(-128, 127) as i32).collect()
    }

    fn tensor(&mut self, values: &[i32]) -> usize {
        self.place(&bytes(values))
    }

    /// Tiles of `k` rows and 4 columns, each from its last row on.
    fn tiles(&mut self, weights: &[i32], k: usize) -> usize {
        let tiles = weights.chunks(4 * k).flat_map(|tile| tile.chunks(4).rev().flatten().copied());
        let tiles: Vec<i32> = tiles.collect();
        self.tensor(&tiles)
    }

    fn channels(&mut self, config: &Config, n: usize, k: usize) -> Vec<Channel> {
        (0..n).map(|_| Data::Uniform.channel(&mut self.random, config.numerics(), k)).collect()
    }

    fn records(&mut self, config: &Config, channels: &[Channel]) -> usize {
        let n = config.numerics();
        let field = |value: i64, bits: u32| (0..bits).map(move |bit| value >> bit & 1);
        let mut records = Vec::new();
        for channel in channels {
            let from = records.len();
            records.extend(field(channel.bias, n.bias_bits()));
            records.extend(field(channel.multiplier.into(), n.multiplier_bits()));
            records.extend(field(channel.shift.into(), n.shift_bits()));
            records.extend(field(channel.zero_point, n.output().bits() + 1));
            records.resize(from + n.parameter_bits() as usize, 0);
        }
        self.place(&pack(records, 1))
    }
}

fn bytes(values: &[i32]) -> Vec<u8> {
    values.iter().map(|&value| i8::try_from(value).expect("8 bits").to_le_bytes()[0]).collect()
}

fn layer(operation: Operation, channels: Vec<Vec<Channel>>, pad: i32) -> Layer {
    let inputs = vec![0; channels.len()];
    let bounds = Bounds { low: -128, high: 127 };
    Layer { name: "layer".to_owned(), inputs, operation, pad, channels, bounds, table: None }
}

/// Runs what the call sends, and requires golden's outputs of the network at `outputs`, and nothing else changed.
fn agree(config: &Config, call: &str, memory: &[u8], outputs: usize, network: &Network, input: &[i32]) {
    let commands = commands(config, call);
    validate(config, &commands, memory.len()).unwrap_or_else(|e| panic!("{call}: {e}"));
    let mut expected = memory.to_vec();
    let last = |_: usize, values: &[i32]| {
        let values = bytes(values);
        expected[outputs..outputs + values.len()].copy_from_slice(&values);
    };
    network.run(config.numerics(), 1, input, 0, Form::Naive, last).unwrap_or_else(|e| panic!("{call}: {e}"));
    assert!(expected != memory, "{call}: the outputs must change the memory");
    let environment = Environment::new(config, commands, memory.to_vec(), 5, Stalls::NONE);
    let outcome = run_simulator(config, environment).unwrap_or_else(|e| panic!("{call}: {e}"));
    let wrong = (0..expected.len()).find(|&at| expected[at] != outcome.memory[at]);
    assert_eq!(wrong, None, "{call}: the first wrong byte");
}

const PADDED: Window = Window { pad_before: [1, 1], pad_after: [1, 1], ..Window::of([3, 3]) };

#[test]
fn the_convolution_of_the_page_gives_goldens_values() {
    let (config, mut data) = (named("small"), Data8::new(1));
    let (image, weights) = (data.values(30 * 4), data.values(36 * 4));
    let channels = data.channels(&config, 4, 36);
    let input = data.tensor(&image);
    let tiles = data.tiles(&weights, 4);
    let records = data.records(&config, &channels);
    let outputs = data.place(&[0; 120]);
    let operation = Operation::Convolution { window: PADDED, groups: 1, weights };
    let layers = vec![layer(operation, vec![channels], -7)];
    let network = Network { input: Extent { height: 5, width: 6, channels: 4 }, layers };
    let call = format!("convolution({input}, {tiles}, {records}, {outputs}, -7)");
    agree(&config, &call, &data.memory, outputs, &network, &image);
}

#[test]
fn the_windows_of_the_page_give_goldens_values() {
    let (config, mut data) = (named("small"), Data8::new(2));
    let (image, weights) = (data.values(30), data.values(9 * 4));
    let channels = data.channels(&config, 4, 9);
    let input = data.tensor(&image);
    // Lane r of a window is the pixel r before the newest: kernel columns from the last to the first.
    let rows = weights.chunks(12).flat_map(|row| row.chunks(4).rev().flatten().copied());
    let rows: Vec<i32> = rows.collect();
    let tiles = data.tiles(&rows, 3);
    let records = data.records(&config, &channels);
    let outputs = data.place(&[0; 120]);
    let operation = Operation::Convolution { window: PADDED, groups: 1, weights };
    let layers = vec![layer(operation, vec![channels], 5)];
    let network = Network { input: Extent { height: 5, width: 6, channels: 1 }, layers };
    let call = format!("windows({input}, {tiles}, {records}, {outputs}, 5)");
    agree(&config, &call, &data.memory, outputs, &network, &image);
}

/// 4 x 4.
const IDENTITY: [i32; 16] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

#[test]
fn the_pool_of_the_page_gives_goldens_values() {
    let (config, mut data) = (named("small"), Data8::new(3));
    let image = data.values(24 * 4);
    let channels = vec![Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 }; 4];
    let input = data.tensor(&image);
    let identity = data.tiles(&IDENTITY, 4);
    let records = data.records(&config, &channels);
    let outputs = data.place(&[0; 24]);
    let window = Window { stride: [2, 2], ..Window::of([2, 2]) };
    let layers = vec![layer(Operation::MaxPool { window }, vec![channels], 0)];
    let network = Network { input: Extent { height: 4, width: 6, channels: 4 }, layers };
    let call = format!("max_pool({input}, {identity}, {records}, {outputs})");
    agree(&config, &call, &data.memory, outputs, &network, &image);
}

/// The second operand is the first one negated, which golden's network has as a layer of its own.
#[test]
fn the_addition_of_the_page_gives_goldens_values() {
    let (config, mut data) = (named("small"), Data8::new(4));
    let image: Vec<i32> = data.values(10 * 4).into_iter().map(|value| value.max(-127)).collect();
    let negated: Vec<i32> = image.iter().map(|value| -value).collect();
    let first = data.channels(&config, 4, 1);
    let second: Vec<Channel> = first
        .iter()
        .map(|first| Channel { multiplier: first.multiplier / 3, bias: first.bias - 11, ..*first })
        .collect();
    let entries = data.values(256);
    let inputs = [data.tensor(&image), data.tensor(&negated)];
    let identity = data.tiles(&IDENTITY, 4);
    let records = data.records(&config, &[first.clone(), second.clone()].concat());
    let table = data.tensor(&entries);
    let outputs = data.place(&[0; 40]);
    let negation = Layer {
        channels: vec![vec![Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 }; 4]],
        ..layer(Operation::Add { factors: vec![-1] }, vec![Vec::new()], 0)
    };
    let sum = Layer {
        inputs: vec![0, 1],
        table: Some(entries),
        ..layer(Operation::Add { factors: vec![1, 1] }, vec![first, second], 0)
    };
    let network = Network { input: Extent { height: 10, width: 1, channels: 4 }, layers: vec![negation, sum] };
    let [a, b] = inputs;
    let call = format!("addition((const uint32_t[2]) {{ {a}, {b} }}, {identity}, {records}, {table}, {outputs})");
    agree(&config, &call, &data.memory, outputs, &network, &image);
}

#[test]
fn the_tile_of_the_page_gives_goldens_values() {
    let (config, mut data) = (named("small"), Data8::new(5));
    let (rows, weights) = (data.values(5 * 3), data.values(3 * 2));
    let channels = data.channels(&config, 2, 3);
    let input = data.tensor(&rows);
    let shifted: Vec<i32> = weights.chunks(2).rev().flatten().copied().collect();
    let tile = data.tensor(&shifted);
    let records = data.records(&config, &channels);
    let outputs = data.place(&[0; 10]);
    let operation = Operation::Convolution { window: Window::POINT, groups: 1, weights };
    let layers = vec![layer(operation, vec![channels], 0)];
    let network = Network { input: Extent { height: 5, width: 1, channels: 3 }, layers };
    let call = format!("run_tile({input}, 3, {tile}, {records}, {outputs}, 2, 5, 3, 2, -128, 127)");
    agree(&config, &call, &data.memory, outputs, &network, &rows);
}
