//! Each error, made on purpose, with its text.

use super::super::{wrap, VerilatorError};
use super::*;

fn error<T>(result: Result<T, VerilatorError>) -> String {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error.to_string(),
    }
}

fn build_error(design: &Design) -> String {
    let directory = tempfile::tempdir().unwrap();
    error(Library::build(design, &options_in(directory.path())))
}

/// Steps with `go` set until an error.
fn run_error(design: &Design) -> String {
    let library = build(design);
    let mut dut = library.instance(1).unwrap();
    for _ in 0..3 {
        dut.step().unwrap();
    }
    dut.set(library.input("go", 1).unwrap(), 1).unwrap();
    let first = error(dut.step());
    assert_eq!(error(dut.step()), first, "a stopped model stays stopped");
    // Another instance of the library is not touched.
    library.instance(1).unwrap().step().unwrap();
    first
}

#[test]
fn missing_tools_say_what_to_install() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options_in(directory.path());
    options.tools.verilator = "no-such-verilator".into();
    assert_eq!(
        error(Library::build(&counter(), &options)),
        "no-such-verilator was not found: install it with `apt-get install verilator`"
    );
    let mut options = options_in(directory.path());
    options.tools.cxx = "no-such-g++".into();
    assert_eq!(
        error(Library::build(&counter(), &options)),
        "no-such-g++ was not found: install it with `apt-get install g++`"
    );
}

#[test]
fn a_syntax_error_gives_verilators_text() {
    let text = build_error(&probe("always @(posedge clock) q <= ;"));
    assert!(text.starts_with("verilator refused the design:\n%Error: design.v:2:"), "{text}");
}

#[test]
fn ports_that_do_not_fit_the_module_are_refused() {
    let mut design = counter();
    design.ports[3].width = 6;
    let text = build_error(&design);
    assert!(text.contains("step5"), "{text}");
    let mut design = counter();
    design.ports.remove(3);
    let text = build_error(&design);
    assert!(text.contains("step5"), "{text}");
    let mut design = counter();
    design.ports[3].name = "step".to_owned();
    let text = build_error(&design);
    assert!(text.contains("Cell has missing pin: 'step5'"), "{text}");
}

#[test]
fn warnings_inside_the_design_are_no_error() {
    let library = build(&probe("always @(posedge clock) q <= 12'h123;"));
    let mut dut = library.instance(1).unwrap();
    dut.step().unwrap();
    dut.step().unwrap();
    assert_eq!(dut.get(library.output("q", 8).unwrap()).unwrap(), 0x23);
}

#[test]
fn impossible_ports_are_refused() {
    let ports = |name, width| {
        let input = port(name, Direction::Input, width);
        vec![input.clone(), input]
    };
    let reason = |top, ports: &[Port]| error(wrap(top, ports));
    assert_eq!(reason("t", &ports("a", 1)), "port a: listed twice");
    assert_eq!(reason("t", &ports("a", 0)), "port a: 0 bits wide, at least 1 is needed");
    assert_eq!(reason("t", &ports("a b", 1)), "port a b: not a plain Verilog name");
    assert_eq!(reason("t", &ports("clock", 2)), "port clock: the clock is an input of 1 bit");
    for top in ["dutwrap", "a;b", ""] {
        assert_eq!(reason(top, &[]), format!("top module {top}: not a plain Verilog name, or the name of the wrapper"));
    }
}

#[test]
fn a_compiler_error_gives_the_compilers_text() {
    let directory = tempfile::tempdir().unwrap();
    let compiler = directory.path().join("broken-g++");
    std::fs::write(&compiler, "#!/bin/sh\necho broken >&2\nexit 1\n").unwrap();
    let mut permissions = std::fs::metadata(&compiler).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&compiler, permissions).unwrap();
    let mut options = options_in(&directory.path().join("cache"));
    options.tools.cxx = compiler;
    let text = error(Library::build(&counter(), &options));
    assert!(text.starts_with("the C++ compiler failed:\n"), "{text}");
    assert!(text.ends_with("broken\n"), "{text}");
    // Nothing of the failed build is taken for a finished one.
    options.tools.cxx = "g++".into();
    assert!(!Library::build(&counter(), &options).unwrap().was_cached());
}

#[test]
fn a_damaged_library_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let options = options_in(directory.path());
    drop(Library::build(&counter(), &options).unwrap());
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let model = entry.unwrap().path().join("model.so");
        if model.exists() {
            std::fs::remove_file(&model).unwrap();
            std::fs::write(&model, "no library").unwrap();
        }
    }
    let text = error(Library::build(&counter(), &options));
    assert!(text.starts_with("cannot load ") && text.contains("model.so"), "{text}");
}

