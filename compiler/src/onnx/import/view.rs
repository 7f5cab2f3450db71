//! How the dimensions of ONNX's values lie in the machine's tensors of rows, columns and channels.
//!
//! A value's dimensions after the batch are each a product of axes: of NCHW `[C] [H] [W]`, flattened `[C, H, W]`, of a
//! sequence `[W] [C]`. Reshapes regroup the axes and transposes permute the dimensions; no data moves. What the axes of
//! the network's input are is decided by the first operator that needs to know.

use crate::float::DataLayout;
use golden::Extent;
use std::collections::HashMap;

pub const ROW: usize = 0;
pub const COLUMN: usize = 1;
pub const CHANNEL: usize = 2;

/// A value of the graph: a tensor, seen with some dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub tensor: usize,
    pub space: usize,
    /// Without the batch.
    pub dims: Vec<usize>,
    /// Of each dimension the axes of its space, without those of size 1. Together they are all of them.
    pub axes: Vec<Vec<usize>>,
}

/// The sizes of some tensors' axes.
#[derive(Clone, Debug)]
struct Space {
    /// Rows, columns and channels; until that is known the input's, in its order.
    axes: Vec<usize>,
    known: bool,
}

#[derive(Debug)]
pub struct Views<'a> {
    spaces: Vec<Space>,
    values: HashMap<&'a str, Value>,
    pub layout: DataLayout,
}

