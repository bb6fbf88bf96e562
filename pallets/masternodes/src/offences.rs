//! Slashing: what a proven offence costs.

use frame_support::{
	traits::{fungible::BalancedHold, OnUnbalanced, ValidatorSet},
	weights::Weight,
};
use pallet_session::SessionInterface;
use sp_runtime::{
	traits::{Saturating, Zero},
	Perbill,
};
use sp_staking::{
	offence::{OffenceDetails, OffenceSeverity, OnOffenceHandler},
	SessionIndex,
};

use crate::{
	Authored, BalanceOf, Candidates, Config, Event, HoldReason, Offenders, Pallet, SlashRecord,
	Slashed, Unbonding, WeightInfo, LOG_TARGET,
};

/// `Identification` is of no use: the offender's account says it all.
impl<T: Config, Identification>
	OnOffenceHandler<T::AccountId, (T::AccountId, Identification), Weight> for Pallet<T>
{
	/// Reporters get nothing. There are at most as many offenders as validators in `session`.
	fn on_offence(
		offenders: &[OffenceDetails<T::AccountId, (T::AccountId, Identification)>],
		fractions: &[Perbill],
		session: SessionIndex,
	) -> Weight {
		let mut weight = Weight::zero();
		for (details, fraction) in offenders.iter().zip(fractions) {
			Self::do_punish(&details.offender.0, *fraction, session);
			weight.saturating_accrue(T::WeightInfo::punish());
		}
		weight
	}
}

impl<T: Config> Pallet<T> {
	/// Slashes `who` for an offence in `session`, disables it, and takes it from the candidates.
	pub(crate) fn do_punish(who: &T::AccountId, fraction: Perbill, session: SessionIndex) {
		if fraction.is_zero() || Self::is_expired(session, T::Session::session_index()) {
			return;
		}
		Self::disable(who, fraction);
		let Some(stake) = Self::stake(who) else { return };
		let mut record = Slashed::<T>::get(session, who).unwrap_or(SlashRecord {
			fraction: Perbill::zero(),
			base: stake,
			taken: Zero::zero(),
		});
		if fraction <= record.fraction {
			return;
		}
		let owed = fraction.mul_ceil(record.base).saturating_sub(record.taken).min(stake);
		let (credit, missing) = T::Currency::slash(&HoldReason::Bond.into(), who, owed);
		Self::on_unbalanced(credit);
		let taken = owed.saturating_sub(missing);
		record.fraction = fraction;
		record.taken = record.taken.saturating_add(taken);
		Slashed::<T>::insert(session, who, record);
		Self::deposit_event(Event::Slashed { who: who.clone(), amount: taken, fraction, session });
		Self::reduce_stake(who, stake.saturating_sub(taken));
	}

	/// What `who` has on hold, bonded or unbonding.
	fn stake(who: &T::AccountId) -> Option<BalanceOf<T>> {
		Candidates::<T>::get(who)
			.map(|candidate| candidate.bond)
			.or_else(|| Unbonding::<T>::get(who).map(|unbonding| unbonding.amount))
	}

	/// Writes down that `rest` is left of the stake of an offender. A candidate is chilled, unless
	/// too few would remain.
	fn reduce_stake(who: &T::AccountId, rest: BalanceOf<T>) {
		match Candidates::<T>::get(who) {
			Some(_) if Self::can_spare_one() => {
				let due = Self::dismiss(who, rest);
				Self::deposit_event(Event::Chilled { who: who.clone(), amount: rest, due });
			},
			Some(mut candidate) => {
				candidate.bond = rest;
				Self::rebond(who, candidate);
			},
			None => Unbonding::<T>::mutate_exists(who, |unbonding| {
				*unbonding = unbonding.take().filter(|_| !rest.is_zero());
				if let Some(unbonding) = unbonding {
					unbonding.amount = rest;
				}
			}),
		}
	}

	/// Disables `who` for the rest of this session, and makes a note to do so in the next. Its share
	/// of the pot goes to the others, or it would get back a part of its own slash.
	fn disable(who: &T::AccountId, severity: Perbill) {
		Authored::<T>::remove(who);
		T::Session::report_offence(who.clone(), OffenceSeverity(severity));
		let active = <T::Session as ValidatorSet<T::AccountId>>::validators();
		if !active.contains(who) {
			return;
		}
		Offenders::<T>::mutate(|offenders| {
			let known = offenders.iter_mut().find(|(other, _)| other == who);
			if let Some((_, highest)) = known {
				*highest = severity.max(*highest);
			} else if offenders.try_push((who.clone(), severity)).is_err() {
				log::warn!(target: LOG_TARGET, "more offenders than masternodes can be active");
			}
		});
	}
}
