//! The path of a fold: execute, buffers, skews, mesh and accumulator, against sums computed directly.

mod common;

use common::Random;
use hdl::bits::Bits;
use hdl::datapath::Datapath;
use hdl::execute::Execute;
use hdl::operand_buffer::OperandBuffer;
use hdl::simulate::Stepper;
use spec::{Command, Config, Format, RawConfig, Tokens};

/// `tiny` with another shape, and room for folds whose rows go to every second accumulator row.
fn config(rows: usize, cols: usize, multiplier_stages: usize) -> Config {
    let mut raw = RawConfig::from(&Config::named("tiny").expect("a named configuration"));
    raw.geometry.rows = rows;
    raw.geometry.cols = cols;
    raw.geometry.multiplier_stages = multiplier_stages;
    raw.geometry.accumulator_rows = 64;
    Config::try_from(raw).expect("a legal shape")
}

/// The blocks of the path, stepped together as `top` connects them.
struct Path {
    config: Config,
    execute: Stepper<Execute>,
    activation_buffer: Stepper<OperandBuffer>,
    weight_buffer: Stepper<OperandBuffer>,
    datapath: Stepper<Datapath>,
    /// Gives every row of the mesh the `shift` of row 0: one enable a column.
    has_one_shift_enable: bool,
}

/// What the blocks show in a cycle.
struct Shown {
    took: bool,
    swaps: bool,
    in_span: bool,
    pushes_load: bool,
    pushes_store: bool,
    is_idle: bool,
}

impl Path {
    fn new(config: &Config) -> Path {
        Path {
            config: config.clone(),
            execute: Stepper::new(Execute::new(config)).expect("execute is accepted"),
            activation_buffer: Stepper::new(OperandBuffer::activations(config)).expect("the buffer is accepted"),
            weight_buffer: Stepper::new(OperandBuffer::weights(config)).expect("the buffer is accepted"),
            datapath: Stepper::new(Datapath::new(config)).expect("the datapath is accepted"),
            has_one_shift_enable: false,
        }
    }

    fn write_buffers(&mut self, activations: &[Vec<i64>], weights: &[Vec<i64>]) {
        let numerics = self.config.numerics().clone();
        for (row, lanes) in activations.iter().enumerate() {
            let set = |buffer: &mut OperandBuffer| {
                buffer.write_enable_in.next = true.into();
                buffer.write_addr_in.next = row.into();
                buffer.write_row_in.next = packed(lanes, numerics.activation());
            };
            self.activation_buffer.cycle_with(set, |_| ()).expect("the buffer settles");
        }
        self.activation_buffer.block_mut().write_enable_in.next = false.into();
        for (row, lanes) in weights.iter().enumerate() {
            let set = |buffer: &mut OperandBuffer| {
                buffer.write_enable_in.next = true.into();
                buffer.write_addr_in.next = row.into();
                buffer.write_row_in.next = packed(lanes, numerics.weight());
            };
            self.weight_buffer.cycle_with(set, |_| ()).expect("the buffer settles");
        }
        self.weight_buffer.block_mut().write_enable_in.next = false.into();
    }

    /// One cycle in which `command` waits in the queue.
    fn cycle(&mut self, command: Option<&spec::Execute>, has_tokens: bool) -> Shown {
        let execute = self.execute.block_mut();
        execute.command_valid_in.next = command.is_some().into();
        execute.command_in.next =
            command.map_or(Bits::zero(spec::command::COMMAND_BITS), |c| encoded(&Command::Execute(*c)));
        execute.load_available_in.next = has_tokens.into();
        execute.store_available_in.next = has_tokens.into();
        execute.load_space_in.next = true.into();
        execute.store_space_in.next = true.into();
        self.execute.settle().expect("execute settles");
        let execute = self.execute.block();
        let events = execute.execute_events_out.val().low_u128();
        assert_eq!(events.count_ones(), 1, "exactly one counter of the group counts");

        let buffer = self.activation_buffer.block_mut();
        buffer.read_enable_in.next = execute.activation_read_out.val();
        buffer.read_addr_in.next = execute.activation_addr_out.val();
        let buffer = self.weight_buffer.block_mut();
        buffer.read_enable_in.next = execute.weight_read_out.val();
        buffer.read_addr_in.next = execute.weight_addr_out.val();
        let rows = execute.shift_rows_out.width();
        let datapath = self.datapath.block_mut();
        datapath.shift_rows_in.next = match self.has_one_shift_enable && execute.shift_rows_out.val().any() {
            true => Bits::ones(rows),
            false => execute.shift_rows_out.val(),
        };
        datapath.weight_valid_in.next = execute.weight_valid_out.val();
        datapath.weight_row_in.next = self.weight_buffer.block().read_row_out.val();
        datapath.row_valid_in.next = execute.row_valid_out.val();
        datapath.row_swap_in.next = execute.row_swap_out.val();
        datapath.row_control_in.next = execute.row_control_out.val();
        datapath.row_keep_in.next = execute.row_keep_out.val();
        datapath.row_pad_in.next = execute.row_pad_out.val();
        datapath.activation_row_in.next = self.activation_buffer.block().read_row_out.val();
        self.datapath.settle().expect("the datapath settles");
        let shown = Shown {
            took: execute.take_out.val().any(),
            swaps: execute.row_swap_out.val().any(),
            in_span: execute.execute_span_out.val().any(),
            pushes_load: execute.push_load_out.val().any(),
            pushes_store: self.datapath.block().push_store_out.val().any(),
            is_idle: execute.idle_out.val().any(),
        };
        self.execute.edge().expect("execute settles");
        self.activation_buffer.edge().expect("the buffer settles");
        self.weight_buffer.edge().expect("the buffer settles");
        self.datapath.edge().expect("the datapath settles");
        shown
    }

