//! What a worker's conduct does to its reputation, its bond and its standing.

use dgcs_primitives::{api::Standing, Conduct};
use frame_support::traits::{fungible::BalancedHold, Get, Imbalance, OnUnbalanced};
use sp_runtime::traits::{Saturating, Zero};

use crate::{
	reputation::Judgement, BalanceOf, Blacklist, Config, Event, Fault, HoldReason, Pallet, Reason,
	WorkerOf, Workers, LOG_TARGET,
};

impl<T: Config> Pallet<T> {
	/// Rates a worker. One that is gone is beyond reach, and none should be: `UnbondingPeriod` is
	/// longer than any vote.
	pub(crate) fn do_rate(who: &T::AccountId, conduct: Conduct) {
		let Some(mut worker) = Workers::<T>::get(who) else {
			log::warn!(target: LOG_TARGET, "{who:?} is no worker and is rated: {conduct:?}");
			return;
		};
		match worker.fault(conduct) {
			None => {
				worker.reputation.succeed();
				worker.good_run = worker.good_run.saturating_add(1);
			},
			Some(fault) => Self::punish(who, &mut worker, fault),
		}
		Workers::<T>::insert(who, worker);
	}

	fn punish(who: &T::AccountId, worker: &mut WorkerOf<T>, fault: Fault) {
		let judgement = worker.count(fault);
		if judgement.is_some() {
			let score = worker.score(fault).into_clamped_perthing();
			Self::deposit_event(Event::Faulted { worker: who.clone(), fault, score });
		}
		Self::slash(who, worker, fault);
		match judgement {
			Some(Judgement::Blacklist) => Self::blacklist(who, worker),
			Some(Judgement::Suspend) => {
				let until = Self::now().saturating_add(T::SuspensionPeriod::get());
				Self::suspend(who, worker, until, Reason::Score(fault));
			},
			Some(Judgement::Tolerated) | None => (),
		}
		let least = T::MinBondShare::get().mul_ceil(Self::required_bond(worker.capacity.slots));
		if worker.standing == Standing::Good && worker.bond < least {
			Self::suspend(who, worker, Self::now(), Reason::Bond);
		}
	}

	/// What a fault costs. A wrong result puts the whole bond at risk, since one lie is no better
	/// for being told by a large machine. A lapsed lease costs by the slot that it took, so that
	/// one crash costs a large machine no larger a share than a small one.
	pub(crate) fn penalty(worker: &WorkerOf<T>, fault: Fault) -> BalanceOf<T> {
		match fault {
			Fault::Dissented | Fault::Withheld => {
				T::WrongSlash::get().mul_ceil(Self::required_bond(worker.bonded_slots()))
			},
			Fault::Silent => T::SilentSlash::get().mul_ceil(T::Bond::get()),
			Fault::Offline => T::OfflineSlash::get().mul_ceil(T::Bond::get()),
		}
	}

	fn slash(who: &T::AccountId, worker: &mut WorkerOf<T>, fault: Fault) {
		let amount = Self::penalty(worker, fault).min(worker.bond);
		if amount.is_zero() {
			return;
		}
		let (credit, _) = T::Currency::slash(&HoldReason::Bond.into(), who, amount);
		let amount = credit.peek();
		worker.bond = worker.bond.saturating_sub(amount);
		T::Slashed::on_unbalanced(credit);
		Self::deposit_event(Event::Slashed { worker: who.clone(), amount, fault });
	}

	/// Suspends until `until`, or longer if a suspension that is on ends later.
	fn suspend(who: &T::AccountId, worker: &mut WorkerOf<T>, until: u32, reason: Reason) {
		let until = match worker.standing {
			Standing::Blacklisted => return,
			Standing::Suspended { until: before } if before >= until => return,
			Standing::Suspended { .. } | Standing::Good => until,
		};
		worker.standing = Standing::Suspended { until };
		Self::deposit_event(Event::Suspended { worker: who.clone(), until, reason });
	}

	fn blacklist(who: &T::AccountId, worker: &mut WorkerOf<T>) {
		if worker.standing != Standing::Blacklisted {
			worker.standing = Standing::Blacklisted;
			Blacklist::<T>::insert(who, Self::now());
			Self::deposit_event(Event::Blacklisted { worker: who.clone() });
		}
	}
}
