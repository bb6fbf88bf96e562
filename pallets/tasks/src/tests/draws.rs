//! The line, and who is drawn what.

use dgcs_primitives::{
	api::TaskState,
	doubles::{TestJudge, TestWorkers},
	Kinds, Offer, RangeIndex, Refusal, Selection, TaskBook, TaskId, TaskSpec, Visibility, Workers,
};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::WeightMeter};

use crate::{mock::*, types::*, Asking, Asks, Error, Event, Line, WeightInfo, Windows};

type Spec = TaskSpec<Balance>;

fn offer(operator: Account) -> Offer<Account> {
	let kinds = Kinds(7);
	Offer { operator, kinds, memory_mib: 4096, room: 8, proven: false }
}

/// Who sits where, as `(range, worker)`.
fn seats(task: TaskId) -> Vec<(u32, Account)> {
	TestJudge::votes(task).unwrap().seats.iter().map(|seat| (seat.0 .0, seat.1)).collect()
}

fn ask_fails(worker: Account, slots: u16, error: Error<Test>) {
	assert_noop!(Tasks::take(RuntimeOrigin::signed(worker), slots), error);
}

#[test]
fn take_works() {
	ExtBuilder::default().workers(1, 4).build_and_execute(|| {
		let id = submit(1, spec());
		events();
		take(101, 2);
		assert_eq!(events(), [Event::Asked { worker: 101, slots: 2 }]);
		assert!(Tasks::is_asking(101));
		assert_eq!(Tasks::line().waiting, 1);

		// Not in the next block: its seed could be known when the worker asked.
		run_to(2);
		assert_eq!(events(), []);
		run_to(3);
		let seats = TestJudge::votes(id).unwrap().seats;
		assert_eq!(seats.len(), 2);
		assert_ne!(seats[0].0, seats[1].0);
		// Two subtasks of one block each, and the slack.
		let until = 3 + 2 + 10;
		let leased = |range| Event::Leased { task: id, range, worker: 101, until };
		assert_eq!(
			events(),
			[
				Event::Started { task: id, due: 203 },
				leased(seats[0].0),
				leased(seats[1].0),
				Event::Served { worker: 101, leased: 2 },
			]
		);
		let task = Tasks::task(id).unwrap();
		assert_eq!((task.state, task.due, task.begun), (TaskState::Running, 203, 2));
		assert_eq!(TestWorkers::offer(&101).unwrap().room, 2);
		assert!(!Tasks::is_asking(101));
		for open in Windows::<Test>::get(id) {
			let taken = seats.iter().any(|seat| seat.0 == open.range);
			assert_eq!((open.seats, open.fresh), if taken { (2, false) } else { (3, true) });
		}
	});
}

#[test]
fn the_draw_waits_for_randomness() {
	ExtBuilder::default().workers(1, 4).build_and_execute(|| {
		let id = submit(1, spec());
		take(101, 1);
		set_seed(None);
		run_to(9);
		assert_eq!(seats(id), []);
		set_seed(Some(1));
		run_to(10);
		assert_eq!(seats(id).len(), 1);
	});
}

#[test]
fn the_seed_decides_and_not_the_worker() {
	let drawn = |seed, worker: Account| {
		let mut ext = ExtBuilder::default().workers(9, 4).build();
		ext.execute_with(|| {
			set_seed(Some(seed));
			let id = submit(1, Spec { subtasks: 32, ..spec() });
			take(worker, 1);
			run_to(3);
			seats(id)[0].0
		})
	};
	let by_seed: std::collections::BTreeSet<_> = (0..64).map(|seed| drawn(seed, 101)).collect();
	assert!(by_seed.len() > 12, "{by_seed:?}");
	assert_eq!(drawn(5, 101), drawn(5, 101));
}