    /// A row of the accumulator, read as store does.
    fn accumulator_row(&mut self, half: bool, row: usize) -> Bits {
        let datapath = self.datapath.block_mut();
        datapath.store_half_in.next = half.into();
        datapath.store_addr_in.next = row.into();
        self.datapath.settle().expect("the datapath settles");
        self.datapath.edge().expect("the datapath settles");
        self.datapath.block().store_data_out.val()
    }
}

fn packed(lanes: &[i64], format: Format) -> Bits {
    let width = format.bits() as usize;
    let mut bus = Bits::zero(lanes.len() * width);
    for (i, &lane) in lanes.iter().enumerate() {
        bus.set_slice(i * width, &Bits::from_i128(lane.into(), width));
    }
    bus
}

fn encoded(command: &Command) -> Bits {
    let words = command.encode();
    let words = words.chunks(2).map(|pair| u64::from(pair[1]) << 32 | u64::from(pair[0])).collect();
    Bits::from_words(words, spec::command::COMMAND_BITS)
}

/// What a run showed.
struct Run {
    takes: Vec<u64>,
    swaps: Vec<u64>,
    span: u64,
    load_pushes: Vec<u64>,
    store_pushes: Vec<u64>,
    is_right: bool,
}

/// Runs `folds` without a stall and compares the accumulator with sums computed directly.
fn run(path: &mut Path, folds: &[spec::Execute], seed: u64) -> Run {
    let (g, n) = (path.config.geometry().clone(), path.config.numerics().clone());
    let mut random = Random::new(seed);
    let mut table = |count: usize, lanes: usize, format: Format| -> Vec<Vec<i64>> {
        let mut lane = || format.decode(random.word());
        (0..count).map(|_| (0..lanes).map(|_| lane()).collect()).collect()
    };
    let activations = table(g.activation_buffer_rows(), g.rows(), n.activation());
    let weights = table(g.weight_buffer_rows(), g.cols(), n.weight());
    path.write_buffers(&activations, &weights);

    let mut expected = std::collections::HashMap::new();
    for fold in folds {
        for i in 0..usize::from(fold.rows) {
            let activation_row = streamed_row(fold, i, &activations, n.activation());
            let row = (fold.half, usize::from(fold.accumulator_row) + i * usize::from(fold.accumulator_step));
            let overwrite = fold.overwrite && (fold.accumulator_step > 0 || i == 0);
            let sums: &mut Vec<i64> = expected.entry(row).or_insert_with(|| vec![0; g.cols()]);
            for (c, sum) in sums.iter_mut().enumerate() {
                // The row for mesh row k - 1 is stored first.
                let k = usize::from(fold.k);
                let weight = |r: usize| weights[usize::from(fold.weight_row) + k - 1 - r][c];
                let products: i64 = (0..k).map(|r| activation_row[r] * weight(r)).sum();
                *sum = match (overwrite, fold.maximum) {
                    (true, _) => products,
                    (false, true) => products.max(*sum),
                    (false, false) => n.accumulator().wrap(*sum + products),
                };
            }
        }
    }

    let mut shown = Run {
        takes: Vec::new(),
        swaps: Vec::new(),
        span: 0,
        load_pushes: Vec::new(),
        store_pushes: Vec::new(),
        is_right: true,
    };
    let mut next = 0;
    for cycle in 0..10_000 {
        let now = path.cycle(folds.get(next), true);
        next += usize::from(now.took);
        let record = |happened: bool, cycles: &mut Vec<u64>| cycles.extend(happened.then_some(cycle));
        record(now.took, &mut shown.takes);
        record(now.swaps, &mut shown.swaps);
        record(now.pushes_load, &mut shown.load_pushes);
        record(now.pushes_store, &mut shown.store_pushes);
        shown.span += u64::from(now.in_span);
        if next == folds.len() && now.is_idle {
            break;
        }
    }
    for ((half, row), sums) in expected {
        shown.is_right &= path.accumulator_row(half, row) == packed(&sums, n.accumulator());
    }
    shown
}

