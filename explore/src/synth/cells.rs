//! From Yosys's counts of cells to areas.

use super::target::Family;
use super::{Area, Resource, Target, Utilization};
use serde_json::Value;
use std::collections::BTreeMap;

/// What Yosys wrote of a netlist.
pub struct Counts<'a> {
    /// By `stat -json`.
    pub stat: &'a str,
    /// Of target gates.
    pub gates: Option<Gates<'a>>,
}

/// What Yosys wrote of a netlist of a liberty file's cells.
pub struct Gates<'a> {
    /// By `stat -json` of the netlist before.
    pub generic: &'a str,
    /// By `stat -liberty`, of which Yosys 0.23 has no JSON with areas.
    pub area: &'a str,
}

/// The area of a netlist.
///
/// # Errors
/// A text is not as expected, or has a cell that no rule here knows.
pub fn area(target: Target, text: &Counts<'_>) -> Result<Area, String> {
    let cells = counts(text.stat)?;
    if let Some(gates) = &text.gates {
        let before = counts(gates.generic)?;
        let ffs = before.iter().filter(|(kind, _)| is_generic_ff(kind)).map(|(_, n)| n).sum();
        return Ok(Area { ffs, area_um2: Some(area_um2(gates.area)?), cells, ..Area::default() });
    }
    let mut area = Area::default();
    for (kind, n) in &cells {
        let class = match target.family() {
            Family::Ice40 => ice40(kind),
            Family::Ecp5 => ecp5(kind),
            Family::Gowin => gowin(kind),
            Family::Xilinx7 => xilinx7(kind),
            Family::Gates => None,
        };
        let count = match class.ok_or_else(|| format!("cells of type {kind} are not known on {target}"))? {
            Class::Lut => &mut area.luts,
            Class::Ff => &mut area.ffs,
            Class::Carry => &mut area.carries,
            Class::Mux => &mut area.muxes,
            Class::Dsp => &mut area.dsps,
            Class::Ram => &mut area.rams,
            Class::LutRam => &mut area.lut_rams,
            Class::Constant => continue,
        };
        *count += n;
    }
    area.cells = cells;
    Ok(area)
}

/// What a cell counts as.
#[derive(Clone, Copy)]
enum Class {
    Lut,
    Ff,
    Carry,
    Mux,
    Dsp,
    Ram,
    LutRam,
    /// Takes nothing.
    Constant,
}

/// The figure of `Chip area for module '\\pe': 1234.5`.
fn area_um2(text: &str) -> Result<f64, String> {
    if let Some(unknown) = text.lines().find(|line| line.contains("is unknown")) {
        return Err(format!("stat -liberty: {}", unknown.trim()));
    }
    let figure = text.lines().find_map(|line| line.trim().strip_prefix("Chip area for")?.rsplit(' ').next());
    let figure = figure.ok_or("stat -liberty gives no area")?;
    figure.parse().map_err(|_| format!("stat -liberty: area {figure:?} is no number"))
}

fn counts(text: &str) -> Result<BTreeMap<String, u64>, String> {
    let stat: Value = serde_json::from_str(text).map_err(|error| format!("stat -json: {error}"))?;
    let cells = stat["design"]["num_cells_by_type"].as_object().ok_or("stat -json has no cells")?;
    let count = |kind: &str, n: &Value| n.as_u64().ok_or_else(|| format!("stat -json: {n} cells of {kind}"));
    cells.iter().map(|(kind, n)| Ok((kind.clone(), count(kind, n)?))).collect()
}

fn is_generic_ff(kind: &str) -> bool {
    ["$_DFF", "$_SDFF", "$_ALDFF", "$_FF_"].iter().any(|start| kind.starts_with(start))
}

fn ice40(kind: &str) -> Option<Class> {
    Some(match kind {
        "SB_LUT4" => Class::Lut,
        "SB_CARRY" => Class::Carry,
        "SB_MAC16" => Class::Dsp,
        _ if kind.starts_with("SB_DFF") => Class::Ff,
        _ if kind.starts_with("SB_RAM40_4K") => Class::Ram,
        _ => return None,
    })
}

fn ecp5(kind: &str) -> Option<Class> {
    Some(match kind {
        "LUT4" => Class::Lut,
        "TRELLIS_FF" => Class::Ff,
        "CCU2C" => Class::Carry,
        "PFUMX" | "L6MUX21" => Class::Mux,
        "MULT18X18D" => Class::Dsp,
        "DP16KD" => Class::Ram,
        "TRELLIS_DPR16X4" => Class::LutRam,
        _ => return None,
    })
}

fn gowin(kind: &str) -> Option<Class> {
    Some(match kind {
        "LUT1" | "LUT2" | "LUT3" | "LUT4" => Class::Lut,
        "ALU" => Class::Carry,
        "GND" | "VCC" => Class::Constant,
        _ if kind.starts_with("MUX2_LUT") => Class::Mux,
        _ if kind.starts_with("DFF") => Class::Ff,
        _ if kind.starts_with("RAM16S") => Class::LutRam,
        _ if ["SDP", "DPB", "DPX9"].iter().any(|start| kind.starts_with(start)) => Class::Ram,
        _ => return None,
    })
}

