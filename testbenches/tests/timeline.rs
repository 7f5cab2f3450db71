//! The timeline of a run is JSON whose slices tile each engine's track and add up to the counters.

mod common;

use common::programs;
use serde_json::Value;
use sim::trace::Timeline;
use sim::{Environment, Stalls};
use spec::{Counter, Counters};
use std::collections::HashMap;
use testbenches::data::Random;

/// The timeline of a random program, with one layer of that name, and the run's counters.
fn timeline(seed: u64, percent: u32, layer: &str) -> (Value, Counters) {
    let mut random = Random::new(seed);
    let config = programs::config(&mut random);
    let program = programs::program(config, &mut random);
    let environment = Environment::new(&program.config, program.commands, program.memory, 5, Stalls { seed, percent });
    let mut timeline = Timeline::new(Vec::new()).expect("memory takes everything");
    let finished = sim::run(&program.config, environment, |machine, _| {
        timeline.cycle(machine).expect("memory takes everything");
    });
    timeline.layer(layer, 3, 12).expect("memory takes everything");
    let text = timeline.finish().expect("memory takes everything");
    let json = serde_json::from_slice(&text).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    (json, finished.unwrap_or_else(|e| panic!("seed {seed}: {e}")).counters)
}

fn events<'a>(timeline: &'a Value, ph: &'a str) -> impl Iterator<Item = &'a Value> {
    timeline["traceEvents"].as_array().expect("a list").iter().filter(move |event| event["ph"] == ph)
}

#[test]
fn slices_tile_each_track_and_add_up_to_the_counters() {
    for seed in 0..60 {
        let (timeline, counters) = timeline(seed, if seed % 2 == 0 { 0 } else { 40 }, "one");
        for (group, codes) in Counter::GROUPS.into_iter().enumerate() {
            let mut sums: HashMap<&str, u64> = HashMap::new();
            let mut end = 0;
            let mut last_name = "";
            for slice in events(&timeline, "X").filter(|slice| slice["tid"] == group + 1) {
                let number = |key: &str| slice[key].as_u64().expect("a whole number");
                let name = slice["name"].as_str().expect("a name");
                assert_eq!(number("ts"), end, "seed {seed}: {name}");
                assert_ne!(name, last_name, "seed {seed}: a run is one slice");
                (end, last_name) = (end + number("dur"), name);
                *sums.entry(name).or_default() += number("dur");
            }
            assert_eq!(end, counters.get(Counter::Cycles), "seed {seed}");
            for &code in codes {
                let sum = sums.remove(code.name()).unwrap_or(0);
                assert_eq!(sum, counters.get(code), "seed {seed}: {}", code.name());
            }
            assert!(sums.is_empty(), "seed {seed}: {sums:?} are codes of other groups");
        }
    }
}

#[test]
fn tracks_have_names_and_layers_are_where_the_caller_puts_them() {
    let (timeline, _) = timeline(1, 0, "a \"b\" \\ \n c");
    assert_eq!(timeline["otherData"]["time"], "1 us = 1 cycle");
    let names: Vec<&str> = events(&timeline, "M")
        .filter(|event| event["name"] == "thread_name")
        .map(|event| event["args"]["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["layers", "execute", "load", "unpack", "store", "pack"]);
    let layers: Vec<&Value> = events(&timeline, "X").filter(|event| event["tid"] == 0).collect();
    let expected = serde_json::json!({"ph": "X", "pid": 0, "tid": 0, "name": "a \"b\" \\ \n c", "ts": 3, "dur": 10});
    assert_eq!(layers, [&expected]);
}
