//! Owners, workers and masternodes who mean something by what they do, honestly or not, over many
//! blocks. Whatever they do, their tasks end and nobody's money stays where it is of no use.

use std::collections::BTreeMap;

use dgcs_primitives::{
	api::{Capacity, ServiceAddress},
	Commitment, Digests, EncryptionKey, Kinds, Payout, RangeIndex, ResultDigest, Selection,
	TaskEnd, TaskId, TaskKind, TaskSpec, Visibility,
};
use dgcs_runtime::{
	constants::{DAYS, DGC, MICRO, MILLI},
	Balance, Balances, Runtime, RuntimeCall, RuntimeHoldReason, System, Tasks, Verdicts,
};
use frame_support::traits::fungible::InspectHold;
use pallet_verdicts::{Phase, SeatState};
use proptest::{array::uniform7, collection::vec, prelude::*, sample::Index};
use sp_core::{sr25519::Pair, H256};

use crate::{
	attempt, check,
	common::{
		self,
		blocks::{chain, id, key, next_block, past_session_change, skip_to},
		spec, SALT,
	},
	config, rich,
	strategies::hash,
};

/// Keys from which owners, workers and masternodes have theirs.
const OWNERS: std::ops::Range<u32> = 0..3;
const WORKERS: std::ops::Range<u32> = 10..17;
const MASTERNODES: std::ops::Range<u32> = 20..25;

/// Two workers have this operator.
const OPERATOR: u32 = 15;

/// What a worker says that it found.
#[derive(Clone, Copy, Debug)]
enum Finding {
	/// What everybody finds who computes it.
	Right,
	/// The same lie for all subtasks, of which there are a few.
	Lie(u8),
	/// A lie for the first subtask alone.
	OneLie(u8),
	/// What another worker has committed to, unseen.
	Copied,
}

/// What somebody does.
#[derive(Clone, Debug)]
enum Action {
	Submit(u32, Box<TaskSpec<Balance>>),
	Fund(u32, Index, Balance),
	Cancel(u32, Index),
	Settle(u32, Index),
	Refund(u32, Index, u32),
	Take(u32, u16),
	AllTake(u16),
	Vote(u32, Finding),
	AllVote(Box<[Finding; 7]>),
	Expire(u32, Index, u32),
	Worker(u32, pallet_workers::Call<Runtime>),
	Masternode(u32, pallet_masternodes::Call<Runtime>),
	Blocks(u32),
	/// Blocks in which there was no room for anything.
	FullBlocks(u32),
}

fn action() -> impl Strategy<Value = Action> {
	use Action::*;
	let task = any::<Index>;
	prop_oneof![
		5 => (OWNERS, modest_spec()).prop_map(|(who, spec)| Submit(who, Box::new(spec))),
		2 => (anybody(), task(), amount()).prop_map(|(who, task, amount)| Fund(who, task, amount)),
		1 => (OWNERS, task()).prop_map(|(who, task)| Cancel(who, task)),
		1 => (anybody(), task()).prop_map(|(who, task)| Settle(who, task)),
		1 => (anybody(), task(), anybody()).prop_map(|(who, task, to)| Refund(who, task, to)),
		3 => (WORKERS, 1..8u16).prop_map(|(who, slots)| Take(who, slots)),
		5 => (1..5u16).prop_map(AllTake),
		5 => (WORKERS, finding()).prop_map(|(who, finding)| Vote(who, finding)),
		7 => uniform7(finding()).prop_map(|findings| AllVote(Box::new(findings))),
		1 => (anybody(), task(), 0..4u32).prop_map(|(who, task, range)| Expire(who, task, range)),
		3 => (WORKERS, worker_call()).prop_map(|(who, call)| Worker(who, call)),
		2 => (MASTERNODES, masternode_call()).prop_map(|(who, call)| Masternode(who, call)),
		8 => (1..6u32).prop_map(Blocks),
		2 => (1..40u32).prop_map(Blocks),
		1 => (1..200u32).prop_map(FullBlocks),
	]
}

fn anybody() -> impl Strategy<Value = u32> {
	prop_oneof![OWNERS, WORKERS, MASTERNODES]
}

fn amount() -> impl Strategy<Value = Balance> {
	prop_oneof![1..100 * DGC, 1..DGC, Just(10 * MILLI)]
}

fn finding() -> impl Strategy<Value = Finding> {
	prop_oneof![
		6 => Just(Finding::Right),
		2 => (0..3u8).prop_map(Finding::Lie),
		1 => (0..3u8).prop_map(Finding::OneLie),
		1 => Just(Finding::Copied),
	]
}

