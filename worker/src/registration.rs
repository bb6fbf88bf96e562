//! What the chain has to have of a worker before it gets work.

use dgcs_client::AccountId;
use dgcs_primitives::{
	api::{Capacity, WorkerView},
	EncryptionKey, Kinds, TaskKind,
};
use sp_core::{crypto::Ss58Codec, H256};

use crate::chain::{Balance, Call, Dgc};

/// Why a worker can't be registered as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
	/// The account is no worker.
	#[error(
		"{account} is not registered as a worker; add --register, which holds a bond of {bond}"
	)]
	NotRegistered {
		/// The worker's address.
		account: String,
		/// What would be held.
		bond: Dgc,
	},
	/// The chain has something else than there is.
	#[error("{account} is registered with {field} {registered}, and here it is {found}; add --register to change that")]
	Differs {
		/// The worker's address.
		account: String,
		/// What differs.
		field: &'static str,
		/// What the chain has.
		registered: String,
		/// What is so.
		found: String,
	},
	/// Not enough money.
	#[error("the bond of {slots} slots is {bond}, and {account} can spend {spendable}; send it more, or lend fewer cores")]
	Funds {
		/// The worker's address.
		account: String,
		/// How many slots.
		slots: u16,
		/// What would be held.
		bond: Dgc,
		/// What there is.
		spendable: Dgc,
	},
	/// More than the worker's owner wants to be held.
	#[error("the bond of {slots} slots is {bond}, more than the {most} of --max-bond; lend fewer cores, or allow more")]
	Bond {
		/// How many slots.
		slots: u16,
		/// What would be held.
		bond: Dgc,
		/// What may be.
		most: Dgc,
	},
}

/// What a worker is to be registered with.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
	/// Whether its owner agrees to a registration, or to a change of it.
	pub register: bool,
	/// Who runs it. `None`: as it is, or the account itself.
	pub operator: Option<AccountId>,
	/// The most that may be held.
	pub max_bond: Option<Dgc>,
	/// Its account.
	pub account: AccountId,
	/// The key that it has.
	pub key: EncryptionKey,
	/// What it lends.
	pub capacity: Capacity,
	/// The bond for that.
	pub bond: Dgc,
	/// What the account can spend.
	pub spendable: Dgc,
}

impl Asked {
	/// The call that brings the chain from `registered` to what is asked for. `None`: none is needed.
	///
	/// Without its owner's consent nothing is changed: then a worker works with what it is registered
	/// with, unless it could not keep its word.
	pub(crate) fn call(
		&self,
		registered: Option<&WorkerView<AccountId, Balance>>,
	) -> Result<Option<Call>, RegistrationError> {
		let Asked { key, capacity, bond, spendable, .. } = *self;
		let (slots, account) = (capacity.slots, self.account.to_ss58check());
		let kinds = Kinds::from(TaskKind::Compute);
		let operator = |known: Option<&AccountId>| {
			let operator = self.operator.as_ref().or(known).unwrap_or(&self.account);
			H256(operator.clone().into())
		};
		let Some(worker) = registered else {
			if !self.register {
				return Err(RegistrationError::NotRegistered { account, bond });
			}
			self.check_bond()?;
			if spendable < bond {
				return Err(RegistrationError::Funds { account, slots, bond, spendable });
			}
			let operator = operator(None);
			return Ok(Some(Call::Register { operator, key, capacity, kinds }));
		};
		let operator = operator(Some(&worker.operator));
		let same_operator = operator == H256(worker.operator.clone().into());
		let same = worker.key == key && worker.capacity == capacity && same_operator;
		if self.register {
			if same && worker.kinds.contains(TaskKind::Compute) {
				return Ok(None);
			}
			if slots > worker.capacity.slots {
				self.check_bond()?;
			}
			let kinds = Kinds(worker.kinds.0 | kinds.0);
			return Ok(Some(Call::Update { operator, key, capacity, kinds }));
		}
		let differs = |field, registered, found| {
			Err(RegistrationError::Differs { account, field, registered, found })
		};
		let mib = |mib: u32| format!("of {mib} MiB");
		if worker.key != key {
			// Shares would be sealed to a key that it does not have.
			differs("the encryption key", format!("{:?}", worker.key.0), format!("{:?}", key.0))
		} else if worker.capacity.memory_mib > capacity.memory_mib {
			// It would be drawn for tasks that its slots don't hold.
			differs("programs", mib(worker.capacity.memory_mib), mib(capacity.memory_mib))
		} else if !worker.kinds.contains(TaskKind::Compute) {
			differs("the kinds", worker.kinds.0.to_string(), kinds.0.to_string())
		} else {
			Ok(None)
		}
	}

