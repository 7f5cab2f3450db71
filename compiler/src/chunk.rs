//! Pieces of a layer's output: which activations they need in the buffer, and how a fold walks over them.

use crate::image::Region;
use crate::plan::{Form, Plan, Slice, Step};
use golden::Window;
use spec::{Config, Load, LoadTarget, Tokens, Walk};

/// A piece of the output that fills one half of the accumulator, with all its column tiles of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Pixels of all images (form `Rows`) or images (forms `Flat` and `Whole`).
    Range { from: usize, len: usize },
    /// Output rows and columns, the same of each of some images.
    Rectangle { images: [usize; 2], rows: [usize; 2], cols: [usize; 2] },
}

/// Activation rows of a slice in the buffer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resident {
    /// Loads with `buffer_row` counted from the slot's first row.
    pub loads: Vec<Load>,
    /// Rows of the slot that are used.
    pub rows: usize,
    /// The rows of the source tensor that are read, gaps included.
    pub source: [usize; 2],
}

/// What one fold streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stream {
    /// From the slot's first row, modulo 2^16.
    pub activation_row: u16,
    pub rows: u16,
    pub walk: Walk,
    /// Accumulator row of the first output, terms aside.
    pub output: usize,
    /// Whether all rows go to that one output.
    pub reduce: bool,
}

/// One store of a chunk: outputs one after another in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StorePart {
    /// Rows of the output tensor.
    pub first: usize,
    pub rows: usize,
    /// The chunk's output that the first one is.
    pub output: usize,
}

impl Chunk {
    /// Outputs of the chunk: accumulator rows of one column tile and term.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Range { len, .. } => *len,
            Self::Rectangle { images, rows, cols } => (images[1] - images[0]) * area(*rows, *cols),
        }
    }

    /// How many times a slice is resident: once, or once an image (forms `Whole` and `Sliding`).
    pub fn images(&self, plan: &Plan) -> usize {
        match (plan.form, self) {
            (Form::Whole, Self::Range { len, .. }) => *len,
            (_, Self::Range { .. }) => 1,
            (_, Self::Rectangle { images, .. }) => images[1] - images[0],
        }
    }

    pub fn stores(&self, plan: &Plan) -> Vec<StorePart> {
        match *self {
            Self::Range { from, len } => vec![StorePart { first: from, rows: len, output: 0 }],
            Self::Rectangle { images, rows, cols } => {
                let [height, width] = plan.output.size();
                let first = |image: usize, row: usize| (image * height + row) * width + cols[0];
                let (len, area) = (cols[1] - cols[0], area(rows, cols));
                if area == height * width {
                    let rows = self.outputs();
                    return vec![StorePart { first: first(images[0], 0), rows, output: 0 }];
                }
                // Whole rows of an image lie one after another.
                let (step, rows_of) = if len == width { (rows[1] - rows[0], area) } else { (1, len) };
                let of_image = |image: usize| {
                    (rows[0]..rows[1]).step_by(step).map(move |row| StorePart {
                        first: first(image, row),
                        rows: rows_of,
                        output: (image - images[0]) * area + (row - rows[0]) * len,
                    })
                };
                (images[0]..images[1]).flat_map(of_image).collect()
            }
        }
    }
}

fn area(rows: [usize; 2], cols: [usize; 2]) -> usize {
    (rows[1] - rows[0]) * (cols[1] - cols[0])
}

/// A window's input positions along one axis for outputs `from..to`: clipped to the input of `size`, possibly empty.
fn reach(window: &Window, axis: usize, [from, to]: [usize; 2], size: usize) -> [usize; 2] {
    let before = window.pad_before[axis];
    let first = from * window.stride[axis];
    let last = (to - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis];
    let clip = |padded: usize| padded.saturating_sub(before).min(size);
    [clip(first), clip(last + 1)]
}

/// Where a rectangle's activations lie: input rows, pixels from the first to past the last of each row, the row's pitch.
struct Patch {
    rows: [usize; 2],
    cols: [usize; 2],
}

impl Patch {
    fn pitch(&self) -> usize {
        self.cols[1] - self.cols[0]
    }

    fn is_empty(&self) -> bool {
        self.rows[0] >= self.rows[1] || self.cols[0] >= self.cols[1]
    }
}