#[test]
fn take_is_refused_with_the_reason() {
	ExtBuilder::default().workers(70, 4).build_and_execute(|| {
		ask_fails(101, 0, Error::SlotsOutOfRange);
		ask_fails(101, 65, Error::SlotsOutOfRange);
		ask_fails(101, u16::MAX, Error::SlotsOutOfRange);
		ask_fails(101, 5, Error::TooManySlots);
		ask_fails(9, 1, Error::NotRegistered);
		for (refusal, error) in [
			(Refusal::NotRegistered, Error::NotRegistered),
			(Refusal::Suspended, Error::Suspended),
			(Refusal::Blacklisted, Error::Blacklisted),
			(Refusal::Leaving, Error::Leaving),
			(Refusal::NoFreeSlot, Error::NoFreeSlot),
			(Refusal::QueueEmpty, Error::Refused),
		] {
			TestWorkers::set(9, Err(refusal));
			ask_fails(9, 1, error);
		}
		TestWorkers::add(9, 9, 0);
		ask_fails(9, 1, Error::NoFreeSlot);

		take(101, 1);
		ask_fails(101, 1, Error::AlreadyAsking);
		(102..165).for_each(|worker| take(worker, 1));
		ask_fails(165, 1, Error::LineFull);
		assert_eq!(Tasks::line(), LineView { waiting: 64, room: 64 });
		run_to(3);
		assert_eq!(Tasks::line().waiting, 0);
		assert_eq!(Asking::<Test>::iter().count(), 0);
		take(165, 1);
	});
}

#[test]
fn nothing_found_says_the_most_telling_reason() {
	let reason = |offer: Result<Offer<Account>, Refusal>, specs: Vec<Spec>| {
		let mut reason = None;
		ExtBuilder::default().workers(1, 8).build_and_execute(|| {
			specs.into_iter().for_each(|spec| {
				submit(1, spec);
			});
			take(101, 1);
			TestWorkers::set(101, offer);
			events();
			run_to(3);
			match events().as_slice() {
				[Event::NothingFound { worker: 101, reason: met }] => reason = Some(*met),
				events => assert!(matches!(events.last(), Some(Event::Served { .. }))),
			}
		});
		reason
	};
	let proven = Spec { selection: Selection::Proven, ..spec() };
	let large = Spec {
		limits: dgcs_primitives::SubtaskLimits { memory_mib: 2048, ..spec().limits },
		..spec()
	};
	let small = Offer { memory_mib: 1024, ..offer(101) };
	assert_eq!(reason(Ok(offer(101)), vec![]), Some(Refusal::QueueEmpty));
	assert_eq!(reason(Ok(offer(101)), vec![proven.clone()]), Some(Refusal::NotProven));
	assert_eq!(reason(Ok(Offer { proven: true, ..offer(101) }), vec![proven.clone()]), None);
	assert_eq!(reason(Ok(small.clone()), vec![large.clone()]), Some(Refusal::NotEnoughMemory));
	assert_eq!(reason(Ok(small), vec![large, proven.clone()]), Some(Refusal::NotProven));
	let store = Offer { kinds: Kinds(2), ..offer(101) };
	assert_eq!(reason(Ok(store), vec![spec()]), Some(Refusal::KindNotOffered));
	let busy = Offer { room: 0, ..offer(101) };
	assert_eq!(reason(Ok(busy), vec![spec()]), Some(Refusal::NoFreeSlot));
	for refusal in [Refusal::Suspended, Refusal::Blacklisted, Refusal::Leaving] {
		assert_eq!(reason(Err(refusal), vec![spec()]), Some(refusal));
	}
}

#[test]
fn an_operator_never_has_two_seats_on_a_range() {
	ExtBuilder::default().build_and_execute(|| {
		let id = submit(1, spec());
		for worker in 1..=3 {
			TestWorkers::add(worker, 7, 8);
			take(worker, 8);
		}
		run_to(3);
		assert_eq!(seats(id).len(), 5);
		let last = events().pop().unwrap();
		assert_eq!(last, Event::NothingFound { worker: 3, reason: Refusal::AlreadySeated });
	});
}

#[test]
fn all_seats_of_all_ranges_are_given_once() {
	ExtBuilder::default().workers(12, 64).build_and_execute(|| {
		let id = submit(1, Spec { subtasks: 81, ..spec() });
		(101..=112).for_each(|worker| take(worker, 64));
		run_to(4);
		let seats = seats(id);
		assert_eq!(seats.len(), 41 * 3);
		for range in 0..41 {
			assert_eq!(seats.iter().filter(|seat| seat.0 == range).count(), 3);
		}
		assert_eq!(Tasks::queue_position(id), None);
		assert!(!Windows::<Test>::contains_key(id));
		let task = Tasks::task(id).unwrap();
		assert_eq!((task.begun, task.issued), (41, 41));
	});
}