/// The buffer row of lane r of row i of a walk, from the fields of the command; none if it is padding.
fn kept_row(fold: &spec::Execute, i: usize, r: usize) -> Option<usize> {
    let walk = &fold.walk;
    let (line, j) = (i / usize::from(walk.inner_count), i % usize::from(walk.inner_count));
    let (outer, inner) = (line * usize::from(walk.outer_stride), j * usize::from(walk.inner_stride));
    let row = (usize::from(fold.activation_row) + outer + inner) % 65_536;
    let x = i64::from(walk.x_start) + j as i64 * i64::from(walk.x_step);
    let y = i64::from(walk.y_start) + line as i64 * i64::from(walk.y_step);
    let is_kept = (0..i64::from(walk.y_limit)).contains(&y) && (x - i64::from(walk.x_limit)..x).contains(&(r as i64));
    is_kept.then_some(row)
}

fn streamed_row(fold: &spec::Execute, i: usize, activations: &[Vec<i64>], format: Format) -> Vec<i64> {
    let pad = format.decode(fold.walk.pad.into());
    (0..activations[0].len()).map(|r| kept_row(fold, i, r).map_or(pad, |row| activations[row][r])).collect()
}

fn fold(rows: u16, k: usize, accumulator_row: u16, overwrite: bool) -> spec::Execute {
    spec::Execute {
        tokens: Tokens::default(),
        half: false,
        overwrite,
        push_late: false,
        maximum: false,
        accumulator_step: 1,
        rows,
        activation_row: 0,
        weight_row: 0,
        accumulator_row,
        k: k as u16, // small
        walk: spec::Walk::linear(128),
    }
}

const SHAPES: [(usize, usize); 6] = [(2, 3), (1, 1), (1, 5), (5, 1), (4, 3), (3, 4)];

#[test]
fn folds_of_m_rows_and_of_one_row_have_period_max_of_m_and_rows() {
    for (rows, cols) in SHAPES {
        for m in [1, rows, rows + 3] {
            for stages in 0..=2 {
                let case = format!("{rows}x{cols}, m = {m}, {stages} stages");
                let config = config(rows, cols, stages);
                // Each fold has weights of its own; all add to the same rows.
                let folds: Vec<spec::Execute> = (0..3)
                    .map(|f| spec::Execute {
                        weight_row: (f * rows) as u16,
                        activation_row: f as u16,
                        ..fold(m as u16, rows, 2, f == 0)
                    })
                    .collect();
                let shown = run(&mut Path::new(&config), &folds, 1);
                assert!(shown.is_right, "{case}: wrong sums");
                let period = m.max(rows) as u64;
                assert_eq!(shown.swaps.len(), 3, "{case}");
                assert_eq!(shown.swaps[1] - shown.swaps[0], period, "{case}");
                assert_eq!(shown.swaps[2] - shown.swaps[1], period, "{case}");
                let formula = rows + 2 * m.max(rows) + m + rows + cols - 1 + stages;
                assert_eq!(shown.span, formula as u64, "{case}: span");
            }
        }
    }
}

#[test]
fn one_shift_enable_for_all_rows_would_corrupt_folds_at_that_period() {
    for m in [1, 4] {
        let folds: Vec<spec::Execute> =
            (0..3).map(|f| spec::Execute { weight_row: 4 * f, ..fold(m, 4, m * f, true) }).collect();
        let mut path = Path::new(&config(4, 3, 0));
        assert!(run(&mut path, &folds, 2).is_right);
        let mut path = Path::new(&config(4, 3, 0));
        path.has_one_shift_enable = true;
        assert!(!run(&mut path, &folds, 2).is_right, "m = {m}: the test cannot tell the two apart");
    }
}