fn patch(plan: &Plan, rows: [usize; 2], cols: [usize; 2]) -> Patch {
    let (input, last_col) = (plan.input, cols[1] - 1);
    let rows = reach(&plan.window, 0, rows, input.height);
    let mut cols = reach(&plan.window, 1, cols, input.width);
    if let Some(groups) = plan.lane_groups {
        // A buffer row ends with its newest pixel: at the right edge that one is beyond the input, padded, and older ones are not.
        let window = &plan.window;
        let newest = (last_col * window.stride[1] + window.kernel[1]).saturating_sub(window.pad_before[1]);
        cols[1] = cols[1].max(newest.min(input.width + groups.touched - 1));
    }
    Patch { rows, cols }
}

/// Whether only the pixels that some window reads are loaded: windows of one position with gaps between them.
fn is_sparse(plan: &Plan) -> bool {
    let window = &plan.window;
    plan.form == Form::Sliding && window.kernel == [1, 1] && window.pad_before == [0, 0] && window.pad_after == [0, 0]
}

/// Buffer rows that the greatest slice of a chunk of this size needs.
pub(crate) fn needed_rows(plan: &Plan, chunk: [usize; 2]) -> usize {
    match plan.form {
        Form::Rows | Form::Flat => chunk[1],
        Form::Sliding if is_sparse(plan) => chunk[0] * chunk[1],
        Form::Whole => plan.slices.iter().map(|slice| slice.pixels[1] - slice.pixels[0]).max().unwrap_or(0),
        Form::Sliding => {
            let [height, width] = plan.output.size();
            let bands =
                |size: usize, step: usize| (0..size).step_by(step).map(move |from| [from, size.min(from + step)]);
            let rows = bands(height, chunk[0]).map(|rows| patch(plan, rows, [0, 1]).rows);
            let cols = bands(width, chunk[1]).map(|cols| patch(plan, [0, 1], cols).cols);
            let rows = rows.map(|[from, to]| to.saturating_sub(from)).max().unwrap_or(0);
            rows * cols.map(|[from, to]| to.saturating_sub(from)).max().unwrap_or(0)
        }
    }
}

/// Places a slice of a chunk in the buffer. `image` counts from the chunk's first, see [`Chunk::images`].
pub(crate) fn resident(
    config: &Config,
    plan: &Plan,
    chunk: &Chunk,
    image: usize,
    slice: &Slice,
    source: Region,
) -> Resident {
    let bits = source.format.bits() as usize;
    let row_bits = (slice.channels[1] - slice.channels[0]) * bits;
    let load = |first: usize, row: usize, stride: usize, requests: usize, rows: usize, buffer_row: usize| {
        let (address, start_bit) = source.locate(first, row);
        Load {
            target: LoadTarget::Activations,
            tokens: Tokens::default(),
            address: address as u32,
            stride: stride as u32,
            start_bit,
            requests: requests as u16,
            rows_per_request: rows as u16,
            row_bits: row_bits as u16,
            buffer_row: buffer_row as u16,
            lane_group: plan.lane_groups.map_or(0, |groups| groups.log2 as u8 + 1),
        }
    };
    // Whole pixels without gaps between them come in one burst.
    let most_bits = 60_000 * config.geometry().bus_bits();
    let joined = |n: usize| row_bits == 8 * source.stride() && n * row_bits <= most_bits;
    let run = |first: usize, n: usize, buffer_row: usize| match joined(n) {
        true => load(first, slice.channels[0], 0, 1, n, buffer_row),
        false => load(first, slice.channels[0], source.stride(), n, 1, buffer_row),
    };
    let pixels = plan.input.pixels();
    match (*chunk, plan.form) {
        (Chunk::Range { from, len }, Form::Rows) => {
            Resident { loads: vec![run(from, len, 0)], rows: len, source: [from, from + len] }
        }
        (Chunk::Range { from, len }, Form::Flat) => {
            let first = from * pixels + slice.pixels[0];
            let loads = vec![load(first, slice.channels[0], pixels * source.stride(), len, 1, 0)];
            Resident { loads, rows: len, source: [from * pixels, (from + len) * pixels] }
        }
        (Chunk::Range { from, .. }, _) => {
            let first = (from + image) * pixels;
            let [from, to] = slice.pixels;
            Resident {
                loads: vec![run(first + from, to - from, 0)],
                rows: to - from,
                source: [first + from, first + to],
            }
        }
        (Chunk::Rectangle { images, rows, cols }, _) if is_sparse(plan) => {
            let image = images[0] + image;
            let [stride_y, stride_x] = plan.window.stride;
            let first =
                |row: usize| (image * plan.input.height + row * stride_y) * plan.input.width + cols[0] * stride_x;
            let len = cols[1] - cols[0];
            let row = |row: usize| {
                load(first(row), slice.channels[0], stride_x * source.stride(), len, 1, (row - rows[0]) * len)
            };
            let last = first(rows[1] - 1) + (len - 1) * stride_x + 1;
            let loads = (rows[0]..rows[1]).map(row).collect();
            Resident { loads, rows: area(rows, cols), source: [first(rows[0]), last] }
        }
        (Chunk::Rectangle { images, rows, cols }, _) => {
            let image = images[0] + image;
            let patch = patch(plan, rows, cols);
            if patch.is_empty() {
                return Resident::default();
            }
            let pitch = patch.pitch();
            let first = |row: usize| (image * plan.input.height + row) * plan.input.width + patch.cols[0];
            let n_rows = patch.rows[1] - patch.rows[0];
            let source_rows = [first(patch.rows[0]), first(patch.rows[1] - 1) + pitch];
            let whole_rows = pitch == plan.input.width && plan.lane_groups.is_none();
            let loads = match whole_rows && n_rows * pitch <= usize::from(u16::MAX) {
                true => vec![run(first(patch.rows[0]), n_rows * pitch, 0)],
                false => (0..n_rows).map(|row| run(first(patch.rows[0] + row), pitch, row * pitch)).collect(),
            };
            Resident { loads, rows: n_rows * pitch, source: source_rows }
        }
    }
}

