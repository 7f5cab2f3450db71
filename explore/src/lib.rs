//! The design space: points, what is measured of each, where results are kept, and how they are shown.

pub mod pareto;
pub mod plot;
pub mod point;
pub mod row;
