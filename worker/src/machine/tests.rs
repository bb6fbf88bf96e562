//! Tables of what happens and what is to be done, and a model of the chain that the machine is run
//! against with whatever can go wrong.

use std::collections::{BTreeMap, BTreeSet};

use dgcs_primitives::{
	api::{Capacity, Standing},
	EncryptionKey, Kinds, ResultDigest,
};
use proptest::prelude::*;

use super::*;

const RETENTION: u32 = 20;

fn identity() -> Identity {
	let salts = SaltKey::new(&[1; 32]);
	Identity { genesis: H256::repeat_byte(1), worker: H256::repeat_byte(2), salts }
}

fn place(range: u32) -> Place {
	Place { task: TaskId(1), range: RangeIndex(range) }
}

fn digests(seed: u8) -> Digests {
	vec![ResultDigest(H256::repeat_byte(seed)); 2].try_into().expect("2 of at most 64")
}

fn record(busy: u16) -> Record {
	Record {
		capacity: Capacity { slots: 4, memory_mib: 1024 },
		key: EncryptionKey(H256::repeat_byte(3)),
		kinds: Kinds(1),
		busy,
		standing: Standing::Good,
		leaving: false,
	}
}

/// The vote that comes of [`digests`] in round 0.
fn vote(range: u32, seed: u8) -> Vote {
	let Place { task, range } = place(range);
	let ballot = Ballot { genesis: identity().genesis, task, range, round: Round(0) };
	let salt = identity().salts.salt(&ballot);
	Vote { ballot, open: 0b11, digests: digests(seed), salt }
}

fn seat(state: SeatState, phase: Phase) -> Seat {
	Seat { round: Round(0), open: 0b11, phase, state }
}

fn leased(since: u32, until: u32) -> Seat {
	seat(SeatState::Leased { since, until }, Phase::Commit)
}

fn committed(vote: &Vote, phase: Phase) -> Seat {
	seat(SeatState::Committed(vote.commitment(&identity().worker)), phase)
}

/// A view of block `block`, with all before it final.
fn view(block: u32, seats: &[(u32, Option<Seat>)]) -> View {
	let busy =
		seats.iter().filter(|(_, seat)| seat.is_some_and(|seat| is_leased(&seat))).count() as u16;
	View {
		block,
		finalised: block,
		worker: Some(record(busy)),
		seats: seats.iter().map(|(range, seat)| (place(*range), *seat)).collect(),
		..View::default()
	}
}

fn is_leased(seat: &Seat) -> bool {
	matches!(seat.state, SeatState::Leased { .. })
}

fn machine(slots: u16) -> Machine {
	let mut machine = Machine::new(identity(), RETENTION, Vec::new());
	assert_eq!(machine.handle(Event::Slots(slots)), []);
	machine
}

fn compute(run: u64, range: u32) -> Command {
	Command::Compute(Assignment { run, place: place(range), round: Round(0), open: 0b11 })
}

fn commit(vote: &Vote) -> Command {
	Command::Commit(vote.place(), vote.ballot.round, vote.commitment(&identity().worker))
}

fn reveal(vote: &Vote) -> Command {
	Command::Reveal(vote.place(), vote.ballot.round, vote.digests.clone(), vote.salt)
}

const OPEN: Queue = Queue { next_task: 2, waiting: 1 };

#[test]
fn from_lease_to_the_end() {
	let mut m = machine(1);
	let block = |view| Event::Block(view);
	let asks = View { queue: OPEN, ..view(1, &[]) };
	assert_eq!(m.handle(block(asks.clone())), [Command::Take(1)]);
	// In the line, and served.
	let waits = View { asking: true, block: 2, ..asks };
	assert_eq!(m.handle(block(waits)), []);
	assert_eq!(m.idle(), Some(Idle::InLine));
	// Not final yet: no masternode would give a key.
	let fresh = View { finalised: 3, ..view(4, &[(0, Some(leased(4, 30)))]) };
	assert_eq!(m.handle(block(fresh)), []);
	assert_eq!(m.handle(block(view(5, &[(0, Some(leased(4, 30)))]))), [compute(0, 0)]);
	let vote = vote(0, 9);
	let computed = Event::Computed { run: 0, digests: digests(9) };
	assert_eq!(m.handle(computed), [Command::Save(vote.clone())]);
	assert_eq!(m.handle(Event::Saved(place(0), Round(0))), [commit(&vote)]);
	// Nothing is said twice.
	assert_eq!(m.handle(block(view(6, &[(0, Some(leased(4, 30)))]))), []);
	// Not until all have committed, and not before that is final.
	let waiting = committed(&vote, Phase::Commit);
	assert_eq!(m.handle(block(view(7, &[(0, Some(waiting))]))), []);
	let begun = committed(&vote, Phase::Reveal { begun: 8, until: 28 });
	let fork = View { finalised: 7, ..view(8, &[(0, Some(begun))]) };
	assert_eq!(m.handle(block(fork)), []);
	let publish = Command::Publish(place(0), Round(0));
	assert_eq!(m.handle(block(view(9, &[(0, Some(begun))]))), [publish]);
	assert_eq!(m.handle(Event::Published(place(0), Round(0))), [reveal(&vote)]);
	let revealed = seat(SeatState::Revealed, Phase::Reveal { begun: 8, until: 28 });
	assert_eq!(m.handle(block(view(10, &[(0, Some(revealed))]))), []);
	// Decided. Results are kept for a while, so that others can fetch them.
	assert_eq!(m.handle(block(view(11, &[(0, None)]))), []);
	assert_eq!(m.status().kept, 1);
	assert_eq!(m.handle(block(view(30, &[]))), []);
	assert_eq!(m.handle(block(view(31, &[]))), [Command::Forget(place(0), Round(0))]);
	assert!(m.tracks.is_empty() && m.runs.is_empty());
}

#[test]
fn reveals_only_when_all_have_committed_and_that_is_final() {
	let vote = vote(0, 9);
	let other = self::vote(0, 8);
	let phase = Phase::Reveal { begun: 10, until: 20 };
	let slow = Phase::Reveal { begun: 10, until: 40 };
	let cases = [
		("not final for long, not deep", committed(&vote, slow), 9, 9 + DEEP, false),
		("not final for long, and deep", committed(&vote, slow), 9, 10 + DEEP, true),
		("all committed, final", committed(&vote, phase), 10, 12, true),
		("not final", committed(&vote, phase), 9, 12, false),
		("not all", committed(&vote, Phase::Commit), 12, 12, false),
		("the last block", committed(&vote, phase), 12, 20, true),
		("too late", committed(&vote, phase), 12, 21, false),
		("committed to something else", committed(&other, phase), 12, 12, false),
		("revealed", seat(SeatState::Revealed, phase), 12, 12, false),
		("withheld", seat(SeatState::Withheld, phase), 12, 12, false),
		("not committed", leased(1, 30), 12, 12, false),
	];
	for (case, seat, finalised, block, expected) in cases {
		let mut m = Machine::new(identity(), RETENTION, vec![vote.clone()]);
		m.handle(Event::Slots(1));
		let view = View { finalised, ..view(block, &[(0, Some(seat))]) };
		let commands = m.handle(Event::Block(view));
		let shown = commands.contains(&Command::Publish(place(0), Round(0)));
		assert_eq!(shown, expected, "{case}: {commands:?}");
		let commands = m.handle(Event::Published(place(0), Round(0)));
		assert_eq!(commands.contains(&reveal(&vote)), expected, "{case}: {commands:?}");
	}
}