#[test]
fn an_unwritable_cache_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = error(Library::build(&counter(), &options_in(file.path())));
    assert!(text.starts_with(&file.path().display().to_string()), "{text}");
}

#[test]
fn fatal_stop_and_finish_give_cycle_and_text() {
    let body = |statement| probe(&format!("always @(posedge clock) begin q <= 0; if (go) begin {statement} end end"));
    let text = run_error(&body("$display(\"q is %0d\", q); $fatal(1, \"too much\");"));
    assert!(text.starts_with("the model stopped in cycle 3: q is 0\n"), "{text}");
    assert!(text.contains("TOP.dutwrap.dut: too much\ndesign.v:2: Verilog $stop"), "{text}");
    let text = run_error(&body("$stop;"));
    assert!(text.contains("cycle 3: design.v:2: Verilog $stop"), "{text}");
    let text = run_error(&body("$finish;"));
    assert!(text.contains("cycle 3: design.v:2: Verilog $finish"), "{text}");
    let text = run_error(&body("assert (q == 1);"));
    assert!(text.contains("Assertion failed"), "{text}");
}

#[test]
fn an_initial_block_that_stops_fails_the_instance() {
    let library = build(&probe("initial $fatal(1, \"never\");\nalways @* q = 0;"));
    let text = error(library.instance(1));
    assert!(text.starts_with("the model stopped in cycle 0: "), "{text}");
    assert!(text.contains("never"), "{text}");
}

#[test]
fn a_loop_that_does_not_settle_stops_the_model() {
    let text = run_error(&probe("always @* q = go ? ~q : 8'd0;"));
    assert!(text.contains("did not converge"), "{text}");
}

#[test]
fn ports_are_found_by_name_direction_and_width() {
    let library = build(&counter());
    assert_eq!(error(library.input("nope", 1)), "counter has no input port nope");
    assert_eq!(error(library.input("q5", 5)), "counter has no input port q5");
    assert_eq!(error(library.output("step5", 5)), "counter has no output port step5");
    assert_eq!(error(library.input("clock", 1)), "counter has no input port clock");
    assert_eq!(error(library.output("q5", 6)), "port q5 of counter is 5 bits wide, not 6");
}

#[test]
fn a_handle_used_wrongly_is_an_error() {
    let library = build(&counter());
    let other = build(&probe("always @(posedge clock) q <= go;"));
    let (step5, add70) = (library.input("step5", 5).unwrap(), library.input("add70", 70).unwrap());
    let (q5, q70) = (library.output("q5", 5).unwrap(), library.output("q70", 70).unwrap());
    let mut dut = library.instance(1).unwrap();
    let foreign = "port handle of another design used with counter";
    assert_eq!(error(dut.set(other.input("go", 1).unwrap(), 1)), foreign);
    assert_eq!(error(dut.get(other.output("q", 8).unwrap())), foreign);
    assert_eq!(error(dut.set(step5, 32)), "value 0x20 does not fit port step5 of 5 bits");
    assert_eq!(error(dut.set(q5, 1)), "counter has no input port q5");
    assert_eq!(error(dut.get(step5)), "counter has no output port step5");
    assert_eq!(error(dut.set(add70, 1)), "port add70 of 70 bits takes 3 words, not 2");
    assert_eq!(error(dut.get(q70)), "port q70 of 70 bits takes 3 words, not 2");
    assert_eq!(error(dut.set_wide(add70, &[1, 2])), "port add70 of 70 bits takes 3 words, not 2");
    assert_eq!(error(dut.get_wide(add70).map(<[u32]>::to_vec)), "counter has no output port add70");
}

#[test]
fn a_trace_that_cannot_be_written_is_an_error() {
    let mut plain = build(&counter()).instance(1).unwrap();
    assert_eq!(error(plain.trace(Path::new("x.vcd"))), "counter was built without tracing, so x.vcd cannot be written");
    let options = Options { trace: Trace::Vcd, ..options() };
    let library = Library::build(&counter(), &options).unwrap();
    let mut dut = library.instance(1).unwrap();
    let text = error(dut.trace(Path::new("/no/such/place.vcd")));
    assert!(text.starts_with("cannot write the trace /no/such/place.vcd: "), "{text}");
    // The model itself is unharmed.
    dut.step().unwrap();
}