/// What a step streams of a slice of a chunk that [`resident`] has placed.
pub(crate) fn stream(config: &Config, plan: &Plan, chunk: &Chunk, image: usize, step: &Step, pad: u16) -> Stream {
    let mesh_rows = config.geometry().rows();
    let linear = Walk::linear(mesh_rows);
    match *chunk {
        Chunk::Range { .. } if plan.form == Form::Whole => {
            let [from, to] = plan.slices[step.slice].pixels;
            Stream { activation_row: 0, rows: (to - from) as u16, walk: linear, output: image, reduce: true }
        }
        Chunk::Rectangle { rows, cols, .. } if is_sparse(plan) => {
            let outputs = area(rows, cols);
            Stream { activation_row: 0, rows: outputs as u16, walk: linear, output: image * outputs, reduce: false }
        }
        Chunk::Range { len, .. } => {
            Stream { activation_row: 0, rows: len as u16, walk: linear, output: 0, reduce: false }
        }
        Chunk::Rectangle { rows, cols, .. } => {
            let patch = patch(plan, rows, cols);
            let [stride_y, stride_x] = plan.window.stride;
            let pitch = patch.pitch();
            let y = (rows[0] * stride_y) as isize + step.tap[0];
            let x = (cols[0] * stride_x) as isize + step.tap[1];
            let row = (y - patch.rows[0] as isize) * pitch as isize + x - patch.cols[0] as isize;
            // Without lane groups all lanes are in one.
            let group = plan.lane_groups.map_or(mesh_rows.next_power_of_two().ilog2(), |groups| groups.log2);
            let walk = Walk {
                inner_count: (cols[1] - cols[0]) as u16,
                inner_stride: stride_x as u16,
                outer_stride: (stride_y * pitch) as u16,
                pad,
                x_start: ((x + 1) << group) as i32,
                x_step: (stride_x << group) as u16,
                x_limit: (plan.input.width << group) as u32,
                y_start: y as i16,
                y_step: stride_y as u16,
                y_limit: plan.input.height as u16,
            };
            let outputs = area(rows, cols);
            let (activation_row, output) = (row as u16, image * outputs);
            Stream { activation_row, rows: outputs as u16, walk, output, reduce: false }
        }
    }
}