#[test]
fn drops_what_the_chain_has_given_to_others() {
	for lost in [
		// Lapsed, or back through a fork.
		view(6, &[(0, None)]),
		// Over, and not yet taken back.
		view(30, &[(0, Some(leased(4, 30)))]),
	] {
		let mut m = machine(1);
		let got = m.handle(Event::Block(view(5, &[(0, Some(leased(4, 30)))])));
		assert_eq!(got, [compute(0, 0)]);
		assert_eq!(m.handle(Event::Block(lost)), [Command::Abandon(0)]);
		// Its slot is free once it has ended, and not before.
		assert_eq!(m.status().running, 1);
		let ended = Event::Failed { run: 0, failure: Failure::Abandoned };
		let over = m.handle(ended);
		assert!(over.iter().all(|command| matches!(command, Command::Forget(..))), "{over:?}");
		assert_eq!(m.status().running, 0);
		assert!(!m.handle(Event::Block(view(31, &[(0, None)]))).contains(&compute(1, 0)));
	}
	// Results that come too late are not committed.
	let mut m = machine(1);
	m.handle(Event::Block(view(5, &[(0, Some(leased(4, 30)))])));
	m.handle(Event::Block(view(6, &[(0, None)])));
	let late = m.handle(Event::Computed { run: 0, digests: digests(9) });
	assert!(late.iter().all(|command| !matches!(command, Command::Commit(..))), "{late:?}");
}

#[test]
fn fewer_slots_end_the_youngest_runs_and_they_go_on_later() {
	let seats = [(0, Some(leased(4, 90))), (1, Some(leased(4, 80))), (2, Some(leased(4, 99)))];
	let mut m = machine(2);
	// By the end of the lease.
	let begun = m.handle(Event::Block(view(5, &seats)));
	assert_eq!(begun, [compute(0, 1), compute(1, 0)]);
	assert_eq!(m.handle(Event::Slots(1)), [Command::Abandon(1)]);
	let ended = Event::Failed { run: 1, failure: Failure::Abandoned };
	assert_eq!(m.handle(ended), []);
	assert_eq!(m.handle(Event::Slots(0)), [Command::Abandon(0)]);
	m.handle(Event::Failed { run: 0, failure: Failure::Abandoned });
	assert_eq!(m.idle(), Some(Idle::NothingLent));
	assert_eq!(m.handle(Event::Slots(2)), [compute(2, 1), compute(3, 0)]);
}

#[test]
fn what_fails_is_tried_again_later_and_what_nobody_can_do_is_not() {
	let seats = [(0, Some(leased(4, 90)))];
	let mut m = machine(1);
	assert_eq!(m.handle(Event::Block(view(5, &seats))), [compute(0, 0)]);
	assert_eq!(m.handle(Event::Failed { run: 0, failure: Failure::Passing }), []);
	assert_eq!(m.handle(Event::Block(view(6, &seats))), []);
	assert_eq!(m.handle(Event::Block(view(7, &seats))), [compute(1, 0)]);
	assert_eq!(m.handle(Event::Failed { run: 1, failure: Failure::Passing }), []);
	assert_eq!(m.handle(Event::Block(view(10, &seats))), []);
	assert_eq!(m.handle(Event::Block(view(11, &seats))), [compute(2, 0)]);
	assert_eq!(m.handle(Event::Failed { run: 2, failure: Failure::Unfit }), []);
	assert_eq!(m.handle(Event::Block(view(80, &seats))), []);
	assert_eq!(m.status().waiting, 0);
}

#[test]
fn calls_are_sent_again_when_they_fail_or_do_not_show() {
	let vote = vote(0, 9);
	let mut m = Machine::new(identity(), RETENTION, vec![vote.clone()]);
	let seats = [(0, Some(leased(4, 90)))];
	assert_eq!(m.handle(Event::Block(view(5, &seats))), [commit(&vote)]);
	let failed = Event::NotSent(Sent::Commit(place(0), Round(0)));
	assert_eq!(m.handle(failed), []);
	assert_eq!(m.handle(Event::Block(view(6, &seats))), [commit(&vote)]);
	for block in 7..14 {
		assert_eq!(m.handle(Event::Block(view(block, &seats))), []);
	}
	assert_eq!(m.handle(Event::Block(view(14, &seats))), [commit(&vote)]);
	// It was in a block of a fork that is gone: again, at once, and the same.
	let on_fork = [(0, Some(committed(&vote, Phase::Commit)))];
	assert_eq!(m.handle(Event::Block(view(15, &on_fork))), []);
	assert_eq!(m.handle(Event::Block(view(16, &seats))), [commit(&vote)]);
}

#[test]
fn a_disk_or_store_that_fails_is_tried_again() {
	let mut m = machine(1);
	let seats = [(0, Some(leased(4, 90)))];
	m.handle(Event::Block(view(5, &seats)));
	let save = [Command::Save(vote(0, 9))];
	assert_eq!(m.handle(Event::Computed { run: 0, digests: digests(9) }), save);
	assert_eq!(m.handle(Event::NotSaved(place(0), Round(0))), []);
	assert_eq!(m.handle(Event::Block(view(6, &seats))), save);
	m.handle(Event::Saved(place(0), Round(0)));
	let begun = [(0, Some(committed(&vote(0, 9), Phase::Reveal { begun: 7, until: 27 })))];
	let publish = [Command::Publish(place(0), Round(0))];
	assert_eq!(m.handle(Event::Block(view(8, &begun))), publish);
	assert_eq!(m.handle(Event::Block(view(9, &begun))), []);
	assert_eq!(m.handle(Event::NotPublished(place(0), Round(0))), []);
	assert_eq!(m.handle(Event::Block(view(10, &begun))), publish);
}

/// To commit and not to show costs as much as to be wrong, a lease that lapses far less.
#[test]
fn nothing_is_committed_to_while_the_store_shows_nothing() {
	let (shown, other) = (vote(0, 9), vote(1, 9));
	let mut m = Machine::new(identity(), RETENTION, vec![shown.clone(), other.clone()]);
	m.handle(Event::Slots(4));
	let begun = committed(&shown, Phase::Reveal { begun: 4, until: 24 });
	let seats = |other| [(0, Some(begun)), (1, Some(other))];
	let at = |block, seats: &[_]| Event::Block(View { queue: OPEN, ..view(block, seats) });
	let publish = [Command::Publish(place(0), Round(0))];
	// It waits for others, so what is next is to show the one.
	let waits = seats(committed(&other, Phase::Commit));
	assert_eq!(m.handle(at(5, &waits))[0], publish[0]);
	assert_eq!(m.handle(Event::NotPublished(place(0), Round(0))), []);
	let leased = seats(leased(4, 90));
	for block in 6..9 {
		assert_eq!(m.handle(at(block, &leased)), publish, "block {block}");
		assert_eq!(m.handle(Event::NotPublished(place(0), Round(0))), []);
		assert_eq!(m.idle(), Some(Idle::StoreDown));
	}
	m.handle(at(9, &leased));
	let commands = m.handle(Event::Published(place(0), Round(0)));
	assert!(commands.contains(&commit(&other)), "{commands:?}");
}

