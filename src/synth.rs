//! `systole synth`.

use crate::args::SynthArgs;
use crate::files;
use crate::interrupt;
use anyhow::{ensure, Result};
use explore::synth::{
    self, Area, BlockName, Outcome, Request, Resource, Segment, Target, Utilization, Versions, MAX_SEED,
};
use std::time::Duration;

/// A seed of place and route, and what came of it.
struct Placement {
    seed: u64,
    outcome: Outcome,
}

pub fn run(args: &SynthArgs) -> Result<bool> {
    let config = files::config(&args.config)?;
    files::check_distinct(&[("--json", &args.json), ("--out", &args.out)])?;
    if let Some(path) = &args.json {
        files::check_writable(path)?;
    }
    if let Some(path) = &args.out {
        files::check_folder(path, &["design.v", "outcome.json", "config.toml"])?;
    }
    let seeds = match (&args.seeds[..], args.place) {
        ([], false) => Vec::new(),
        ([], true) => vec![1],
        (seeds, _) => seeds.to_vec(),
    };
    for (at, seed) in seeds.iter().enumerate() {
        ensure!(!seeds[..at].contains(seed), "--seeds must name each seed once; {seed} is there twice");
        ensure!(*seed <= MAX_SEED, "--seeds {seed} must be at most {MAX_SEED}");
    }
    let request = Request {
        config: &config,
        block: args.block,
        target: args.target,
        dsp: !args.no_dsp && args.target.default_dsp(),
        place: None,
        liberty: args.liberty.as_deref(),
        timeout: timeout(args.timeout)?,
    };
    let versions = synth::versions(args.target, !seeds.is_empty())?;
    let interrupted = interrupt::flag()?;
    let cache = files::cache().join("synth");
    let area = synth::synthesize(&request, &cache, interrupted)?;
    let mut placements = Vec::new();
    if matches!(area, Outcome::Done { .. }) {
        for &seed in &seeds {
            let outcome = synth::synthesize(&Request { place: Some(seed), ..request }, &cache, interrupted)?;
            placements.push(Placement { seed, outcome });
        }
    }
    let mut out = String::new();
    print(&mut out, &request, &versions, &area, &placements);
    let passed = std::iter::once(&area)
        .chain(placements.iter().map(|placement| &placement.outcome))
        .all(|outcome| matches!(outcome, Outcome::Done { .. }));
    let json = json(&request, &versions, &area, &placements)?;
    if let Some(path) = &args.json {
        files::write(path, json.as_bytes())?;
    }
    if let Some(path) = &args.out {
        let verilog = hdl::emit_block(&config, args.block)?.verilog;
        let parts = [("design.v", verilog), ("outcome.json", json), ("config.toml", config.to_toml())];
        let parts = parts.map(|(name, text)| (name.to_owned(), text.into_bytes()));
        files::folder(path, &parts)?;
        line!(out, "wrote {}", path.display());
    }
    files::print(&out)?;
    Ok(passed)
}

fn timeout(minutes: f64) -> Result<Duration> {
    const MAX_MINUTES: f64 = 10_000.0;
    ensure!(
        minutes > 0.0 && minutes <= MAX_MINUTES,
        "--timeout {minutes} must be above 0 and up to {MAX_MINUTES} minutes"
    );
    Ok(Duration::from_secs_f64(60.0 * minutes))
}

fn print(out: &mut String, request: &Request<'_>, versions: &Versions, area: &Outcome, placements: &[Placement]) {
    let dsp = if request.dsp { "with DSP blocks" } else { "without DSP blocks" };
    line!(out, "{} of {} on {}, {dsp}", request.block, request.config.name(), request.target);
    for found in std::iter::once(&versions.yosys).chain(&versions.nextpnr) {
        line!(out, "{} {}", found.tool.name(), found.version);
    }
    line!(out, "");
    if !print_failure(out, "", area) {
        if let Outcome::Done { area, utilization, seconds, .. } = area {
            print_area(out, request.target, area, utilization);
            line!(out, "built in {seconds:.1} s");
        }
    }
    if placements.is_empty() {
        return;
    }
    line!(out, "");
    for Placement { seed, outcome } in placements {
        if !print_failure(out, &format!("seed {seed}: "), outcome) {
            if let Outcome::Done { fmax_mhz: Some(fmax), seconds, .. } = outcome {
                line!(out, "seed {seed}: {fmax:.1} MHz, built in {seconds:.1} s");
            }
        }
    }
    let Some((median, low, high)) = median(placements) else { return };
    line!(out, "fmax {median:.1} MHz, the median; {low:.1} to {high:.1}");
    // The path that goes with the frequency told.
    let told = placements.iter().filter_map(|placement| match &placement.outcome {
        Outcome::Done { fmax_mhz: Some(fmax), critical_path, .. } if *fmax <= median => {
            Some((*fmax, placement.seed, critical_path))
        }
        _ => None,
    });
    if let Some((_, seed, path)) = told.max_by(|a, b| a.0.total_cmp(&b.0)) {
        print_path(out, request.block, seed, path);
    }
}

