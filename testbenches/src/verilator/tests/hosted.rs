//! The `verilated` package's runtime against the one built into a model.

use super::super::Runtime;
use super::*;

#[test]
fn both_runtimes_give_the_same_outputs() {
    let hosted = Options { runtime: Runtime::Host, ..options() };
    let libraries = [build(&counter()), Library::build(&counter(), &hosted).unwrap()];
    for seed in 0..20 {
        let [own, host] = [0, 1].map(|which: usize| {
            let library = &libraries[which];
            let input = |name, width| library.input(name, width).unwrap();
            let (reset, en, step5) = (input("reset", 1), input("en", 1), input("step5", 5));
            let add70 = input("add70", 70);
            let q70 = library.output("q70", 70).unwrap();
            let q5 = library.output("q5", 5).unwrap();
            let mut random = Random(seed);
            let mut dut = library.instance(seed).unwrap();
            let mut outputs = Vec::new();
            for cycle in 0..200 {
                // The random start state is seen first, then a reset, then counting.
                dut.set(reset, u64::from(cycle == 5)).unwrap();
                dut.set(en, random.next() & 1).unwrap();
                dut.set(step5, random.next() & 31).unwrap();
                let wide = [0; 3].map(|_: u32| (random.next() & 0xffff_ffff) as u32);
                dut.set_wide(add70, &wide).unwrap();
                dut.step().unwrap();
                outputs.push((dut.get(q5).unwrap(), dut.get_wide(q70).unwrap().to_vec()));
            }
            outputs
        });
        assert_eq!(own, host, "seed {seed}");
        assert!(own.iter().any(|(q5, _)| *q5 != 0));
    }
}

#[test]
fn a_trace_of_a_hosted_model_is_refused() {
    let options = Options { runtime: Runtime::Host, trace: Trace::Vcd, ..options() };
    let error = Library::build(&counter(), &options).err().unwrap();
    assert_eq!(error.to_string(), "a model on the host's runtime writes no trace");
}
