//! The `weir.v1` gRPC contract.
//!
//! **For**: the one definition of what travels between client and server, generated from `proto/weir/v1/*.proto`.
//!
//! **Not for**: anything else. No helper, conversion or logic lives here, so that the contract can be read in the
//! `.proto` files alone.
//!
//! **Invariants**: no Weir crate below this one; every message's fields are documented in the `.proto` file.

/// Version 1 of the contract.
#[allow(
    missing_docs,
    clippy::allow_attributes_without_reason,
    clippy::all,
    unreachable_pub,
    reason = "generated code; the documentation is in proto/"
)]
pub mod v1 {
    tonic::include_proto!("weir.v1");

    /// The serialised file descriptor set, for gRPC reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/weir.v1.bin"));
}
