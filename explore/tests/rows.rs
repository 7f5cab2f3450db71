//! Rows from results of tasks: seeds and placements summed up, clocks, states, extrapolated areas.

use explore::assemble::{rows, BuildOutcome, Measured, TaskOutcome};
use explore::row::Row;
use explore::store::Build;
use explore::sweep::{Sweep, Variant};
use explore::synth::{BlockName, Target};
use serde_json::json;
use std::sync::atomic::AtomicBool;

const SWEEP: &str = r#"
name = "s"
config = "default"
seeds = [7, 8, 9]
clock_mhz = 50
[networks.mlp]
model = "mlp.onnx"
data = "d.npz"
[methods.max]
weights = "min-max"
activations = "min-max"
[axes]
network = "mlp"
method = "max"
rows = [2, 3, 4, 8]
cols = [2, 4, 8]
requantizer_lanes = 2
[synthesis]
targets = ["ice40-hx8k"]
seeds = [1, 2, 3]
"#;

/// The right answers of 40.
fn evaluation(seed: u64, correct: u64) -> TaskOutcome {
    let layer = json!({ "name": "a", "weight_sqnr_db": 20.0, "output_sqnr_db": 10.0, "saturated": 1, "outputs": 100 });
    TaskOutcome::Done(json!({
        "seed": seed, "images": 40, "correct": correct, "float_correct": 38, "sqnr_db": 10.0, "layers": [layer], "model_bytes": 100
    }))
}

fn timing() -> TaskOutcome {
    TaskOutcome::Done(json!({
        "batch": 2, "cycles": 1000, "differing": 0, "macs": 5,
        "causes": { "utilization": 100.0, "lost": [] },
        "bytes": { "weights": 1.0, "activations": 2.0, "outputs": 3.0, "parameters": 4.0 }, "bus_bytes": 16.0,
        "energy": { "mac_nj": 1.0, "hop_nj": 2.0, "buffer_nj": 3.0, "requantize_nj": 4.0, "memory_nj": 5.0 }
    }))
}

fn area(luts: u64) -> serde_json::Value {
    json!({
        "luts": luts, "ffs": 5, "carries": 4, "muxes": 3, "dsps": 2, "rams": 1, "lut_rams": 0, "area_um2": null, "cells": {}
    })
}

fn placed(fmax_mhz: f64, signal: &str) -> TaskOutcome {
    let segment = json!({ "block": "mesh", "from": signal, "to": "sum", "logic_ns": 1.5, "routing_ns": 2.25 });
    TaskOutcome::Done(json!({
        "status": "done", "area": area(600), "utilization": [], "fmax_mhz": fmax_mhz, "critical_path": [segment], "seconds": 9.0
    }))
}

fn failed() -> TaskOutcome {
    let result = json!({ "status": "failed", "stage": "place", "reason": "does not fit", "area": area(600) });
    TaskOutcome::Failed("place: does not fit".to_owned(), Some(result))
}

fn timed_out() -> TaskOutcome {
    let after = json!({ "secs": 60, "nanos": 0 });
    let result = json!({ "status": "timed-out", "stage": "synthesis", "after": after, "area": null });
    TaskOutcome::Failed("synthesis: not ended after 1.0 minutes".to_owned(), Some(result))
}

struct Points {
    sweep: Sweep,
    measured: Vec<Measured>,
}

impl Points {
    /// All points of the sweep with nothing but their axes.
    fn new() -> Self {
        let sweep = Sweep::new(SWEEP, include_str!("../../spec/configs/default.toml")).expect("it is valid");
        let plan = sweep.plan(None, false, &AtomicBool::new(false)).expect("there are points");
        let point = |axes| sweep.point(axes).expect("it is valid");
        let measured = plan.points.iter().map(|planned| point(&planned.axes)).map(|point| Measured {
            key: point.key(),
            point,
            evaluations: Vec::new(),
            timing: None,
            builds: Vec::new(),
        });
        let measured = measured.collect();
        Self { sweep, measured }
    }

    fn first(mut self, change: impl FnOnce(&mut Measured)) -> Row {
        change(&mut self.measured[0]);
        self.measured.truncate(1);
        rows(&self.sweep, self.measured, false).expect("nothing is damaged").swap_remove(0)
    }
}

