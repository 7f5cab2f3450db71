//! The planted faults and golden's mutants still fit the code: each patch applies, and the tests it names exist. `make faults` and
//! `make mutants` plant them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn field<'a>(name: &str, text: &'a str, key: &str) -> &'a str {
    let line = text.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(key));
    line.unwrap_or_else(|| panic!("{name} has no line {key:?}"))
}

/// The file and the function of a unit test, such as `synth::place::tests::NAME`: its module is in a file of its own or in its parent's.
fn unit_test<'a>(src: &Path, path: &'a str) -> (PathBuf, &'a str) {
    let (module, function) = path.split_once("::tests::").expect("unit tests are in modules `tests`");
    let module = src.join(module.replace("::", "/"));
    let own = module.join("tests.rs");
    (if own.is_file() { own } else { module.with_extension("rs") }, function)
}

/// Checks the patches of a folder and returns their number.
fn check(folder: &str) -> usize {
    let root = Path::new(ROOT);
    let mut n_patches = 0;
    for entry in fs::read_dir(root.join(folder)).expect("the folder of patches") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        n_patches += 1;
        let (name, text) = (path.display().to_string(), read(&path));
        assert!(!field(&name, &text, "fault: ").is_empty());
        let block = field(&name, &text, "block: ");
        assert!(text.contains(&format!("\n+++ b/{block}\n")), "{name} changes another file than {block}");

        let test: Vec<&str> = field(&name, &text, "test: ").split(' ').collect();
        let (package, targets, function) = match test[..] {
            [package, target, function] => (package, vec![target], Some(function)),
            [package, targets] => (package, targets.split(',').collect(), None),
            _ => panic!("{name}: test: PACKAGE TARGET NAME, or PACKAGE TARGET,TARGET"),
        };
        // The crate `systole` is the root.
        let folder =
            root.join(package.strip_prefix("systole").expect("a crate of this workspace").trim_start_matches('-'));
        for target in targets {
            let (file, function) = match (target, function) {
                ("lib", Some(path)) => unit_test(&folder.join("src"), path),
                ("lib", None) => (folder.join("src/lib.rs"), ""),
                _ => (folder.join("tests").join(format!("{target}.rs")), function.unwrap_or_default()),
            };
            let tests = read(&file);
            if !function.is_empty() {
                assert!(!field(&name, &text, "shows: ").is_empty());
                let file = file.display();
                assert!(tests.contains(&format!("fn {function}(")), "{name}: {file} has no test {function}");
            }
        }

        let output = Command::new("patch")
            .args(["--dry-run", "--batch", "--forward", "--fuzz=1", "--strip=1", "--input"])
            .arg(&path)
            .current_dir(root)
            .stdin(Stdio::null())
            .output()
            .expect("patch is installed");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
    n_patches
}

#[test]
fn every_planted_fault_applies_and_names_a_test() {
    assert!(check("testbenches/faults") >= 10);
}

#[test]
fn every_planted_fault_of_explore_applies_and_names_a_test() {
    assert!(check("explore/faults") >= 20);
}

#[test]
fn every_mutant_of_golden_applies_and_names_its_tests() {
    assert!(check("golden/mutants") >= 40);
}
