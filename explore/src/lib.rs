//! The design space: points, what is measured of each, where results are kept, and how they are shown.

pub mod causes;
pub mod data;
pub mod energy;
pub mod measure;
pub mod point;
pub mod row;