#[test]
fn random_folds_are_right() {
    for (rows, cols) in SHAPES {
        for seed in 0..10 {
            let mut random = Random::new(seed);
            let config = config(rows, cols, seed as usize % 3);
            let mut below = |n: usize| random.below(n as u64) as u16;
            let folds: Vec<spec::Execute> = (0..8)
                .map(|f| spec::Execute {
                    activation_row: below(20),
                    weight_row: below(2 * rows),
                    half: f / 2 % 2 == 1,
                    ..fold(1 + below(6), 1 + usize::from(below(rows)), below(3), f < 4 && f % 2 == 0)
                })
                .map(|f| if f.overwrite { spec::Execute { accumulator_row: 0, rows: 8, ..f } } else { f })
                .collect();
            let shown = run(&mut Path::new(&config), &folds, seed + 100);
            assert!(shown.is_right, "{rows}x{cols}, seed {seed}: {folds:#?}");
        }
    }
}

/// Windows over lines of pixels, some of them outside; strides in both directions; sums and maxima in rows 0, 1 and 2
/// apart.
#[test]
fn random_walks_are_right() {
    for (rows, cols) in SHAPES {
        let mut padded = [0; 3];
        for seed in 0..12 {
            let mut random = Random::new(seed);
            let config = config(rows, cols, seed as usize % 3);
            let depth = config.geometry().activation_buffer_rows();
            let mut below = |n: usize| random.below(n as u64) as u16;
            let mut folds = Vec::new();
            while folds.len() < 10 {
                let (inner_count, lines) = (1 + below(5), 1 + below(4));
                // The last line may be cut short.
                let n_rows = (inner_count * lines).saturating_sub(below(3)).max(1);
                let walk = spec::Walk {
                    inner_count,
                    // 65,535 goes back a row.
                    inner_stride: if below(4) == 0 { u16::MAX } else { below(3) },
                    outer_stride: if below(4) == 0 { u16::MAX - below(4) } else { below(6) },
                    pad: below(32),
                    x_start: i32::from(below(2 * rows + 2)) - rows as i32,
                    x_step: below(3),
                    x_limit: u32::from(below(2 * rows + 2)),
                    y_start: below(3).cast_signed() - 1,
                    y_step: below(3),
                    y_limit: 1 + below(4),
                };
                let fold = spec::Execute {
                    activation_row: 8 + below(8),
                    weight_row: below(2 * rows),
                    half: below(2) == 1,
                    maximum: below(2) == 1,
                    accumulator_step: below(3) as u8,
                    walk,
                    ..fold(n_rows, rows, below(3), below(2) == 1)
                };
                let kept = |i: usize| (0..rows).filter_map(move |r| kept_row(&fold, i, r));
                if (0..fold.rows.into()).flat_map(kept).all(|row| row < depth) {
                    for n_kept in (0..fold.rows.into()).map(|i| kept(i).count()) {
                        padded[if n_kept == 0 { 0 } else { 1 + usize::from(n_kept == rows) }] += 1;
                    }
                    folds.push(fold);
                }
            }
            let shown = run(&mut Path::new(&config), &folds, seed + 200);
            assert!(shown.is_right, "{rows}x{cols}, seed {seed}: {folds:#?}");
        }
        assert!(padded[0] > 20 && padded[2] > 20 && (rows == 1 || padded[1] > 20), "{rows}x{cols}: {padded:?}");
    }
}

#[test]
fn pushes_come_in_their_cycles() {
    let (rows, cols, stages, m) = (4, 3, 1, 6);
    let both = Tokens { push_first: true, push_second: true, ..Tokens::default() };
    let early = spec::Execute { tokens: both, ..fold(m, rows, 0, true) };
    let late = spec::Execute { push_late: true, ..early };
    let shown = run(&mut Path::new(&config(rows, cols, stages)), &[early, late], 3);
    // Issue in cycle 0, preload in 1..=R, stream from R + 1 on.
    let first = rows as u64 + 1;
    let m = u64::from(m);
    assert_eq!(shown.takes, [0, rows as u64]);
    assert_eq!(shown.swaps, [first + 1, first + 1 + m]);
    assert_eq!(shown.load_pushes, [first, first + 2 * m - 1]);
    // Row i of the fold enters the mesh in cycle first + 1 + i.
    let written = |entered: u64| entered + (rows + 1 + stages + cols - 1 + 1) as u64;
    assert_eq!(shown.store_pushes, [written(first + m), written(first + 2 * m)]);
}

#[test]
fn a_fold_waits_for_the_tokens_it_asks_for() {
    let pops = Tokens { pop_first: true, pop_second: true, ..Tokens::default() };
    let command = spec::Execute { tokens: pops, ..fold(2, 2, 0, true) };
    let mut path = Path::new(&config(2, 3, 0));
    for _ in 0..5 {
        assert!(!path.cycle(Some(&command), false).took);
    }
    assert!(path.cycle(Some(&command), true).took);
    assert!(!path.cycle(Some(&command), true).took, "the preload unit is taken");
}
