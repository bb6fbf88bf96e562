//! Whole blocks, as a masternode makes them: initialised, with their inherent, open for signed
//! transactions, and finalised. Nothing is called past the checks that a stranger's bytes meet.

use codec::{Decode, Encode};
use dgcs_runtime::{
	constants::MILLISECS_PER_BLOCK, AccountId, BlockNumber, Executive, Header, Runtime,
	RuntimeCall, RuntimeEvent, System, TimestampCall, UncheckedExtrinsic, VERSION,
};
use sp_consensus_babe::{
	digests::{PreDigest, SecondaryPlainPreDigest},
	BABE_ENGINE_ID,
};
use sp_core::{sr25519, Pair, H256};
use sp_runtime::{ApplyExtrinsicResult, Digest, DigestItem};

pub use super::signing::{extension, id, transaction, Binding};

/// The development preset, open in block 1.
pub fn chain() -> sp_io::TestExternalities {
	let mut ext = super::genesis();
	ext.execute_with(|| begin(1, System::block_hash(0)));
	ext
}

/// Ends this block and opens the next.
pub fn next_block() {
	skip_to(System::block_number() + 1);
}

/// Ends this block and opens the one that has `number`, as if nothing had happened between them.
pub fn skip_to(number: BlockNumber) {
	let parent = Executive::finalize_block();
	System::set_block_number(number - 1);
	begin(number, parent.hash());
}

/// Ends this block and as many more, with every invariant checked.
pub fn blocks(count: u32) {
	for _ in 0..count {
		next_block();
		super::check();
	}
}

/// Ends this block if it is the first of a session: that one has no room for transactions.
pub fn past_session_change() {
	let limit = <Runtime as frame_system::Config>::BlockWeights::get().max_block;
	if System::block_weight().total().any_gt(limit) {
		next_block();
	}
}

/// Opens a block, up to where strangers' transactions follow.
fn begin(number: BlockNumber, parent: H256) {
	// The slot goes on by one whatever the number, so that no session is skipped.
	let slot = *pallet_babe::CurrentSlot::<Runtime>::get() + 1;
	let author = SecondaryPlainPreDigest { authority_index: 0, slot: slot.into() };
	let author = PreDigest::SecondaryPlain(author).encode();
	let header = Header {
		parent_hash: parent,
		number,
		state_root: H256::zero(),
		extrinsics_root: H256::zero(),
		digest: Digest { logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, author)] },
	};
	Executive::initialize_block(&header);
	// A real author proves the randomness that it brings; here it is made up.
	let randomness = sp_io::hashing::blake2_256(&number.to_le_bytes());
	pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some(randomness));
	let time = TimestampCall::set { now: slot * MILLISECS_PER_BLOCK };
	Executive::apply_extrinsic(UncheckedExtrinsic::new_bare(time.into())).unwrap().unwrap();
	// Otherwise the first transaction would set off what comes before all transactions.
	Executive::inherents_applied();
}

/// The key of one of our own accounts.
pub fn key(number: u32) -> sr25519::Pair {
	let mut seed = [0xd6; 32];
	seed[..4].copy_from_slice(&number.to_le_bytes());
	sr25519::Pair::from_seed(&seed)
}

impl Binding {
	/// What is right for `who` now.
	pub fn of(who: &AccountId) -> Self {
		Binding {
			genesis: System::block_hash(0),
			spec_version: VERSION.spec_version,
			transaction_version: VERSION.transaction_version,
			nonce: System::account_nonce(who),
			tip: 0,
		}
	}
}

/// Sends the call as the key's account would.
pub fn send(key: &sr25519::Pair, call: impl Into<RuntimeCall>) -> ApplyExtrinsicResult {
	let binding = Binding::of(&id(key));
	apply(transaction(key, call.into(), binding))
}

/// Applies a transaction that comes in as bytes.
pub fn apply(transaction: UncheckedExtrinsic) -> ApplyExtrinsicResult {
	let bytes = transaction.encode();
	Executive::apply_extrinsic(UncheckedExtrinsic::decode(&mut &bytes[..]).unwrap())
}

/// What happened in this block so far.
pub fn events() -> Vec<RuntimeEvent> {
	System::events().into_iter().map(|record| record.event).collect()
}