#[test]
fn a_commitment_that_the_store_holds_back_is_tried_again_and_no_work_is_asked_for() {
	let mine = vote(0, 9);
	let mut m = Machine::new(identity(), RETENTION, vec![mine.clone()]);
	m.handle(Event::Slots(4));
	let at = |block, seat| Event::Block(View { queue: OPEN, ..view(block, &[(0, Some(seat))]) });
	for block in 5..8 {
		assert!(m.handle(at(block, leased(4, 90))).contains(&commit(&mine)), "block {block}");
		assert_eq!(m.handle(Event::NotReady(place(0), Round(0))), []);
		assert_eq!(m.idle(), Some(Idle::StoreDown), "block {block}");
	}
	// The store is there again, and the commitment in a block.
	assert!(m.handle(at(8, leased(4, 90))).contains(&commit(&mine)));
	m.handle(at(9, committed(&mine, Phase::Commit)));
	assert_ne!(m.idle(), Some(Idle::StoreDown));
	// What lapsed holds nothing up.
	let mut m = Machine::new(identity(), RETENTION, vec![mine]);
	m.handle(Event::Slots(4));
	m.handle(at(5, leased(4, 9)));
	m.handle(Event::NotReady(place(0), Round(0)));
	m.handle(at(9, leased(4, 9)));
	assert_ne!(m.idle(), Some(Idle::StoreDown));
}

/// As on a development chain that began anew, where the first task is another.
#[test]
fn a_vote_on_what_was_over_for_good_is_not_cast_again() {
	let old = vote(0, 9);
	let mut m = Machine::new(identity(), RETENTION, vec![old.clone()]);
	m.handle(Event::Slots(1));
	let seats = [(0, Some(leased(6, 90)))];
	assert_eq!(m.handle(Event::Block(view(4, &[(0, None)]))), []);
	let expected = [Command::Forget(place(0), Round(0)), compute(0, 0)];
	assert_eq!(m.handle(Event::Block(view(6, &seats))), expected);
	// What is not final yet comes back with a fork, and is the same vote.
	let mut m = Machine::new(identity(), RETENTION, vec![old.clone()]);
	m.handle(Event::Slots(1));
	let fork = View { finalised: 3, ..view(5, &[(0, None)]) };
	assert_eq!(m.handle(Event::Block(fork)), []);
	assert_eq!(m.handle(Event::Block(view(6, &seats))), [commit(&old)]);
}

#[test]
fn a_lost_journal_is_made_again() {
	let vote = vote(0, 9);
	let mut m = machine(1);
	let begun = [(0, Some(committed(&vote, Phase::Reveal { begun: 7, until: 27 })))];
	assert_eq!(m.handle(Event::Block(view(8, &begun))), [compute(0, 0)]);
	let save = [Command::Save(vote.clone())];
	assert_eq!(m.handle(Event::Computed { run: 0, digests: digests(9) }), save);
	let publish = [Command::Publish(place(0), Round(0))];
	assert_eq!(m.handle(Event::Saved(place(0), Round(0))), publish);
	assert_eq!(m.handle(Event::Published(place(0), Round(0))), [reveal(&vote)]);
}

#[test]
fn a_later_round_is_another_vote() {
	let vote = vote(0, 9);
	let mut m = Machine::new(identity(), RETENTION, vec![vote]);
	m.handle(Event::Slots(1));
	let second = Seat { round: Round(1), open: 0b10, ..leased(40, 60) };
	let commands = m.handle(Event::Block(view(41, &[(0, Some(second))])));
	let work = Assignment { run: 0, place: place(0), round: Round(1), open: 0b10 };
	let expected = [Command::Forget(place(0), Round(0)), Command::Compute(work)];
	assert_eq!(commands, expected);
	// Digests for the range as it was before are none for this round.
	assert_eq!(m.handle(Event::Computed { run: 0, digests: digests(9) }), []);
}

/// Left by a process that was cut off before it had let go of the vote.
#[test]
fn an_older_rounds_vote_in_the_journal_is_let_go_of() {
	let later = |vote: Vote| {
		let ballot = Ballot { round: Round(1), ..vote.ballot };
		Vote { ballot, ..vote }
	};
	for votes in [[vote(0, 9), later(vote(0, 8))], [later(vote(0, 8)), vote(0, 9)]] {
		let mut m = Machine::new(identity(), RETENTION, votes.to_vec());
		assert_eq!(m.handle(Event::Slots(1)), []);
		let revealed = seat(SeatState::Revealed, Phase::Reveal { begun: 6, until: 26 });
		let second = [(0, Some(Seat { round: Round(1), ..revealed }))];
		let expected = [Command::Forget(place(0), Round(0))];
		assert_eq!(m.handle(Event::Block(view(7, &second))), expected);
		assert_eq!(m.handle(Event::Block(view(8, &second))), []);
		assert_eq!(m.status().voting, 1);
	}
}

/// A save that is under way ends before its vote is let go of, and so does a publication: otherwise
/// the disk or the store would be left with it.
#[test]
fn what_is_on_its_way_to_disk_or_store_is_let_go_of_when_it_is_there() {
	let forget = [Command::Forget(place(0), Round(0))];
	let lapsed = Event::Block(view(6, &[(0, None)]));
	for ended in [Event::Saved(place(0), Round(0)), Event::NotSaved(place(0), Round(0))] {
		let mut m = machine(1);
		m.handle(Event::Block(view(5, &[(0, Some(leased(4, 30)))])));
		m.handle(Event::Computed { run: 0, digests: digests(9) });
		assert_eq!(m.handle(lapsed.clone()), []);
		assert_eq!(m.handle(ended), forget);
	}
	for ended in [Event::Published(place(0), Round(0)), Event::NoRoom(place(0), Round(0))] {
		let mut m = Machine::new(identity(), 0, vec![vote(0, 9)]);
		let begun = committed(&vote(0, 9), Phase::Reveal { begun: 4, until: 24 });
		let publish = [Command::Publish(place(0), Round(0))];
		assert_eq!(m.handle(Event::Block(view(5, &[(0, Some(begun))]))), publish);
		assert_eq!(m.handle(lapsed.clone()), []);
		assert_eq!(m.handle(ended), forget);
	}
	// A seat of another round takes its place at once; the vote goes when it is there.
	let mut m = machine(1);
	m.handle(Event::Block(view(5, &[(0, Some(leased(4, 30)))])));
	m.handle(Event::Computed { run: 0, digests: digests(9) });
	let second = Seat { round: Round(1), ..leased(6, 30) };
	assert!(m.handle(Event::Block(view(6, &[(0, Some(second))]))).starts_with(&forget));
	assert_eq!(m.handle(Event::Saved(place(0), Round(0))), []);
	let fork = View { finalised: 6, ..view(7, &[]) };
	assert_eq!(m.handle(Event::Block(fork)), []);
	assert_eq!(m.handle(Event::Block(view(8, &[]))), forget);
}

/// The places of all votes that are let go of.
fn forgotten(commands: &[Command]) -> Vec<Place> {
	let place = |command: &Command| match command {
		Command::Forget(place, _) => Some(*place),
		_ => None,
	};
	commands.iter().filter_map(place).collect()
}

