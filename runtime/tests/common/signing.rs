//! Transactions that are signed outside of the chain, as a wallet does it.

use codec::Encode;
use dgcs_runtime::{
	AccountId, Balance, Nonce, RuntimeCall, Signature, SignedPayload, TxExtension,
	UncheckedExtrinsic,
};
use sp_core::{sr25519, Pair, H256};
use sp_runtime::{generic::Era, traits::IdentifyAccount, MultiSigner};

/// The account that belongs to a key.
pub fn id(key: &sr25519::Pair) -> AccountId {
	MultiSigner::from(key.public()).into_account()
}

/// What a signature is bound to, beside the call.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
	/// Hash of the chain's first block.
	pub genesis: H256,
	/// The version of the runtime.
	pub spec_version: u32,
	/// The version of the transactions' format.
	pub transaction_version: u32,
	/// How many transactions the account sent before.
	pub nonce: Nonce,
	/// What it adds to the fee.
	pub tip: Balance,
}

/// The extensions of a transaction that is bound so.
pub fn extension(binding: Binding) -> TxExtension {
	(
		frame_system::AuthorizeCall::new(),
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckMortality::from(Era::Immortal),
		frame_system::CheckNonce::from(binding.nonce),
		frame_system::CheckWeight::new(),
		pallet_transaction_payment::ChargeTransactionPayment::from(binding.tip).into(),
		frame_metadata_hash_extension::CheckMetadataHash::new(false),
		frame_system::WeightReclaim::new(),
	)
}

/// A transaction of the key's account, signed for what `binding` says.
pub fn transaction(key: &sr25519::Pair, call: RuntimeCall, binding: Binding) -> UncheckedExtrinsic {
	let extension = extension(binding);
	let implicit = (
		(),
		(),
		binding.spec_version,
		binding.transaction_version,
		binding.genesis,
		binding.genesis,
		(),
		(),
		(),
		None,
		(),
	);
	let payload = SignedPayload::from_raw(call.clone(), extension.clone(), implicit);
	let signature = payload.using_encoded(|bytes| key.sign(bytes));
	let signature = Signature::Sr25519(signature);
	UncheckedExtrinsic::new_signed(call, id(key).into(), signature, extension)
}
