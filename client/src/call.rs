//! What an account may ask the chain to do. One module for each pallet; the chain's own documentation
//! of a call says what it takes and when it is refused.

use std::fmt;

use subxt::{
	ext::scale_encode::{self, EncodeAsFields, FieldIter, TypeResolver},
	transactions::{Payload, StaticPayload},
};

use crate::runtime::{api, offline_ours};

/// A call, ready to be signed: here by a [`Sender`](crate::Sender), or in polkadot.js from its
/// [hexadecimal form](Call::to_hex).
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
	pallet: String,
	name: String,
	/// Pallet index, call index and arguments, in SCALE.
	data: Vec<u8>,
	arguments: Arguments,
}

/// The arguments of a call, in SCALE already.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Arguments(Vec<u8>);

impl EncodeAsFields for Arguments {
	fn encode_as_fields_to<R: TypeResolver>(
		&self,
		_: &mut dyn FieldIter<'_, R::TypeId>,
		_: &R,
		out: &mut Vec<u8>,
	) -> Result<(), scale_encode::Error> {
		out.extend_from_slice(&self.0);
		Ok(())
	}
}

impl Payload for Call {
	type CallData = Arguments;

	fn pallet_name(&self) -> &str {
		&self.pallet
	}

	fn call_name(&self) -> &str {
		&self.name
	}

	fn call_data(&self) -> &Arguments {
		&self.arguments
	}
}

impl Call {
	/// A connection checks that calls are the same on the chain, so what is encoded by the committed
	/// metadata is encoded for the chain.
	fn new<Fields: EncodeAsFields>(payload: StaticPayload<Fields>) -> Self {
		let data = offline_ours()
			.tx()
			.call_data(&payload)
			.expect("the payload was made from the same metadata; qed");
		let arguments = Arguments(data.get(2..).unwrap_or_default().to_vec());
		let (pallet, name) = (payload.pallet_name().into(), payload.call_name().into());
		Call { pallet, name, data, arguments }
	}

	/// The call in SCALE, as it is in a transaction.
	pub fn data(&self) -> &[u8] {
		&self.data
	}

	/// The call data as polkadot.js apps decode it (Developer, Extrinsics, Decode): `0x` and
	/// hexadecimal digits.
	pub fn to_hex(&self) -> String {
		format!("0x{}", hex::encode(&self.data))
	}
}

/// `Pallet.call`.
impl fmt::Display for Call {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}.{}", self.pallet, self.name)
	}
}

impl fmt::Debug for Call {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Call({self}, {})", self.to_hex())
	}
}

/// Money.
pub mod balances {
	use super::*;
	use crate::{AccountId, Balance};
	use subxt::utils::MultiAddress;

	/// Sends `amount` to `to`, if that leaves the sender's account alive.
	pub fn transfer(to: &AccountId, amount: Balance) -> Call {
		let to = MultiAddress::Id(to.clone().into());
		Call::new(api::transactions().balances().transfer_keep_alive(to, amount))
	}
}

/// The task book.
pub mod tasks {
	use super::*;
	use crate::Balance;
	use dgcs_primitives::{TaskId, TaskSpec};

	/// Registers a task and holds its whole price.
	pub fn submit(spec: &TaskSpec<Balance>) -> Call {
		Call::new(api::transactions().tasks().submit(spec.clone().into()))
	}

	/// Adds money to a live task, which raises the reward of its results from now on.
	pub fn fund(task: TaskId, amount: Balance) -> Call {
		Call::new(api::transactions().tasks().fund(task.into(), amount))
	}

	/// Cancels a task: what was never leased is withdrawn, what was is decided and paid.
	pub fn cancel(task: TaskId) -> Call {
		Call::new(api::transactions().tasks().cancel(task.into()))
	}

	/// Asks for leases on `slots` ranges, 1 to 64.
	pub fn take(slots: u16) -> Call {
		Call::new(api::transactions().tasks().take(slots))
	}

	/// Settles a task that is finished or due. Free if it was.
	pub fn settle(task: TaskId) -> Call {
		Call::new(api::transactions().tasks().settle(task.into()))
	}
}

/// The workers.
pub mod workers {
	use super::*;
	use crate::AccountId;
	use dgcs_primitives::{api::Capacity, EncryptionKey, Kinds};

	/// What a worker says of itself.
	#[derive(Clone, Debug, PartialEq, Eq)]
	pub struct Terms {
		/// Who runs the worker: its rewards go there.
		pub operator: AccountId,
		/// What key shares are sealed to.
		pub key: EncryptionKey,
		/// How many ranges it computes at the same time, and the memory for each.
		pub capacity: Capacity,
		/// The kinds of task that it serves.
		pub kinds: Kinds,
	}

