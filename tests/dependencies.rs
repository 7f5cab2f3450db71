//! The crates depend on each other only along the edges of ARCHITECTURE.md.

use std::process::Command;

/// Who may use whom, development dependencies included. Anything else breaks an independence that the comparisons rely on.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("systole-spec", &[]),
    ("systole-golden", &["systole-spec"]),
    ("systole-calibrate", &["systole-spec", "systole-golden"]),
    ("systole-compiler", &["systole-spec", "systole-golden", "systole-calibrate"]),
    ("systole-sim", &["systole-spec", "systole-golden"]),
    ("systole-hdl", &["systole-spec"]),
    (
        "systole-testbenches",
        &["systole-spec", "systole-golden", "systole-calibrate", "systole-compiler", "systole-sim", "systole-hdl"],
    ),
    (
        "systole-explore",
        &[
            "systole-spec",
            "systole-golden",
            "systole-calibrate",
            "systole-compiler",
            "systole-sim",
            "systole-hdl",
            "systole-testbenches",
        ],
    ),
    (
        "systole",
        &[
            "systole-spec",
            "systole-golden",
            "systole-calibrate",
            "systole-compiler",
            "systole-sim",
            "systole-hdl",
            "systole-testbenches",
            "systole-explore",
        ],
    ),
];

fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test, so it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    metadata["packages"].as_array().expect("a list of packages").clone()
}

fn dependencies(package: &serde_json::Value) -> &[serde_json::Value] {
    package["dependencies"].as_array().expect("a list of dependencies")
}

#[test]
fn crates_depend_only_on_what_the_architecture_allows() {
    let packages = packages();
    assert_eq!(packages.len(), ALLOWED.len(), "a crate was added or removed: say here what it may use");
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let (_, allowed) = ALLOWED.iter().find(|(known, _)| *known == name).expect("every crate is listed here");
        for dependency in dependencies(package) {
            let used = dependency["name"].as_str().expect("a name");
            let ours = ALLOWED.iter().any(|(known, _)| *known == used);
            assert!(!ours || allowed.contains(&used), "{name} uses {used}, which ARCHITECTURE.md does not allow");
        }
    }
}

/// What is quoted as a reference rests on nobody else's code; tests may use what they like.
#[test]
fn golden_uses_no_foreign_crate() {
    let packages = packages();
    let golden = packages.iter().find(|package| package["name"] == "systole-golden").expect("it is a member");
    let foreign = dependencies(golden).iter().filter(|dependency| dependency["kind"] != "dev");
    let names: Vec<&str> = foreign.map(|dependency| dependency["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["systole-spec"]);
}
