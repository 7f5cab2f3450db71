fn main() {
    let name = std::env::args().nth(1).unwrap();
    let config = match spec::Config::named(&name) { Some(c) => c, None => spec::Config::from_toml(&std::fs::read_to_string(&name).unwrap()).unwrap() };
    let t = std::time::Instant::now();
    match hdl::emit_top(&config) {
        Ok(e) => { eprintln!("{} bytes {} modules {:?}", e.verilog.len(), e.n_modules, t.elapsed()); print!("{}", e.verilog); }
        Err(e) => { eprintln!("ERROR {e}"); std::process::exit(1) }
    }
}