fn build(block: BlockName, placements: Vec<TaskOutcome>) -> BuildOutcome {
    let variant = Variant { block, target: Target::Ice40Hx8k, dsp: false };
    BuildOutcome { build: Build { variant, work: "w".to_owned() }, placements }
}

#[test]
fn accuracies_are_summed_up_over_seeds() {
    let row = Points::new().first(|point| {
        point.evaluations = vec![evaluation(7, 30), evaluation(8, 36), evaluation(9, 33)];
        point.timing = Some(timing());
    });
    assert_eq!((row.status.as_deref(), row.seeds, row.images), (Some("done"), Some(3), Some(120)));
    // 75, 90 and 82.5 %.
    let mean = row.accuracy_percent.expect("a mean");
    assert!((mean - 82.5).abs() < 1e-9, "{mean}");
    let spread = row.accuracy_sd_percent.expect("a deviation");
    assert!((spread - 7.5).abs() < 1e-9, "{spread}");
    assert_eq!((row.accuracy_min_percent, row.accuracy_max_percent), (Some(75.0), Some(90.0)));
    // 2 images in 1000 cycles at the file's 50 MHz.
    assert_eq!((row.clock_mhz, row.clock_source.as_deref(), row.fps), (Some(50.0), Some("assumed"), Some(100_000.0)));
    assert_eq!((row.block, row.build_status, row.extrapolated), (None, None, None));
}

#[test]
fn a_point_is_what_its_tasks_are() {
    let status = |evaluations: Vec<TaskOutcome>, timing: Option<TaskOutcome>| {
        let row = Points::new().first(|point| {
            point.evaluations = evaluations;
            point.timing = timing;
        });
        (row.status, row.reason, row.seeds)
    };
    let told = |status: &str, reason: Option<&str>, seeds| (Some(status.to_owned()), reason.map(str::to_owned), seeds);
    let refused = || TaskOutcome::Refused("too large".to_owned());
    let failed = || TaskOutcome::Failed("deadlock".to_owned(), None);
    assert_eq!(status(Vec::new(), None), (None, None, None));
    assert_eq!(status(vec![evaluation(7, 30), TaskOutcome::Pending], Some(timing())), told("pending", None, Some(1)));
    assert_eq!(status(vec![evaluation(7, 30)], Some(TaskOutcome::Pending)), told("pending", None, Some(1)));
    assert_eq!(status(vec![evaluation(7, 30)], Some(refused())), told("refused", Some("too large"), Some(1)));
    assert_eq!(status(vec![TaskOutcome::Pending, failed()], Some(refused())), told("refused", Some("too large"), None));
    assert_eq!(status(vec![TaskOutcome::Pending, failed()], None), told("failed", Some("deadlock"), None));
}

#[test]
fn the_median_placement_clocks_the_machine() {
    let placements = || vec![placed(90.0, "slow"), placed(120.0, "fast"), placed(100.0, "middle")];
    let row = Points::new().first(|point| {
        point.timing = Some(timing());
        point.builds = vec![build(BlockName::Top, placements())];
    });
    assert_eq!((row.block.as_deref(), row.target.as_deref(), row.dsp), (Some("top"), Some("ice40-hx8k"), Some(0)));
    assert_eq!((row.build_status.as_deref(), row.build_reason.as_deref()), (Some("done"), None));
    assert_eq!(
        (row.fmax_mhz, row.fmax_min_mhz, row.fmax_max_mhz, row.place_seeds),
        (Some(100.0), Some(90.0), Some(120.0), Some(3))
    );
    assert_eq!(row.critical_path.as_deref(), Some("mesh: middle -> sum (3.75 ns)"));
    assert_eq!(
        (row.luts, row.ffs, row.carries, row.dsps, row.rams, row.lut_rams),
        (Some(600), Some(5), Some(4), Some(2), Some(1), Some(0))
    );
    assert_eq!((row.extrapolated, row.area_um2, row.build_seconds), (Some(0), None, Some(9.0)));
    assert_eq!((row.clock_mhz, row.clock_source.as_deref(), row.fps), (Some(100.0), Some("fmax"), Some(200_000.0)));

    // An even number, and one that failed.
    let row = Points::new().first(|point| {
        point.timing = Some(timing());
        point.builds = vec![build(BlockName::Top, vec![placed(90.0, "slow"), failed(), placed(120.0, "fast")])];
    });
    assert_eq!((row.fmax_mhz, row.place_seeds), (Some(105.0), Some(2)));
    assert_eq!(row.critical_path.as_deref(), Some("mesh: slow -> sum (3.75 ns)"));
    assert_eq!(row.build_status.as_deref(), Some("done"));
    assert_eq!(row.build_reason.as_deref(), Some("1 of 3 placements: place: does not fit"));

    // What is only a part of the machine is no clock of it.
    let row = Points::new().first(|point| {
        point.timing = Some(timing());
        point.builds = vec![build(BlockName::Pe, placements())];
    });
    assert_eq!((row.fmax_mhz, row.clock_mhz, row.clock_source.as_deref()), (Some(100.0), Some(50.0), Some("assumed")));
}

