//! A real slurmctld and slurmd, as `scripts/slurm_cluster.sh` starts them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A Slurm of one node with the machine's cores, stopped when this is dropped.
pub struct Cluster {
    directory: tempfile::TempDir,
}

impl Cluster {
    pub fn start() -> Self {
        // Sockets have short names, which CARGO_TARGET_TMPDIR need not allow.
        let cluster = Self { directory: tempfile::tempdir().expect("a temporary folder") };
        let started = cluster.script("start");
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        cluster
    }

    /// What Slurm's commands need in the variable `SLURM_CONF`.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("slurm.conf")
    }

    /// What a command of Slurm prints.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let output = Command::new(name).args(arguments).env("SLURM_CONF", self.config()).output().expect("it starts");
        assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it prints UTF-8")
    }

    fn script(&self, verb: &str) -> Output {
        let mut root = Path::new(env!("CARGO_MANIFEST_DIR"));
        while !root.join("scripts").exists() {
            root = root.parent().expect("the repository has scripts");
        }
        let script = root.join("scripts/slurm_cluster.sh");
        Command::new(script).arg(verb).arg(self.directory.path()).output().expect("it starts")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.script("stop");
    }
}
