//! Keeps the author's seal on a block while BABE's import looks at it.
//!
//! BABE's import reports an author who made two blocks in one slot. The runtime believes such a
//! report only if both headers carry the author's signature, their seal. But `sc-consensus-babe`
//! 0.60 checks in the import, where headers come without it: the verifier has moved it to
//! `post_digests`, to be added again when all is checked. So each of its reports is refused, and
//! nobody is ever slashed.
//!
//! [`SealOn`] around BABE's import puts the seal back, [`SealOff`] inside it takes it off again, so
//! that all behind sees what it expects. Where the seal sits makes no difference to anything else
//! in BABE's import, and none to the block's hash. With a release of the SDK that checks the whole
//! header, both can go.

use sc_consensus::{BlockCheckParams, BlockImport, BlockImportParams, ImportResult};
use sp_consensus::Error as ConsensusError;
use sp_runtime::{
	traits::{Block as BlockT, Header},
	DigestItem,
};

/// Under which a block notes, on its way through the import, that it wears its seal, and of how
/// many digests that is made.
const SEALED: &[u8] = b"dgcs/sealed";

/// An import in front of which the seal is put on.
#[derive(Clone, Debug)]
pub struct SealOn<Import>(pub Import);

/// An import in front of which the seal is taken off.
#[derive(Clone, Debug)]
pub struct SealOff<Import>(pub Import);

#[async_trait::async_trait]
impl<Block, Import> BlockImport<Block> for SealOn<Import>
where
	Block: BlockT,
	Import: BlockImport<Block> + Send + Sync,
{
	type Error = Import::Error;

	async fn check_block(
		&self,
		block: BlockCheckParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		self.0.check_block(block).await
	}

	async fn import_block(
		&self,
		mut block: BlockImportParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		put_on(&mut block);
		self.0.import_block(block).await
	}
}

#[async_trait::async_trait]
impl<Block, Import> BlockImport<Block> for SealOff<Import>
where
	Block: BlockT,
	Import: BlockImport<Block, Error = ConsensusError> + Send + Sync,
{
	type Error = ConsensusError;

	async fn check_block(
		&self,
		block: BlockCheckParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		self.0.check_block(block).await
	}

	async fn import_block(
		&self,
		mut block: BlockImportParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		take_off(&mut block);
		self.0.import_block(block).await
	}
}

/// Moves the seal into the header. A block that was not verified still wears it and stays as it is.
fn put_on<Block: BlockT>(block: &mut BlockImportParams<Block>) {
	let seals = std::mem::take(&mut block.post_digests);
	if seals.is_empty() {
		return;
	}
	block.insert_intermediate(SEALED, seals.len());
	for seal in seals {
		block.header.digest_mut().push(seal);
	}
}

/// Undoes [`put_on`].
fn take_off<Block: BlockT>(block: &mut BlockImportParams<Block>) {
	let Ok(count) = block.remove_intermediate::<usize>(SEALED) else { return };
	let logs: &mut Vec<DigestItem> = &mut block.header.digest_mut().logs;
	block.post_digests = logs.split_off(logs.len().saturating_sub(count));
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::service::Block;
	use dgcs_runtime::Header as HeaderOf;
	use sp_consensus::BlockOrigin;
	use sp_runtime::Digest;

	const SEAL: DigestItem = DigestItem::Seal(*b"BABE", Vec::new());

	fn block(post_digests: Vec<DigestItem>) -> BlockImportParams<Block> {
		let logs = vec![DigestItem::PreRuntime(*b"BABE", vec![1]), DigestItem::Other(vec![2])];
		let header = HeaderOf::new(
			1,
			Default::default(),
			Default::default(),
			Default::default(),
			Digest { logs },
		);
		let mut block = BlockImportParams::new(BlockOrigin::NetworkBroadcast, header);
		block.post_digests = post_digests;
		block
	}

	#[test]
	fn seal_is_in_the_header_between_the_two() {
		let mut block = block(vec![SEAL]);
		let (header, hash) = (block.header.clone(), block.post_hash());

		put_on(&mut block);
		assert_eq!(block.header.digest.logs.last(), Some(&SEAL));
		assert_eq!((block.header.hash(), block.post_hash()), (hash, hash));

		take_off(&mut block);
		assert_eq!((block.header.clone(), block.post_hash()), (header, hash));
		assert_eq!(block.post_digests, [SEAL]);
		assert!(block.intermediates.is_empty(), "a leftover would stop the import");
	}

	#[test]
	fn unverified_block_stays_as_it_is() {
		let mut block = block(Vec::new());
		block.header.digest.push(SEAL);
		let header = block.header.clone();

		put_on(&mut block);
		take_off(&mut block);
		assert_eq!(block.header, header);
		assert!(block.post_digests.is_empty());
	}
}
