//! What `systole simulate` tells: accuracy, comparisons, cycles, lost PE-cycles, bytes, frames per second.

use crate::layers::{self, LayerReport};
use compiler::Compiled;
use explore::causes::{Cause, PeCycles};
use serde::Serialize;
use spec::{Config, Counter, Counters, Geometry};
use testbenches::Comparison;

/// The whole report; what does not apply is absent.
#[derive(Debug, Serialize)]
pub struct Report {
    pub version: &'static str,
    pub config: String,
    pub work: String,
    pub latency: u64,
    pub stalls: Option<String>,
    #[serde(skip)]
    pub geometry: Geometry,
    pub layers: Vec<LayerReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
    pub compared: Vec<Compared>,
    pub run: RunReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtl: Option<RtlReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelReport>,
    pub speed: Speed,
}

/// Correct answers, of `images`.
#[derive(Debug, Serialize)]
pub struct Accuracy {
    pub images: usize,
    /// Absent where the float network is not at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float: Option<usize>,
    pub golden: usize,
    pub simulator: usize,
    /// On the first images: the RTL and, beside it, golden on the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtl: Option<RtlAccuracy>,
}

/// See [`Accuracy`].
#[derive(Debug, Serialize)]
pub struct RtlAccuracy {
    pub images: usize,
    pub rtl: usize,
    pub golden: usize,
}

/// A comparison of two engines.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    pub engine: &'static str,
    pub reference: &'static str,
    pub values: u64,
    pub values_differing: u64,
    pub counters: u64,
    pub counters_differing: u64,
    /// Bytes that are no output value, and missing parts.
    pub others_differing: u64,
    pub differences: Vec<String>,
}

impl Compared {
    /// Whether something was compared and nothing differs.
    pub fn passed(&self) -> bool {
        self.values > 0 && self.values_differing == 0 && self.counters_differing == 0 && self.others_differing == 0
    }
}

impl Compared {
    /// One line for each pair of engines, summed over many programs.
    pub fn joined(compared: &[Self]) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for one in compared {
            let same = joined.iter_mut().find(|all| (all.engine, all.reference) == (one.engine, one.reference));
            let Some(all) = same else {
                joined.push(one.clone());
                continue;
            };
            all.values += one.values;
            all.values_differing += one.values_differing;
            all.counters += one.counters;
            all.counters_differing += one.counters_differing;
            all.others_differing += one.others_differing;
            all.differences.extend(one.differences.iter().cloned());
        }
        joined
    }
}

/// The table of comparisons.
pub fn print_compared(out: &mut String, compared: &[Compared]) {
    line!(
        out,
        "\ncompared                                    values  differing  counters  differing  other bytes differing"
    );
    for c in compared {
        let pair = format!("{} = {}", c.engine, c.reference);
        line!(
            out,
            "{:<38} {:>11} {:>10} {:>9} {:>10} {:>22}",
            pair,
            c.values,
            c.values_differing,
            c.counters,
            c.counters_differing,
            c.others_differing
        );
        c.differences.iter().for_each(|difference| line!(out, "    {difference}"));
    }
}

