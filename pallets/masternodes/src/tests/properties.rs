//! Whatever happens, in whatever order: no money is made or lost, and the chain keeps masternodes.

use crate::{mock::*, ActiveCount, Event};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
	Join(AccountId, Balance),
	BondMore(AccountId, Balance),
	Leave(AccountId),
	Withdraw(AccountId),
	SetActiveCount(u32),
	Offence { who: AccountId, percent: u32, sessions_ago: u32 },
	Fee(AccountId, Balance),
	Blocks(AccountId, u64),
	ToggleKeys(AccountId),
}

fn step() -> impl Strategy<Value = Step> {
	let who = 1..=11u64;
	prop_oneof![
		4 => (who.clone(), 50..1_000u128).prop_map(|(who, bond)| Step::Join(who, bond)),
		2 => (who.clone(), 0..500u128).prop_map(|(who, bond)| Step::BondMore(who, bond)),
		3 => who.clone().prop_map(Step::Leave),
		3 => who.clone().prop_map(Step::Withdraw),
		1 => (0..6u32).prop_map(Step::SetActiveCount),
		3 => (who.clone(), 0..=100u32, 0..4u32).prop_map(|(who, percent, sessions_ago)| {
			Step::Offence { who, percent, sessions_ago }
		}),
		2 => (who.clone(), 1..200u128).prop_map(|(who, fee)| Step::Fee(who, fee)),
		6 => (who.clone(), 1..15u64).prop_map(|(who, blocks)| Step::Blocks(who, blocks)),
		1 => who.prop_map(Step::ToggleKeys),
	]
}

fn take(step: Step) {
	let signed = RuntimeOrigin::signed;
	let session = pallet_session::CurrentIndex::<Test>::get();
	// Refusals are part of the game.
	let _ = match step {
		Step::Join(who, bond) => join(who, bond),
		Step::BondMore(who, amount) => Masternodes::bond_more(signed(who), amount),
		Step::Leave(who) => Masternodes::leave(signed(who)),
		Step::Withdraw(who) => Masternodes::withdraw(signed(12), who),
		Step::SetActiveCount(count) => Masternodes::set_active_count(RuntimeOrigin::root(), count),
		Step::Offence { who, percent, sessions_ago } => {
			offend(who, percent, session.saturating_sub(sessions_ago));
			Ok(())
		},
		Step::Fee(who, amount) => {
			if Balances::free_balance(who) > amount + EXISTENTIAL_DEPOSIT {
				pay_fee(who, amount);
			}
			Ok(())
		},
		Step::Blocks(who, blocks) => {
			author_blocks(who, blocks);
			Ok(())
		},
		Step::ToggleKeys(who) => {
			if Session::purge_keys(signed(who)).is_err() {
				set_session_keys(who);
			}
			Ok(())
		},
	};
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

	#[test]
	fn invariants_hold(steps in prop::collection::vec(step(), 1..80)) {
		ExtBuilder::default().build_and_execute(|| {
			let issued = Balances::total_issuance();
			let mut session = 0;
			for step in steps {
				let free_of_offender = match step {
					Step::Offence { who, .. } => Some((who, Balances::free_balance(who))),
					_ => None,
				};
				take(step);
				Masternodes::do_try_state().unwrap();
				assert_eq!(Balances::total_issuance(), issued);
				assert!(ranked().len() as u32 >= MIN_ACTIVE);
				assert!(Balances::free_balance(Masternodes::pot()) >= EXISTENTIAL_DEPOSIT);
				// A slash never reaches what was not bonded.
				if let Some((who, free)) = free_of_offender {
					assert_eq!(Balances::free_balance(who), free);
				}
				for event in events() {
					if let Event::Slashed { amount, .. } = event {
						assert!(amount <= ENDOWMENT);
					}
				}
				assert!(Session::validators().len() as u32 <= 4);
				assert!(ActiveCount::<Test>::get() >= MIN_ACTIVE);
				let now = pallet_session::CurrentIndex::<Test>::get();
				assert!(now >= session);
				session = now;
			}
		});
	}
}
