//! The planted faults still fit the code: each patch applies, and the test it names exists. `make faults` plants them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn field<'a>(name: &str, text: &'a str, key: &str) -> &'a str {
    let line = text.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(key));
    line.unwrap_or_else(|| panic!("{name} has no line {key:?}"))
}

#[test]
fn every_planted_fault_applies_and_names_a_test() {
    let root = Path::new(ROOT);
    let mut n_faults = 0;
    for entry in fs::read_dir(root.join("testbenches/faults")).expect("the folder of faults") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        n_faults += 1;
        let (name, text) = (path.display().to_string(), read(&path));
        assert!(!field(&name, &text, "fault: ").is_empty() && !field(&name, &text, "shows: ").is_empty());
        let block = field(&name, &text, "block: ");
        assert!(text.contains(&format!("\n+++ b/{block}\n")), "{name} changes another file than {block}");

        let test: Vec<&str> = field(&name, &text, "test: ").split(' ').collect();
        let [package, target, function] = test[..] else { panic!("{name}: test: PACKAGE TARGET NAME") };
        let folder = package.strip_prefix("systole-").expect("a crate of this workspace");
        let tests = read(&root.join(folder).join("tests").join(format!("{target}.rs")));
        assert!(tests.contains(&format!("fn {function}()")), "{name}: {target}.rs has no test {function}");

        let output = Command::new("patch")
            .args(["--dry-run", "--batch", "--forward", "--fuzz=1", "--strip=1", "--input"])
            .arg(&path)
            .current_dir(root)
            .stdin(Stdio::null())
            .output()
            .expect("patch is installed");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
    assert!(n_faults >= 10, "{n_faults} planted faults");
}