	/// Bonds and becomes a worker.
	pub fn register(terms: &Terms) -> Call {
		let Terms { operator, key, capacity, kinds } = terms.clone();
		let calls = api::transactions().workers();
		Call::new(calls.register(operator.into(), key.into(), capacity.into(), kinds.into()))
	}

	/// Changes what the worker said at registration.
	pub fn update(terms: &Terms) -> Call {
		let Terms { operator, key, capacity, kinds } = terms.clone();
		let calls = api::transactions().workers();
		Call::new(calls.update(operator.into(), key.into(), capacity.into(), kinds.into()))
	}

	/// Refills the bond after slashes.
	pub fn replenish() -> Call {
		Call::new(api::transactions().workers().replenish())
	}

	/// Comes back to work: from a suspension that is over, or from leaving.
	pub fn resume() -> Call {
		Call::new(api::transactions().workers().resume())
	}

	/// Takes no new work. The bond is free after the unbonding period.
	pub fn leave() -> Call {
		Call::new(api::transactions().workers().leave())
	}

	/// Releases what is due of a worker's bond. Anyone may.
	pub fn withdraw(worker: &AccountId) -> Call {
		Call::new(api::transactions().workers().withdraw(worker.clone().into()))
	}
}

/// The votes.
pub mod verdicts {
	use super::*;
	use dgcs_primitives::{Commitment, Digests, RangeIndex, TaskId};
	use sp_core::H256;

	/// Commits to the results of a range: [`Ballot::commitment`](dgcs_primitives::Ballot::commitment)
	/// of the current round's ballot. Free for a worker with a lease.
	pub fn commit(task: TaskId, range: RangeIndex, commitment: Commitment) -> Call {
		let calls = api::transactions().verdicts();
		Call::new(calls.commit(task.into(), range.into(), commitment.into()))
	}

	/// Reveals the results that were committed to. Free for a worker that has committed.
	pub fn reveal(task: TaskId, range: RangeIndex, digests: &Digests, salt: H256) -> Call {
		let digests = digests.iter().copied().map(Into::into).collect();
		let digests = api::runtime_types::bounded_collections::bounded_vec::BoundedVec(digests);
		let calls = api::transactions().verdicts();
		Call::new(calls.reveal(task.into(), range.into(), digests, salt))
	}

	/// Does what is overdue for a range. Anyone may; free if there was something to do.
	pub fn expire(task: TaskId, range: RangeIndex) -> Call {
		Call::new(api::transactions().verdicts().expire(task.into(), range.into()))
	}
}

/// The money of tasks.
pub mod escrow {
	use super::*;
	use crate::AccountId;
	use dgcs_primitives::TaskId;

	/// Gives a contributor its part of what a closed task left. Free if it paid something.
	pub fn refund(task: TaskId, funder: &AccountId) -> Call {
		Call::new(api::transactions().escrow().refund(task.into(), funder.clone().into()))
	}
}

/// The masternodes.
pub mod masternodes {
	use super::*;
	use crate::{AccountId, Balance};
	use dgcs_primitives::{api::ServiceAddress, EncryptionKey};

	/// Bonds `bond` and becomes a masternode. Its session keys must be registered before.
	pub fn join(bond: Balance, key: EncryptionKey, address: &ServiceAddress) -> Call {
		let calls = api::transactions().masternodes();
		Call::new(calls.join(bond, key.into(), bytes(address)))
	}

	/// Adds to the bond.
	pub fn bond_more(amount: Balance) -> Call {
		Call::new(api::transactions().masternodes().bond_more(amount))
	}

	/// Replaces the key that shares are sealed to, and the address at which the masternode answers.
	pub fn update(key: EncryptionKey, address: &ServiceAddress) -> Call {
		let calls = api::transactions().masternodes();
		Call::new(calls.update(key.into(), bytes(address)))
	}

	/// Ceases to be a masternode.
	pub fn leave() -> Call {
		Call::new(api::transactions().masternodes().leave())
	}

	/// Gives a bond that is due back to its owner. Anyone may.
	pub fn withdraw(who: &AccountId) -> Call {
		Call::new(api::transactions().masternodes().withdraw(who.clone().into()))
	}

	fn bytes(
		address: &ServiceAddress,
	) -> api::runtime_types::bounded_collections::bounded_vec::BoundedVec<u8> {
		api::runtime_types::bounded_collections::bounded_vec::BoundedVec(address.to_vec())
	}
}

