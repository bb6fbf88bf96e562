//! From a call to what it did: signed, sent, and found again in a block.
//!
//! A transaction is looked for in the blocks themselves and not asked after at the node that took it:
//! nodes come and go. While it is in none it is sent again, byte for byte, so that its number (nonce)
//! lets it happen once; and it is mortal, so that there is a block after which it never will.

use std::{
	collections::{BTreeSet, HashSet},
	sync::{Arc, Mutex},
};

use codec::{Compact, Encode};
use sp_core::H256;
use subxt::{
	config::{substrate::MultiSignature, DefaultExtrinsicParamsBuilder},
	events::DecodeAsEvent,
	rpcs::rpc_params,
	utils::AccountId32 as SubxtAccountId,
};

use crate::{
	chain::{blake2_256, lock},
	event::Events,
	read::At,
	runtime::DgcsConfig,
	Account, AccountId, Balance, Call, Chain, Error, Head, Result,
};

/// For how many blocks a transaction is valid: a power of two, as mortality wants it.
pub const LIFETIME: u32 = 256;

/// After how many blocks a transaction that is in none is sent again.
const RESEND_AFTER: u32 = 4;

/// How often a number is taken anew when another transaction of the account has it.
const MOST_NUMBERS: usize = 4;

/// JSON-RPC codes of `author_submitExtrinsic` (sc-rpc-api, `author::error`).
mod code {
	/// The runtime says that it is not valid.
	pub const INVALID: i32 = 1010;
	/// The node has it.
	pub const ALREADY_IMPORTED: i32 = 1013;
	/// Another one with the same number is there, and not to be replaced.
	pub const TOO_LOW_PRIORITY: i32 = 1014;
	/// The pool is full.
	pub const DROPPED: i32 = 1016;
}

/// An account that sends transactions. Cheap to clone; clones share the account's numbers. Two
/// `Sender`s of one account, or a wallet beside it, may take the same number: one of both transactions
/// is then [`Usurped`](Error::Usurped).
#[derive(Clone, Debug)]
pub struct Sender {
	chain: Chain,
	account: Account,
	/// The numbers of transactions that are sent and not found yet. The lock around it is held while
	/// one is sent, so that they arrive in order.
	flying: Arc<Mutex<BTreeSet<u64>>>,
	order: Arc<tokio::sync::Mutex<()>>,
}

/// What the fee for `call` would be if `account` sent it now, in the smallest unit. Commits and
/// reveals that are owed cost nothing, whatever this says.
pub async fn fee(chain: &Chain, account: &AccountId, call: &Call) -> Result<Balance> {
	let at = chain.at_best().await?;
	let number = at.call("AccountNonceApi_account_nonce", account).await?;
	let mut transaction = signable(&at, call, at.block(), number)?;
	// Fees don't depend on the signature, and nobody checks it.
	let signature = MultiSignature::Sr25519([0; 64]);
	let signed = transaction
		.sign_with_account_and_signature(&SubxtAccountId(account.clone().into()), &signature)
		.map_err(|error| Error::answer("the metadata", error))?;
	let length = signed.encoded().len() as u32;
	let mut arguments = signed.into_encoded();
	length.encode_to(&mut arguments);
	let (_, _, _, fee): (Compact<u64>, Compact<u64>, u8, Balance) =
		chain.call("TransactionPaymentApi_query_info", &arguments, at.block().hash).await?;
	Ok(fee)
}

fn signable<'a>(
	at: &At,
	call: &'a Call,
	born: Head,
	number: u32,
) -> Result<
	subxt::transactions::SignableTransaction<
		'a,
		DgcsConfig,
		subxt::client::OfflineClientAtBlockImpl<DgcsConfig>,
		Call,
	>,
> {
	let params = DefaultExtrinsicParamsBuilder::<DgcsConfig>::new()
		.nonce(number.into())
		.mortal_from_unchecked(LIFETIME.into(), born.number.into(), born.hash)
		.build();
	at.runtime()
		.offline
		.tx()
		.create_signable_offline(call, params)
		.map_err(|error| Error::answer("the metadata", error))
}

impl Sender {
	/// Sends as `account` on `chain`.
	pub fn new(chain: Chain, account: Account) -> Self {
		Sender { chain, account, flying: Arc::default(), order: Arc::default() }
	}

	/// The chain.
	pub fn chain(&self) -> &Chain {
		&self.chain
	}

	/// The account.
	pub fn account(&self) -> &Account {
		&self.account
	}

	/// What the fee for `call` would be now, in the smallest unit.
	pub async fn fee(&self, call: &Call) -> Result<Balance> {
		fee(&self.chain, &self.account.id(), call).await
	}

