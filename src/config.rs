//! `systole config`.

use crate::args::ConfigArgs;
use crate::files;
use anyhow::Result;
use spec::config::RawConfig;
use spec::Derived;

pub fn run(args: &ConfigArgs) -> Result<bool> {
    let config = files::config(&args.config)?;
    let mut out = String::new();
    let derived = Derived::of(&config);
    if args.json {
        let value = serde_json::json!({ "config": RawConfig::from(&config), "derived": derived });
        line!(out, "{}", serde_json::to_string_pretty(&value)?);
        files::print(&out)?;
        return Ok(true);
    }
    line!(out, "{}", config.to_toml());
    let w = &derived.widths;
    line!(out, "# derived");
    line!(out, "# product {} bits, psum and accumulator {} bits", w.product_bits, w.accumulator_bits);
    if w.accumulator_wraps {
        line!(out, "#   {} bits would hold every sum; this accumulator wraps", w.exact_accumulator_bits);
    }
    for buffer in &derived.buffers {
        line!(
            out,
            "# {}: {} x {} rows x {} bits = {:.1} KiB",
            buffer.name,
            buffer.instances,
            buffer.rows,
            buffer.row_bits,
            buffer.total_bits as f64 / 8192.0
        );
    }
    let fields: Vec<String> = derived.parameter_record.iter().map(|f| format!("{}[{}]", f.name, f.bits)).collect();
    line!(out, "# parameter record: {} = {} bits, padded", fields.join(" "), w.parameter_bits);
    let l = &derived.latencies;
    line!(
        out,
        "# {} multiply-accumulates a cycle; fold period at least {} cycles",
        l.macs_per_cycle,
        l.fold_period_min
    );
    line!(
        out,
        "# mesh entry to accumulator: {} cycles to column 0, {} to the last; requantizer: {} cycles",
        l.mesh_to_first_column,
        l.mesh_to_last_column,
        l.requantizer
    );
    files::print(&out)?;
    Ok(true)
}
