//! Accounts that sign, each with its own count of what it has sent.

use codec::Encode;
use dgcs_runtime::{
	AccountId, Nonce, Runtime, RuntimeCall, Signature, SignedPayload, TxExtension,
	UncheckedExtrinsic, VERSION,
};
use sp_core::{sr25519, Pair, H256};
use sp_runtime::{generic::Era, traits::IdentifyAccount, MultiSigner};

/// An account with its key and its next nonce.
pub struct Account {
	pair: sr25519::Pair,
	/// Its address.
	pub id: AccountId,
	nonce: Nonce,
	genesis: H256,
}

impl Account {
	/// The account of a development phrase such as `//Alice`.
	pub fn new(
		phrase: &str,
		genesis: H256,
		nonce: Nonce,
	) -> Result<Self, sp_core::crypto::SecretStringError> {
		let pair = sr25519::Pair::from_string(phrase, None)?;
		let id = MultiSigner::from(pair.public()).into_account();
		Ok(Self { pair, id, nonce, genesis })
	}

	/// Signs `call` with the next nonce.
	pub fn sign(&mut self, call: RuntimeCall) -> Vec<u8> {
		let extension: TxExtension = (
			frame_system::AuthorizeCall::new(),
			frame_system::CheckNonZeroSender::new(),
			frame_system::CheckSpecVersion::new(),
			frame_system::CheckTxVersion::new(),
			frame_system::CheckGenesis::new(),
			frame_system::CheckMortality::from(Era::Immortal),
			frame_system::CheckNonce::<Runtime>::from(self.nonce),
			frame_system::CheckWeight::new(),
			pallet_transaction_payment::ChargeTransactionPayment::from(0).into(),
			frame_metadata_hash_extension::CheckMetadataHash::new(false),
			frame_system::WeightReclaim::new(),
		);
		let implicit = (
			(),
			(),
			VERSION.spec_version,
			VERSION.transaction_version,
			self.genesis,
			self.genesis,
			(),
			(),
			(),
			None,
			(),
		);
		let payload = SignedPayload::from_raw(call.clone(), extension.clone(), implicit);
		let signature = payload.using_encoded(|bytes| self.pair.sign(bytes));
		self.nonce = self.nonce.saturating_add(1);
		UncheckedExtrinsic::new_signed(
			call,
			self.id.clone().into(),
			Signature::Sr25519(signature),
			extension,
		)
		.encode()
	}
}
