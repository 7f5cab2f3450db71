//! The design space: points, what is measured of each, where results are kept, and how they are shown.

pub mod assemble;
pub mod causes;
pub mod data;
pub mod energy;
pub mod export;
pub mod measure;
pub mod pareto;
pub mod plot;
pub mod point;
pub mod report;
pub mod row;
pub mod run;
pub mod slurm;
pub mod store;
pub mod sweep;
pub mod synth;
pub mod work;
