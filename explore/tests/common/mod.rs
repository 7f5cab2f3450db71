//! Rows as a sweep gives them, made up: their values have the shapes of real ones and are known to the tests.

// Each test file uses a part.
#![allow(dead_code)]

use explore::row::Row;

/// Of two networks, two methods, weights 1..=8 and activations 2..=8 on one machine, without synthesis. 1-bit weights with 8-bit
/// activations are refused by the one method, and one point is pending.
pub fn accuracy_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (network, float) in [("mlp", 97.4), ("cnn", 97.9)] {
        for (method, clipped) in [("max", false), ("mse", true)] {
            for weight_bits in 1..=8 {
                for activation_bits in 2..=8 {
                    rows.push(accuracy_row(network, float, (method, clipped), weight_bits, activation_bits));
                }
            }
        }
    }
    rows
}

fn accuracy_row(
    network: &str,
    float: f64,
    (method, clipped): (&str, bool),
    weight_bits: i64,
    activation_bits: i64,
) -> Row {
    let loss = |bits: i64, cliff: f64| cliff * (-(bits as f64 - 2.0) * if clipped { 2.0 } else { 1.6 }).exp();
    let lost = loss(weight_bits, if clipped { 20.0 } else { 70.0 }).min(82.0) + loss(activation_bits, 4.0);
    let accuracy = (float - lost).max(10.0);
    let mut row = Row {
        point: Some(format!("{network}{method}{weight_bits:02}{activation_bits:02}")),
        network: Some(network.to_owned()),
        network_width: Some(1.0),
        method: Some(method.to_owned()),
        weight_bits: Some(weight_bits),
        machine_weight_bits: Some(weight_bits.max(2)),
        activation_bits: Some(activation_bits),
        accumulator_bits: Some(weight_bits + activation_bits + 10),
        accumulator_wraps: Some(0),
        output_bits: Some(activation_bits),
        rounding: Some("half-to-even".to_owned()),
        rows: Some(8),
        cols: Some(8),
        multiplier_stages: Some(1),
        requantizer_lanes: Some(2),
        bus_bits: Some(64),
        status: Some("done".to_owned()),
        seeds: Some(5),
        images: Some(1800),
        accuracy_float_percent: Some(float),
        accuracy_percent: Some(accuracy),
        accuracy_sd_percent: Some(0.4 + lost / 12.0),
        ..Row::default()
    };
    let size = if network == "mlp" { 2368.0 } else { 3042.0 };
    row.model_bytes = Some((size * weight_bits as f64 / 8.0) as i64 + 400);
    row.bytes = Some(size * weight_bits as f64 / 8.0 + 110.0 * activation_bits as f64);
    row.energy_nj = Some(0.4 * size * (0.05 * weight_bits as f64 * activation_bits as f64 + 0.3) / 100.0);
    row.cycles = Some(1234);
    row.utilization_percent = Some(41.25);
    row.lost_rows_percent = Some(0.0);
    row.lost_cols_percent = Some(12.5);
    row.lost_form_percent = Some(0.0);
    row.lost_preload_percent = Some(9.75);
    row.lost_fill_percent = Some(20.0);
    row.lost_accumulator_percent = Some(0.5);
    row.lost_tokens_percent = Some(0.0);
    row.lost_commands_percent = Some(6.0);
    row.lost_drain_percent = Some(10.0);
    row.clock_mhz = Some(100.0);
    row.clock_source = Some("assumed".to_owned());
    row.fps = Some(100e6 / (900.0 + 40.0 * weight_bits as f64));
    if (method, weight_bits, activation_bits) == ("max", 1, 8) {
        row = refused(row, "the network's first layer needs 2 bits");
    }
    if (network, method, weight_bits, activation_bits) == ("cnn", "mse", 8, 2) {
        row = refused(row, "");
        row.status = Some("pending".to_owned());
        row.reason = None;
    }
    row
}