/// Votes on so many ranges, decided in block 1, and kept for long.
fn keeping(ranges: u32) -> Machine {
	let votes = (0..ranges).map(|range| vote(range, 9)).collect();
	let mut m = Machine::new(identity(), 10_000, votes);
	m.handle(Event::Slots(4));
	let none: Vec<_> = (0..ranges).map(|range| (range, None)).collect();
	assert_eq!(m.handle(Event::Block(view(1, &none))), []);
	m
}

/// With short ranges there are more results within the time for which they are kept than there is
/// room for: the oldest give way, and work goes on.
#[test]
fn kept_results_give_way_to_new_work() {
	const AT_ONCE: u32 = 4;
	const WAITS: u32 = 1_000_000;
	let mut m = Machine::new(identity(), 10_000, vec![vote(WAITS, 9)]);
	m.handle(Event::Slots(AT_ONCE as u16));
	let undecided = committed(&vote(WAITS, 9), Phase::Commit);
	m.handle(Event::Block(view(1, &[(WAITS, Some(undecided))])));
	let mut block = 1;
	// When each was decided, and which were let go of.
	let (mut gone, mut let_go) = (BTreeMap::<Place, u32>::new(), Vec::<Place>::new());
	for batch in 0..300 {
		let ranges = batch * AT_ONCE..(batch + 1) * AT_ONCE;
		let votes: Vec<Vote> = ranges.clone().map(|range| vote(range, 9)).collect();
		let all = |block: u32, seat: &dyn Fn(&Vote) -> Option<Seat>| {
			let seats: Vec<_> =
				ranges.clone().zip(&votes).map(|(range, vote)| (range, seat(vote))).collect();
			view(block, &seats)
		};
		let mut tell = |m: &mut Machine, block: u32, event| {
			let commands = m.handle(event);
			for place in forgotten(&commands) {
				assert!(gone[&place] + LINGER <= block, "{place} is let go of in block {block}");
				let_go.push(place);
			}
			commands
		};
		block += 1;
		let lease = Event::Block(all(block, &|_| Some(leased(block, block + 30))));
		let runs = tell(&mut m, block, lease);
		let runs = runs.iter().filter(|command| matches!(command, Command::Compute(_))).count();
		assert_eq!(runs as u32, AT_ONCE, "batch {batch}");
		for run in ranges.clone() {
			tell(&mut m, block, Event::Computed { run: run.into(), digests: digests(9) });
		}
		for range in ranges.clone() {
			tell(&mut m, block, Event::Saved(place(range), Round(0)));
		}
		block += 1;
		let phase = Phase::Reveal { begun: block, until: block + 20 };
		let begun = Event::Block(all(block, &|vote| Some(committed(vote, phase))));
		tell(&mut m, block, begun);
		for range in ranges.clone() {
			tell(&mut m, block, Event::Published(place(range), Round(0)));
		}
		block += 1;
		let shown = Event::Block(all(block, &|_| Some(seat(SeatState::Revealed, phase))));
		tell(&mut m, block, shown);
		block += 1;
		let decided = View { queue: OPEN, ..all(block, &|_| None) };
		let commands = tell(&mut m, block, Event::Block(decided));
		assert!(commands.contains(&Command::Take(AT_ONCE as u16)), "batch {batch}: {:?}", m.idle());
		gone.extend(ranges.map(|range| (place(range), block)));
		assert!(m.tracks.len() <= MAX_TRACKS + AT_ONCE as usize);
	}
	assert_eq!(gone.len(), 1200);
	let expected: Vec<Place> = (0..let_go.len() as u32).map(place).collect();
	assert_eq!(let_go, expected, "the oldest first");
	assert_eq!(m.tracks.len(), MAX_TRACKS, "as many are kept as there is room for");
	assert_eq!(m.status().voting, 1, "one still waits for the votes of others");
}

#[test]
fn results_that_others_still_fetch_do_not_give_way() {
	let more = 76;
	let mut m = keeping(MAX_TRACKS as u32 + more);
	let asks = |block| Event::Block(View { queue: OPEN, ..view(block, &[]) });
	for block in 2..1 + LINGER {
		assert_eq!(m.handle(asks(block)), [], "block {block}");
		assert_eq!(m.idle(), Some(Idle::TooManyVotes));
	}
	// Nor does what a fork could bring back.
	let stale = View { queue: OPEN, finalised: 0, ..view(1 + LINGER, &[]) };
	let mut unfinal = Machine { finalised: 0, ..keeping(MAX_TRACKS as u32 + more) };
	assert_eq!(unfinal.handle(Event::Block(stale)), []);
	let commands = m.handle(asks(1 + LINGER));
	assert_eq!(forgotten(&commands), (0..more).map(place).collect::<Vec<_>>());
	assert_eq!(commands.last(), Some(&Command::Take(4)));
}

/// To show results in time is worth more than to keep those that others have had the time to fetch.
#[test]
fn a_full_store_lets_go_of_what_it_keeps_and_shows_the_rest() {
	let kept = 3 + YIELD as u32;
	let (shown, other) = (vote(1000, 9), vote(1001, 9));
	let mut m = keeping(kept);
	let mut seats = [(1000, Some(leased(2, 90))), (1001, None)];
	m.handle(Event::Block(view(2, &seats)));
	m.handle(Event::Computed { run: 0, digests: digests(9) });
	m.handle(Event::Saved(shown.place(), Round(0)));
	seats[0].1 = Some(committed(&shown, Phase::Reveal { begun: 3, until: 23 }));
	let at = |block, seats: &[_]| Event::Block(View { queue: OPEN, ..view(block, seats) });
	let publish = [Command::Publish(shown.place(), Round(0))];
	let no_room = || Event::NoRoom(shown.place(), Round(0));
	// All that there is may still be fetched: nothing goes, and no more work is asked for.
	assert_eq!(m.handle(Event::Block(view(3, &seats))), publish);
	assert_eq!(m.handle(no_room()), []);
	assert_eq!(m.idle(), Some(Idle::StoreFull));
	// Nor is anything committed that could not be shown.
	seats[1].1 = Some(leased(4, 90));
	let commands = m.handle(at(4, &seats));
	assert_eq!(commands, [compute(1, 1001), publish[0].clone()]);
	m.handle(Event::Computed { run: 1, digests: digests(9) });
	assert_eq!(m.handle(Event::Saved(other.place(), Round(0))), []);
	assert_eq!(m.handle(no_room()), []);
	for block in 5..1 + LINGER {
		assert_eq!(m.handle(at(block, &seats)), publish, "block {block}");
		assert_eq!(m.handle(no_room()), [], "block {block}");
	}
	// The oldest go, some at a time.
	for range in [0..YIELD as u32, YIELD as u32..kept, kept..kept] {
		let block = m.block + 1;
		assert_eq!(m.handle(at(block, &seats)), publish, "block {block}");
		let commands = m.handle(no_room());
		assert_eq!(forgotten(&commands), range.map(place).collect::<Vec<_>>());
		assert_eq!(commands.len(), forgotten(&commands).len());
		assert_eq!(m.idle(), Some(Idle::StoreFull));
	}
	// There is room again.
	m.handle(at(m.block + 1, &seats));
	let commands = m.handle(Event::Published(shown.place(), Round(0)));
	let expected = [commit(&other), reveal(&shown), Command::Take(4)];
	assert_eq!(commands.len(), expected.len(), "{commands:?}");
	assert!(expected.iter().all(|command| commands.contains(command)), "{commands:?}");
}

