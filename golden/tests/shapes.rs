//! The topology files of examples/shapes: output sizes that chain, and the published numbers of multiply-accumulates.

use golden::Window;
use std::path::PathBuf;

const CONVOLUTIONS: &str =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,";
const PRODUCTS: &str = "Layer, M, N, K,";

/// Names and columns of a file.
fn layers<const COLUMNS: usize>(file: &str, header: &str) -> Vec<(String, [u64; COLUMNS])> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "examples", "shapes", file].iter().collect();
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(header), "{file}");
    lines
        .map(|line| {
            let line = line.strip_suffix(',').unwrap_or_else(|| panic!("{file}: {line:?} has no comma at its end"));
            let (name, numbers) = line.split_once(',').unwrap_or_else(|| panic!("{file}: {line:?} has one column"));
            let number = |text: &str| text.trim().parse().unwrap_or_else(|error| panic!("{file}: {line:?}: {error}"));
            let numbers: Vec<u64> = numbers.split(',').map(number).collect();
            let columns = numbers.len();
            (name.to_owned(), numbers.try_into().unwrap_or_else(|_| panic!("{file}: {line:?}: {columns} columns")))
        })
        .collect()
}

/// The output's rows, which are as many as its columns.
fn output(name: &str, [height, width, kernel_height, kernel_width, _, _, stride]: [u64; 7]) -> u64 {
    let sizes = |pair: [u64; 2]| pair.map(|size| size as usize);
    let input = sizes([height, width]);
    let kernel = sizes([kernel_height, kernel_width]);
    let window = Window { stride: sizes([stride, stride]), ..Window::of(kernel) };
    for axis in 0..2 {
        assert_eq!((input[axis] - kernel[axis]) % window.stride[axis], 0, "{name}: the windows read all of it");
    }
    let [rows, cols] = window.output(input).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(rows, cols, "{name}");
    rows as u64
}

fn macs(name: &str, layer: [u64; 7]) -> u64 {
    let [_, _, kernel_height, kernel_width, channels, filters, _] = layer;
    let size = output(name, layer);
    size * size * kernel_height * kernel_width * channels * filters
}

/// Requires that `layer` reads images of this size with a padding of (kernel - 1) / 2, of which the last positions may be unread.
fn reads(name: &str, layer: [u64; 7], size: u64) {
    let [height, _, kernel, _, _, _, stride] = layer;
    let padded = size + kernel - 1;
    assert!(height <= padded && padded < height + stride, "{name}: reads {height} of {padded} rows");
}

#[test]
fn resnet18() {
    let layers = layers::<7>("resnet18.csv", CONVOLUTIONS);
    assert_eq!(layers.len(), 21);
    // After the first convolution a max pool of stride 2.
    let (mut size, mut channels) = (224, 3);
    for (name, layer) in &layers {
        let name = name.as_str();
        let layer = *layer;
        if name.ends_with("shortcut") {
            // Beside the two layers before it, from half their channels and twice their size.
            assert_eq!((layer[4] * 2, layer[5], output(name, layer)), (channels, channels, size), "{name}");
            reads(name, layer, 2 * size);
            continue;
        }
        if name == "fc" {
            (size, channels) = (1, 512);
        }
        assert_eq!(layer[4], channels, "{name}: channels");
        reads(name, layer, size);
        (size, channels) = (output(name, layer), layer[5]);
        if name == "conv1" {
            assert_eq!(size, 112);
            size = 56;
        }
    }
    assert_eq!(channels, 1_000);
    // He et al. give 1.8 10^9.
    assert_eq!(layers.iter().map(|(name, layer)| macs(name, *layer)).sum::<u64>(), 1_814_073_344);
}

#[test]
fn mobilenet_v1() {
    let layers = layers::<7>("mobilenet_v1.csv", CONVOLUTIONS);
    assert_eq!(layers.len(), 28);
    let (mut size, mut channels, mut total, mut as_written) = (224, 3, 0, 0);
    for (index, (name, layer)) in layers.iter().enumerate() {
        let layer = *layer;
        if name == "fc" {
            assert_eq!(size, 7);
            size = 1;
        }
        reads(name, layer, size);
        size = output(name, layer);
        as_written += macs(name, layer);
        if name.ends_with("_dw") {
            assert_eq!([layer[4], layer[5]], [1, 1], "{name}");
            let next = layers[index + 1].1;
            assert_eq!(next[4], channels, "{name}: channels");
            total += channels * macs(name, layer);
        } else {
            assert_eq!(layer[4], channels, "{name}: channels");
            channels = layer[5];
            total += macs(name, layer);
        }
    }
    // Howard et al. give 569 10^6.
    assert_eq!((total, as_written), (568_740_352, 551_549_290));
}

#[test]
fn transformer_encoder() {
    let layers = layers::<3>("transformer_encoder.csv", PRODUCTS);
    assert_eq!(layers.len(), 28);
    let named = |start: &str| -> Vec<[u64; 3]> {
        layers.iter().filter(|(name, _)| name.starts_with(start)).map(|(_, layer)| *layer).collect()
    };
    assert_eq!(named("qkv"), [[197, 3 * 768, 768]]);
    assert_eq!(named("scores"), [[197, 197, 64]; 12]);
    assert_eq!(named("context"), [[197, 64, 197]; 12]);
    let total: u64 = layers.iter().map(|(_, [m, n, k])| m * n * k).sum();
    // 12 T d^2 + 2 T^2 d with T = 197, d = 768.
    assert_eq!(total, 12 * 197 * 768 * 768 + 2 * 197 * 197 * 768);
    assert_eq!(total, 1_453_954_560);
}
