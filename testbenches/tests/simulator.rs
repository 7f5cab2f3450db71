//! The simulator against golden (values), against its closed form (cycles), and against the design's formulas.

use spec::config::RawConfig;
use spec::{Command, Config, Counter, Counters};
use testbenches::data::Random;
use testbenches::{random, Case, Data, Problem};

fn finish(problem: &Problem, context: &str) -> Counters {
    let finished =
        sim::run(&problem.config, problem.environment(), |_, _| {}).unwrap_or_else(|e| panic!("{context}: {e}"));
    let golden = problem.golden_memory().unwrap_or_else(|e| panic!("{context}: {e}"));
    assert!(finished.memory == golden, "{context}: the memory differs from golden's");
    finished.counters
}

fn gemm(config: &Config, [m, k, n]: [usize; 3], latency: u64) -> Problem {
    let case = Case {
        m,
        widths: vec![k, n],
        data: Data::Uniform,
        seed: 1,
        rounding_seed: 1,
        latency,
        stall_seed: 0,
        stall_percent: 0,
        reset_after: 0,
        config: RawConfig::from(config),
        network: None,
    };
    case.problem().unwrap_or_else(|e| panic!("{e}"))
}

fn named(name: &str) -> Config {
    Config::named(name).expect("it ships with Systole")
}

/// `execute_span` by the design's formula, from the folds of a program.
fn closed_form_span(config: &Config, commands: &[Command]) -> u64 {
    let g = config.geometry();
    let (rows, cols, stages) = (g.rows() as u64, g.cols() as u64, g.multiplier_stages() as u64);
    let folds: Vec<u64> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Execute(execute) => Some(execute.rows.into()),
            _ => None,
        })
        .collect();
    let (last, others) = folds.split_last().expect("a program has folds");
    rows + others.iter().map(|&m| m.max(rows)).sum::<u64>() + last + rows + cols - 1 + stages
}

#[test]
fn values_equal_golden_and_cycles_equal_the_closed_form() {
    for seed in 0..300 {
        let case = Case { stall_percent: 0, ..random::case(&mut Random::new(seed)) };
        let problem = case.problem().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let context = format!("seed {seed}");
        let counters = finish(&problem, &context);
        let predicted = sim::predict(&problem.config, &problem.compiled.program.commands, problem.latency).cycles;
        assert_eq!(counters.get(Counter::Cycles), predicted, "{context}");
        for group in Counter::GROUPS {
            let sum: u64 = group.iter().map(|&counter| counters.get(counter)).sum();
            assert_eq!(sum, predicted, "{context}: {}", group[0].name());
        }
    }
}

#[test]
fn stalls_change_cycles_and_nothing_else() {
    let mut changed = 0;
    for seed in 1000..1060 {
        let case = random::case(&mut Random::new(seed));
        let cycles = |stall_percent| {
            let problem =
                Case { stall_percent, ..case.clone() }.problem().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            finish(&problem, &format!("seed {seed}, {stall_percent} %")).get(Counter::Cycles)
        };
        changed += usize::from(cycles(60) > cycles(0));
    }
    assert_eq!(changed, 60);
}

#[test]
fn geometry_changes_no_value() {
    for seed in 2000..2040 {
        let mut random = Random::new(seed);
        let case = random::case(&mut random);
        let outputs = |case: &Case| {
            let problem = case.problem().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            let finished = sim::run(&problem.config, problem.environment(), |_, _| {});
            let memory = finished.unwrap_or_else(|e| panic!("seed {seed}: {e}")).memory;
            problem.compiled.layers.iter().map(|plan| plan.output.read(&memory)).collect::<Vec<_>>()
        };
        let expected = outputs(&case);
        let mut other = case.clone();
        other.config.geometry = random::config(&mut random).geometry;
        other.latency = 3;
        assert_eq!(outputs(&other), expected, "seed {seed}");
    }
}

#[test]
fn the_256_cube_runs_within_three_percent_of_the_closed_form() {
    let config = named("default");
    let problem = gemm(&config, [256; 3], 20);
    let counters = finish(&problem, "256-cube");
    let span = closed_form_span(&config, &problem.compiled.program.commands);
    assert_eq!(span, 65_536 + 16 + 16 + 16 - 1, "useful cycles, preload, fill and drain");
    assert_eq!(counters.get(Counter::ExecuteSpan), span);
    let cycles = counters.get(Counter::Cycles);
    assert_eq!(problem.compiled.layers[0].predicted_cycles, cycles);
    println!("256-cube: {cycles} cycles, {:?}", problem.compiled.layers[0].tiling);
    assert!(cycles * 100 <= span * 103, "{cycles} cycles for a span of {span}");
}

#[test]
fn two_bit_weights_move_a_quarter_of_the_bytes() {
    let bits = |weight_bits| {
        let mut raw = RawConfig::from(&named("default"));
        raw.numerics.weight_bits = weight_bits;
        raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Named(spec::config::Auto::Auto);
        let config = Config::try_from(raw).expect("a narrower weight is valid");
        finish(&gemm(&config, [256; 3], 20), "256-cube").get(Counter::WeightBits)
    };
    let (eight, two) = (bits(8), bits(2));
    assert!(two > 0 && eight == 4 * two, "{eight} and {two} bits");
}