fn xilinx7(kind: &str) -> Option<Class> {
    Some(match kind {
        "LUT1" | "LUT2" | "LUT3" | "LUT4" | "LUT5" | "LUT6" | "INV" => Class::Lut,
        "CARRY4" => Class::Carry,
        "MUXF7" | "MUXF8" => Class::Mux,
        "DSP48E1" => Class::Dsp,
        "FDRE" | "FDSE" => Class::Ff,
        "SRL16E" | "SRLC32E" => Class::LutRam,
        _ if kind.starts_with("RAMB") => Class::Ram,
        _ if kind.starts_with("RAM") => Class::LutRam,
        _ => return None,
    })
}

/// How much of the target's device the area is; empty where there is no device.
pub fn utilization(target: Target, area: &Area) -> Vec<Utilization> {
    let Some(device) = target.device() else { return Vec::new() };
    [
        (Resource::Luts, lut_sites(target, area).unwrap_or(area.luts), device.luts),
        (Resource::Ffs, area.ffs, device.ffs),
        (Resource::Dsps, area.dsps, device.dsps),
        (Resource::Rams, area.rams, device.rams),
    ]
    .into_iter()
    .filter(|&(_, used, available)| used > 0 || available > 0)
    .map(|(resource, used, available)| Utilization { resource, used, available })
    .collect()
}

/// Sites of lookup tables: on an ECP5 carry cells and RAM are made of them as well, on a Gowin carry cells. On an iCE40 a carry
/// cell shares the site of the lookup table that it feeds, on a Xilinx 7 carry cells have sites of their own (RAM: UG474). None
/// where it is not known what a cell takes.
pub fn lut_sites(target: Target, area: &Area) -> Option<u64> {
    match target.family() {
        Family::Ice40 => Some(area.luts),
        Family::Ecp5 => Some(area.luts + 2 * area.carries + 6 * area.lut_rams),
        Family::Gowin => (area.lut_rams == 0).then_some(area.luts + area.carries),
        Family::Xilinx7 => {
            let rams = || area.cells.iter().filter(|(kind, _)| matches!(xilinx7(kind), Some(Class::LutRam)));
            // An extrapolated area has no cells by type.
            if rams().map(|(_, n)| n).sum::<u64>() != area.lut_rams {
                return None;
            }
            let sites = rams().map(|(kind, n)| xilinx7_ram_sites(kind).map(|sites| sites * n));
            Some(area.luts + sites.sum::<Option<u64>>()?)
        }
        Family::Gates => None,
    }
}

fn xilinx7_ram_sites(kind: &str) -> Option<u64> {
    Some(match kind {
        "SRL16E" | "SRLC32E" | "RAM32X1S" | "RAM64X1S" => 1,
        "RAM32X1D" | "RAM64X1D" | "RAM128X1S" => 2,
        "RAM32M" | "RAM64M" | "RAM128X1D" | "RAM256X1S" => 4,
        _ => return None,
    })
}

/// The first resource of which a device has too little.
pub fn overfull(utilization: &[Utilization]) -> Option<String> {
    let over = utilization.iter().find(|part| part.used > part.available)?;
    Some(format!("does not fit: {} of {} {}s", over.used, over.available, over.resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slice has two lookup tables: a carry cell takes both, a RAM of 16 x 4 bits those of three slices.
    #[test]
    fn carries_and_small_memories_take_sites_on_an_ecp5() {
        let area = Area { luts: 100, carries: 10, lut_rams: 5, ..Area::default() };
        let luts = |target| utilization(target, &area).swap_remove(0).used;
        assert_eq!((luts(Target::Ecp5_25k), luts(Target::Ice40Hx8k)), (150, 100), "{area:?}");
    }

    #[test]
    fn sites_are_told_where_it_is_known_what_cells_take() {
        let area = |lut_rams, cells: &[(&str, u64)]| Area {
            luts: 100,
            carries: 10,
            lut_rams,
            cells: cells.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect(),
            ..Area::default()
        };
        // An ALU is a lookup table with its carry; what a RAM16S4 takes is not documented with Yosys.
        assert_eq!(lut_sites(Target::Gowin, &area(0, &[])), Some(110));
        assert_eq!(lut_sites(Target::Gowin, &area(1, &[("RAM16S4", 1)])), None);
        // UG474, distributed RAM: four ports of 32 x 2 bits take four tables, two ports of 64 x 1 two.
        let cells = [("LUT4", 100), ("CARRY4", 10), ("RAM32M", 3), ("RAM64X1D", 2), ("SRL16E", 5)];
        assert_eq!(lut_sites(Target::Xilinx7, &area(10, &cells)), Some(100 + 12 + 4 + 5));
        assert_eq!(lut_sites(Target::Xilinx7, &area(1, &[("RAM512X1S", 1)])), None);
        assert_eq!(lut_sites(Target::Xilinx7, &area(10, &[])), None, "without cells by type");
        assert_eq!(lut_sites(Target::Generic, &area(0, &[])), None);
    }
}
