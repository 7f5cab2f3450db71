//! SCALE-Sim's topology files: shapes of layers as comma-separated values.
//!
//! | kind | fields of a line |
//! |---|---|
//! | convolution | layer name, input height, input width, filter height, filter width, channels, filters, stride |
//! | matrix product | layer name, M, N, K |
//!
//! The first line is a header, and every line may end in a comma (SCALE-Sim needs it, or it loses the last field). There is no field for
//! padding: padded inputs are given by their padded size. Output sizes round up: where the stride does not divide, a last window reaches
//! beyond the input.

use golden::{Extent, Window};
use thiserror::Error;

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyLayer {
    pub name: String,
    pub shape: TopologyShape,
}

/// See the module's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyShape {
    Gemm { m: usize, n: usize, k: usize },
    Convolution { input: [usize; 2], kernel: [usize; 2], channels: usize, filters: usize, stride: usize },
}

/// Why a file was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TopologyError {
    #[error("the file has no layer after its header line")]
    Empty,
    #[error("line {line}: {fields} fields, but a convolution has 8 (name, input height and width, filter height and width, channels, filters, stride) and a matrix product 4 (name, M, N, K)")]
    Fields { line: usize, fields: usize },
    #[error("line {line}: {field} = {value:?} must be a whole number in 1..={max}")]
    Number { line: usize, field: &'static str, value: String, max: usize },
    #[error("line {line} is a layer: a header line must come before the layers")]
    NoHeader { line: usize },
    #[error("line {line}: the {tensor} has {elements} elements: at most {MOST_ELEMENTS}")]
    Elements { line: usize, tensor: &'static str, elements: u64 },
    #[error("line {line}: the filter of {filter} rows or columns exceeds the input of {input}")]
    Filter { line: usize, filter: usize, input: usize },
}

/// The greatest number that a field may have.
const MOST: usize = 1 << 20;

/// The most elements of an operand or a result.
const MOST_ELEMENTS: u64 = 1 << 27;

impl TopologyShape {
    /// Images of the batch, one image, the window and the filters: a matrix product is M vectors.
    pub fn layer(&self) -> (usize, Extent, Window, usize) {
        match *self {
            Self::Gemm { m, n, k } => (m, Extent::vector(k), Window::POINT, n),
            Self::Convolution { input, kernel, channels, filters, stride } => {
                let after = |axis: usize| {
                    let left = (input[axis] - kernel[axis]) % stride;
                    if left == 0 {
                        0
                    } else {
                        stride - left
                    }
                };
                let window = Window { stride: [stride; 2], pad_after: [after(0), after(1)], ..Window::of(kernel) };
                (1, Extent { height: input[0], width: input[1], channels }, window, filters)
            }
        }
    }

    /// Multiply-accumulates.
    pub fn macs(&self) -> u64 {
        match *self {
            Self::Gemm { m, n, k } => (m * n) as u64 * k as u64,
            Self::Convolution { input, kernel, channels, filters, stride } => {
                let out = |axis: usize| (input[axis] - kernel[axis]).div_ceil(stride) + 1;
                (out(0) * out(1) * filters) as u64 * (kernel[0] * kernel[1] * channels) as u64
            }
        }
    }
}

/// Reads a topology file.
pub fn read_topology(text: &str) -> Result<Vec<TopologyLayer>, TopologyError> {
    let mut layers = Vec::new();
    let mut lines = text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty());
    if let Some((index, header)) = lines.next() {
        if read_line(index + 1, header).is_ok() {
            return Err(TopologyError::NoHeader { line: index + 1 });
        }
    }
    for (index, text) in lines {
        layers.push(read_line(index + 1, text)?);
    }
    match layers.is_empty() {
        true => Err(TopologyError::Empty),
        false => Ok(layers),
    }
}

