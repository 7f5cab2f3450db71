//! C programs that use the exported header.

use spec::Config;
use std::fs;
use std::process::Command;
use testbenches::export::c_header;

/// Compiles a C program of some functions and the body of `main` against the header, and gives what it prints. `show`
/// prints a command, `number` a number.
pub fn run_c(config: &Config, functions: &str, body: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("systole.h"), c_header(config)).expect("a temporary folder can be written");
    let text = format!(
        "#include <stdio.h>\n#include \"systole.h\"\n#include \"systole.h\"\n\
         static void show(systole_command c) {{\n\
         \x20   for (int i = 0; i < 8; i++) printf(\"%08lx%c\", (unsigned long)c.word[i], i < 7 ? ' ' : '\\n');\n}}\n\
         static void number(unsigned long value) {{ printf(\"%lu\\n\", value); }}\n\
         {functions}\nint main(void) {{\n{body}    return 0;\n}}\n"
    );
    fs::write(path("main.c"), text).expect("a temporary folder can be written");
    let gcc = Command::new("gcc")
        .args(["-Wall", "-Wextra", "-Werror", "-std=c99", "-pedantic", "-Wno-unused-function", "-o"])
        .arg(path("main"))
        .arg(path("main.c"))
        .output()
        .expect("gcc is installed");
    assert!(gcc.status.success(), "{}", String::from_utf8_lossy(&gcc.stderr));
    let output = Command::new(path("main")).output().expect("it was just built");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("it prints digits")
}