/// A task small enough to end within a test.
fn modest_spec() -> impl Strategy<Value = TaskSpec<Balance>> {
	let payout = prop_oneof![
		2 => Just(Payout::Pps),
		1 => (15..33u32).prop_map(|window| Payout::Pplns { window }),
	];
	let visibility = prop_oneof![Just(Visibility::Private), Just(Visibility::Public)];
	let selection = prop_oneof![9 => Just(Selection::Any), 1 => Just(Selection::Proven)];
	let size = (1..24u32, 1..6u32);
	let seats = (prop_oneof![3 => Just(3u8), 1 => Just(5u8)], 0..4u8);
	let time = (1..50u32, 61..200u32);
	let reward = prop_oneof![MICRO..100 * MICRO, MILLI..DGC];
	(size, seats, time, reward, payout, visibility, selection).prop_map(
		|(size, seats, time, reward, payout, visibility, selection)| TaskSpec {
			subtasks: size.0,
			range_size: size.1,
			replicas: seats.0,
			max_replicas: seats.0 + seats.1,
			queue_timeout: time.0,
			run_timeout: time.1,
			reward,
			payout,
			visibility,
			selection,
			..spec()
		},
	)
}

fn worker_call() -> impl Strategy<Value = pallet_workers::Call<Runtime>> {
	use pallet_workers::Call;
	prop_oneof![
		(WORKERS, 1..20u16).prop_map(|(operator, slots)| {
			let pallet_workers::Call::register { key, kinds, .. } = registration(operator) else {
				unreachable!("it registers");
			};
			let capacity = Capacity { slots, memory_mib: 1024 };
			Call::update { operator: id(&crate::key(operator)), key, capacity, kinds }
		}),
		WORKERS.prop_map(registration),
		Just(Call::replenish {}),
		Just(Call::resume {}),
		Just(Call::leave {}),
		WORKERS.prop_map(|who| Call::withdraw { worker: id(&key(who)) }),
	]
}

fn registration(operator: u32) -> pallet_workers::Call<Runtime> {
	pallet_workers::Call::register {
		operator: id(&key(operator)),
		key: EncryptionKey(H256::repeat_byte(9)),
		capacity: Capacity { slots: common::SLOTS, memory_mib: 1024 },
		kinds: Kinds::from(TaskKind::Compute),
	}
}

fn masternode_call() -> impl Strategy<Value = pallet_masternodes::Call<Runtime>> {
	use pallet_masternodes::Call;
	prop_oneof![
		3 => (1_000..9_000u128).prop_map(|bond| joining(bond * DGC)),
		1 => amount().prop_map(|amount| Call::bond_more { amount }),
		1 => hash().prop_map(|key| Call::update { key: EncryptionKey(key), address: address() }),
		2 => Just(Call::leave {}),
		1 => MASTERNODES.prop_map(|who| Call::withdraw { who: id(&crate::key(who)) }),
	]
}

fn joining(bond: Balance) -> pallet_masternodes::Call<Runtime> {
	let key = EncryptionKey(H256::repeat_byte(4));
	pallet_masternodes::Call::join { bond, key, address: address() }
}

fn address() -> ServiceAddress {
	ServiceAddress::truncate_from(b"http://a".to_vec())
}

/// What the people remember, and what was seen of the tasks.
#[derive(Default)]
struct World {
	/// What a worker will reveal of a range.
	committed: BTreeMap<(u32, TaskId, RangeIndex), Digests>,
	/// What was paid into each task.
	deposited: BTreeMap<TaskId, Balance>,
}

impl World {
	fn new() -> Self {
		OWNERS.chain(WORKERS).chain(MASTERNODES).for_each(|number| drop(rich(number)));
		for worker in WORKERS {
			let operator = if worker == OPERATOR + 1 { OPERATOR } else { worker };
			assert!(does(worker, registration(operator)));
		}
		for who in MASTERNODES.skip(1) {
			assert!(does(who, joining(2_000 * DGC)));
		}
		Self::default()
	}