	/// Signs and sends. The answer is there as soon as a node took the transaction, or none could be
	/// asked any more: then it is sent again by whoever waits for it. Several may be on their way.
	pub async fn send(&self, call: &Call) -> Result<Sent> {
		let _order = self.order.lock().await;
		let born = self.chain.heads().finalized;
		let at = self.chain.at(born).await?;
		// What was refused for its number keeps it until here is done: nobody tries it again.
		let mut refused = Vec::new();
		let mut refusal = String::new();
		for _ in 0..MOST_NUMBERS {
			let number = self.next_number().await?;
			let signed = signable(&at, call, born, number)?
				.sign(&self.account)
				.map_err(|error| Error::answer("the metadata", error))?;
			let bytes = signed.into_encoded();
			let sent = Sent {
				hash: blake2_256(&bytes),
				call: call.to_string(),
				account: self.account.id(),
				number,
				born: born.number,
				bytes,
				chain: self.chain.clone(),
				searched: HashSet::new(),
				sent_at: self.chain.heads().best.number,
				flying: Flying { number: number.into(), all: self.flying.clone() },
			};
			lock(&self.flying).insert(number.into());
			match sent.submit().await? {
				Submission::Taken | Submission::Unknown => return Ok(sent),
				Submission::NumberTaken(reason) => {
					refusal = reason;
					refused.push(sent);
				},
				Submission::Refused(reason) => {
					return Err(Error::InvalidTransaction { call: call.to_string(), reason });
				},
			}
		}
		Err(Error::InvalidTransaction { call: call.to_string(), reason: refusal })
	}

	/// Sends, and waits until the transaction is in a finalised block.
	pub async fn send_and_finalize(&self, call: &Call) -> Result<Included> {
		self.send(call).await?.finalized().await
	}

	/// Sends, and waits until the transaction is in a block, which may still be undone.
	pub async fn send_and_include(&self, call: &Call) -> Result<Included> {
		self.send(call).await?.in_block().await
	}

	/// The first number that neither the chain, nor the node's pool, nor a transaction of ours has.
	async fn next_number(&self) -> Result<u32> {
		let params = rpc_params![self.account.address()];
		let mut number: u64 = self.chain.request("system_accountNextIndex", params).await?;
		let flying = lock(&self.flying);
		while flying.contains(&number) {
			number += 1;
		}
		u32::try_from(number).map_err(|error| Error::answer("system_accountNextIndex", error))
	}
}

/// What a node says to a transaction.
enum Submission {
	/// It has it.
	Taken,
	/// Nothing: it may have it.
	Unknown,
	/// Another one has its number, or had.
	NumberTaken(String),
	/// It is not valid.
	Refused(String),
}

/// Gives a number free again when nobody waits for its transaction any more.
#[derive(Debug)]
struct Flying {
	number: u64,
	all: Arc<Mutex<BTreeSet<u64>>>,
}

impl Drop for Flying {
	fn drop(&mut self) {
		lock(&self.all).remove(&self.number);
	}
}

/// A transaction on its way. Whoever waits for it sends it again when it must be; dropping this does
/// not take it back.
#[derive(Debug)]
pub struct Sent {
	hash: H256,
	call: String,
	account: AccountId,
	number: u32,
	/// The block from which on it is valid.
	born: u32,
	bytes: Vec<u8>,
	chain: Chain,
	/// Blocks that were searched, as were all before them.
	searched: HashSet<H256>,
	/// The best block when it was sent last.
	sent_at: u32,
	#[allow(dead_code)] // Held for its `Drop`.
	flying: Flying,
}

impl Sent {
	/// Hash of the transaction.
	pub fn hash(&self) -> H256 {
		self.hash
	}

	/// The last block in which it can be.
	pub fn valid_until(&self) -> u32 {
		self.born.saturating_add(LIFETIME - 1)
	}

	/// Waits until the transaction is in a block. That block may still be undone; then the transaction
	/// is put into another one. Fails if the transaction fails there.
	pub async fn in_block(&mut self) -> Result<Included> {
		self.wait(false).await
	}

	/// Waits until the transaction is in a finalised block. Fails if the transaction fails there.
	pub async fn finalized(mut self) -> Result<Included> {
		self.wait(true).await
	}

	async fn wait(&mut self, finalized: bool) -> Result<Included> {
		loop {
			let heads = self.chain.heads();
			match self.look(heads, finalized).await {
				Ok(Some(included)) => return Ok(included),
				Ok(None) => {},
				// A node that knows less than the one before, or none at all for now.
				Err(error) if error.is_of_connection() => {
					log::debug!(target: "client", "While waiting for {}: {error}", self.call);
				},
				Err(error) => return Err(error),
			}
			self.chain.moved(heads).await?;
		}
	}

