use std::collections::HashSet;

use dgcs_content::content_id::raw;
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
	window: 10,
	probes: 4,
	breadth: 8,
	ahead: 100,
	stall: Duration::from_secs(10),
	deadline: Duration::from_secs(60),
	ban: Duration::from_secs(30),
};

fn id(number: u32) -> ContentId {
	raw(&number.to_le_bytes())
}

fn ask(number: u32, want: Want) -> Ask {
	Ask { id: id(number), want, answer: want != Want::Cancel }
}

struct Table {
	wants: Wants<u32>,
	start: Instant,
}

impl Table {
	fn new(peers: &[u32]) -> Self {
		let mut table = Table { wants: Wants::new(LIMITS), start: Instant::now() };
		for peer in peers {
			assert!(table.wants.connected(*peer, table.start));
		}
		table
	}

	fn at(&self, seconds: u64) -> Instant {
		self.start + Duration::from_secs(seconds)
	}

	/// What is to be done after so many seconds.
	fn act(&mut self, seconds: u64) -> Vec<Action<u32>> {
		let now = self.at(seconds);
		let mut actions = self.wants.tick(now);
		actions.extend(self.wants.act(now));
		actions
	}

	fn block(&mut self, peer: u32, number: u32, seconds: u64) -> (Arrival, Vec<Action<u32>>) {
		let now = self.at(seconds);
		self.wants.block(peer, &id(number), now)
	}

	fn presence(&mut self, peer: u32, number: u32, has: bool) {
		self.wants.presence(peer, &id(number), has, self.start);
	}

	/// Lets `peer` deliver one block, so that it is known to be good.
	fn proven(peers: &[u32], peer: u32) -> Self {
		let mut table = Table::new(peers);
		table.wants.want(id(1000), false);
		table.act(0);
		table.presence(peer, 1000, true);
		table.act(0);
		assert_eq!(table.block(peer, 1000, 0).0, Arrival::Wanted);
		table
	}
}

#[test]
fn a_block_is_asked_of_who_says_that_it_has_it() {
	let mut table = Table::new(&[1, 2]);
	assert!(table.wants.want(id(7), false));
	let probe = vec![ask(7, Want::Have)];
	assert_eq!(table.act(0), [Action::Send(1, probe.clone()), Action::Send(2, probe)]);
	assert_eq!(table.act(0), []);
	table.presence(1, 7, false);
	table.presence(2, 7, true);
	assert_eq!(table.act(0), [Action::Send(2, vec![ask(7, Want::Block)])]);
	let (arrival, actions) = table.block(2, 7, 1);
	assert_eq!(arrival, Arrival::Wanted);
	assert_eq!(actions, [Action::Send(1, vec![ask(7, Want::Cancel)])]);
	assert!(table.wants.searches.is_empty());
}

#[test]
fn who_has_delivered_is_asked_at_once_and_no_more_than_it_can_take() {
	let mut table = Table::proven(&[1, 2], 2);
	for number in 0..20 {
		table.wants.want(id(number), true);
	}
	let first: Vec<_> = (0..9).map(|number| ask(number, Want::Block)).collect();
	assert_eq!(table.act(0), [Action::Send(2, first)]);
	// One in, two out: the window grows with what the peer has shown to deal with.
	table.block(2, 3, 1);
	assert_eq!(table.act(1), [Action::Send(2, vec![ask(9, Want::Block), ask(10, Want::Block)])]);
}

#[test]
fn who_is_slow_is_asked_for_less_and_not_given_up() {
	let mut table = Table::proven(&[1], 1);
	for number in 0..20 {
		table.wants.want(id(number), true);
	}
	table.act(0);
	let owed = |table: &Table| table.wants.peers[&1].owes;
	assert_eq!(owed(&table), 9);
	// One block in nine seconds, for minutes.
	for number in 0..20 {
		assert_eq!(table.block(1, number, 9 * u64::from(number + 1)).0, Arrival::Wanted);
		table.act(9 * u64::from(number + 1));
	}
	assert!(table.wants.searches.is_empty());
	assert_eq!(table.wants.peers[&1].window, LEAST_WINDOW);
}

#[test]
fn two_who_have_it_share_the_work() {
	let mut table = Table::proven(&[1, 2], 1);
	table.wants.want(id(0), false);
	table.act(0);
	table.presence(1, 0, false);
	table.act(0);
	table.presence(2, 0, true);
	table.act(0);
	assert_eq!(table.block(2, 0, 0).0, Arrival::Wanted);
	(1..=8).for_each(|number| assert!(table.wants.want(id(number), true)));
	let counts: Vec<_> = table
		.act(0)
		.into_iter()
		.map(|action| match action {
			Action::Send(peer, asks) => (peer, asks.len()),
			other => panic!("{other:?}"),
		})
		.collect();
	assert_eq!(counts, [(1, 4), (2, 4)]);
}