/// What was not shown in time holds nothing up.
#[test]
fn a_store_counts_as_full_only_while_there_is_something_to_show() {
	let phase = Phase::Reveal { begun: 4, until: 24 };
	let cases = [
		("to be shown", 24, Some(committed(&vote(0, 9), phase)), true),
		("too late", 25, Some(committed(&vote(0, 9), phase)), false),
		("withheld", 25, Some(seat(SeatState::Withheld, phase)), false),
		("decided", 25, None, false),
	];
	for (case, block, seat, full) in cases {
		let mut m = Machine::new(identity(), RETENTION, vec![vote(0, 9)]);
		m.handle(Event::Slots(1));
		m.handle(Event::Block(view(5, &[(0, Some(committed(&vote(0, 9), phase)))])));
		m.handle(Event::NoRoom(place(0), Round(0)));
		m.handle(Event::Block(View { queue: OPEN, ..view(block, &[(0, seat)]) }));
		assert_eq!(m.idle() == Some(Idle::StoreFull), full, "{case}: {:?}", m.idle());
	}
}

#[test]
fn asks_for_no_more_than_there_is_room_for() {
	let asks = |block, busy| View { queue: OPEN, worker: Some(record(busy)), ..view(block, &[]) };
	let take = |slots, busy| {
		let mut m = machine(slots);
		m.handle(Event::Block(asks(1, busy)))
	};
	assert_eq!(take(9, 0), [Command::Take(4)]);
	assert_eq!(take(9, 3), [Command::Take(1)]);
	// A lease that is not known of here takes a slot as well.
	assert_eq!(take(2, 1), [Command::Take(1)]);
	assert_eq!(take(9, 4), []);
	assert_eq!(take(0, 0), []);
}

#[test]
fn says_why_it_does_not_ask() {
	let good = record(0);
	let state = |worker: Option<Record>, queue, slots| {
		let mut m = machine(slots);
		m.handle(Event::Block(View { queue, worker, ..view(1, &[]) }));
		m.idle()
	};
	let suspended = Record { standing: Standing::Suspended { until: 9 }, ..good };
	let blacklisted = Record { standing: Standing::Blacklisted, ..good };
	let cases = [
		(None, OPEN, 1, Some(Idle::NotRegistered)),
		(Some(suspended), OPEN, 1, Some(Idle::Suspended { until: 9 })),
		(Some(blacklisted), OPEN, 1, Some(Idle::Blacklisted)),
		(Some(Record { leaving: true, ..good }), OPEN, 1, Some(Idle::Leaving)),
		(Some(good), OPEN, 0, Some(Idle::NothingLent)),
		(Some(good), Queue::default(), 1, Some(Idle::NoTasks)),
		(Some(record(4)), OPEN, 1, Some(Idle::AllBusy)),
		// It has just asked.
		(Some(good), OPEN, 1, Some(Idle::InLine)),
	];
	for (worker, queue, slots, expected) in cases {
		assert_eq!(state(worker, queue, slots), expected);
	}
}

/// Subtask by subtask, in a slot that has nothing to do for some blocks after each range unless the next
/// one is asked for in time.
#[test]
fn asks_for_the_next_range_before_a_slot_is_free() {
	let computing = |until| Seat { open: 0xff, ..leased(4, until) };
	let at = |block, seats: &[_]| Event::Block(View { queue: OPEN, ..view(block, seats) });
	let step = |m: &mut Machine| m.handle(Event::Progress { run: 0 });
	let asked = |m: &mut Machine, event| m.handle(event) == [Command::Take(1)];
	let first = [(0, Some(computing(90)))];
	let mut m = machine(1);
	assert_eq!(m.handle(at(5, &first)).len(), 1, "it is computed");
	assert!(!asked(&mut m, at(6, &first)), "nothing is known yet");
	assert_eq!(m.idle(), Some(Idle::AllBusy));
	// Two blocks for each of eight: eight for the last four, six for the last three.
	for block in [6, 8, 10, 12, 14] {
		assert_eq!(m.handle(at(block, &first)), []);
		assert_eq!(step(&mut m), [], "{block}");
	}
	assert_eq!(m.handle(at(16, &first)), []);
	assert_eq!(step(&mut m), [Command::Take(1)], "four for the last two");
	// What waits is enough, however soon the slot is free.
	let both = [first[0], (1, Some(computing(99)))];
	assert_eq!(step(&mut m), []);
	assert_eq!(m.handle(at(18, &both)), []);
	assert_eq!((m.idle(), m.status().waiting), (Some(Idle::AllBusy), 1));
	// It goes on with it at once.
	let digests = vec![ResultDigest(H256::zero()); 8].try_into().expect("few");
	let next = m.handle(Event::Computed { run: 0, digests });
	assert!(matches!(next[..], [Command::Compute(_), Command::Save(_)]), "{next:?}");
}

/// As many as it takes to have something to do until more could be had.
#[test]
fn asks_for_several_short_ranges() {
	// One slot on the chain as well, so four leases.
	let capacity = Capacity { slots: 1, memory_mib: 1024 };
	let at = |block, seats: &[_]| {
		let view = View { queue: OPEN, ..view(block, seats) };
		let worker = view.worker.map(|worker| Record { capacity, ..worker });
		View { worker, ..view }
	};
	let seats = [0, 1, 2].map(|range| (range, Some(leased(4, 90))));
	let mut m = machine(1);
	assert_eq!(m.handle(Event::Block(at(5, &seats[..1]))), [compute(0, 0)]);
	// One of two within a block, so that two blocks are enough for a range, and six are to be filled.
	assert_eq!(m.handle(Event::Progress { run: 0 }), [Command::Take(3)]);
	assert_eq!(m.handle(Event::Progress { run: 0 }), []);
	assert_eq!(m.idle(), Some(Idle::InLine));
	// It got two, and may have one more.
	assert_eq!(m.handle(Event::Block(at(6, &seats))), [Command::Take(1)]);
	let mut other = at(7, &[seats[0], (1, None), (2, None)]);
	// A range of another task may be of any length.
	let elsewhere = Place { task: TaskId(2), range: RangeIndex(0) };
	other.seats.insert(elsewhere, Some(leased(7, 90)));
	other.worker = other.worker.map(|worker| Record { busy: 2, ..worker });
	let commands = m.handle(Event::Block(other));
	assert!(commands.iter().all(|command| matches!(command, Command::Forget(..))), "{commands:?}");
	assert_eq!(m.idle(), Some(Idle::AllBusy));
}

/// More of them would only lapse.
#[test]
fn asks_for_nothing_beside_a_lease_that_can_not_be_computed() {
	let mut m = machine(1);
	let at = |block| Event::Block(View { queue: OPEN, ..view(block, &[(0, Some(leased(4, 90)))]) });
	m.handle(at(5));
	assert_eq!(m.handle(Event::Failed { run: 0, failure: Failure::Unfit }), []);
	(6..80).for_each(|block| assert_eq!(m.handle(at(block)), []));
}

