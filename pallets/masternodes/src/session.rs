//! Sessions: who is active in the next one, and what is done at the end of each.

use alloc::vec::Vec;
use frame_support::{
	dispatch::DispatchClass,
	traits::{Get, ValidatorRegistration},
	weights::Weight,
};
use pallet_session::{historical, SessionInterface, SessionManager};
use sp_runtime::traits::Zero;
use sp_staking::{offence::OffenceSeverity, SessionIndex};

use crate::{ActiveCount, Config, Offenders, Pallet, Ranking, Slashed, WeightInfo};

impl<T: Config> Pallet<T> {
	/// The candidates with the highest bonds, as many as may be active, without those who have
	/// no session keys, nor those whom a slash left with less than the smallest bond if there are
	/// enough others. `None` leaves the set as it is: there is no candidate with keys.
	pub(crate) fn plan_session() -> Option<Vec<T::AccountId>> {
		let ranking = Ranking::<T>::get();
		let candidates = u32::try_from(ranking.len()).unwrap_or(u32::MAX);
		Self::note_weight(T::WeightInfo::new_session(candidates));
		let seats = usize::try_from(ActiveCount::<T>::get()).unwrap_or(usize::MAX);
		let needed = usize::try_from(T::MinActive::get()).unwrap_or(usize::MAX);
		let chosen: Vec<_> = ranking
			.into_iter()
			.filter(|(_, who)| T::Session::is_registered(who))
			.take(seats)
			.enumerate()
			.filter(|(rank, (bond, _))| *rank < needed || *bond >= T::MinBond::get())
			.map(|(_, (_, who))| who)
			.collect();
		(!chosen.is_empty()).then_some(chosen)
	}

	/// Disables those once more who offended in the session before: the set of this session had
	/// been chosen when they did.
	pub(crate) fn disable_offenders() {
		let offenders = Offenders::<T>::take();
		let count = u32::try_from(offenders.len()).unwrap_or(u32::MAX);
		Self::note_weight(T::WeightInfo::start_session(count));
		for (who, severity) in offenders {
			T::Session::report_offence(who, OffenceSeverity(severity));
		}
	}

	/// Pays the masternodes, and forgets what can no longer be reported.
	pub(crate) fn close_session(session: SessionIndex) {
		let payees = Self::do_pay_rewards(session);
		Self::note_weight(T::WeightInfo::end_session(payees));
		if let Some(expired) = session.checked_sub(T::ReportSessions::get()) {
			// No more were active in a session than are removed here.
			let _ = Slashed::<T>::clear_prefix(expired, T::MaxActive::get(), None);
			T::Session::prune_up_to(expired.saturating_add(1));
		}
	}

	/// Whether an offence of `session` is too old for its slash to be remembered.
	pub(crate) fn is_expired(session: SessionIndex, current: SessionIndex) -> bool {
		session.saturating_add(T::ReportSessions::get()) < current
	}

	/// The traits through which the pallet is called in hooks return no weight.
	pub(crate) fn note_weight(weight: Weight) {
		if !weight.is_zero() {
			frame_system::Pallet::<T>::register_extra_weight_unchecked(
				weight,
				DispatchClass::Mandatory,
			);
		}
	}
}

impl<T: Config> SessionManager<T::AccountId> for Pallet<T> {
	fn new_session(_: SessionIndex) -> Option<Vec<T::AccountId>> {
		Self::plan_session()
	}

	fn start_session(_: SessionIndex) {
		Self::disable_offenders();
	}

	fn end_session(session: SessionIndex) {
		Self::close_session(session);
	}
}

/// A masternode's full identification is its account: bonds are looked up when they are slashed.
impl<T: Config> historical::SessionManager<T::AccountId, T::AccountId> for Pallet<T> {
	fn new_session(_: SessionIndex) -> Option<Vec<(T::AccountId, T::AccountId)>> {
		let chosen = Self::plan_session()?;
		Some(chosen.into_iter().map(|who| (who.clone(), who)).collect())
	}

	fn start_session(_: SessionIndex) {
		Self::disable_offenders();
	}

	fn end_session(session: SessionIndex) {
		Self::close_session(session);
	}
}