#[test]
fn who_had_others_and_has_not_these_is_not_asked_for_each() {
	let mut table = Table::proven(&[1, 2], 1);
	for number in 0..MOST_MISSES {
		table.wants.want(id(number), false);
		assert_eq!(table.act(0), [Action::Send(1, vec![ask(number, Want::Block)])]);
		table.presence(1, number, false);
		assert_eq!(table.act(0), [Action::Send(2, vec![ask(number, Want::Have)])]);
	}
	table.wants.want(id(100), false);
	let probe = vec![ask(100, Want::Have)];
	assert_eq!(table.act(0), [Action::Send(1, probe.clone()), Action::Send(2, probe)]);
	table.presence(1, 100, true);
	assert_eq!(table.act(0), [Action::Send(1, vec![ask(100, Want::Block)])]);
	assert_eq!(table.block(1, 100, 0).0, Arrival::Wanted);
	// It is trusted again.
	table.wants.want(id(101), false);
	assert_eq!(table.act(0), [Action::Send(1, vec![ask(101, Want::Block)])]);
}

#[test]
fn nobody_has_it_so_the_network_is_asked_and_then_it_is_missing() {
	let mut table = Table::new(&[1]);
	table.wants.want(id(7), false);
	table.act(0);
	table.presence(1, 7, false);
	assert_eq!(table.act(0), [Action::Lookup(id(7))]);
	assert_eq!(table.act(1), []);
	// The lookup finds one who has it not either.
	table.wants.connected(2, table.start);
	table.wants.looked_up(&id(7));
	assert_eq!(table.act(2), [Action::Send(2, vec![ask(7, Want::Have)])]);
	table.presence(2, 7, false);
	let cancel = vec![ask(7, Want::Cancel)];
	assert_eq!(
		table.act(3),
		[
			Action::Fail(id(7), Failed::Missing),
			Action::Send(1, cancel.clone()),
			Action::Send(2, cancel)
		]
	);
	// Later it can be asked for again.
	table.wants.want(id(7), false);
	let probe = vec![ask(7, Want::Have)];
	assert_eq!(table.act(4), [Action::Send(1, probe.clone()), Action::Send(2, probe)]);
}

#[test]
fn without_any_peer_the_network_is_asked_at_once() {
	let mut table = Table::new(&[]);
	table.wants.want(id(7), false);
	assert_eq!(table.act(0), [Action::Lookup(id(7))]);
	table.wants.looked_up(&id(7));
	assert_eq!(table.act(0), [Action::Fail(id(7), Failed::Missing)]);
}

#[test]
fn who_stalls_is_dropped_and_another_is_asked() {
	let mut table = Table::new(&[1, 2]);
	table.wants.want(id(7), false);
	table.act(0);
	table.presence(1, 7, true);
	table.presence(2, 7, true);
	assert_eq!(table.act(0), [Action::Send(1, vec![ask(7, Want::Block)])]);
	assert_eq!(table.act(9), []);
	assert_eq!(
		table.act(10),
		[Action::Drop(1, Offence::Stalled), Action::Send(2, vec![ask(7, Want::Block)])]
	);
	assert!(!table.wants.connected(1, table.at(39)), "still banned");
	assert!(table.wants.connected(1, table.at(41)));
	assert_eq!(table.block(2, 7, 11).0, Arrival::Wanted);
}

#[test]
fn the_only_one_who_had_blocks_is_waited_for_when_it_stalls() {
	let mut table = Table::proven(&[1], 1);
	table.wants.lasts(1);
	table.wants.want(id(7), false);
	assert_eq!(table.act(0), [Action::Send(1, vec![ask(7, Want::Block)])]);
	assert_eq!(table.act(39), [], "there is nobody else");
	assert_eq!(table.act(40), [Action::Drop(1, Offence::Stalled), Action::Lookup(id(7))]);
	table.wants.looked_up(&id(7));
	assert_eq!(table.act(41), [], "it may come back");
	assert!(table.wants.connected(1, table.at(42)), "it is not banned");
	assert_eq!(table.act(42), [Action::Send(1, vec![ask(7, Want::Have)])]);
	table.presence(1, 7, true);
	assert_eq!(table.act(42), [Action::Send(1, vec![ask(7, Want::Block)])]);
	assert_eq!(table.block(1, 7, 43).0, Arrival::Wanted);
}

#[test]
fn the_only_one_who_had_blocks_is_not_waited_for_when_another_has_what_it_owes() {
	let mut table = Table::new(&[1, 2]);
	table.wants.want(id(8), false);
	table.wants.want(id(7), false);
	table.act(0);
	table.presence(1, 7, true);
	table.presence(1, 8, true);
	let both = vec![ask(7, Want::Block), ask(8, Want::Block)];
	assert_eq!(table.act(0), [Action::Send(1, both)]);
	table.presence(2, 8, true);
	assert_eq!(table.block(1, 7, 0).0, Arrival::Wanted);
	assert_eq!(table.act(9), []);
	let next = Action::Send(2, vec![ask(8, Want::Block)]);
	assert_eq!(table.act(10), [Action::Drop(1, Offence::Stalled), next]);
}