/// With one slot on the chain, and more here.
#[test]
fn says_that_it_waits_for_leases_that_it_has_no_use_for() {
	let seats = [(0, Some(leased(4, 90)))];
	let one = Capacity { slots: 1, memory_mib: 1024 };
	let at = |block, seats: &[_]| {
		let view = View { queue: OPEN, ..view(block, seats) };
		let worker = view.worker.map(|worker| Record { capacity: one, ..worker });
		Event::Block(View { worker, ..view })
	};
	for (failure, expected) in [
		(Failure::Unfit, Idle::Hopeless { until: 90 }),
		(Failure::Passing, Idle::AllBusy),
		(Failure::Abandoned, Idle::AllBusy),
	] {
		let mut m = machine(1);
		m.handle(at(5, &seats));
		assert_eq!(m.idle(), Some(Idle::AllBusy), "it runs");
		m.handle(Event::Failed { run: 0, failure });
		m.handle(at(6, &seats));
		assert_eq!(m.idle(), Some(expected), "{failure:?}");
	}
	// It has lapsed.
	let mut m = machine(1);
	m.handle(at(5, &seats));
	m.handle(Event::Failed { run: 0, failure: Failure::Unfit });
	assert!(m.handle(at(91, &[(0, None)])).contains(&Command::Take(1)));
}

#[test]
fn waits_longer_after_each_refusal_until_the_queue_changes() {
	let reason = Refusal::AlreadySeated;
	let mut m = machine(1);
	let at = |block, refused, queue| View { queue, refused, ..view(block, &[]) };
	assert_eq!(m.handle(Event::Block(at(1, None, OPEN))), [Command::Take(1)]);
	assert_eq!(m.handle(Event::Block(at(3, Some(reason), OPEN))), []);
	assert_eq!(m.idle(), Some(Idle::Refused { reason, next: 5 }));
	assert_eq!(m.handle(Event::Block(at(5, None, OPEN))), [Command::Take(1)]);
	assert_eq!(m.handle(Event::Block(at(7, Some(reason), OPEN))), []);
	assert_eq!(m.idle(), Some(Idle::Refused { reason, next: 11 }));
	let more = Queue { next_task: 3, ..OPEN };
	assert_eq!(m.handle(Event::Block(at(8, None, more))), [Command::Take(1)]);
	// A call that was not included, for want of money, say.
	assert_eq!(m.handle(Event::NotSent(Sent::Take)), []);
	assert!(matches!(m.idle(), Some(Idle::NotSent { .. })));
}

#[test]
fn does_not_ask_for_what_it_may_not_have() {
	let reason = Refusal::NotEnoughMemory;
	let mut m = machine(1);
	let at = |block, unsuited| Event::Block(View { queue: OPEN, unsuited, ..view(block, &[]) });
	for block in 1..50 {
		assert_eq!(m.handle(at(block, Some(reason))), []);
		assert_eq!(m.idle(), Some(Idle::Unsuited { reason }));
	}
	assert_eq!(m.handle(at(50, None)), [Command::Take(1)]);
}

#[test]
fn looks_for_leases_that_only_the_chain_knows_of() {
	let mut m = machine(1);
	let blind = |block| Event::Block(View { worker: Some(record(1)), ..view(block, &[]) });
	assert_eq!(m.handle(blind(1)), []);
	assert_eq!(m.handle(blind(4)), []);
	assert_eq!(m.handle(blind(5)), [Command::Rescan]);
	assert_eq!(m.handle(blind(6)), []);
	assert_eq!(m.handle(blind(41)), [Command::Rescan]);
}

#[test]
fn ends_when_nothing_is_owed_any_more() {
	let vote = vote(0, 9);
	let mut m = machine(2);
	m.handle(Event::Block(view(5, &[(0, Some(leased(4, 90))), (1, Some(leased(4, 90)))])));
	m.handle(Event::Computed { run: 0, digests: digests(9) });
	m.handle(Event::Saved(place(0), Round(0)));
	assert!(!m.is_done());
	assert_eq!(m.handle(Event::Stop(Stop::Drain)), []);
	assert_eq!(m.idle(), Some(Idle::Stopping));
	assert!(!m.is_done(), "a run goes on");
	assert_eq!(m.handle(Event::Stop(Stop::Abandon)), [Command::Abandon(1)]);
	m.handle(Event::Failed { run: 1, failure: Failure::Abandoned });
	assert!(!m.is_done(), "a commitment is on its way");
	let begun = committed(&vote, Phase::Reveal { begun: 6, until: 26 });
	m.handle(Event::Block(view(6, &[(0, Some(begun)), (1, Some(leased(4, 90)))])));
	m.handle(Event::Published(place(0), Round(0)));
	assert!(!m.is_done(), "a reveal is on its way");
	let revealed = seat(SeatState::Revealed, Phase::Reveal { begun: 6, until: 26 });
	m.handle(Event::Block(view(7, &[(0, Some(revealed)), (1, Some(leased(4, 90)))])));
	assert!(m.is_done());
}

#[test]
fn stays_until_its_results_can_have_been_fetched() {
	let vote = vote(0, 9);
	let revealed = seat(SeatState::Revealed, Phase::Reveal { begun: 6, until: 26 });
	for (stop, block, done) in [
		(Stop::Drain, 7, false),
		(Stop::Abandon, 7, true),
		(Stop::Drain, 7 + LINGER, false),
		(Stop::Drain, 8 + LINGER, true),
	] {
		let mut m = Machine::new(identity(), RETENTION, vec![vote.clone()]);
		m.handle(Event::Stop(stop));
		m.handle(Event::Block(view(7, &[(0, Some(revealed))])));
		if block > 7 {
			m.handle(Event::Block(view(8, &[(0, None)])));
			m.handle(Event::Block(view(block, &[])));
		}
		assert_eq!(m.is_done(), done, "{stop:?} in block {block}");
	}
}

/// What a chain has of the worker in one block.
#[derive(Clone, Debug, Default)]
struct Block {
	number: u32,
	seats: BTreeMap<Place, Seat>,
	/// For how many ranges the worker waits in the line.
	asking: u16,
}