fn read_line(line: usize, text: &str) -> Result<TopologyLayer, TopologyError> {
    let text = text.trim();
    let fields: Vec<&str> = text.strip_suffix(',').unwrap_or(text).split(',').map(str::trim).collect();
    let number = |at: usize, field: &'static str| match fields[at].parse::<usize>() {
        Ok(value) if (1..=MOST).contains(&value) => Ok(value),
        _ => Err(TopologyError::Number { line, field, value: fields[at].to_owned(), max: MOST }),
    };
    let shape = match fields.len() {
        4 => TopologyShape::Gemm { m: number(1, "M")?, n: number(2, "N")?, k: number(3, "K")? },
        8 => {
            let input = [number(1, "input height")?, number(2, "input width")?];
            let kernel = [number(3, "filter height")?, number(4, "filter width")?];
            if let Some(axis) = (0..2).find(|&axis| kernel[axis] > input[axis]) {
                return Err(TopologyError::Filter { line, filter: kernel[axis], input: input[axis] });
            }
            let (channels, filters) = (number(5, "channels")?, number(6, "filters")?);
            TopologyShape::Convolution { input, kernel, channels, filters, stride: number(7, "stride")? }
        }
        fields => return Err(TopologyError::Fields { line, fields }),
    };
    let (batch, input, window, n) = shape.layer();
    let pixels = window.output(input.size()).map_or(0, |[rows, cols]| rows as u64 * cols as u64);
    let elements = |sizes: [usize; 3]| sizes.iter().fold(1_u64, |product, &size| product.saturating_mul(size as u64));
    for (tensor, elements) in [
        ("input", elements([batch, input.pixels(), input.channels])),
        ("weights", elements([window.positions(), input.channels, n])),
        ("output", pixels.saturating_mul(batch as u64).saturating_mul(n as u64)),
    ] {
        if elements > MOST_ELEMENTS {
            return Err(TopologyError::Elements { line, tensor, elements });
        }
    }
    Ok(TopologyLayer { name: fields[0].to_owned(), shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_lines_are_read() {
        let text = "Layer name, IFMAP Height, ...,\nConv1, 224, 230, 7, 5, 3, 64, 2,\n\nfc, 1, 1, 1, 1, 512, 1000, 1\nproduct, 197, 768, 3072,\n";
        let layers = read_topology(text).expect("it is well formed");
        assert_eq!(layers.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>(), ["Conv1", "fc", "product"]);
        // (224 - 7) / 2 and (230 - 5) / 2 round up: a window more than fits.
        let (batch, extent, window, filters) = layers[0].shape.layer();
        assert_eq!((batch, extent.to_string().as_str(), filters), (1, "224 x 230 x 3", 64));
        assert_eq!(window.output(extent.size()), Ok([110, 114]));
        assert_eq!(window.pad_after, [1, 1]);
        assert_eq!(layers[0].shape.macs(), 110 * 114 * 64 * 7 * 5 * 3);
        assert_eq!(layers[1].shape.macs(), 512_000);
        let (batch, extent, _, n) = layers[2].shape.layer();
        assert_eq!((batch, extent, n), (197, Extent::vector(3072), 768));
        assert_eq!(layers[2].shape.macs(), 197 * 768 * 3072);
    }

    #[test]
    fn bad_lines_are_named() {
        let refusal = |line: &str| read_topology(&format!("header\n{line}\n")).expect_err("refused").to_string();
        assert_eq!(
            refusal("a, 1048576, 1048576, 1, 1, 1, 1, 1,"),
            "line 2: the input has 1099511627776 elements: at most 134217728"
        );
        let headless = read_topology("\na, 1, 2, 3,\n").expect_err("refused").to_string();
        assert_eq!(headless, "line 2 is a layer: a header line must come before the layers");
        assert_eq!(refusal(""), "the file has no layer after its header line");
        assert!(refusal("a, 1, 2,").starts_with("line 2: 3 fields, but a convolution has 8"));
        assert_eq!(refusal("a, 1, x, 3,"), "line 2: N = \"x\" must be a whole number in 1..=1048576");
        assert_eq!(refusal("a, 1, 2, 0,"), "line 2: K = \"0\" must be a whole number in 1..=1048576");
        assert_eq!(
            refusal("a, 5, 5, 6, 3, 1, 1, 1,"),
            "line 2: the filter of 6 rows or columns exceeds the input of 5"
        );
    }
}
