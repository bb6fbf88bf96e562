//! No unit is lost or made, whatever happens in whatever order.

use super::*;
use std::collections::BTreeSet;

use frame_support::{
	traits::{fungible::Inspect as _, fungible::Mutate as _, tokens::Preservation::Expendable},
	weights::Weight,
};
use proptest::prelude::*;
use sp_runtime::{traits::AtLeast32BitUnsigned, Perbill, StateVersion};

/// Anything that can happen to the money.
#[derive(Clone, Debug)]
enum Step {
	Open(TaskId, u64, Balance, Payout),
	Add(TaskId, u64, Balance),
	Pay(TaskId, Balance, Vec<(u64, u32)>),
	Close(TaskId),
	Refund(TaskId, u64),
	/// As much weight as so many refunds take.
	Idle(u32),
	/// An account sends away all that it can, and may die.
	Leave(u64),
	/// The rate changes.
	Rate(Perbill),
}

/// How many tasks there may be in a history.
const TASKS: u64 = 8;

/// Few at a time, so that much happens to each.
fn task() -> impl Strategy<Value = TaskId> {
	(0..TASKS).prop_map(TaskId)
}

fn owner() -> impl Strategy<Value = u64> {
	prop_oneof![Just(ALICE), Just(BOB)]
}

fn funder() -> impl Strategy<Value = u64> {
	prop_oneof![1 => Just(ALICE), 3 => Just(CAROL), 3 => Just(DAVE), 3 => Just(EVE)]
}

/// Crumbs, sums, and more than anybody has.
fn amount() -> impl Strategy<Value = Balance> {
	prop_oneof![
		6 => 0..500u128,
		24 => 500..50_000u128,
		1 => 0..ENDOWMENT * 2,
		1 => Just(u128::MAX)
	]
}

fn payout() -> impl Strategy<Value = Payout> {
	prop_oneof![
		8 => Just(Payout::Pps),
		8 => (1u32..8).prop_map(|window| Payout::Pplns { window }),
		1 => (0u32..40).prop_map(|window| Payout::Pplns { window }),
	]
}

fn credits() -> impl Strategy<Value = Vec<(u64, u32)>> {
	let payee = prop_oneof![12 => 11..18u64, 1 => Just(ALICE), 1 => Just(CAROL), 1 => Just(POT)];
	let results = prop_oneof![60 => 0..65u32, 1 => any::<u32>()];
	proptest::collection::vec((payee, results), 0..6)
}

/// What happens to one task.
fn step_of(task: TaskId) -> impl Strategy<Value = Step> {
	prop_oneof![
		2 => (owner(), amount(), payout()).prop_map(move |(o, a, p)| Step::Open(task, o, a, p)),
		5 => (funder(), amount()).prop_map(move |(f, a)| Step::Add(task, f, a)),
		5 => (0..60u128, credits()).prop_map(move |(r, c)| Step::Pay(task, r, c)),
		1 => (amount(), credits()).prop_map(move |(r, c)| Step::Pay(task, r, c)),
		1 => Just(Step::Close(task)),
		3 => funder().prop_map(move |f| Step::Refund(task, f)),
	]
}

/// What happens to any task, or to all.
fn step() -> impl Strategy<Value = Step> {
	let rate = (0..=1_000_000_000u32).prop_map(Perbill::from_parts);
	let account = prop_oneof![funder(), 11..18u64];
	prop_oneof![
		40 => task().prop_flat_map(step_of),
		2 => (0u32..4).prop_map(Step::Idle),
		1 => account.prop_map(Step::Leave),
		1 => rate.prop_map(Step::Rate),
	]
}

/// The usual beginning: a task that several people pay for.
fn opening() -> impl Strategy<Value = Vec<Step>> {
	let funds = proptest::collection::vec((funder(), 100..50_000u128), 0..4);
	(task(), owner(), 100..200_000u128, payout(), funds).prop_map(
		|(task, owner, own, payout, funds)| {
			let adds = funds.into_iter().map(|(funder, amount)| Step::Add(task, funder, amount));
			[Step::Open(task, owner, own, payout)].into_iter().chain(adds).collect()
		},
	)
}

fn history() -> impl Strategy<Value = Vec<Step>> {
	let part = prop_oneof![1 => opening(), 6 => step().prop_map(|step| vec![step])];
	proptest::collection::vec(part, 1..150).prop_map(|parts| parts.concat())
}

/// Names the storage as it is now.
fn root() -> Vec<u8> {
	sp_io::storage::root(StateVersion::V1)
}

/// What the payees got, as the pallet told.
fn paid(made: &[(u64, Balance)]) -> Balance {
	made.iter().map(|(_, amount)| amount).sum()
}