/// Whether there was a failure to print.
fn print_failure(out: &mut String, before: &str, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done { .. } => return false,
        Outcome::Failed { stage, reason, .. } => line!(out, "{before}{stage} failed: {reason}"),
        Outcome::TimedOut { stage, after, .. } => {
            line!(out, "{before}{stage} timed out after {}", synth::limit(*after));
        }
    }
    true
}

fn print_area(out: &mut String, target: Target, area: &Area, utilization: &[Utilization]) {
    if let Some(um2) = area.area_um2 {
        line!(out, "{:<24} {um2:>10.1}", "area of cells, um2");
        line!(out, "{:<24} {:>10}", "registers", area.ffs);
    } else {
        for (name, count) in [
            ("LUTs", area.luts),
            ("FFs", area.ffs),
            ("carry cells", area.carries),
            ("multiplexers", area.muxes),
            ("DSP blocks", area.dsps),
            ("block RAMs", area.rams),
            ("cells of LUT RAM", area.lut_rams),
        ] {
            line!(out, "{name:<24} {count:>10}");
        }
    }
    for part in utilization {
        let percent = 100.0 * part.used as f64 / part.available.max(1) as f64;
        let resource = if part.resource == Resource::Luts { "LUT site".to_owned() } else { part.resource.to_string() };
        let of = format!("{resource}s of {target}");
        line!(out, "{of:<24} {:>10} of {} ({percent:.1} %)", part.used, part.available);
    }
}

fn print_path(out: &mut String, block: BlockName, seed: u64, path: &[Segment]) {
    line!(out, "");
    line!(out, "critical path of seed {seed}, from register to register:");
    line!(out, "{:>9} {:>9}", "logic ns", "wires ns");
    let (mut logic, mut routing) = (0.0, 0.0);
    for segment in path {
        line!(out, "{:>9.2} {:>9.2}  {}", segment.logic_ns, segment.routing_ns, segment.describe(block));
        logic += segment.logic_ns;
        routing += segment.routing_ns;
    }
    line!(out, "{logic:>9.2} {routing:>9.2}  in all");
}

/// Median, least and greatest frequency; none if no placement gave one.
fn median(placements: &[Placement]) -> Option<(f64, f64, f64)> {
    let mut all: Vec<f64> = placements
        .iter()
        .filter_map(|placement| match placement.outcome {
            Outcome::Done { fmax_mhz, .. } => fmax_mhz,
            _ => None,
        })
        .collect();
    all.sort_by(f64::total_cmp);
    let (&low, &high) = (all.first()?, all.last()?);
    let (left, right) = (all[(all.len() - 1) / 2], all[all.len() / 2]);
    Some(((left + right) / 2.0, low, high))
}

fn json(request: &Request<'_>, versions: &Versions, area: &Outcome, placements: &[Placement]) -> Result<String> {
    let tools: Vec<_> = std::iter::once(&versions.yosys)
        .chain(&versions.nextpnr)
        .map(|found| serde_json::json!({ "tool": found.tool.name(), "version": found.version, "line": found.line }))
        .collect();
    let placements: Vec<_> = placements
        .iter()
        .map(|placement| serde_json::json!({ "seed": placement.seed, "outcome": placement.outcome }))
        .collect();
    let value = serde_json::json!({
        "systole": env!("CARGO_PKG_VERSION"),
        "config": spec::config::RawConfig::from(request.config),
        "block": request.block,
        "target": request.target,
        "dsp": request.dsp,
        "tools": tools,
        "synthesis": area,
        "placements": placements,
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}
