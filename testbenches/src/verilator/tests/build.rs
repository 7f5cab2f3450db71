//! The cache, tracing, and building on several threads.

use super::*;
use std::fs;

#[test]
fn an_entry_is_built_once_and_is_small() {
    let directory = tempfile::tempdir().unwrap();
    let options = options_in(directory.path());
    let first = Library::build(&counter(), &options).unwrap();
    assert!(!first.was_cached());
    let again = Library::build(&counter(), &options).unwrap();
    assert!(again.was_cached());

    let mut changed = counter();
    changed.verilog = changed.verilog.replace("r5 + step5", "r5 - step5");
    let other = Library::build(&changed, &options).unwrap();
    assert!(!other.was_cached());
    let results: Vec<u64> = [&first, &again, &other]
        .map(|library| {
            let mut dut = library.instance(1).unwrap();
            dut.set(library.input("reset", 1).unwrap(), 1).unwrap();
            dut.step().unwrap();
            dut.set(library.input("reset", 1).unwrap(), 0).unwrap();
            dut.set(library.input("en", 1).unwrap(), 1).unwrap();
            dut.set(library.input("step5", 5).unwrap(), 1).unwrap();
            dut.step().unwrap();
            dut.settle().unwrap();
            dut.get(library.output("q5", 5).unwrap()).unwrap()
        })
        .to_vec();
    assert_eq!(results, [1, 1, 31]);

    let mut entries = 0;
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.ends_with(".unfinished"), "{name} is left over");
        if path.is_dir() && !name.starts_with("header-") && !name.starts_with("runtime-") {
            let files: Vec<_> = fs::read_dir(&path).unwrap().map(Result::unwrap).collect();
            assert_eq!(files.len(), 1);
            assert_eq!(files[0].file_name(), "model.so");
            assert!(files[0].metadata().unwrap().len() < 1_000_000);
            entries += 1;
        }
    }
    assert_eq!(entries, 2);
}

#[test]
fn what_an_ended_build_left_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let options = options_in(directory.path());
    let library = Library::build(&counter(), &options).unwrap();
    drop(library);
    let is_model = |path: &Path| path.join("model.so").exists();
    let entry =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).find(|path| is_model(path)).unwrap();
    let name = entry.file_name().unwrap().to_string_lossy().into_owned();
    let unfinished = directory.path().join(format!(".{name}.unfinished"));
    fs::rename(&entry, &unfinished).unwrap();
    fs::write(unfinished.join("model.so"), "not a library").unwrap();
    assert!(!Library::build(&counter(), &options).unwrap().was_cached());
    assert!(!unfinished.exists());
}

#[test]
fn threads_that_want_one_design_build_it_once() {
    let directory = tempfile::tempdir().unwrap();
    let options = options_in(directory.path());
    let design = counter();
    let cached: Vec<bool> = std::thread::scope(|scope| {
        let build = || Library::build(&design, &options).unwrap().was_cached();
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(build)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(cached.iter().filter(|&&cached| !cached).count(), 1);
}

fn traced(trace: Trace, name: &str) -> Vec<u8> {
    let library = Library::build(&counter(), &Options { trace, ..options() }).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    let mut dut = library.instance(3).unwrap();
    dut.step().unwrap();
    dut.trace(&path).unwrap();
    dut.set(library.input("en", 1).unwrap(), 1).unwrap();
    for _ in 0..20 {
        dut.step().unwrap();
    }
    dut.close_trace().unwrap();
    fs::read(&path).unwrap()
}

#[test]
fn a_vcd_trace_names_registers_and_times() {
    let text = String::from_utf8(traced(Trace::Vcd, "counter.vcd")).unwrap();
    assert!(text.contains(" r70 [69:0] "), "{text}");
    assert!(text.contains("\n#10\n"), "{text}");
    assert!(text.contains("\n#205\n"), "{text}");
}

#[test]
fn an_fst_trace_is_written() {
    let bytes = traced(Trace::Fst, "counter.fst");
    // An FST file starts with a header block, number 0, of 329 bytes.
    assert_eq!(bytes[..9], [0, 0, 0, 0, 0, 0, 0, 1, 73]);
    assert!(bytes.len() > 338, "{} bytes", bytes.len());
}

#[test]
fn a_large_design_is_compiled_in_several_units() {
    // Enough different registers that the generated text exceeds one unit.
    let registers: String = (0..600)
        .map(|i| {
            format!(
                "  reg [7:0] r{i};\n  always @(posedge clock) r{i} <= go ? {} : (r{} ^ (r{i} + {}));\n",
                i % 256,
                (i + 1) % 600,
                i % 7
            )
        })
        .collect();
    let mut design = probe(&format!("{registers}  always @* q = r0;"));
    // Different in each process, so that the build is seen every time.
    design.verilog += &format!("// {}\n", std::process::id());
    let directory = tempfile::tempdir().unwrap();
    let library = Library::build(&design, &options_in(directory.path())).unwrap();
    let (go, q) = (library.input("go", 1).unwrap(), library.output("q", 8).unwrap());
    let mut dut = library.instance(5).unwrap();
    dut.set(go, 1).unwrap();
    dut.step().unwrap();
    dut.set(go, 0).unwrap();
    let mut r: Vec<u64> = (0..600).map(|i| i % 256).collect();
    for _ in 0..50 {
        dut.step().unwrap();
        assert_eq!(dut.get(q).unwrap(), r[0]);
        r = (0..600usize).map(|i| (r[(i + 1) % 600] ^ (r[i] + i as u64 % 7)) & 255).collect();
    }
}