/// Does the step. Says whether it was accepted; one that was not must have changed nothing.
fn apply(step: &Step) -> bool {
	match step {
		Step::Open(task, owner, amount, payout) => {
			Money::open(*task, owner, *amount, *payout).is_ok()
		},
		Step::Add(task, funder, amount) => add(*task, *funder, *amount).is_ok(),
		Step::Pay(task, reward, credits) => {
			let before = Escrow::ledger(*task);
			// What a payee can't receive goes to the pot, if there is one by then.
			let pot_exists = Balances::balance(&POT) >= ED;
			let Ok(made) = pay(*task, *reward, credits) else { return false };
			let (before, after) = (before.unwrap(), Escrow::ledger(*task).unwrap());
			assert_eq!(after.paid, before.paid + paid(&made));
			// Never more than was earned, and under PPS, exactly what was.
			let due: Balance = credits.iter().map(|(_, n)| reward * Balance::from(*n)).sum();
			let left_escrow = before.held() - after.held();
			assert!(left_escrow <= due);
			if before.payout == Payout::Pps && pot_exists {
				assert_eq!(left_escrow, due);
			}
			assert!(after.shares >= before.shares);
			true
		},
		Step::Close(task) => {
			let before = Escrow::ledger(*task);
			let Ok(sums) = Money::close(*task) else { return false };
			let before = before.unwrap();
			assert_eq!(sums.paid, before.paid);
			assert_eq!(sums.paid + sums.masternodes + sums.refunded, before.deposited);
			true
		},
		Step::Refund(task, funder) => {
			Escrow::refund(RuntimeOrigin::signed(EVE), *task, *funder).is_ok()
		},
		Step::Idle(refunds) => {
			let weight = <()>::drain_base() + <()>::drain_step() * u64::from(*refunds);
			assert!(idle(weight).all_lte(weight));
			true
		},
		Step::Leave(account) => {
			let all = Balances::reducible_balance(
				account,
				Expendable,
				frame_support::traits::tokens::Fortitude::Polite,
			);
			Balances::transfer(account, &BOB, all, Expendable).is_ok()
		},
		Step::Rate(rate) => {
			MasternodeShare::set(*rate);
			true
		},
	}
}

fn run(pot: Balance, steps: Vec<Step>) {
	ExtBuilder::default().endow(POT, pot).build_and_execute(|| {
		let issuance = Balances::total_issuance();
		let mut opened = BTreeSet::new();
		for step in &steps {
			// A task id is never used again.
			if matches!(step, Step::Open(task, ..) if opened.contains(task)) {
				continue;
			}
			let before = root();
			let accepted = apply(step);
			if let (true, Step::Open(task, ..)) = (accepted, step) {
				opened.insert(*task);
			}
			if !accepted && !matches!(step, Step::Leave(_)) {
				assert_eq!(root(), before, "{step:?} failed, yet changed");
			}
			Escrow::do_try_state().unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
			assert_eq!(all_balances(), issuance);
			assert_eq!(Balances::total_issuance(), issuance);
		}
		for task in 0..TASKS {
			let _ = Money::close(TaskId(task));
		}
		idle_until_drained();
		assert_nothing_left();
		let free: Balance =
			frame_system::Account::<Test>::iter().map(|(_, account)| account.data.free).sum();
		assert_eq!(free, issuance);
		idle(Weight::MAX);
	});
}

fn check_parts<Balance: AtLeast32BitUnsigned + Copy + core::fmt::Debug>(
	remainder: Balance,
	deposited: Balance,
	contributions: &[Balance],
) {
	let parts = contributions
		.iter()
		.map(|contribution| types::part(remainder, *contribution, deposited))
		.fold(Balance::zero(), |sum, part| sum + part);
	let others = contributions.iter().fold(Balance::zero(), |sum, amount| sum + *amount);
	let left = types::part(remainder, others, deposited);
	assert!(parts <= left && left <= remainder);
	// Rounding takes less than one unit from each.
	assert!(left - parts <= Balance::from(contributions.len() as u32));
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

	#[test]
	fn no_history_loses_or_makes_a_unit(
		pot in prop_oneof![3 => Just(ED), 1 => Just(0)],
		steps in history(),
	) {
		run(pot, steps);
	}

	#[test]
	fn parts_never_exceed_the_whole(
		own in 1..u128::MAX / 20,
		contributions in proptest::collection::vec(1..u128::MAX / 20, 0..16),
		spent in 0.0..1.0f64,
	) {
		let deposited = contributions.iter().sum::<u128>() + own;
		let remainder = deposited - Perbill::from_float(spent).mul_floor(deposited);
		check_parts(remainder, deposited, &contributions);
	}
}
