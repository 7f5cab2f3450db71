//! Named profiles: what a product computes, in terms of orders, rounding rules and schemes.

use crate::error::GoldenError;
use crate::onnx::effective_scale;
use crate::quantizer::Order;
use crate::scheme::{Scheme, SchemeKind};
use spec::Round;

/// The operator that an accumulator belongs to: some products requantize each by another scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    FullyConnected,
    Convolution,
    Depthwise,
}

/// A product's arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// ONNX's operators in onnxruntime and tract.
    Onnx,
    /// LiteRT 2.3's reference kernels.
    TfliteReference,
    /// LiteRT's optimised kernels without delegates. The last n mod 8 of the n channels of its depthwise convolution were seen to
    /// be computed as by [`Profile::TfliteMicro`]: ask that one for their scheme.
    TfliteRuy,
    /// LiteRT's default on x86: XNNPACK's fp32 kernels.
    TfliteXnnpack,
    TfliteMicro,
    /// CMSIS-NN with its default double rounding.
    CmsisNn,
    /// TOSA's RESCALE with SINGLE_ROUND.
    Tosa,
    /// QONNX's Quant: rounds floats; no requantizer.
    Qonnx,
    /// Gemmini with its float scale.
    Gemmini,
    /// VTA: arithmetic shift right.
    VtaShift,
}

impl Profile {
    pub const ALL: [Self; 10] = [
        Self::Onnx,
        Self::TfliteReference,
        Self::TfliteRuy,
        Self::TfliteXnnpack,
        Self::TfliteMicro,
        Self::CmsisNn,
        Self::Tosa,
        Self::Qonnx,
        Self::Gemmini,
        Self::VtaShift,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::TfliteReference => "tflite-reference",
            Self::TfliteRuy => "tflite-ruy",
            Self::TfliteXnnpack => "tflite-xnnpack",
            Self::TfliteMicro => "tflite-micro",
            Self::CmsisNn => "cmsis-nn",
            Self::Tosa => "tosa",
            Self::Qonnx => "qonnx",
            Self::Gemmini => "gemmini",
            Self::VtaShift => "vta-shift",
        }
    }

    /// The profile of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The order of arithmetic in which real tensors are quantized.
    pub const fn order(self) -> Order {
        match self {
            Self::Qonnx => Order::ClampThenRound,
            Self::TfliteXnnpack => Order::AddThenRound,
            _ => Order::DivideThenAdd,
        }
    }

    /// How real tensors are rounded.
    ///
    /// `qonnx` has seven rules; this is its default. TOSA has no such operator, VTA leaves it to the host: they take ONNX's.
    pub const fn rounding(self) -> Round {
        match self {
            Self::TfliteReference | Self::TfliteRuy | Self::TfliteMicro | Self::CmsisNn => Round::HalfAwayFromZero,
            _ => Round::HalfToEven,
        }
    }

    /// The scheme of an operator's accumulators; none where values stay floats.
    ///
    /// Layers with activations of 16 bits are computed by `S64Reduced` in TFLite, TFLite-Micro and CMSIS-NN.
    pub const fn scheme_kind(self, operator: Operator, activation_bits: u32) -> Option<SchemeKind> {
        Some(match self {
            Self::TfliteReference | Self::TfliteRuy | Self::TfliteMicro | Self::CmsisNn if activation_bits > 8 => {
                SchemeKind::S64Reduced
            }
            Self::Onnx | Self::TfliteXnnpack | Self::Gemmini => SchemeKind::F32Even,
            Self::TfliteReference => match operator {
                Operator::FullyConnected => SchemeKind::F64Away,
                Operator::Convolution | Operator::Depthwise => SchemeKind::FixedDouble,
            },
            Self::TfliteRuy => SchemeKind::FixedDoubleUp,
            Self::TfliteMicro | Self::CmsisNn => SchemeKind::FixedDouble,
            Self::Tosa => SchemeKind::FixedSingle,
            Self::VtaShift => SchemeKind::Pow2(Round::Floor),
            Self::Qonnx => return None,
        })
    }

    /// The scheme for the scales of activations, weights and output, which are combined in the product's own arithmetic: in f32
    /// for `onnx`, `tflite-xnnpack` and `gemmini`, in f64 for the others.
    ///
    /// ```
    /// use golden::{Operator, Profile, Scheme};
    /// let scheme = Profile::Onnx.scheme(Operator::Convolution, 8, 0.1, 0.01, 0.25)?;
    /// assert_eq!(scheme, Some(Scheme::F32Even(0.1_f32 * 0.01 / 0.25)));
    /// # Ok::<(), golden::GoldenError>(())
    /// ```
    pub fn scheme(
        self,
        operator: Operator,
        activation_bits: u32,
        x_scale: f32,
        w_scale: f32,
        y_scale: f32,
    ) -> Result<Option<Scheme>, GoldenError> {
        let Some(kind) = self.scheme_kind(operator, activation_bits) else { return Ok(None) };
        let ratio = match kind {
            SchemeKind::F32Even => f64::from(effective_scale(x_scale, w_scale, y_scale)),
            _ => f64::from(x_scale) * f64::from(w_scale) / f64::from(y_scale),
        };
        Scheme::from_ratio(kind, ratio).map(Some)
    }
}