fn refused(row: Row, reason: &str) -> Row {
    Row {
        status: Some("refused".to_owned()),
        reason: Some(reason.to_owned()),
        accuracy_percent: None,
        accuracy_sd_percent: None,
        bytes: None,
        energy_nj: None,
        model_bytes: None,
        utilization_percent: None,
        cycles: None,
        fps: None,
        ..row
    }
}

/// The rows of the multilayer network on two targets and three shapes of the mesh; the largest is extrapolated, and one build failed.
pub fn pareto_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for row in accuracy_rows().into_iter().filter(|row| row.network.as_deref() == Some("mlp")) {
        let (Some(weights), Some(activations)) = (row.machine_weight_bits, row.activation_bits) else { continue };
        for size in [4, 8, 16] {
            for (target, pe) in [("ice40-hx8k", 3.0), ("ecp5-85k", 4.4)] {
                let mut row = row.clone();
                row.point = row.point.map(|point| format!("{point}-{size}"));
                (row.rows, row.cols) = (Some(size), Some(size));
                row.block = Some("top".to_owned());
                row.target = Some(target.to_owned());
                row.dsp = Some(0);
                row.build_status = Some("done".to_owned());
                let one = pe * weights as f64 * activations as f64 + 30.0;
                row.luts = Some((one * (size * size) as f64 + 2500.0) as i64);
                row.lut_sites = row.luts;
                row.area_um2 = row.luts.map(|luts| 9.5 * luts as f64);
                row.dsps = Some(size * 2);
                row.ffs = Some(size * size * (weights + activations) * 3);
                let fmax = 260.0 / (1.0 + 0.11 * (weights + activations) as f64) * pe / 3.0;
                row.fmax_mhz = Some(fmax);
                row.fmax_min_mhz = Some(fmax * 0.96);
                row.fmax_max_mhz = Some(fmax * 1.05);
                row.extrapolated = Some(0);
                row.clock_mhz = Some(fmax);
                row.clock_source = Some("fmax".to_owned());
                row.fps = row.fps.map(|fps| fps * fmax / 100.0 * (size as f64 / 8.0).powf(1.3));
                row.energy_nj = row.energy_nj.map(|energy| energy * (1.0 + 0.02 * size as f64));
                if size == 16 {
                    row.extrapolated = Some(1);
                    row.build_status = Some("extrapolated".to_owned());
                    (row.fmax_mhz, row.fmax_min_mhz, row.fmax_max_mhz) = (None, None, None);
                    row.clock_source = Some("assumed".to_owned());
                    row.clock_mhz = Some(100.0);
                }
                if (size, weights, activations, target) == (8, 8, 8, "ice40-hx8k") {
                    row.build_status = Some("failed".to_owned());
                    row.build_reason = Some("it does not fit: 9100 of 7680 logic cells".to_owned());
                    (row.luts, row.lut_sites, row.dsps, row.ffs) = (None, None, None, None);
                    (row.fmax_mhz, row.fmax_min_mhz, row.fmax_max_mhz, row.fps) = (None, None, None, None);
                }
                rows.push(row);
            }
        }
    }
    rows
}

/// Equal widths 2, 4 and 8 of the multilayer network, for networks of four widths.
pub fn width_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for row in accuracy_rows() {
        let equal = row.weight_bits == row.activation_bits && matches!(row.weight_bits, Some(2 | 3 | 4 | 8));
        if !equal || row.network.as_deref() != Some("mlp") || row.method.as_deref() != Some("mse") {
            continue;
        }
        for width in [0.5, 1.0, 2.0, 4.0] {
            let mut row = row.clone();
            row.point = row.point.map(|point| format!("{point}-{width}"));
            row.network_width = Some(width);
            row.model_bytes = row.model_bytes.map(|bytes| (bytes as f64 * width) as i64);
            row.energy_nj = row.energy_nj.map(|energy| energy * width);
            row.accuracy_percent = row.accuracy_percent.map(|accuracy| 100.0 - (100.0 - accuracy) / width.sqrt());
            rows.push(row);
        }
    }
    rows
}
