//! Workers that are none, have nothing at stake, or want what they may not.

use dgcs_primitives::{
	api::{Capacity, LEASES_PER_SLOT},
	Conduct, EncryptionKey, Kinds, TaskKind, Workers as _,
};
use dgcs_runtime::{
	constants::{DGC, MILLI},
	AccountId, Runtime, RuntimeCall, Workers,
};
use pallet_workers::{Call, Error};
use sp_core::{sr25519::Pair, H256};
use sp_runtime::TokenError;

use crate::{
	accepted, common,
	common::blocks::{chain, id, key, next_block, skip_to},
	leased, one_range, owner, refused, register as registration, set_balance, stranger, worker,
};

/// What a worker says of itself.
type Offer = (AccountId, EncryptionKey, Capacity, Kinds);

/// Everything that no worker can be, and why.
fn wrong_offers(who: &Pair) -> Vec<(Offer, Error<Runtime>)> {
	use Error::*;
	let good = offer(who, common::SLOTS);
	let with = |slots, memory_mib| (good.0.clone(), good.1, Capacity { slots, memory_mib }, good.3);
	let serving = |kinds| (good.0.clone(), good.1, good.2, Kinds(kinds));
	let zeros = EncryptionKey(H256::zero());
	vec![
		((good.0.clone(), zeros, good.2, good.3), DegenerateKey),
		(with(0, 1024), InvalidSlots),
		(with(257, 1024), InvalidSlots),
		(with(u16::MAX, u32::MAX), InvalidSlots),
		(with(1, 0), InvalidMemory),
		(serving(0), InvalidKinds),
		(serving(8), InvalidKinds),
		(serving(u8::MAX), InvalidKinds),
	]
}

fn offer(who: &Pair, slots: u16) -> Offer {
	let capacity = Capacity { slots, memory_mib: 1024 };
	(id(who), EncryptionKey(H256::repeat_byte(9)), capacity, Kinds::from(TaskKind::Compute))
}

fn registering((operator, key, capacity, kinds): Offer) -> RuntimeCall {
	Call::register { operator, key, capacity, kinds }.into()
}

fn updating((operator, key, capacity, kinds): Offer) -> RuntimeCall {
	Call::update { operator, key, capacity, kinds }.into()
}

/// A worker that was wrong so many times: once suspends, twice blacklists.
fn liar(number: u32, times: u32) -> Pair {
	let liar = worker(number);
	(0..times).for_each(|_| Workers::rate(&id(&liar), Conduct::Dissented));
	liar
}

#[test]
pub fn register() {
	chain().execute_with(|| {
		let (stranger, known, poor) = (stranger(), worker(1), key(1_001));
		for (offer, error) in wrong_offers(&stranger) {
			refused(&stranger, registering(offer), error);
		}
		refused(&known, registration(&known), Error::<Runtime>::AlreadyRegistered);
		refused(&liar(2, 2), registration(&stranger), Error::<Runtime>::Blacklisted);

		set_balance(&id(&poor), 10 * DGC);
		for slots in [1, 2, 256] {
			let offer = offer(&poor, slots);
			refused(&poor, registering(offer), TokenError::FundsUnavailable);
		}
	});
}

#[test]
pub fn update() {
	chain().execute_with(|| {
		let (stranger, known) = (stranger(), worker(1));
		for (offer, error) in wrong_offers(&known) {
			refused(&known, updating(offer), error);
		}
		let right = updating(offer(&stranger, 1));
		for who in [&stranger, &owner()] {
			refused(who, right.clone(), Error::<Runtime>::NotRegistered);
		}
		refused(&liar(2, 2), right.clone(), Error::<Runtime>::Blacklisted);
		let more = updating(offer(&known, 256));
		refused(&known, more, TokenError::FundsUnavailable);

		(0..=LEASES_PER_SLOT).for_each(|_| Workers::occupy(&id(&known)).unwrap());
		refused(&known, right.clone(), Error::<Runtime>::Busy);
		accepted(&known, Call::leave {});
		refused(&known, right, Error::<Runtime>::Leaving);
	});
}

#[test]
pub fn replenish() {
	chain().execute_with(|| {
		let replenish = Call::replenish {};
		refused(&stranger(), replenish.clone(), Error::<Runtime>::NotRegistered);
		refused(&worker(1), replenish.clone(), Error::<Runtime>::BondComplete);
		refused(&liar(2, 2), replenish.clone(), Error::<Runtime>::Blacklisted);
		let poor = liar(3, 1);
		set_balance(&id(&poor), 100 * MILLI);
		refused(&poor, replenish, TokenError::FundsUnavailable);
	});
}

#[test]
pub fn resume() {
	use dgcs_primitives::api::Standing;
	chain().execute_with(|| {
		let resume = Call::resume {};
		refused(&stranger(), resume.clone(), Error::<Runtime>::NotRegistered);
		refused(&worker(1), resume.clone(), Error::<Runtime>::InGoodStanding);
		refused(&liar(2, 2), resume.clone(), Error::<Runtime>::Blacklisted);

		let liar = liar(3, 1);
		let Some(Standing::Suspended { until }) = Workers::worker(id(&liar)).map(|w| w.standing)
		else {
			panic!("not suspended");
		};
		refused(&liar, resume.clone(), Error::<Runtime>::StillSuspended);
		skip_to(until - 1);
		refused(&liar, resume.clone(), Error::<Runtime>::StillSuspended);
		next_block();
		refused(&liar, resume.clone(), Error::<Runtime>::BondIncomplete);
		accepted(&liar, Call::replenish {});
		accepted(&liar, resume);
	});
}

#[test]
pub fn leave() {
	chain().execute_with(|| {
		let leave = Call::leave {};
		let worker = worker(1);
		refused(&stranger(), leave.clone(), Error::<Runtime>::NotRegistered);
		accepted(&worker, leave.clone());
		refused(&worker, leave, Error::<Runtime>::Leaving);
	});
}

#[test]
pub fn withdraw() {
	chain().execute_with(|| {
		let (_, workers) = leased(one_range());
		let (stranger, leaving, reduced) = (stranger(), &workers[0], &workers[1]);
		let withdraw = |worker: &Pair| Call::withdraw { worker: id(worker) };
		refused(&stranger, withdraw(&stranger), Error::<Runtime>::NotRegistered);
		for who in [&stranger, leaving] {
			refused(who, withdraw(leaving), Error::<Runtime>::NothingToWithdraw);
		}
		accepted(leaving, Call::leave {});
		accepted(reduced, updating(offer(reduced, 1)));
		let Some(due) = Workers::worker(id(leaving)).and_then(|worker| worker.leaving) else {
			panic!("not leaving");
		};
		for who in [&stranger, leaving, reduced] {
			refused(who, withdraw(leaving), Error::<Runtime>::NotDue);
			refused(who, withdraw(reduced), Error::<Runtime>::NotDue);
		}
		// Its lease is over by then, but no block was made in which it could lapse.
		skip_to(due);
		for who in [&stranger, leaving] {
			refused(who, withdraw(leaving), Error::<Runtime>::Busy);
		}
	});
}