#[test]
fn a_reopened_range_is_drawn_first() {
	ExtBuilder::default().workers(5, 8).build_and_execute(|| {
		let id = submit(1, Spec { subtasks: 2, ..spec() });
		let later = submit(1, spec());
		(101..=103).for_each(|worker| take(worker, 1));
		run_to(3);
		assert_eq!(Tasks::queue_position(id), None);
		Tasks::reopen(id, RangeIndex(0));
		Tasks::reopen(id, RangeIndex(0));
		assert_eq!(Tasks::queue_position(id).unwrap().ahead, 0);
		assert_eq!(Tasks::queue_position(later).unwrap().ahead, 1);
		assert_eq!(Windows::<Test>::get(id)[0].seats, 2);
		take(104, 1);
		take(105, 1);
		run_to(5);
		assert_eq!(seats(id).len(), 5);
		assert_eq!(Tasks::queue_position(id), None);
		// What does not exist is not opened.
		Tasks::reopen(id, RangeIndex(1));
		Tasks::reopen(TaskId(99), RangeIndex(0));
		assert_eq!(Tasks::queue_position(id), None);
	});
}

#[test]
fn reopened_ranges_wait_behind_a_full_window_and_before_fresh_ones() {
	ExtBuilder::default().workers(4, 64).build_and_execute(|| {
		let id = submit(1, Spec { subtasks: 80, ..spec() });
		(101..=103).for_each(|worker| take(worker, 20));
		run_to(3);
		let begun: std::collections::BTreeSet<_> =
			seats(id).iter().map(|seat| RangeIndex(seat.0)).collect();
		let closed: Vec<_> = begun
			.into_iter()
			.filter(|range| Windows::<Test>::get(id).iter().all(|open| open.range != *range))
			.collect();
		let issued = Tasks::task(id).unwrap().issued;
		assert!(issued < 40 && !closed.is_empty(), "{issued}");
		closed.iter().for_each(|range| Tasks::reopen(id, *range));
		let task = Tasks::task(id).unwrap();
		assert_eq!(task.backlog.tail as usize, closed.len());
		Tasks::do_try_state().unwrap();
		take(104, 64);
		run_to(5);
		assert!(closed.iter().all(|range| seats(id).contains(&(range.0, 104))));
	});
}

#[test]
fn ranges_for_which_no_operator_is_left_do_not_stop_the_task() {
	ExtBuilder::default().workers(3, u16::MAX).build_and_execute(|| {
		let id = submit(1, Spec { subtasks: 120, run_timeout: 900, ..spec() });
		let ask = || {
			(101..=103).for_each(|worker| take(worker, 16));
			run_to(System::block_number() + 3);
		};
		ask();
		// Every lease lapses, and nobody may have its seat again.
		let lapsed = seats(id);
		lapsed.iter().for_each(|seat| Tasks::reopen(id, RangeIndex(seat.0)));
		(0..20).for_each(|_| ask());
		for range in 0..60 {
			assert_eq!(seats(id).iter().filter(|seat| seat.0 == range).count(), 3);
		}
		assert_eq!(Windows::<Test>::get(id).len(), 16);
	});
}

#[test]
fn one_operator_may_begin_more_ranges_than_the_window_holds() {
	ExtBuilder::default().workers(3, u16::MAX).build_and_execute(|| {
		let id = submit(1, Spec { subtasks: 128, run_timeout: 900, ..spec() });
		take(101, 64);
		run_to(4);
		assert_eq!(seats(id).len(), 64);
		assert_eq!(Tasks::task(id).unwrap().backlog.tail, 48);
		for _ in 0..8 {
			take(102, 64);
			take(103, 64);
			run_to(System::block_number() + 3);
		}
		assert_eq!(seats(id).len(), 64 * 3);
		assert_eq!(Tasks::queue_position(id), None);
	});
}