/// A chain with forks, a disk, and whoever computes: what the machine has around it.
struct World {
	machine: Machine,
	/// From the last final block to the best one.
	blocks: Vec<Block>,
	disk: BTreeMap<(Place, Round), Vote>,
	/// Calls that are on their way to the chain.
	pool: Vec<Command>,
	/// Runs that go on, with whether they were abandoned.
	runs: BTreeMap<u64, Assignment>,
	/// Saves and publications under way.
	pending: Vec<Command>,
	slots: u16,
	/// What was committed to, until it was let go of.
	said: BTreeMap<(Place, Round), Commitment>,
	/// The last round of each range: they never go back.
	rounds: BTreeMap<Place, u8>,
	/// Each run gives other digests, as on a machine that can't be relied on.
	dice: u8,
	/// In which block the last run on each range began.
	begun: BTreeMap<Place, u32>,
	/// The last final block in which each range had no seat.
	absent: BTreeMap<Place, u32>,
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
	/// A block, in which calls are included or lost, and whatever else by chance.
	Block { lose_calls: bool, lease: Option<u32>, others: u8, final_lag: u8 },
	/// The best blocks are replaced by others.
	Fork(u8),
	/// A run has computed a subtask.
	Progress(u8),
	/// A run ends.
	Run { which: u8, how: u8 },
	/// Something that was to be saved or published is, or is not, for want of room or else.
	Disk { works: bool, full: bool },
	/// The machine lends more or less.
	Slots(u8),
	/// The worker crashes and comes back. What it was about to save is on disk, or is not.
	Restart { saved: bool },
	/// The same, and the disk is lost: there is nothing but the chain.
	LoseDisk,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
	let step = prop_oneof![
		8 => (prop::bool::weighted(0.2), prop::option::of(0u32..4), any::<u8>(), 0u8..4).prop_map(
			|(lose_calls, lease, others, final_lag)| Step::Block {
				lose_calls, lease, others, final_lag,
			},
		),
		1 => (1u8..4).prop_map(Step::Fork),
		3 => any::<u8>().prop_map(Step::Progress),
		5 => (any::<u8>(), 0u8..8).prop_map(|(which, how)| Step::Run { which, how }),
		6 => (prop::bool::weighted(0.8), any::<bool>())
			.prop_map(|(works, full)| Step::Disk { works, full }),
		1 => (0u8..4).prop_map(Step::Slots),
		1 => any::<bool>().prop_map(|saved| Step::Restart { saved }),
		1 => Just(Step::LoseDisk),
	];
	prop::collection::vec(step, 1..150)
}

impl World {
	fn new() -> Self {
		let mut world = World {
			machine: Machine::new(identity(), RETENTION, Vec::new()),
			blocks: vec![Block::default()],
			disk: BTreeMap::new(),
			pool: Vec::new(),
			runs: BTreeMap::new(),
			pending: Vec::new(),
			slots: 2,
			said: BTreeMap::new(),
			rounds: BTreeMap::new(),
			dice: 0,
			begun: BTreeMap::new(),
			absent: BTreeMap::new(),
		};
		world.tell(Event::Slots(2));
		world
	}

	fn best(&self) -> &Block {
		self.blocks.last().expect("there is always a block")
	}

	fn view(&self) -> View {
		let best = self.best();
		let watched = self.machine.watch();
		// The adapter finds new leases by itself; telling of all seats is no less.
		let places: BTreeSet<Place> =
			watched.into_iter().chain(best.seats.keys().copied()).collect();
		let busy = best.seats.values().filter(|seat| is_leased(seat)).count() as u16;
		View {
			block: best.number,
			finalised: self.blocks[0].number,
			worker: Some(record(busy)),
			asking: best.asking > 0,
			refused: None,
			queue: OPEN,
			unsuited: None,
			seats: places.into_iter().map(|at| (at, best.seats.get(&at).copied())).collect(),
			news: Vec::new(),
		}
	}

	fn tell(&mut self, event: Event) {
		let commands = self.machine.handle(event);
		for command in commands {
			self.check(&command);
			match command {
				Command::Take(_) | Command::Commit(..) | Command::Reveal(..) => {
					self.pool.push(command);
				},
				Command::Compute(work) => {
					self.begun.insert(work.place, self.best().number);
					self.runs.insert(work.run, work);
				},
				Command::Save(_) | Command::Publish(..) => self.pending.push(command),
				Command::Forget(place, round) => {
					self.disk.remove(&(place, round));
					self.said.remove(&(place, round));
				},
				Command::Abandon(_) | Command::Rescan => {},
			}
		}
		let going = self.machine.runs.values().filter(|run| !run.abandoned).count();
		assert!(going <= usize::from(self.slots), "{going} runs in {} slots", self.slots);
		assert_eq!(self.machine.runs.len(), self.runs.len(), "a slot leaks");
	}

	fn check(&mut self, command: &Command) {
		match command {
			Command::Compute(Assignment { place, round, open, .. }) => {
				let seat = self.best().seats.get(place).expect("it has a seat");
				assert_eq!((seat.round, seat.open), (*round, *open));
				match seat.state {
					SeatState::Leased { until, .. } => assert!(self.best().number < until),
					SeatState::Committed(_) => {
						assert!(!self.disk.contains_key(&(*place, *round)), "it knows the results");
					},
					_ => panic!("nothing is owed: {seat:?}"),
				}
			},
			Command::Take(asked) => {
				let leases = self.best().seats.values().filter(|seat| is_leased(seat)).count();
				let most = record(0).capacity.leases(LEASES_PER_SLOT);
				assert!(leases + usize::from(*asked) <= most.into(), "{asked} beside {leases}");
			},
			Command::Commit(place, round, commitment) => {
				let vote = &self.disk[&(*place, *round)];
				assert_eq!(vote.commitment(&identity().worker), *commitment, "not what is on disk");
				let before = *self.said.entry((*place, *round)).or_insert(*commitment);
				assert_eq!(before, *commitment, "two commitments for one ballot");
			},
			Command::Reveal(place, round, digests, salt) => {
				let vote = &self.disk[&(*place, *round)];
				assert_eq!((&vote.digests, vote.salt), (digests, *salt));
				let commitment = vote.commitment(&identity().worker);
				// In the last final block all seats have committed, or more.
				let best = self.best().seats[place];
				let Phase::Reveal { begun, .. } = best.phase else { panic!("{best:?}") };
				assert_eq!(best.state, SeatState::Committed(commitment), "not what was said");
				if self.best().number >= begun + DEEP {
					return;
				}
				let seat = self.blocks[0].seats.get(place).expect("it has a seat for good");
				assert!(matches!(seat.phase, Phase::Reveal { .. }), "not all have committed");
				assert!(
					matches!(seat.state, SeatState::Committed(known) if known == commitment)
						|| seat.state == SeatState::Revealed,
					"{seat:?}"
				);
			},
			Command::Forget(place, round) => {
				let seat = |block: &Block| block.seats.get(place).copied();
				let replaced = seat(self.best()).is_some_and(|seat| seat.round != *round);
				// Not what a fork could bring back.
				let owed = seat(&self.blocks[0]).is_some_and(|seat| {
					seat.round == *round
						&& matches!(seat.state, SeatState::Leased { .. } | SeatState::Committed(_))
				});
				let again = self.absent.get(place) >= self.begun.get(place);
				assert!(replaced || again || !owed, "{place} is let go of and may come back");
			},
			_ => {},
		}
	}

	/// Makes the next block by the chain's rules.
	fn next_block(&mut self, lose_calls: bool, lease: Option<u32>, others: u8) {
		let mut block = self.best().clone();
		block.number += 1;
		let number = block.number;
		for call in std::mem::take(&mut self.pool) {
			if !lose_calls {
				Self::include(&mut block, call);
			}
		}
		if let Some(range) = lease.filter(|_| block.asking > 0) {
			let round = self.rounds.entry(place(range)).or_default();
			*round = (others % 2).max(*round);
			let round = Round(*round);
			let seat = Seat { round, ..leased(number, number + 12) };
			if let std::collections::btree_map::Entry::Vacant(entry) =
				block.seats.entry(place(range))
			{
				entry.insert(seat);
				block.asking -= 1;
			}
		}
		let mut bits = others;
		block.seats.retain(|_, seat| {
			let by_chance = bits & 1 == 1;
			bits = bits.rotate_right(1);
			match (&seat.state, seat.phase) {
				(SeatState::Leased { until, .. }, _) => *until >= number,
				(SeatState::Committed(_), Phase::Commit) if by_chance => {
					seat.phase = Phase::Reveal { begun: number, until: number + 8 };
					true
				},
				(SeatState::Committed(_), Phase::Reveal { until, .. }) if until < number => {
					seat.state = SeatState::Withheld;
					!by_chance
				},
				// The vote is decided.
				(SeatState::Revealed | SeatState::Withheld, _) => !by_chance,
				_ => true,
			}
		});
		self.blocks.push(block);
	}