	fn play(&mut self, action: Action) {
		use pallet_tasks::Call;
		match action {
			Action::Submit(who, spec) => sends(who, Call::submit { spec: *spec }),
			Action::Fund(who, task, amount) => sends(who, Call::fund { task: named(task), amount }),
			Action::Cancel(who, task) => sends(who, Call::cancel { task: named(task) }),
			Action::Settle(who, task) => sends(who, Call::settle { task: named(task) }),
			Action::Refund(who, task, to) => {
				let (task, funder) = (named(task), id(&key(to)));
				sends(who, pallet_escrow::Call::refund { task, funder });
			},
			Action::Take(who, slots) => sends(who, Call::take { slots }),
			Action::AllTake(slots) => WORKERS.for_each(|who| sends(who, Call::take { slots })),
			Action::Vote(who, finding) => self.vote(who, finding),
			Action::AllVote(findings) => {
				// Who has committed may reveal as soon as all others have.
				for (who, finding) in WORKERS.zip(*findings).chain(WORKERS.zip(*findings)) {
					self.vote(who, finding);
				}
			},
			Action::Expire(who, task, range) => {
				let (task, range) = (named(task), RangeIndex(range));
				sends(who, pallet_verdicts::Call::expire { task, range });
			},
			Action::Worker(who, call) => sends(who, call),
			Action::Masternode(who, call) => sends(who, call),
			Action::Blocks(count) => (0..count).for_each(|_| self.pass()),
			Action::FullBlocks(count) => skip_to(System::block_number() + count),
		}
		self.observe();
	}

	fn pass(&mut self) {
		next_block();
		check();
	}

	/// Notes what was paid into the tasks.
	fn observe(&mut self) {
		let tasks = pallet_tasks::Tasks::<Runtime>::iter();
		self.deposited.extend(tasks.map(|(id, task)| (id, task.deposited)));
	}

	/// Commits or reveals, whichever is the worker's turn, wherever it has a seat.
	fn vote(&mut self, who: u32, finding: Finding) {
		let account = id(&key(who));
		for (task, index, range) in pallet_verdicts::Ranges::<Runtime>::iter().collect::<Vec<_>>() {
			let Some(seat) = range.seats.iter().find(|seat| seat.worker == account) else {
				continue;
			};
			match (seat.state, range.phase) {
				(SeatState::Leased { .. }, _) => self.commit(who, task, index, finding),
				(SeatState::Committed(_), Phase::Reveal { .. }) => {
					self.reveal(who, task, index, finding)
				},
				_ => (),
			}
		}
	}

	fn commit(&mut self, who: u32, task: TaskId, range: RangeIndex, finding: Finding) {
		let Some(state) = Verdicts::range(task, range) else { return };
		let copied = state.seats.iter().find_map(|seat| match seat.state {
			SeatState::Committed(commitment) => Some(commitment),
			_ => None,
		});
		let digests = found(task, range, finding);
		let own = common::commitment(task, range, state.round, &id(&key(who)), &digests);
		let commitment = match finding {
			Finding::Copied => copied.unwrap_or(Commitment::default()),
			_ => own,
		};
		if does(who, pallet_verdicts::Call::commit { task, range, commitment }) {
			self.committed.insert((who, task, range), digests);
		}
	}

	/// Reveals what was committed to, or else what is found now.
	fn reveal(&mut self, who: u32, task: TaskId, range: RangeIndex, finding: Finding) {
		let digests = match (finding, self.committed.get(&(who, task, range))) {
			(Finding::Right, Some(committed)) => committed.clone(),
			_ => found(task, range, finding),
		};
		sends(who, pallet_verdicts::Call::reveal { task, range, digests, salt: SALT });
	}

	/// Nobody does anything any more, until every task has ended and what it left is gone.
	fn rest(&mut self) {
		for _ in 0..300 {
			self.pass();
			if left_behind().iter().all(|(_, entries)| *entries == 0) {
				break;
			}
		}
		let live: Vec<_> = pallet_tasks::Tasks::<Runtime>::iter().collect();
		assert!(live.is_empty(), "stuck: {live:?}");
		let left: Vec<_> = left_behind().into_iter().filter(|(_, entries)| *entries > 0).collect();
		assert!(left.is_empty(), "left behind: {left:?}");
		for worker in pallet_workers::Workers::<Runtime>::iter_values() {
			assert_eq!(worker.busy, 0, "a slot is taken for nothing");
		}
	}

	/// Every task was settled to the last unit, and nothing is on hold for any.
	fn account_for_everything(&self) {
		for number in OWNERS.chain(WORKERS).chain(MASTERNODES) {
			let reason = RuntimeHoldReason::from(pallet_escrow::HoldReason::Task);
			assert_eq!(Balances::balance_on_hold(&reason, &id(&key(number))), 0);
		}
		let submitted = pallet_tasks::NextTaskId::<Runtime>::get();
		assert_eq!(self.deposited.len() as u64, submitted);
		for (task, deposited) in &self.deposited {
			let sums = Tasks::settlement(*task).unwrap().sums;
			assert_eq!(sums.paid + sums.masternodes + sums.refunded, *deposited);
		}
	}

