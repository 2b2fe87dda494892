//! The one NaN that leaves a model: quiet, positive, no payload. A payload would carry 51 bits past every check.

pub(crate) const NAN_F32: f32 = f32::from_bits(0x7fc0_0000);
pub(crate) const NAN_F64: f64 = f64::from_bits(0x7ff8_0000_0000_0000);
