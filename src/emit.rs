//! `systole emit`.

use crate::args::EmitArgs;
use crate::files::{self, Written};
use anyhow::Result;
use spec::config::RawConfig;
use spec::{Config, Derived};
use testbenches::data::Random;
use testbenches::{export, Case, Data};

pub fn run(args: &EmitArgs) -> Result<bool> {
    let config = files::config(&args.config)?;
    let emitted = hdl::emit_top(&config)?;
    let facts = serde_json::json!({
        "systole": env!("CARGO_PKG_VERSION"),
        "top": hdl::TOP,
        "config": RawConfig::from(&config),
        "derived": Derived::of(&config),
        "ports": emitted.ports,
    });
    let mut facts = serde_json::to_string_pretty(&facts)?;
    facts.push('\n');
    let n_bytes = emitted.verilog.len();
    let mut files = vec![
        ("top.v".to_owned(), emitted.verilog.into_bytes()),
        ("config.toml".to_owned(), config.to_toml().into_bytes()),
        ("systole.json".to_owned(), facts.into_bytes()),
        ("systole.h".to_owned(), export::c_header(&config).into_bytes()),
    ];
    if args.testbench {
        let bench = export::testbench(&testbench_case(&config, args.seed).problem()?)?;
        files.push(("testbench.v".to_owned(), bench.verilog.into_bytes()));
        files.push(("commands.hex".to_owned(), bench.commands.into_bytes()));
        files.push(("memory.hex".to_owned(), bench.memory.into_bytes()));
        files.push(("expected.hex".to_owned(), bench.expected.into_bytes()));
    }
    let written = files::folder(&args.out, &files)?;
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let mut out = String::new();
    let verb = if written == Written::New { "wrote" } else { "already up to date:" };
    line!(out, "{verb} {}: {}", args.out.display(), names.join(", "));
    line!(out, "top.v: {n_bytes} bytes, {} modules", emitted.n_modules);
    files::print(&out)?;
    Ok(true)
}

/// A product that fills tiles and leaves remainders in every dimension, as large as `max_k` allows.
fn testbench_case(config: &Config, seed: u64) -> Case {
    let (rows, cols) = (config.geometry().rows(), config.geometry().cols());
    let k = (2 * rows + 1).min(config.numerics().max_k() as usize);
    Case {
        m: rows + 3,
        widths: vec![k, (cols + 1).min(compiler::max_outputs(config))],
        data: Data::Uniform,
        seed: Random::new(seed).word(),
        rounding_seed: Random::new(seed).word(),
        latency: 5,
        stall_seed: 0,
        stall_percent: 0,
        reset_after: 0,
        config: RawConfig::from(config),
        network: None,
    }
}