#[test]
fn builds_that_failed_say_why() {
    let told = |placements: Vec<TaskOutcome>| {
        let row = Points::new().first(|point| point.builds = vec![build(BlockName::Top, placements)]);
        (row.build_status.expect("a status"), row.build_reason, row.luts, row.fmax_mhz)
    };
    let reason = |text: &str| Some(text.to_owned());
    assert_eq!(told(vec![failed(), failed()]), ("failed".to_owned(), reason("place: does not fit"), Some(600), None));
    let late = reason("synthesis: not ended after 1.0 minutes");
    assert_eq!(told(vec![timed_out(), timed_out()]), ("timed out".to_owned(), late.clone(), None, None));
    assert_eq!(told(vec![timed_out(), failed()]), ("failed".to_owned(), late, Some(600), None));
    assert_eq!(told(vec![TaskOutcome::Pending, placed(90.0, "a")]).0, "pending");
}

#[test]
fn areas_are_extrapolated_only_if_asked_and_marked() {
    let build_all = || {
        let mut points = Points::new();
        for measured in &mut points.measured {
            let (rows, cols) = (measured.point.axes.rows as u64, measured.point.axes.cols as u64);
            let outcome = match rows * cols {
                ..64 => TaskOutcome::Done(json!({
                    "status": "done", "area": area(10 + 3 * rows * cols + 5 * (rows + cols)), "utilization": [], "fmax_mhz": 99.0,
                    "critical_path": [], "seconds": 1.0
                })),
                _ => timed_out(),
            };
            measured.builds = vec![build(BlockName::Top, vec![outcome])];
        }
        points
    };
    let of = |extrapolate: bool| {
        let points = build_all();
        let rows = rows(&points.sweep, points.measured, extrapolate).expect("nothing is damaged");
        rows.into_iter().filter(|row| row.fmax_mhz.is_none()).collect::<Vec<_>>()
    };
    let plain = of(false);
    assert_eq!(plain.len(), 1);
    assert_eq!(
        (plain[0].build_status.as_deref(), plain[0].luts, plain[0].extrapolated),
        (Some("timed out"), None, None)
    );
    let asked = of(true);
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].rows, asked[0].cols), (Some(8), Some(8)));
    // 10 + 3 x 64 + 5 x 16.
    assert_eq!(
        (asked[0].build_status.as_deref(), asked[0].luts, asked[0].extrapolated),
        (Some("extrapolated"), Some(282), Some(1))
    );
    assert_eq!(
        asked[0].build_reason.as_deref(),
        Some(
            "synthesis: not ended after 1.0 minutes; from 11 builds of other shapes, which are within 0.0 % of the fit"
        )
    );
    // Other widths say nothing of these.
    let mut points = build_all();
    points.measured.retain(|measured| measured.point.axes.rows == 8);
    let rows = rows(&points.sweep, points.measured, true).expect("nothing is damaged");
    let last = rows.last().expect("a row");
    assert_eq!((last.build_status.as_deref(), last.luts), (Some("timed out"), None));
    assert_eq!(
        last.build_reason.as_deref(),
        Some("synthesis: not ended after 1.0 minutes; not extrapolated: 2 distinct shapes were built; at least 3 are needed")
    );
}