#[cfg(test)]
mod tests {
	use codec::Encode;
	use dgcs_primitives::{
		api::Capacity, Commitment, ContentCodec, ContentId, EncryptionKey, Kinds, Payout,
		RangeIndex, ResultDigest, Selection, SubtaskLimits, TaskId, TaskKind, TaskSpec, Visibility,
	};
	use sp_core::H256;

	use super::*;
	use crate::Account;

	fn spec() -> TaskSpec<u128> {
		TaskSpec {
			kind: TaskKind::Compute,
			manifest: ContentId { codec: ContentCodec::DagPb, digest: H256::repeat_byte(1) },
			input_root: H256::repeat_byte(2),
			subtasks: 130,
			range_size: 64,
			replicas: 3,
			max_replicas: 5,
			reward: 1_000_000,
			limits: SubtaskLimits { time_ms: 1, memory_mib: 2, fuel: 3 },
			queue_timeout: 4,
			run_timeout: 5,
			selection: Selection::Proven,
			payout: Payout::Pplns { window: 8 },
			visibility: Visibility::Public,
			keep_solution: true,
		}
	}

	/// Every call is taken by the chain's own decoder, to its last byte, under its own name, and its
	/// arguments are those of `dgcs-primitives` in SCALE.
	#[test]
	fn calls_are_what_the_chain_reads() {
		let alice = Account::from_uri("//Alice").expect("a development account").id();
		let terms = workers::Terms {
			operator: alice.clone(),
			key: EncryptionKey(H256::repeat_byte(3)),
			capacity: Capacity { slots: 2, memory_mib: 512 },
			kinds: Kinds(1),
		};
		let (task, range) = (TaskId(7), RangeIndex(9));
		let digests = vec![ResultDigest(H256::repeat_byte(4)); 3].try_into().expect("few");
		let (key, salt) = (EncryptionKey(H256::repeat_byte(5)), H256::repeat_byte(6));
		let address = b"ws://127.0.0.1:9944".to_vec().try_into().expect("short");
		let compact = |amount: u128| codec::Compact(amount).encode();
		let operator = (&terms.operator, terms.key, terms.capacity, terms.kinds).encode();
		let commitment = Commitment(H256::repeat_byte(8));
		let to = [&[0][..], alice.as_ref(), &compact(5)].concat();
		let cases = [
			(balances::transfer(&alice, 5), "Balances.transfer_keep_alive", to),
			(tasks::submit(&spec()), "Tasks.submit", spec().encode()),
			(tasks::fund(task, 500), "Tasks.fund", [task.encode(), compact(500)].concat()),
			(tasks::cancel(task), "Tasks.cancel", task.encode()),
			(tasks::take(3), "Tasks.take", 3u16.encode()),
			(tasks::settle(task), "Tasks.settle", task.encode()),
			(workers::register(&terms), "Workers.register", operator.clone()),
			(workers::update(&terms), "Workers.update", operator),
			(workers::replenish(), "Workers.replenish", vec![]),
			(workers::resume(), "Workers.resume", vec![]),
			(workers::leave(), "Workers.leave", vec![]),
			(workers::withdraw(&alice), "Workers.withdraw", alice.encode()),
			(
				verdicts::commit(task, range, commitment),
				"Verdicts.commit",
				(task, range, commitment).encode(),
			),
			(
				verdicts::reveal(task, range, &digests, salt),
				"Verdicts.reveal",
				(task, range, &digests, salt).encode(),
			),
			(verdicts::expire(task, range), "Verdicts.expire", (task, range).encode()),
			(escrow::refund(task, &alice), "Escrow.refund", (task, &alice).encode()),
			(
				masternodes::join(9, key, &address),
				"Masternodes.join",
				[compact(9), key.encode(), address.encode()].concat(),
			),
			(masternodes::bond_more(9), "Masternodes.bond_more", compact(9)),
			(masternodes::update(key, &address), "Masternodes.update", (key, &address).encode()),
			(masternodes::leave(), "Masternodes.leave", vec![]),
			(masternodes::withdraw(&alice), "Masternodes.withdraw", alice.encode()),
		];
		let offline = offline_ours();
		for (call, name, arguments) in cases {
			assert_eq!(call.to_string(), name);
			assert_eq!(call.data()[2..], arguments, "{name}");
			let decoded = offline.tx().from_call_data_bytes(call.data()).expect(name);
			assert_eq!(format!("{}.{}", decoded.pallet_name(), decoded.call_name()), name);
			assert_eq!(call.to_hex(), format!("0x{}", hex::encode(call.data())));
		}
	}
}