#[test]
fn one_of_several_who_had_blocks_is_not_waited_for() {
	let mut table = Table::proven(&[1, 2], 1);
	table.wants.want(id(7), false);
	table.act(0);
	table.presence(1, 7, false);
	table.act(0);
	table.presence(2, 7, true);
	table.act(0);
	assert_eq!(table.block(2, 7, 0).0, Arrival::Wanted);
	table.wants.want(id(8), false);
	assert_eq!(table.act(0), [Action::Send(1, vec![ask(8, Want::Block)])]);
	let next = Action::Send(2, vec![ask(8, Want::Block)]);
	assert_eq!(table.act(10), [Action::Drop(1, Offence::Stalled), next]);
}

#[test]
fn who_had_blocks_and_can_not_be_reached_again_is_not_waited_for() {
	let gone = |lasting: bool| {
		let mut table = Table::proven(&[1], 1);
		if lasting {
			table.wants.lasts(1);
		}
		table.wants.disconnected(&1, table.start);
		table.wants.want(id(7), false);
		assert_eq!(table.act(0), [Action::Lookup(id(7))]);
		table.wants.looked_up(&id(7));
		table
	};
	let missing = [Action::Fail(id(7), Failed::Missing)];
	assert_eq!(gone(false).act(1), missing, "nobody connects to it again");
	let mut table = gone(true);
	for _ in 0..PATIENCE {
		assert_eq!(table.act(1), [], "it may come back");
		table.wants.unreachable(&1);
	}
	assert_eq!(table.act(2), missing);
	// Should nobody say so, its time is over at last.
	let mut table = gone(true);
	assert_eq!(table.act(59), []);
	assert_eq!(table.act(60), [Action::Fail(id(7), Failed::TimedOut)]);
}

#[test]
fn silence_while_nobody_listened_is_no_offence() {
	let mut table = Table::proven(&[1], 1);
	table.wants.want(id(7), false);
	table.act(0);
	table.wants.deaf(Duration::from_secs(8));
	assert_eq!(table.act(47), []);
	assert_eq!(table.act(48)[0], Action::Drop(1, Offence::Stalled));
}

#[test]
fn who_vanishes_is_replaced() {
	let mut table = Table::new(&[1, 2]);
	table.wants.want(id(7), false);
	table.act(0);
	table.presence(1, 7, true);
	table.presence(2, 7, true);
	table.act(0);
	table.wants.disconnected(&1, table.start);
	assert_eq!(table.act(0), [Action::Send(2, vec![ask(7, Want::Block)])]);
}

#[test]
fn who_sends_what_nobody_asked_for_is_dropped() {
	let mut table = Table::proven(&[1, 2], 1);
	table.wants.want(id(7), false);
	table.act(0);
	for number in 100..100 + TOLERATED as u32 {
		assert_eq!(table.block(1, number, 0), (Arrival::Unasked, vec![]));
	}
	let dropped = Action::Drop(1, Offence::Unasked);
	assert_eq!(table.block(1, 200, 0), (Arrival::Unasked, vec![dropped]));
	assert_eq!(table.act(0), [Action::Send(2, vec![ask(7, Want::Have)])]);
	// Strangers are not listened to.
	assert_eq!(table.block(9, 7, 0), (Arrival::Unasked, vec![]));
}

#[test]
fn who_sends_much_may_send_some_of_it_twice() {
	let mut table = Table::proven(&[1], 1);
	for number in 0..10 * TOLERATED_OF as u32 {
		table.wants.want(id(number), false);
		table.act(0);
		assert_eq!(table.block(1, number, 0).0, Arrival::Wanted);
		if number % TOLERATED_OF as u32 == 0 {
			assert_eq!(table.block(1, number, 0), (Arrival::Unasked, vec![]));
		}
	}
}

#[test]
fn a_late_block_is_no_offence() {
	let mut table = Table::new(&[1, 2]);
	table.wants.want(id(7), false);
	table.act(0);
	// Both answer with the block itself.
	assert_eq!(table.block(1, 7, 1).0, Arrival::Wanted);
	assert_eq!(table.block(2, 7, 1), (Arrival::Late, vec![]));
}

#[test]
fn silence_says_no_and_time_is_over_at_last() {
	let mut table = Table::new(&[1]);
	table.wants.want(id(7), false);
	table.act(0);
	assert_eq!(table.act(10), [Action::Lookup(id(7))]);
	let actions = table.act(60);
	assert_eq!(actions[0], Action::Fail(id(7), Failed::TimedOut));
}