impl<'a> Views<'a> {
    /// Of the network's input, tensor 0, with dimensions `dims` after the batch.
    pub fn new(input: &'a str, dims: &[usize]) -> Self {
        let mut axes = Vec::new();
        let mut axes_of = Vec::with_capacity(dims.len());
        for &dim in dims {
            axes_of.push(if dim > 1 { vec![axes.len()] } else { Vec::new() });
            axes.extend((dim > 1).then_some(dim));
        }
        let value = Value { tensor: 0, space: 0, dims: dims.to_vec(), axes: axes_of };
        Self {
            spaces: vec![Space { axes, known: false }],
            values: HashMap::from([(input, value)]),
            layout: DataLayout::ChannelsFirst,
        }
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    pub fn insert(&mut self, name: &'a str, value: Value) {
        self.values.insert(name, value);
    }

    /// A space of that extent.
    pub fn space(&mut self, extent: Extent) -> usize {
        self.spaces.push(Space { axes: vec![extent.height, extent.width, extent.channels], known: true });
        self.spaces.len() - 1
    }

    pub fn is_known(&self, space: usize) -> bool {
        self.spaces[space].known
    }

    /// The extent of a space whose axes are known.
    pub fn extent(&self, space: usize) -> Extent {
        let axes = &self.spaces[space].axes;
        Extent { height: axes[ROW], width: axes[COLUMN], channels: axes[CHANNEL] }
    }

    /// The axes of an image of `extent` with dimensions channel, row, column.
    pub fn image(extent: Extent) -> (Vec<usize>, Vec<Vec<usize>>) {
        let dims = [(extent.channels, CHANNEL), (extent.height, ROW), (extent.width, COLUMN)];
        let axes = dims.iter().map(|&(size, axis)| if size > 1 { vec![axis] } else { Vec::new() }).collect();
        (dims.iter().map(|&(size, _)| size).collect(), axes)
    }

    /// The extent of a value's tensor, if its dimensions are the `roles`, one axis each.
    pub fn resolve(&mut self, name: &str, roles: &[usize]) -> Option<Extent> {
        let value = self.values.get(name)?.clone();
        if value.dims.len() != roles.len() {
            return None;
        }
        if !self.spaces[value.space].known {
            self.decide(value.space, &value, roles)?;
        }
        let (value, extent) = (self.values.get(name)?, self.extent(value.space));
        let size = |role: usize| self.spaces[value.space].axes[role];
        let fits = |(at, &role): (usize, &usize)| {
            value.dims[at] == size(role) && value.axes[at].iter().all(|&axis| axis == role)
        };
        roles.iter().enumerate().all(fits).then_some(extent)
    }

    /// The value, with its axes known: if it is the input, by their number, as ONNX has images, sequences and vectors.
    pub fn settled(&mut self, name: &str) -> Option<Value> {
        let value = self.values.get(name)?.clone();
        if self.spaces[value.space].known {
            return Some(value);
        }
        let axes: Vec<usize> = value.axes.iter().flatten().copied().collect();
        if value.dims.len() == 1 && axes.windows(2).any(|pair| pair[1] != pair[0] + 1) {
            // Flattened after a transpose: an image whose channels come first in the value.
            let sizes = axes.iter().map(|&axis| self.spaces[value.space].axes[axis]).collect();
            let apart = Value { dims: sizes, axes: axes.iter().map(|&axis| vec![axis]).collect(), ..value.clone() };
            self.decide(value.space, &apart, [CHANNEL, ROW, COLUMN].get(..axes.len())?)?;
            return self.values.get(name).cloned();
        }
        let roles: &[usize] = match value.dims.len() {
            1 => &[CHANNEL],
            2 => &[COLUMN, CHANNEL],
            3 => &[CHANNEL, ROW, COLUMN],
            _ => return None,
        };
        self.decide(value.space, &value, roles)?;
        self.values.get(name).cloned()
    }

    /// The input's axes as another value of the same dimensions has them.
    pub fn settle_like(&mut self, name: &str, other: &str) -> Option<()> {
        let (value, other) = (self.values.get(name)?.clone(), self.values.get(other)?.clone());
        if self.spaces[value.space].known || !self.spaces[other.space].known {
            return Some(());
        }
        let mut roles: Vec<Option<usize>> = Vec::with_capacity(other.dims.len());
        for axes in &other.axes {
            match axes[..] {
                [] => roles.push(None),
                [axis] => roles.push(Some(axis)),
                _ => return self.settled(name).map(|_| ()),
            }
        }
        // Dimensions of size 1 may be any axis that is left.
        let left: Vec<usize> =
            [CHANNEL, ROW, COLUMN].into_iter().filter(|axis| !roles.contains(&Some(*axis))).collect();
        let mut left = left.into_iter();
        let roles: Option<Vec<usize>> = roles.into_iter().map(|role| role.or_else(|| left.next())).collect();
        self.decide(value.space, &value, &roles.filter(|roles| roles.len() == value.dims.len())?)
    }

    /// Gives the axes of the input's space their roles: each dimension of `value` becomes one axis.
    fn decide(&mut self, space: usize, value: &Value, roles: &[usize]) -> Option<()> {
        let mut role_of = HashMap::new();
        let mut sizes = vec![1; 3];
        for (axes, &role) in value.axes.iter().zip(roles) {
            if axes.windows(2).any(|pair| pair[1] != pair[0] + 1) {
                return None;
            }
            sizes[role] = axes.iter().map(|&axis| self.spaces[space].axes[axis]).product();
            role_of.extend(axes.iter().map(|&axis| (axis, role)));
        }
        let mut order: Vec<usize> =
            (0..self.spaces[space].axes.len()).filter_map(|axis| role_of.get(&axis).copied()).collect();
        order.dedup();
        let follows = |layout: [usize; 3]| {
            let places: Vec<Option<usize>> = order.iter().map(|role| layout.iter().position(|at| at == role)).collect();
            places.windows(2).all(|pair| pair[0] < pair[1])
        };
        self.layout = match (follows([CHANNEL, ROW, COLUMN]), follows([ROW, COLUMN, CHANNEL])) {
            (true, _) => DataLayout::ChannelsFirst,
            (false, true) => DataLayout::ChannelsLast,
            (false, false) => return None,
        };
        let mut count = [0; 3];
        role_of.values().for_each(|&role| count[role] += 1);
        self.spaces[space] = Space { axes: sizes, known: true };
        self.values.retain(|_, value| {
            if value.space != space {
                return true;
            }
            for axes in &mut value.axes {
                let roles: Vec<usize> = axes.iter().map(|axis| role_of[axis]).collect();
                let mut whole = roles.clone();
                whole.dedup();
                // An axis that was made of several must not be cut by another value.
                if whole.iter().any(|&role| roles.iter().filter(|&&other| other == role).count() != count[role]) {
                    return false;
                }
                *axes = whole;
            }
            true
        });
        Some(())
    }

    /// The axes of the dimensions `dims` of as many elements; none if one would have to be cut or data moved.
    pub fn regrouped(&mut self, name: &str, dims: &[usize]) -> Option<Vec<Vec<usize>>> {
        let space = self.values.get(name)?.space;
        let mut out: Vec<Vec<usize>> = vec![Vec::new(); dims.len()];
        let mut next = 0;
        for (at, &dim) in dims.iter().enumerate() {
            let mut left = dim;
            while left > 1 {
                let axis = *self.values.get(name)?.axes.iter().flatten().nth(next)?;
                let size = self.spaces[space].axes[axis];
                if left.is_multiple_of(size) {
                    left /= size;
                    out[at].push(axis);
                    next += 1;
                } else if !self.spaces[space].known && size.is_multiple_of(left) {
                    self.cut(space, axis, left);
                    // Axes after it have moved by one.
                    out.iter_mut().flatten().filter(|other| **other > axis).for_each(|other| *other += 1);
                } else {
                    return None;
                }
            }
        }
        Some(out)
    }

    /// Cuts an axis of the input into `first` times the rest.
    fn cut(&mut self, space: usize, axis: usize, first: usize) {
        let axes = &mut self.spaces[space].axes;
        axes.insert(axis + 1, axes[axis] / first);
        axes[axis] = first;
        for value in self.values.values_mut().filter(|value| value.space == space) {
            for axes in &mut value.axes {
                *axes = axes
                    .iter()
                    .flat_map(|&old| match old.cmp(&axis) {
                        std::cmp::Ordering::Less => vec![old],
                        std::cmp::Ordering::Equal => vec![axis, axis + 1],
                        std::cmp::Ordering::Greater => vec![old + 1],
                    })
                    .collect();
            }
        }
    }

    /// The size of an axis.
    pub fn size(&self, space: usize, axis: usize) -> usize {
        self.spaces[space].axes[axis]
    }
}
