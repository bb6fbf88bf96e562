//! Whatever happens in whatever order, no money is lost and the state is sound.

use dgcs_primitives::{Conduct, Kinds, Workers as _};
use proptest::prelude::*;

use crate::{mock::*, Blacklist, Workers as Records};

#[derive(Clone, Debug)]
enum Step {
	Register(AccountId, u16),
	Update(AccountId, u16),
	Replenish(AccountId),
	Resume(AccountId),
	Leave(AccountId),
	Withdraw(AccountId),
	Rate(AccountId, Conduct),
	Occupy(AccountId),
	Vacate(AccountId),
	Seen(AccountId),
	Advance(u32),
}

fn step() -> impl Strategy<Value = Step> {
	let who = || prop_oneof![6 => 1u64..=3, 1 => Just(POOR)];
	let conduct = prop_oneof![
		6 => Just(Conduct::Agreed),
		2 => Just(Conduct::Dissented),
		1 => Just(Conduct::Withheld),
		3 => (0u32..400).prop_map(|since| Conduct::Lapsed { since }),
	];
	prop_oneof![
		3 => (who(), 0..=MAX_SLOTS + 1).prop_map(|(who, slots)| Step::Register(who, slots)),
		3 => (who(), 0..=MAX_SLOTS + 1).prop_map(|(who, slots)| Step::Update(who, slots)),
		2 => who().prop_map(Step::Replenish),
		2 => who().prop_map(Step::Resume),
		1 => who().prop_map(Step::Leave),
		3 => who().prop_map(Step::Withdraw),
		8 => (who(), conduct).prop_map(|(who, conduct)| Step::Rate(who, conduct)),
		4 => who().prop_map(Step::Occupy),
		4 => who().prop_map(Step::Vacate),
		2 => who().prop_map(Step::Seen),
		4 => (1..=UNBONDING).prop_map(Step::Advance),
	]
}

/// Takes the step, as an extrinsic would: a call that fails changes nothing.
fn take(step: Step) {
	use frame_support::storage::with_storage_layer;
	let signed = RuntimeOrigin::signed;
	let _ = with_storage_layer(|| match step {
		Step::Register(who, slots) => {
			Workers::register(signed(who), who, key(1), capacity(slots), Kinds(1))
		},
		Step::Update(who, slots) => resize(who, slots),
		Step::Replenish(who) => Workers::replenish(signed(who)),
		Step::Resume(who) => Workers::resume(signed(who)),
		Step::Leave(who) => Workers::leave(signed(who)),
		Step::Withdraw(who) => Workers::withdraw(signed(5), who),
		Step::Rate(who, conduct) => {
			rate(who, conduct);
			Ok(())
		},
		Step::Occupy(who) => {
			// The refusal is the other pallets' business.
			let _ = Workers::occupy(&who);
			Ok(())
		},
		Step::Vacate(who) => {
			Workers::vacate(&who);
			Ok(())
		},
		Step::Seen(who) => {
			Workers::seen(&who);
			Ok(())
		},
		Step::Advance(blocks) => {
			advance(blocks);
			Ok(())
		},
	});
}

proptest! {
	#[test]
	fn no_sequence_of_steps_breaks_the_state(
		steps in prop::collection::vec(step(), 1..150),
	) {
		ExtBuilder::default().build_and_execute(|| {
			let issuance = Balances::total_issuance();
			for step in steps {
				let blacklisted: Vec<_> = Blacklist::<Test>::iter_keys().collect();
				take(step);
				Workers::do_try_state().unwrap();
				assert_eq!(Balances::total_issuance() + SlashedTotal::get(), issuance);
				for who in (1..=5).chain([POOR]) {
					match Records::<Test>::get(who) {
						// Never more at stake than the slots that it has, or had lately.
						Some(worker) => {
							assert!(held(who) <= BOND * Balance::from(worker.bonded_slots()));
						},
						// Whoever is not a worker has nothing on hold.
						None => assert_eq!(held(who), 0),
					}
				}
				// Nobody comes off the blacklist, and nobody on it gets work.
				for who in blacklisted {
					assert!(Blacklist::<Test>::contains_key(who));
					assert!(Workers::offer(&who).is_err());
				}
			}
		});
	}
}
