//! The mesh in RustHDL's simulator against a direct product of matrices, cycle by cycle.

mod common;

use common::Random;
use hdl::bits::Bits;
use hdl::pe::PeShape;
use hdl::prelude::Operand;
use hdl::simulate::Stepper;
use hdl::Mesh;

struct Shape {
    rows: usize,
    cols: usize,
    m: usize,
    pe: PeShape,
}

/// Two folds, the second one's weights shifted in while the first streams; returns nothing, checks every psum.
fn folds_are_right(shape: &Shape, seed: u64) {
    let &Shape { rows, cols, m, pe } = shape;
    let mut random = Random::new(seed);
    let mut value = |operand: Operand| match operand.is_signed {
        true => random.signed(operand.bits),
        false => random.bits(operand.bits).low_u128().cast_signed(),
    };
    let n_folds = 2;
    let mut table = |count: usize, operand| (0..count).map(|_| value(operand)).collect::<Vec<i128>>();
    let weights: Vec<_> = (0..n_folds).map(|_| table(rows * cols, pe.weight)).collect();
    let activations: Vec<_> = (0..n_folds).map(|_| table(m * rows, pe.activation)).collect();
    // The earliest legal times: see `Mesh` and docs on its timing.
    let load: Vec<usize> = vec![0, rows];
    let start: Vec<usize> = vec![rows, (rows + rows).max(rows + m)];
    let load = [load[0], load[1].max(start[0])];
    let last = start[1] + m + rows + cols + 2 + pe.product_stages;
    let mut dut = Stepper::new(Mesh::new(pe, rows, cols)).expect("the mesh is accepted");
    for cycle in 0..=last {
        let mut activations_in = Bits::zero(rows * pe.activation.bits);
        let mut shift_in = Bits::zero(rows);
        let mut weights_in = Bits::zero(cols * pe.weight.bits);
        let mut swap_in = false;
        for fold in 0..n_folds {
            swap_in |= cycle == start[fold];
            for r in 0..rows {
                if let Some(i) = cycle.checked_sub(start[fold] + r).filter(|i| *i < m) {
                    let lane = Bits::from_i128(activations[fold][i * rows + r], pe.activation.bits);
                    activations_in.set_slice(r * pe.activation.bits, &lane);
                }
                if (load[fold] + r..load[fold] + rows).contains(&cycle) {
                    shift_in.set_slice(r, &Bits::from(true));
                }
            }
            for c in 0..cols {
                if let Some(j) = cycle.checked_sub(load[fold] + c).filter(|j| *j < rows) {
                    let lane = Bits::from_i128(weights[fold][(rows - 1 - j) * cols + c], pe.weight.bits);
                    weights_in.set_slice(c * pe.weight.bits, &lane);
                }
            }
        }
        let set = |mesh: &mut Mesh| {
            mesh.activations_in.next = activations_in;
            mesh.shift_in.next = shift_in;
            mesh.weights_in.next = weights_in;
            mesh.swap_in.next = swap_in.into();
        };
        let psums = dut.cycle_with(set, |mesh| mesh.psums_out.val()).expect("the mesh settles");
        for fold in 0..n_folds {
            for c in 0..cols {
                let first = start[fold] + rows - 1 + c + 2 + pe.product_stages;
                if let Some(i) = cycle.checked_sub(first).filter(|i| *i < m) {
                    let sum = (0..rows).map(|r| activations[fold][i * rows + r] * weights[fold][r * cols + c]).sum();
                    let expected = Bits::from_i128(sum, pe.psum_bits);
                    let actual = psums.slice(c * pe.psum_bits, pe.psum_bits);
                    assert!(
                        actual == expected,
                        "fold {fold} row {i} column {c} cycle {cycle} seed {seed}: {actual} is not {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn psums_arrive_in_their_cycle() {
    for seed in 0..20 {
        for (rows, cols, m) in [(2, 3, 4), (2, 3, 1), (3, 2, 3), (1, 1, 2), (4, 3, 2)] {
            for product_stages in 0..=2 {
                let is_signed = seed % 2 == 0;
                let activation = Operand { bits: 5, is_signed };
                let weight = Operand { bits: 4, is_signed: seed % 3 == 0 };
                let pe = PeShape { activation, weight, psum_bits: 13, product_stages };
                folds_are_right(&Shape { rows, cols, m, pe }, seed);
            }
        }
    }
}

#[test]
fn a_narrow_psum_wraps() {
    let operand = Operand { bits: 4, is_signed: true };
    let pe = PeShape { activation: operand, weight: operand, psum_bits: 6, product_stages: 0 };
    folds_are_right(&Shape { rows: 3, cols: 2, m: 5, pe }, 7);
}

#[test]
fn the_emitted_mesh_agrees() {
    let activation = Operand { bits: 5, is_signed: false };
    let weight = Operand { bits: 4, is_signed: true };
    let pe = PeShape { activation, weight, psum_bits: 14, product_stages: 1 };
    common::agrees_with_icarus("mesh", Mesh::new(pe, 2, 3), 300, 2, |_, _, value| value);
}
