//! Netlists after synthesis, simulated: golden's values, the simulator's counters.

use explore::synth::netlist::Netlist;
use explore::synth::{BlockName, Request, Target};
use spec::Config;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use testbenches::rtl::Rtl;
use testbenches::verify::{verify_rtl, StallChoice, Summary};
use testbenches::verilator::{Library, Options, Source};

static RUNNING: AtomicBool = AtomicBool::new(false);

/// Kept below `target`, as models are.
fn options() -> Options {
    Options { source: Source::Netlist, ..Options::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")) }
}

fn netlist(config: &Config, target: Target, dsp: bool) -> Netlist {
    let timeout = Duration::from_secs(1200);
    let request = Request { config, block: BlockName::Top, target, dsp, place: None, liberty: None, timeout };
    Netlist::load(&request, &options().cache_dir.join("synth"), &RUNNING).expect("the configuration is synthesized")
}

fn verify(config: &Config, netlist: &Netlist, n_cases: usize, stalls: Option<StallChoice>) -> Summary {
    let design = netlist.design().expect("every cell has a model");
    let library = Library::build(&design, &options()).expect("Verilator takes the netlist");
    let rtl = Rtl::load(config, library).expect("the netlist has the ports of the RTL");
    verify_rtl(config, &rtl, n_cases, 1, stalls, false, &|_, _| {})
}

fn agrees(summary: &Summary) {
    assert!(summary.passed(), "{:?}", summary.failures);
    assert_eq!((summary.values_differing, summary.counters_differing, summary.others_differing), (0, 0, 0));
}

#[test]
fn tiny_in_cells_of_the_ice40_is_the_machine() {
    let config = Config::named("tiny").expect("it ships with Systole");
    let mut netlist = netlist(&config, Target::Ice40Hx8k, false);
    agrees(&verify(&config, &netlist, 6, None));
    agrees(&verify(&config, &netlist, 3, Some(StallChoice { seed: 5, percent: 60 })));

    // One entry of one lookup table of a multiplier: the one for all inputs 0.
    let faulty = netlist.cells("SB_LUT4").into_iter().find(|name| name.starts_with("datapath.mesh.rows_1"));
    let faulty = faulty.expect("the mesh has lookup tables");
    assert!(netlist.invert(&faulty, "LUT_INIT", 0));
    let summary = verify(&config, &netlist, 6, None);
    assert!(summary.values_differing > 0, "the fault in {faulty} was not seen");
}

#[test]
fn small_in_cells_of_the_ecp5_is_the_machine() {
    let config = Config::named("small").expect("it ships with Systole");
    let netlist = netlist(&config, Target::Ecp5_85k, true);
    agrees(&verify(&config, &netlist, 6, None));
    agrees(&verify(&config, &netlist, 3, Some(StallChoice { seed: 5, percent: 60 })));
}