#[test]
fn no_lease_that_ends_too_late() {
	ExtBuilder::default().workers(4, 8).build_and_execute(|| {
		// A lease of 12 blocks and a vote of 20 fit until block 171 + 3 = 203 - 32 + 3.
		let id = submit(1, spec());
		take(101, 1);
		run_to(3);
		assert_eq!(Tasks::task(id).unwrap().due, 203);
		run_to(169);
		take(102, 1);
		run_to(170);
		take(103, 1);
		events();
		run_to(171);
		assert_eq!(seats(id).len(), 2);
		run_to(172);
		let last = events().pop().unwrap();
		assert_eq!(last, Event::NothingFound { worker: 103, reason: Refusal::DeadlineTooClose });
	});
}

#[test]
fn an_expired_task_is_not_leased_although_it_is_still_there() {
	ExtBuilder::default().workers(1, 8).build_and_execute(|| {
		let id = submit(1, spec());
		run_to(50);
		take(101, 1);
		// Blocks so full that nothing is settled.
		System::set_block_number(52);
		Tasks::on_poll(52, &mut WeightMeter::with_limit(plenty()));
		assert_eq!(seats(id), []);
	});
}

#[test]
fn tasks_that_nobody_can_serve_hold_up_nobody() {
	ExtBuilder::default().workers(2, 64).build_and_execute(|| {
		let large = dgcs_primitives::SubtaskLimits { memory_mib: 4096, ..spec().limits };
		let unservable = [
			Spec { selection: Selection::Proven, ..spec() },
			Spec { selection: Selection::Proven, reward: 1_000_000, ..spec() },
			Spec { limits: large, ..spec() },
			Spec { limits: large, reward: 1_000_000, ..spec() },
		];
		(0..200).for_each(|n| {
			submit(1, unservable[n % unservable.len()].clone());
		});
		let id = submit(1, Spec { subtasks: 128, ..spec() });
		let small = Offer { memory_mib: 1024, room: 64, ..offer(101) };
		TestWorkers::set(101, Ok(small));
		// Every slot is drawn in one block, the rotated draws too.
		take(101, 24);
		run_to(3);
		assert_eq!(seats(id).len(), 24);
		assert_eq!(events().pop().unwrap(), Event::Served { worker: 101, leased: 24 });
	});
}

#[test]
fn lanes_of_a_bucket_are_drawn_alike() {
	ExtBuilder::default().workers(1, u16::MAX).build_and_execute(|| {
		let one = |memory_mib| {
			let limits = dgcs_primitives::SubtaskLimits { memory_mib, ..spec().limits };
			submit(1, Spec { limits, subtasks: 200, ..spec() })
		};
		let tasks = [one(64), one(100), one(1000)];
		take(101, 64);
		run_to(4);
		for task in tasks {
			let got = seats(task).len();
			assert!((10..35).contains(&got), "{got} of 64");
		}
	});
}

#[test]
fn a_walk_goes_on_when_the_task_it_stood_at_is_gone() {
	ExtBuilder::default().build_and_execute(|| {
		let dear = Spec { subtasks: 2, reward: 1_000, visibility: Visibility::Public, ..spec() };
		let seated: Vec<_> = (0..20).map(|_| submit(1, dear.clone())).collect();
		(101..=102).for_each(|worker| TestWorkers::add(worker, 7, 64));
		take(101, 20);
		run_to(20);
		assert!(seated.iter().all(|task| seats(*task) == [(0, 101)]));
		let id = submit(1, spec());
		// The operator has a seat on each of the twenty.
		take(102, 1);
		run_to(22);
		let ask = Asks::<Test>::iter_values().next().unwrap();
		assert_eq!((ask.turns, ask.reason), (1, Refusal::AlreadySeated));
		let next = ask.cursor.unwrap().next.unwrap();
		assert_eq!(next, seated[8]);
		// It goes to another bucket.
		assert_ok!(Tasks::fund(RuntimeOrigin::signed(2), next, 100_000));
		run_to(40);
		assert!(matches!(seats(id)[..], [(_, 102)]));
	});
}