#[test]
fn who_is_connected_to_for_good_is_asked_again_when_it_does_not_answer() {
	let mut table = Table::new(&[1]);
	table.wants.lasts(1);
	table.wants.want(id(7), false);
	let probe = [Action::Send(1, vec![ask(7, Want::Have)])];
	for seconds in [0, 10, 20, 30, 40, 50] {
		assert_eq!(table.act(seconds), probe);
		assert_eq!(table.act(seconds + 9), []);
	}
	assert_eq!(table.act(60), [Action::Fail(id(7), Failed::TimedOut)]);
}

#[test]
fn who_promises_and_leaves_time_and_again_does_not_hold_up_a_search_for_ever() {
	let mut table = Table::new(&[]);
	table.wants.want(id(7), false);
	for round in 0..100 {
		let now = table.at(9 * round);
		table.wants.connected(1, now);
		let actions = table.act(9 * round);
		if actions.contains(&Action::Fail(id(7), Failed::TimedOut)) {
			assert!(round > 5);
			return;
		}
		table.wants.presence(1, &id(7), true, now);
		assert_eq!(table.act(9 * round), [Action::Send(1, vec![ask(7, Want::Block)])]);
		let gone = table.at(9 * round + 8);
		table.wants.disconnected(&1, gone);
	}
	panic!("it never ends");
}

#[test]
fn wishes_ahead_are_bounded() {
	let mut table = Table::new(&[]);
	for number in 0..100 {
		assert!(table.wants.want(id(number), true));
	}
	assert!(!table.wants.want(id(100), true));
	assert!(table.wants.want(id(99), true), "it is looked for already");
	assert!(table.wants.want(id(100), false), "somebody waits for it");
}

#[derive(Clone, Debug)]
enum Event {
	Want(u32),
	Connect(u32),
	Disconnect(u32),
	Block(u32, u32),
	Presence(u32, u32, bool),
	LookedUp(u32),
	Lasts(u32),
	Unreachable(u32),
	Deaf(u64),
	Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
	let (peer, number) = (0..4u32, 0..8u32);
	prop_oneof![
		3 => number.clone().prop_map(Event::Want),
		2 => peer.clone().prop_map(Event::Connect),
		1 => peer.clone().prop_map(Event::Disconnect),
		1 => peer.clone().prop_map(Event::Lasts),
		1 => peer.clone().prop_map(Event::Unreachable),
		1 => (0..20u64).prop_map(Event::Deaf),
		3 => (peer.clone(), number.clone()).prop_map(|(peer, number)| Event::Block(peer, number)),
		4 => (peer, number.clone(), any::<bool>())
			.prop_map(|(peer, number, has)| Event::Presence(peer, number, has)),
		2 => number.prop_map(Event::LookedUp),
		2 => (0..20u64).prop_map(Event::Pass),
	]
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

	/// Whatever peers do, books balance, and every search comes to an end.
	#[test]
	fn every_search_ends(events in proptest::collection::vec(event(), 0..120)) {
		let mut table = Table::new(&[]);
		let mut now = 0;
		for event in events {
			let at = table.at(now);
			match event {
				Event::Want(number) => {
					table.wants.want(id(number), number % 2 == 0);
				},
				Event::Connect(peer) => {
					table.wants.connected(peer, at);
				},
				Event::Disconnect(peer) => table.wants.disconnected(&peer, at),
				Event::Block(peer, number) => drop(table.wants.block(peer, &id(number), at)),
				Event::Presence(peer, number, has) => table.wants.presence(peer, &id(number), has, at),
				Event::LookedUp(number) => table.wants.looked_up(&id(number)),
				Event::Lasts(peer) => table.wants.lasts(peer),
				Event::Unreachable(peer) => table.wants.unreachable(&peer),
				Event::Deaf(seconds) => table.wants.deaf(Duration::from_secs(seconds)),
				Event::Pass(seconds) => now += seconds,
			}
			table.act(now);
			let open: HashSet<_> = table.wants.open.iter().copied().collect();
			prop_assert_eq!(open.len(), table.wants.open.len(), "no search is open twice");
			for id in table.wants.searches.keys() {
				let senders = table.wants.peers.values()
					.filter(|peer| matches!(peer.asked.get(id), Some((Asked::Block, _))))
					.count();
				prop_assert_eq!(senders, usize::from(!open.contains(id)), "one sends it, or it is open");
			}
			for peer in table.wants.peers.values() {
				let owes = peer.asked.values().filter(|(asked, _)| *asked == Asked::Block).count();
				prop_assert_eq!(owes, peer.owes);
				prop_assert!(peer.owes <= LIMITS.window);
			}
		}
		for _ in 0..60 {
			now += 60;
			table.act(now);
		}
		prop_assert!(table.wants.searches.is_empty());
	}
}