	fn check_bond(&self) -> Result<(), RegistrationError> {
		let (slots, bond) = (self.capacity.slots, self.bond);
		match self.max_bond {
			Some(most) if bond > most => Err(RegistrationError::Bond { slots, bond, most }),
			_ => Ok(()),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use dgcs_primitives::api::Standing;

	const CAPACITY: Capacity = Capacity { slots: 2, memory_mib: 1024 };

	fn account(byte: u8) -> AccountId {
		AccountId::new([byte; 32])
	}

	fn asked() -> Asked {
		Asked {
			register: true,
			operator: None,
			max_bond: None,
			account: account(1),
			key: EncryptionKey(H256::repeat_byte(3)),
			capacity: CAPACITY,
			bond: Dgc::whole(20),
			spendable: Dgc::whole(100),
		}
	}

	fn registered() -> WorkerView<AccountId, Balance> {
		WorkerView {
			operator: account(1),
			bond: Dgc::whole(20).0,
			key: asked().key,
			capacity: CAPACITY,
			kinds: Kinds(1),
			busy: 0,
			standing: Standing::Good,
			good_run: 0,
			wrong: Default::default(),
			silent: Default::default(),
			offline: Default::default(),
			last_seen: 0,
			leaving: None,
		}
	}

	fn register(operator: u8) -> Call {
		let Asked { key, capacity, .. } = asked();
		let operator = H256::repeat_byte(operator);
		Call::Register { operator, key, capacity, kinds: Kinds(1) }
	}

	#[test]
	fn registers_with_consent_and_enough_money_alone() {
		type Change = fn(&mut Asked);
		let error = |change: Change| {
			let mut asked = asked();
			change(&mut asked);
			asked.call(None).expect_err("refused").to_string()
		};
		assert_eq!(asked().call(None), Ok(Some(register(1))));
		let other = Asked { operator: Some(account(2)), ..asked() };
		assert_eq!(other.call(None), Ok(Some(register(2))));
		let just = Asked { max_bond: Some(Dgc::whole(20)), spendable: Dgc::whole(20), ..asked() };
		assert_eq!(just.call(None), Ok(Some(register(1))));
		assert!(error(|asked| asked.register = false).contains("--register"));
		assert!(error(|asked| asked.spendable = Dgc(0)).contains("can spend 0 DGC"));
		assert!(error(|asked| asked.max_bond = Some(Dgc::whole(19))).contains("--max-bond"));
	}

	#[test]
	fn changes_what_differs_with_consent_alone() {
		type Change = fn(&mut WorkerView<AccountId, Balance>);
		// What the chain has, whether that needs a change, and whether it can't work without.
		let cases: &[(Change, bool, bool)] = &[
			(|_| {}, false, false),
			(|worker| worker.key = EncryptionKey(H256::repeat_byte(4)), true, true),
			(|worker| worker.capacity.memory_mib = 1025, true, true),
			(|worker| worker.capacity.memory_mib = 1023, true, false),
			(|worker| worker.capacity.slots = 3, true, false),
			(|worker| worker.kinds = Kinds(2), true, true),
			// Run by somebody else: stays so, unless another is named.
			(|worker| worker.operator = account(9), false, false),
		];
		for (number, (change, update, needed)) in cases.iter().enumerate() {
			let mut worker = registered();
			change(&mut worker);
			let call = asked().call(Some(&worker));
			let updates = matches!(call, Ok(Some(Call::Update { .. })));
			assert_eq!(updates, *update, "case {number}: {call:?}");
			let without = Asked { register: false, ..asked() }.call(Some(&worker));
			let refused = matches!(without, Err(RegistrationError::Differs { .. }));
			assert_eq!(refused, *needed, "case {number}: {without:?}");
		}
		let Ok(Some(Call::Update { kinds, .. })) =
			asked().call(Some(&WorkerView { kinds: Kinds(2), ..registered() }))
		else {
			panic!("it does not compute yet");
		};
		assert_eq!(kinds, Kinds(3));
	}
}
