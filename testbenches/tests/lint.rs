//! The emitted Verilog of every named and of 20 random configurations: no finding, no latch, buffers are memories.

use spec::Config;
use testbenches::data::Random;
use testbenches::random;
use testbenches::verilator::{lint, memories, Tools};

fn check(config: &Config, context: &str) {
    let tools = Tools::from_path();
    let emitted = hdl::emit_top(config).unwrap_or_else(|e| panic!("{context}: {e}"));
    let findings = lint(&emitted.verilog, hdl::TOP, &tools).unwrap_or_else(|e| panic!("{context}: {e}"));
    assert!(findings.is_empty(), "{context}:\n{findings}\n{}", config.to_toml());

    let (n, g) = (config.numerics(), config.geometry());
    let bits = |width: u32, lanes: usize| width as usize * lanes;
    let buffers = [
        ("activation buffer", 1, bits(n.activation().bits(), g.rows()), g.activation_buffer_rows()),
        ("weight buffer", 1, bits(n.weight().bits(), g.cols()), g.weight_buffer_rows()),
        ("accumulator", 2 * g.cols(), bits(n.accumulator_bits(), 1), g.accumulator_rows()),
        ("parameter buffer", g.requantizer_lanes(), bits(n.parameter_bits(), 1), g.parameter_rows()),
    ];
    let found = memories(&emitted.verilog, hdl::TOP, &tools).unwrap_or_else(|e| panic!("{context}: {e}"));
    for (name, count, _, depth) in buffers {
        let place = name.replace(' ', "_");
        let of_buffer: Vec<_> = found.iter().filter(|memory| memory.name.contains(&place)).collect();
        assert_eq!(of_buffer.len(), count, "{context}: {name}: {of_buffer:?}");
        assert!(of_buffer.iter().all(|memory| memory.depth == depth), "{context}: {name}: {of_buffer:?}");
    }
    for (name, _, width, _) in buffers {
        let place = name.replace(' ', "_");
        // Yosys drops bits that nothing reads (the padding of a parameter record), but adds none.
        let fits = |memory: &&testbenches::verilator::Memory| memory.name.contains(&place) && memory.width > width;
        assert_eq!(found.iter().find(fits), None, "{context}: {name} is wider than {width} bits");
    }
}

#[test]
fn named_configurations_are_clean() {
    for name in Config::NAMED {
        check(&Config::named(name).expect("it ships with Systole"), name);
    }
}

fn check_random(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let raw = random::config(&mut Random::new(seed));
        check(&Config::try_from(raw).unwrap_or_else(|e| panic!("seed {seed}: {e}")), &format!("seed {seed}"));
    }
}

// Twenty in all, in two tests that run side by side.
#[test]
fn ten_random_configurations_are_clean() {
    check_random(5000..5010);
}

#[test]
fn ten_more_random_configurations_are_clean() {
    check_random(5010..5020);
}