	fn include(block: &mut Block, call: Command) {
		let number = block.number;
		match call {
			Command::Take(slots) if block.asking == 0 => block.asking = slots,
			Command::Commit(place, round, commitment) => {
				let Some(seat) = block.seats.get_mut(&place) else { return };
				if seat.round == round && is_leased(seat) {
					seat.state = SeatState::Committed(commitment);
				}
			},
			Command::Reveal(place, round, ..) => {
				let Some(seat) = block.seats.get_mut(&place) else { return };
				let Phase::Reveal { until, .. } = seat.phase else { return };
				let owes = matches!(seat.state, SeatState::Committed(_));
				if seat.round == round && owes && number <= until {
					seat.state = SeatState::Revealed;
				}
			},
			_ => {},
		}
	}

	fn step(&mut self, step: Step) {
		match step {
			Step::Block { lose_calls, lease, others, final_lag } => {
				self.next_block(lose_calls, lease, others);
				let keep = usize::from(final_lag) + 1;
				let last = self.blocks.len().saturating_sub(keep);
				for block in &self.blocks[..=last][1..] {
					let absent = (0..4).map(place).filter(|at| !block.seats.contains_key(at));
					self.absent.extend(absent.map(|at| (at, block.number)));
				}
				self.blocks.drain(..last);
				let view = self.view();
				self.tell(Event::Block(view));
			},
			Step::Fork(blocks) => {
				let keep = self.blocks.len().saturating_sub(blocks.into()).max(1);
				let height = self.best().number;
				self.blocks.truncate(keep);
				// The other fork is longer, and has none of the calls.
				while self.best().number <= height {
					self.next_block(true, None, 0);
				}
				let view = self.view();
				self.tell(Event::Block(view));
			},
			Step::Progress(which) => {
				let run = self.runs.keys().nth(usize::from(which) % self.runs.len().max(1));
				if let Some(run) = run.copied() {
					self.tell(Event::Progress { run });
				}
			},
			Step::Run { which, how } => {
				let Some(run) = self.runs.keys().nth(usize::from(which) % self.runs.len().max(1))
				else {
					return;
				};
				let work = self.runs.remove(&{ *run }).expect("just found");
				let failure = match how {
					0 => Some(Failure::Passing),
					1 => Some(Failure::Abandoned),
					2 if which > 200 => Some(Failure::Unfit),
					_ => None,
				};
				let run = work.run;
				self.dice = self.dice.wrapping_add(1);
				let digest = ResultDigest(H256::repeat_byte(self.dice));
				let digests = vec![digest; work.open.count_ones() as usize];
				let digests = digests.try_into().expect("64 at most");
				self.tell(match failure {
					Some(failure) => Event::Failed { run, failure },
					None => Event::Computed { run, digests },
				});
			},
			Step::Disk { works, full } => {
				if self.pending.is_empty() {
					return;
				}
				let event = match self.pending.remove(0) {
					Command::Save(vote) => {
						let (place, round) = (vote.place(), vote.ballot.round);
						if works {
							self.disk.insert((place, round), vote);
							Event::Saved(place, round)
						} else {
							Event::NotSaved(place, round)
						}
					},
					Command::Publish(place, round) if works => Event::Published(place, round),
					Command::Publish(place, round) if full => Event::NoRoom(place, round),
					Command::Publish(place, round) => Event::NotPublished(place, round),
					other => panic!("{other:?} ends with no such event"),
				};
				self.tell(event);
			},
			Step::Slots(slots) => {
				self.slots = slots.into();
				self.tell(Event::Slots(self.slots));
			},
			Step::Restart { saved } => {
				for command in std::mem::take(&mut self.pending) {
					if let (true, Command::Save(vote)) = (saved, command) {
						self.disk.insert((vote.place(), vote.ballot.round), vote);
					}
				}
				self.restart();
			},
			Step::LoseDisk => {
				self.disk.clear();
				// What it finds anew may be something else, and then it can't show it.
				self.said.clear();
				self.restart();
			},
		}
	}

	/// What was in memory is gone; what is on disk and on the chain is not.
	fn restart(&mut self) {
		let votes = self.disk.values().cloned().collect();
		self.machine = Machine::new(identity(), RETENTION, votes);
		self.runs.clear();
		self.pending.clear();
		self.tell(Event::Slots(self.slots));
		let view = self.view();
		self.tell(Event::Block(view));
	}

	/// What is known of each live seat: its vote, or that there is still something to compute.
	fn known(&self) -> BTreeMap<Place, (Round, Option<Commitment>)> {
		let seats = &self.best().seats;
		let owed = self.machine.tracks.iter().filter(|(place, track)| {
			track.gone.is_none()
				&& seats.get(place).is_some_and(|seat| {
					matches!(seat.state, SeatState::Leased { .. } | SeatState::Committed(_))
				})
		});
		owed.map(|(place, track)| {
			let vote = match &track.stage {
				Stage::Voted { vote, .. } => Some(vote.commitment(&identity().worker)),
				// On its way to the disk.
				Stage::Saving { vote, .. }
					if self.pending.contains(&Command::Save(vote.clone())) =>
				{
					Some(vote.commitment(&identity().worker))
				},
				_ => None,
			};
			(*place, (track.round, vote))
		})
		.collect()
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

	/// Whatever happens: see [`World::check`] and [`World::tell`] for what must hold at each step.
	#[test]
	fn keeps_to_its_rules_whatever_happens(steps in steps()) {
		let mut world = World::new();
		for step in steps {
			world.step(step);
		}
		// A worker that starts again comes to know the same.
		let view = world.view();
		world.tell(Event::Block(view));
		let before = world.known();
		world.step(Step::Restart { saved: true });
		prop_assert_eq!(before, world.known());

		// When all seats are gone for good, nothing is left of them.
		for _ in 0..2 * SLOW_WATCH {
			let mut block = world.best().clone();
			block.number += 1;
			block.seats.clear();
			block.asking = 0;
			world.blocks = vec![block];
			let view = View { queue: Queue::default(), ..world.view() };
			world.tell(Event::Block(view));
		}
		for run in world.runs.keys().copied().collect::<Vec<_>>() {
			world.runs.remove(&run);
			world.tell(Event::Failed { run, failure: Failure::Abandoned });
		}
		while !world.pending.is_empty() {
			world.step(Step::Disk { works: true, full: false });
		}
		let mut block = world.best().clone();
		block.number += RETENTION + 4;
		world.blocks = vec![block];
		let view = View { queue: Queue::default(), ..world.view() };
		world.tell(Event::Block(view));
		prop_assert_eq!(world.machine.status().running, 0);
		prop_assert!(world.machine.tracks.is_empty(), "{:?}", world.machine.tracks);
		prop_assert!(world.disk.is_empty(), "{:?}", world.disk);
	}
}
