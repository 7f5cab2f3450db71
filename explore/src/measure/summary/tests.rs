use super::*;
use crate::energy::Energy;
use crate::measure::{Causes, TensorBytes};

fn evaluation(seed: u64, correct: usize, db: [Option<f64>; 4], saturated: u64) -> Evaluation {
    let layer = |at: usize, saturated| LayerEvaluation {
        name: format!("layer{at}"),
        weight_sqnr_db: db[at],
        output_sqnr_db: db[at + 2],
        saturated,
        outputs: 500,
    };
    let layers = vec![layer(0, saturated), layer(1, 0)];
    Evaluation { seed, images: 200, correct, float_correct: 190, sqnr_db: db[3], layers, model_bytes: 100 }
}

#[test]
fn seeds_are_summarized() {
    let evaluations = [
        evaluation(0, 180, [Some(30.0), None, Some(20.0), Some(10.0)], 10),
        evaluation(1, 184, [Some(32.0), Some(31.0), Some(8.0), Some(12.0)], 0),
        evaluation(2, 188, [None, Some(35.0), Some(16.0), Some(14.0)], 5),
    ];
    let mut row = Row::default();
    summarize(&evaluations, &mut row);
    assert_eq!((row.seeds, row.images, row.model_bytes), (Some(3), Some(600), Some(100)));
    assert_eq!((row.accuracy_float_percent, row.accuracy_percent), (Some(95.0), Some(92.0)));
    // 90, 92, 94.
    assert_eq!(row.accuracy_sd_percent, Some(2.0));
    assert_eq!((row.accuracy_min_percent, row.accuracy_max_percent), (Some(90.0), Some(94.0)));
    assert_eq!(row.sqnr_db, Some(12.0));
    // The worst are 30, 31 and 35; of outputs 10, 8 and 14.
    assert_eq!(row.weight_sqnr_db, Some(32.0));
    assert!((row.activation_sqnr_db.expect("all lose something") - 32.0 / 3.0).abs() < 1e-12);
    // 10, 0 and 5 of a thousand.
    assert!((row.saturated_percent.expect("there are outputs") - 0.5).abs() < 1e-12);
}

#[test]
fn what_is_not_there_is_absent() {
    let mut row = Row::default();
    summarize(&[], &mut row);
    assert_eq!(row, Row::default());
    summarize(&[evaluation(0, 180, [None, None, Some(9.0), None], 0)], &mut row);
    assert_eq!((row.accuracy_sd_percent, row.sqnr_db, row.weight_sqnr_db), (None, None, None));
    assert_eq!(row.activation_sqnr_db, Some(9.0));
}

#[test]
fn a_timing_fills_its_columns() {
    let causes = Cause::ALL.into_iter().zip(1..).map(|(cause, at)| (cause, f64::from(at))).collect();
    let timing = Timing {
        batch: 4,
        cycles: 2000,
        differing: 0,
        macs: 1234,
        causes: Causes { utilization: 55.0, lost: causes },
        bytes: TensorBytes { weights: 100.0, activations: 20.0, outputs: 3.0, parameters: 0.5 },
        bus_bytes: 160.0,
        energy: Energy { mac_nj: 1.0, hop_nj: 2.0, buffer_nj: 4.0, requantize_nj: 8.0, memory_nj: 16.0 },
    };
    let mut row = Row::default();
    timing.fill(&mut row);
    timing.fill_rate(100.0, ClockSource::Assumed, &mut row);
    let expected = Row {
        batch: Some(4),
        cycles: Some(2000),
        differing: Some(0),
        utilization_percent: Some(55.0),
        lost_rows_percent: Some(1.0),
        lost_cols_percent: Some(2.0),
        lost_form_percent: Some(3.0),
        lost_preload_percent: Some(4.0),
        lost_fill_percent: Some(5.0),
        lost_accumulator_percent: Some(6.0),
        lost_tokens_percent: Some(7.0),
        lost_commands_percent: Some(8.0),
        lost_drain_percent: Some(9.0),
        macs: Some(1234),
        bytes: Some(123.5),
        weight_bytes: Some(100.0),
        activation_bytes: Some(20.0),
        output_bytes: Some(3.0),
        parameter_bytes: Some(0.5),
        bus_bytes: Some(160.0),
        // 123.5 and 160 bytes thirty times a second.
        bandwidth_30fps_mb_per_s: Some(0.003705),
        bus_30fps_mb_per_s: Some(0.0048),
        energy_nj: Some(31.0),
        energy_mac_nj: Some(1.0),
        energy_hop_nj: Some(2.0),
        energy_buffer_nj: Some(4.0),
        energy_requantize_nj: Some(8.0),
        energy_memory_nj: Some(16.0),
        clock_mhz: Some(100.0),
        clock_source: Some("assumed".to_owned()),
        // Four images in 2000 cycles of 10 ns.
        fps: Some(200_000.0),
        ..Row::default()
    };
    assert_eq!(row, expected);
}
