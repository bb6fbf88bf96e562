//! Blake2b-256, the hash of the whole protocol.

use blake2b_simd::Params;

/// The hash of `bytes`.
pub(crate) fn blake2_256(bytes: &[u8]) -> [u8; 32] {
	let hash = Params::new().hash_length(32).hash(bytes);
	let mut digest = [0; 32];
	digest.copy_from_slice(hash.as_bytes());
	digest
}