	/// Looks once. `None`: not yet.
	async fn look(&mut self, heads: crate::Heads, finalized: bool) -> Result<Option<Included>> {
		if let Some((block, index)) = self.search(heads.finalized).await? {
			return self.included(block, index).await.map(Some);
		}
		if heads.finalized.number > self.valid_until() {
			return Err(Error::Expired { call: self.call.clone(), until: self.valid_until() });
		}
		let found = self.search(heads.best).await?;
		if let Some((block, index)) = found.filter(|_| !finalized) {
			return match self.included(block, index).await {
				// It was given up meanwhile.
				Err(Error::StateDiscarded { .. }) => Ok(None),
				included => included.map(Some),
			};
		}
		if found.is_none() && heads.best.number >= self.sent_at.saturating_add(RESEND_AFTER) {
			self.sent_at = heads.best.number;
			match self.submit().await? {
				Submission::Taken | Submission::Unknown => {},
				Submission::NumberTaken(_) => self.check_number(heads.finalized).await?,
				Submission::Refused(reason) => {
					log::debug!(target: "client", "{} is not valid now: {reason}", self.call);
				},
			}
		}
		Ok(None)
	}

	/// Fails if another transaction with the same number is finalised. This one is not: its blocks
	/// were searched.
	async fn check_number(&self, finalized: Head) -> Result<()> {
		let at = self.chain.at(finalized).await?;
		let next: u32 = at.call("AccountNonceApi_account_nonce", &self.account).await?;
		if next > self.number {
			return Err(Error::Usurped {
				call: self.call.clone(),
				account: self.account.to_string(),
				nonce: self.number.into(),
			});
		}
		Ok(())
	}

	/// Looks for the transaction in `head` and the blocks before it, back to its birth.
	async fn search(&mut self, head: Head) -> Result<Option<(Head, u32)>> {
		let mut path = Vec::new();
		let mut hash = head.hash;
		let mut number = head.number;
		while number > self.born && !self.searched.contains(&hash) {
			let body = self.chain.body(hash).await?;
			if let Some(index) = body.transactions.iter().position(|other| *other == self.hash) {
				// A block has fewer transactions than bytes.
				return Ok(Some((Head { number, hash }, index as u32)));
			}
			path.push(hash);
			hash = body.parent;
			number = body.number.saturating_sub(1);
		}
		self.searched.extend(path);
		Ok(None)
	}

	async fn included(&self, block: Head, index: u32) -> Result<Included> {
		let runtime = self.chain.runtime(block.hash).await?;
		let events = self.chain.events(block).await?.of(index);
		match events.failure(&runtime.offline)? {
			Some(failure) => Err(Error::Failed { call: self.call.clone(), failure }),
			None => Ok(Included { block, index, events }),
		}
	}

	async fn submit(&self) -> Result<Submission> {
		let transaction = format!("0x{}", hex::encode(&self.bytes));
		let answer: Result<H256> =
			self.chain.request("author_submitExtrinsic", rpc_params![transaction]).await;
		match answer {
			Ok(_) => Ok(Submission::Taken),
			Err(Error::Refused { code, message, .. }) => Ok(match code {
				code::ALREADY_IMPORTED => Submission::Taken,
				code::TOO_LOW_PRIORITY => Submission::NumberTaken(message),
				code::INVALID if message.contains("outdated") => Submission::NumberTaken(message),
				code::DROPPED => Submission::Unknown,
				_ => Submission::Refused(message),
			}),
			Err(error) if error.is_of_connection() => {
				log::debug!(target: "client", "{} may or may not be sent: {error}", self.call);
				Ok(Submission::Unknown)
			},
			Err(error) => Err(error),
		}
	}
}

/// A transaction in a block.
#[derive(Debug)]
pub struct Included {
	/// The block.
	pub block: Head,
	/// Its place among the block's transactions.
	pub index: u32,
	/// What it did.
	pub events: Events,
}

impl Included {
	/// The first event of a kind that the transaction must have caused, such as
	/// [`tasks::Submitted`](crate::event::tasks::Submitted).
	pub fn event<E: DecodeAsEvent>(&self) -> Result<E> {
		let found = self.events.find::<E>()?.into_iter().next();
		found.ok_or_else(|| {
			let what = format!("the events of a transaction in block #{}", self.block.number);
			Error::answer(what, format!("no {}", std::any::type_name::<E>()))
		})
	}
}