#[test]
fn a_task_that_nothing_can_be_leased_of_any_more_leaves_the_queue() {
	ExtBuilder::default().workers(2, 8).build_and_execute(|| {
		let id = submit(1, spec());
		take(101, 1);
		run_to(3);
		run_to(180);
		assert!(Tasks::queue_position(id).is_some());
		take(102, 1);
		run_to(182);
		assert_eq!(Tasks::queue_position(id), None);
		assert!(Windows::<Test>::contains_key(id));
		// Its seats are opened again all the same, and met once more.
		Tasks::reopen(id, RangeIndex(seats(id)[0].0));
		assert!(Tasks::queue_position(id).is_some());
		take(102, 1);
		run_to(184);
		assert_eq!(Tasks::queue_position(id), None);
		run_to(204);
		assert_eq!(Tasks::task(id), None);
	});
}

#[test]
fn the_higher_bucket_comes_first_but_not_always() {
	ExtBuilder::default().workers(2, 64).build_and_execute(|| {
		let cheap = submit(1, Spec { subtasks: 128, reward: 10, ..spec() });
		let dear = submit(1, Spec { subtasks: 128, reward: 10_000, ..spec() });
		take(101, 16);
		run_to(3);
		// Every fourth draw rotates, over both buckets.
		assert_eq!((seats(dear).len(), seats(cheap).len()), (14, 2));
	});
}

#[test]
fn a_full_block_puts_the_rest_off() {
	ExtBuilder::default().workers(2, 64).build_and_execute(|| {
		let ids: Vec<_> = (0..4).map(|_| submit(1, Spec { subtasks: 32, ..spec() })).collect();
		let leased = || ids.iter().map(|id| seats(*id).len()).sum::<usize>();
		take(101, 64);
		take(102, 2);
		System::set_block_number(3);
		let poll = |limit| {
			let mut meter = WeightMeter::with_limit(limit);
			Tasks::on_poll(3, &mut meter);
			assert!(meter.consumed().all_lte(limit));
			Tasks::do_try_state().unwrap();
		};
		let visit = <() as WeightInfo>::draw_visit(MAX_PROBES);
		poll(<() as WeightInfo>::draw_base());
		assert_eq!(leased(), 0);
		poll(visit.saturating_mul(5));
		let some = leased();
		assert!(some > 0 && some < 64, "{some}");
		assert_eq!(Line::<Test>::get().head, 0);
		// The share of the block is the limit, however much of it is left.
		poll(plenty());
		assert!(leased() > some);
		for _ in 0..20 {
			poll(visit.saturating_mul(8));
		}
		assert_eq!(leased(), 66);
		assert!(Tasks::line().waiting == 0);
	});
}

#[test]
fn worker_that_is_suspended_while_it_waits_gets_nothing() {
	ExtBuilder::default().workers(1, 8).build_and_execute(|| {
		let id = submit(1, spec());
		take(101, 2);
		TestWorkers::set(101, Err(Refusal::Suspended));
		run_to(3);
		assert_eq!(seats(id), []);
		assert!(!Tasks::is_asking(101));
	});
}

#[test]
fn prospects_are_those_of_an_ask() {
	ExtBuilder::default().build_and_execute(|| {
		let small = Offer { memory_mib: 64, ..offer(1) };
		let prospects = || Tasks::prospects(101);
		assert_eq!(prospects(), Err(Refusal::NotRegistered));
		TestWorkers::set(101, Ok(small.clone()));
		assert_eq!(prospects(), Err(Refusal::QueueEmpty));
		let mut large = spec();
		large.limits.memory_mib = 65;
		submit(1, large);
		assert_eq!(prospects(), Err(Refusal::NotEnoughMemory));
		submit(1, Spec { selection: Selection::Proven, ..spec() });
		assert_eq!(prospects(), Err(Refusal::NotProven));
		events();
		take(101, 1);
		run_to(3);
		let found = Event::NothingFound { worker: 101, reason: Refusal::NotProven };
		assert_eq!(events().last(), Some(&found));
		TestWorkers::set(101, Ok(Offer { proven: true, ..small.clone() }));
		assert_eq!(prospects(), Ok(()));
		TestWorkers::set(101, Ok(Offer { memory_mib: 128, ..small.clone() }));
		assert_eq!(prospects(), Ok(()));
		TestWorkers::set(101, Ok(Offer { room: 0, proven: true, ..small }));
		assert_eq!(prospects(), Err(Refusal::NoFreeSlot));
	});
}
