//! With the feature `verilated`: the part of Verilator's runtime that the `verilated` package leaves out.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "verilated")]
    runtime_of_the_host();
}

#[cfg(feature = "verilated")]
fn runtime_of_the_host() {
    let answer = std::process::Command::new("verilator")
        .args(["--getenv", "VERILATOR_ROOT"])
        .output()
        .expect("verilator was not found: install it with `apt-get install verilator`");
    let root = String::from_utf8(answer.stdout).expect("VERILATOR_ROOT is no text");
    let include = std::path::Path::new(root.trim()).join("include");
    cc::Build::new()
        .cpp(true)
        .std("gnu++17")
        .warnings(false)
        .include(&include)
        .file(include.join("verilated_threads.cpp"))
        .compile("verilated_threads");
    // Models are loaded at run time and find the runtime's symbols in the program.
    println!("cargo:rustc-link-arg=-Wl,--export-dynamic");
}