	/// Every worker leaves and has all its money back in the end.
	fn go_home(&self) {
		let workers = || {
			WORKERS.filter(|who| pallet_workers::Workers::<Runtime>::contains_key(id(&key(*who))))
		};
		past_session_change();
		workers().for_each(|who| sends(who, pallet_workers::Call::leave {}));
		skip_to(System::block_number() + 32 * DAYS);
		past_session_change();
		for who in workers() {
			assert!(does(who, pallet_workers::Call::withdraw { worker: id(&key(who)) }));
		}
		for who in WORKERS {
			assert_eq!(Balances::reserved_balance(id(&key(who))), 0);
		}
	}
}

/// Everything that there is no more of when there are no tasks.
fn left_behind() -> [(&'static str, usize); 13] {
	[
		("tasks", pallet_tasks::Tasks::<Runtime>::iter().count()),
		("places", pallet_tasks::Places::<Runtime>::iter().count()),
		("windows", pallet_tasks::Windows::<Runtime>::iter().count()),
		("backlog", pallet_tasks::Backlog::<Runtime>::iter().count()),
		("asks", pallet_tasks::Asks::<Runtime>::iter().count()),
		("ranges", pallet_verdicts::Ranges::<Runtime>::iter().count()),
		("answers", pallet_verdicts::Answers::<Runtime>::iter().count()),
		("blocks", pallet_verdicts::Blocks::<Runtime>::iter().count()),
		("closing", pallet_verdicts::Closing::<Runtime>::iter().count()),
		("agenda", pallet_verdicts::Agenda::<Runtime>::iter().count()),
		("ledgers", pallet_escrow::Ledgers::<Runtime>::iter().count()),
		("contributions", pallet_escrow::Contributions::<Runtime>::iter().count()),
		("refunds", pallet_escrow::RefundQueue::<Runtime>::iter().count()),
	]
}

/// Has somebody send the call, with or without success.
fn sends(who: u32, call: impl Into<RuntimeCall>) {
	let _accepted = does(who, call);
}

/// Has somebody send the call, and says whether it was accepted.
fn does(who: u32, call: impl Into<RuntimeCall>) -> bool {
	let who: Pair = key(who);
	attempt(&who, call)
}

/// One of the tasks that were ever submitted.
fn named(task: Index) -> TaskId {
	let submitted = pallet_tasks::NextTaskId::<Runtime>::get() as usize;
	TaskId(task.index(submitted.max(1)) as u64)
}

/// What a worker says that it found in the range's open subtasks.
fn found(task: TaskId, range: RangeIndex, finding: Finding) -> Digests {
	let size = Tasks::task(task).map_or(1, |task| task.spec.range_size);
	let mut digests = common::honest(task, range, size);
	let lie = |lie: u8| ResultDigest(H256::repeat_byte(lie));
	match finding {
		Finding::Right | Finding::Copied => (),
		Finding::Lie(number) => digests.iter_mut().for_each(|digest| *digest = lie(number)),
		Finding::OneLie(number) => digests.iter_mut().take(1).for_each(|d| *d = lie(number)),
	}
	Digests::truncate_from(digests)
}

proptest! {
	#![proptest_config(config(45))]

	#[test]
	fn whatever_people_do_every_task_ends(actions in vec(action(), 20..150)) {
		chain().execute_with(|| {
			let mut world = World::new();
			actions.into_iter().for_each(|action| world.play(action));
			world.rest();
			world.account_for_everything();
			world.go_home();
			check();
		});
	}
}

/// Such people can get something done.
#[test]
fn honest_people_complete_a_task() {
	chain().execute_with(|| {
		let mut world = World::new();
		world.play(Action::Submit(0, Box::new(spec())));
		for _ in 0..4 {
			world.play(Action::AllTake(1));
			world.play(Action::Blocks(3));
			world.play(Action::AllVote(Box::new([Finding::Right; 7])));
		}
		world.rest();
		world.account_for_everything();
		let settlement = Tasks::settlement(TaskId(0)).unwrap();
		assert_eq!((settlement.end, settlement.chain.agreed), (TaskEnd::Completed, 10));
	});
}