impl From<&Comparison> for Compared {
    fn from(c: &Comparison) -> Self {
        Self {
            engine: c.engine.name(),
            reference: c.reference.name(),
            values: c.values,
            values_differing: c.values_differing,
            counters: c.counters,
            counters_differing: c.counters_differing,
            others_differing: c.others_differing,
            differences: c.differences.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The simulator's run.
#[derive(Debug, Serialize)]
pub struct RunReport {
    pub rows: usize,
    pub cycles: u64,
    /// Closed form, for a memory without stalls.
    pub predicted_cycles: u64,
    pub execute_span: u64,
    pub macs: u64,
    pub utilization: f64,
    pub lost: Vec<Lost>,
    pub bytes: Bytes,
    pub counters: serde_json::Map<String, serde_json::Value>,
}

/// PE-cycles that did no useful multiply-accumulate, by cause.
#[derive(Debug, Serialize)]
pub struct Lost {
    pub cause: &'static str,
    pub pe_cycles: u64,
    /// Of all PE-cycles.
    pub percent: f64,
}

/// Bytes moved, payload by tensor, and beats on the bus.
#[derive(Debug, Serialize)]
pub struct Bytes {
    pub activations: f64,
    pub weights: f64,
    pub parameters: f64,
    pub outputs: f64,
    pub read_beats: u64,
    pub write_beats: u64,
    pub bus_bytes: usize,
}

/// The verilated RTL's run.
#[derive(Debug, Serialize)]
pub struct RtlReport {
    pub rows: usize,
    pub cycles_rtl: u64,
    pub cycles_simulator: u64,
    /// Host seconds for the same work, and their ratio.
    pub seconds_rtl: f64,
    pub seconds_simulator: f64,
}

/// Bytes of the parameters.
#[derive(Debug, Serialize)]
pub struct ModelReport {
    pub float_bytes: usize,
    pub quantized_bytes: usize,
}

/// Rates at the stated clock.
#[derive(Debug, Serialize)]
pub struct Speed {
    pub clock_mhz: f64,
    pub gops: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<Frames>,
    /// Payload bytes a second for 30 frames a second that come one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth_single: Option<f64>,
}

/// Frames per second: rows of a batch, and one row alone.
#[derive(Debug, Serialize)]
pub struct Frames {
    pub batch: f64,
    pub single: f64,
    pub single_cycles: u64,
}

/// The real-time line.
const REAL_TIME_FPS: f64 = 30.0;

/// The run of a program on the simulator.
pub fn run(config: &Config, compiled: &Compiled, counters: &Counters, predicted_cycles: u64, rows: usize) -> RunReport {
    let pe_cycles = PeCycles::of(config, compiled, counters);
    let lost = Cause::ALL.into_iter().zip(pe_cycles.lost).map(|(cause, lost)| Lost {
        cause: cause.text(),
        pe_cycles: lost,
        percent: pe_cycles.percent(lost),
    });
    let bytes = |counter| counters.get(counter) as f64 / 8.0;
    RunReport {
        rows,
        cycles: counters.get(Counter::Cycles),
        predicted_cycles,
        execute_span: counters.get(Counter::ExecuteSpan),
        macs: pe_cycles.useful,
        utilization: pe_cycles.useful as f64 / pe_cycles.total as f64,
        lost: lost.collect(),
        bytes: Bytes {
            activations: bytes(Counter::ActivationBits),
            weights: bytes(Counter::WeightBits),
            parameters: bytes(Counter::ParameterBits),
            outputs: bytes(Counter::OutputBits),
            read_beats: counters.get(Counter::ReadBeats),
            write_beats: counters.get(Counter::WriteBeats),
            bus_bytes: config.geometry().bus_bytes(),
        },
        counters: counters.iter().map(|(counter, value)| (counter.name().to_owned(), value.into())).collect(),
    }
}

impl Report {
    /// Whether everything that was compared is equal, and something was.
    pub fn passed(&self) -> bool {
        !self.compared.is_empty() && self.compared.iter().all(Compared::passed)
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let out = &mut text;
        line!(out, "Systole {}: {} on configuration {}", self.version, self.work, self.config);
        let stalls = self.stalls.as_deref().unwrap_or("none");
        line!(out, "memory latency {} cycles, stalls {stalls}", self.latency);
        layers::print(out, &self.geometry, &self.layers);
        if let Some(accuracy) = &self.accuracy {
            accuracy.print(out);
        }
        print_compared(out, &self.compared);
        self.print_run(out);
        if let Some(model) = &self.model {
            line!(
                out,
                "\nmodel size             {} bytes as float32, {} bytes quantized ({:.2} times smaller)",
                model.float_bytes,
                model.quantized_bytes,
                model.float_bytes as f64 / model.quantized_bytes as f64
            );
        }
        self.print_speed(out);
        let per_second: f64 = self.layers.iter().map(|layer| layer.bytes_per_second_at_30_fps).sum();
        line!(
            out,
            "bandwidth for 30 FPS   {:.3} MB/s of payload in batches of {}{}",
            per_second / 1e6,
            self.run.rows,
            self.speed
                .bandwidth_single
                .map_or(String::new(), |single| format!(", {:.3} MB/s one by one", single / 1e6))
        );
        line!(out, "\n{}", if self.passed() { "PASS: nothing differs" } else { "FAIL" });
        text
    }

    fn print_run(&self, out: &mut String) {
        let run = &self.run;
        line!(
            out,
            "\ncycles, {} rows        {} (closed form without stalls: {})",
            run.rows,
            run.cycles,
            run.predicted_cycles
        );
        if let Some(rtl) = &self.rtl {
            line!(out, "cycles, {} rows        RTL {}, simulator {}", rtl.rows, rtl.cycles_rtl, rtl.cycles_simulator);
            line!(
                out,
                "host time for these    RTL {:.3} s, simulator {:.4} s: {:.1} times faster",
                rtl.seconds_rtl,
                rtl.seconds_simulator,
                rtl.seconds_rtl / rtl.seconds_simulator
            );
        }
        line!(out, "execute span           {} cycles", run.execute_span);
        line!(out, "\nwhere the PE-cycles went");
        line!(out, "  {:>7.3} %  useful multiply-accumulates (utilization)", 100.0 * run.utilization);
        for lost in &run.lost {
            line!(out, "  {:>7.3} %  {}", lost.percent, lost.cause);
        }
        let sum = 100.0 * run.utilization + run.lost.iter().map(|lost| lost.percent).sum::<f64>();
        line!(out, "  {sum:>7.3} %  in all");
        let b = &run.bytes;
        line!(
            out,
            "\nbytes moved            activations {:.0}, weights {:.0}, parameters {:.0}, outputs {:.0}",
            b.activations,
            b.weights,
            b.parameters,
            b.outputs
        );
        line!(out, "beats of {} bytes       {} read, {} written", b.bus_bytes, b.read_beats, b.write_beats);
    }

    fn print_speed(&self, out: &mut String) {
        let speed = &self.speed;
        line!(out, "\nat {} MHz             {:.2} GOPS (2 operations a MAC)", speed.clock_mhz, speed.gops);
        if let Some(frames) = &speed.frames {
            let line = |fps: f64| if fps >= REAL_TIME_FPS { "meets" } else { "misses" };
            line!(
            out,
            "frames per second      {:.0} in a batch, {:.0} one by one ({} cycles each); {} the {REAL_TIME_FPS} FPS line",
                frames.batch,
                frames.single,
                frames.single_cycles,
                line(frames.single)
            );
        }
    }
}

impl Accuracy {
    fn print(&self, out: &mut String) {
        line!(out, "\naccuracy");
        let mut show = |name: &str, correct: usize, images: usize| {
            line!(out, "  {name:<28} {correct:>4} of {images} = {:.2} %", 100.0 * correct as f64 / images as f64);
        };
        if let Some(float) = self.float {
            show("float", float, self.images);
        }
        show("golden", self.golden, self.images);
        show("simulator", self.simulator, self.images);
        if let Some(rtl) = &self.rtl {
            show("verilated RTL", rtl.rtl, rtl.images);
            show("golden on the same", rtl.golden, rtl.images);
        }
    }
}
