//! Who is asked for which block: a state machine without network or clock.
//!
//! A block is asked of a peer that has delivered others or says that it has it; if there is none, all
//! peers are asked whether they have it; if none has, the network is asked who does. A peer is given as
//! many blocks to send as it has shown to deal with. One that stops sending, or sends what nobody
//! asked for, is dropped, and what it was to send is asked of another. A block is missing when nobody has
//! it, and nobody is on the way back who had others.

use std::{
	collections::{BTreeMap, HashMap, HashSet, VecDeque},
	hash::Hash,
	time::{Duration, Instant},
};

use dgcs_primitives::ContentId;

use super::message::{Ask, Want};

/// How many blocks a peer is asked for at first.
const FIRST_WINDOW: usize = 8;

/// How many blocks the slowest peer is asked for.
const LEAST_WINDOW: usize = 2;

/// So many searches that wait for busy peers say that all others of that kind have to wait as well.
const MOST_BUSY: usize = 16;

/// A peer that had so many blocks in a row not is no longer asked for blocks just because it had others.
const MOST_MISSES: u32 = 3;

/// How many searches are looked at at once.
const AT_ONCE: usize = 256;

/// How many blocks that it was not asked for a peer may send at first, and one more for so many that it
/// was asked for: some of the protocol's implementations send one twice now and then.
const TOLERATED: u64 = 4;
const TOLERATED_OF: u64 = 16;

/// How much longer the only peer that has sent blocks may be silent, if nobody else says that it has what is
/// owed: there is nobody to ask instead.
const ALONE: u32 = 4;

/// How many times in a row a peer that is awaited can't be connected to before it is not any more.
const PATIENCE: u32 = 3;

/// How long a late block is no offence, in multiples of the time in which a peer must go on.
const GRACE: u32 = 8;

/// Bounds of the state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
	/// How many blocks one peer is asked for at once, at most.
	pub window: usize,
	/// How many blocks peers are asked whether they have them, at once.
	pub probes: usize,
	/// How many peers are asked whether they have a block.
	pub breadth: usize,
	/// How many blocks are wanted at once before wishes for more are passed over.
	pub ahead: usize,
	/// A peer that owes blocks and sends nothing for so long is dropped.
	pub stall: Duration,
	/// A block that nobody was found to send in this time is given up.
	pub deadline: Duration,
	/// How long a dropped peer is not asked again.
	pub ban: Duration,
}

impl Default for Limits {
	fn default() -> Self {
		Limits {
			window: 64,
			probes: 32,
			breadth: 64,
			ahead: 1024,
			stall: Duration::from_secs(15),
			deadline: Duration::from_secs(120),
			ban: Duration::from_secs(60),
		}
	}
}

/// What a peer did to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence {
	/// Owes blocks, and sends nothing.
	Stalled,
	/// Sent a block that nobody asked for, or another one than was asked for.
	Unasked,
	/// Sent something that is no message, or is too long.
	Malformed,
	/// Asks for more than it can take.
	Flood,
	/// Does not read what it asked for.
	NotReading,
}

/// How the search for a block ended, if not with the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
	/// Nobody who could be asked has it.
	Missing,
	/// It was not there in time.
	TimedOut,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action<P> {
	/// Send this to the peer.
	Send(P, Vec<Ask>),
	/// End the connection with the peer.
	Drop(P, Offence),
	/// Look for others who have the block, and say when that is done.
	Lookup(ContentId),
	/// Tell those who wait.
	Fail(ContentId, Failed),
}

/// What a block that came is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
	/// What was waited for.
	Wanted,
	/// What was waited for earlier.
	Late,
	/// Nothing that this peer was asked for.
	Unasked,
}

/// What a peer was asked about a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
	/// To send it.
	Block,
	/// Whether it has it.
	Have,
	/// It has it.
	Has,
	/// It hasn't, or does not say.
	Hasnt,
	/// It need not answer any more.
	Cancelled,
}

#[derive(Debug)]
struct Peer {
	asked: HashMap<ContentId, (Asked, Instant)>,
	/// How many blocks it is to send.
	owes: usize,
	window: usize,
	delivered: u64,
	/// How many blocks in a row it was asked for and did not have.
	misses: u32,
	unasked: u64,
	/// When it last sent something, or began to owe something.
	heard: Instant,
}

impl Peer {
	/// Whether it has sent a block that was asked for.
	fn is_proven(&self) -> bool {
		self.delivered > 0
	}
}

#[derive(Debug, Default)]
struct Search {
	/// When the last step of the search began: asking whether peers have it, or asking one to send it.
	since: Option<Instant>,
	/// How long it took until then.
	spent: Duration,
	/// A peer is to send it.
	promised: bool,
	/// Peers are asked whether they have it.
	probed: bool,
	lookup: Lookup,
}

impl Search {
	/// A peer is asked to send it.
	fn promise(&mut self, now: Instant) {
		if let Some(since) = self.since {
			self.spent += now.saturating_duration_since(since);
		}
		self.since = Some(now);
		self.promised = true;
	}
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lookup {
	#[default]
	Not,
	Running,
	Done,
}

/// The state.
#[derive(Debug)]
pub(crate) struct Wants<P> {
	limits: Limits,
	peers: BTreeMap<P, Peer>,
	searches: HashMap<ContentId, Search>,
	/// Those of the searches that nobody is to send, in the order of their wish.
	open: VecDeque<ContentId>,
	banned: HashMap<P, Instant>,
	/// Those that are connected to again whenever their connection is lost.
	lasting: HashSet<P>,
	/// Those of them that sent blocks, are gone, and may be back any moment, each with how many times it
	/// could not be connected to.
	awaited: HashMap<P, u32>,
}

impl<P: Copy + Ord + Hash> Wants<P> {
	pub fn new(limits: Limits) -> Self {
		Wants {
			limits,
			peers: BTreeMap::new(),
			searches: HashMap::new(),
			open: VecDeque::new(),
			banned: HashMap::new(),
			lasting: HashSet::new(),
			awaited: HashMap::new(),
		}
	}

	/// The peer is connected to again whenever its connection is lost.
	pub fn lasts(&mut self, peer: P) {
		self.lasting.insert(peer);
	}

	/// The peer can't be connected to now. It is not waited for after some tries.
	pub fn unreachable(&mut self, peer: &P) {
		let Some(tries) = self.awaited.get_mut(peer) else { return };
		*tries += 1;
		if *tries >= PATIENCE {
			self.awaited.remove(peer);
		}
	}

	/// A peer is there. Says whether it may be.
	pub fn connected(&mut self, peer: P, now: Instant) -> bool {
		if self.is_banned(&peer, now) {
			return false;
		}
		self.awaited.remove(&peer);
		self.peers.entry(peer).or_insert_with(|| Peer {
			asked: HashMap::new(),
			owes: 0,
			window: FIRST_WINDOW,
			delivered: 0,
			misses: 0,
			unasked: 0,
			heard: now,
		});
		true
	}

	/// A peer is gone, or does not speak this protocol.
	pub fn disconnected(&mut self, peer: &P, now: Instant) {
		let Some(gone) = self.peers.remove(peer) else { return };
		if gone.is_proven() && self.lasting.contains(peer) && !self.is_banned(peer, now) {
			self.awaited.insert(*peer, 0);
		}
		for (id, (asked, _)) in gone.asked {
			if asked == Asked::Block {
				self.reopen(id, now);
			}
		}
	}

	/// Whether the peer was dropped a short while ago.
	pub fn is_banned(&self, peer: &P, now: Instant) -> bool {
		self.banned.get(peer).is_some_and(|until| *until > now)
	}

	/// Drops a peer for what it did, and refuses it for a while; but not one that sent blocks and fell
	/// silent: its machine may have been asleep, or its line bad, and it may be the only one who has them.
	pub fn offend(&mut self, peer: P, offence: Offence, now: Instant) -> Action<P> {
		let proven = self.peers.get(&peer).is_some_and(Peer::is_proven);
		if offence != Offence::Stalled || !proven {
			// One that changes its name for each offence must not fill up the memory.
			if self.banned.len() >= 4096 {
				self.banned.clear();
			}
			self.banned.insert(peer, now + self.limits.ban);
		}
		self.disconnected(&peer, now);
		Action::Drop(peer, offence)
	}

	/// A block is wanted. `ahead` says that nobody waits for it yet. Gives whether it is looked for.
	pub fn want(&mut self, id: ContentId, ahead: bool) -> bool {
		if self.searches.contains_key(&id) {
			return true;
		}
		if ahead && self.searches.len() >= self.limits.ahead {
			return false;
		}
		self.searches.insert(id, Search::default());
		if ahead {
			self.open.push_back(id);
		} else {
			self.open.push_front(id);
		}
		true
	}

	/// A block came. If it is wanted, it is no longer.
	pub fn block(&mut self, peer: P, id: &ContentId, now: Instant) -> (Arrival, Vec<Action<P>>) {
		let Some(known) = self.peers.get_mut(&peer) else { return (Arrival::Unasked, Vec::new()) };
		let Some((asked, since)) = known.asked.remove(id) else {
			known.unasked += 1;
			let too_many = known.unasked > TOLERATED + known.delivered / TOLERATED_OF;
			let drop = too_many.then(|| self.offend(peer, Offence::Unasked, now));
			return (Arrival::Unasked, drop.into_iter().collect());
		};
		known.heard = now;
		known.delivered += 1;
		known.misses = 0;
		if asked == Asked::Block {
			known.owes -= 1;
			// As much as it sends in a part of the time in which it must send something.
			let quick = now.saturating_duration_since(since) < self.limits.stall / 4;
			known.window = match quick {
				true => (known.window + 1).min(self.limits.window),
				false => (known.window - 1).max(LEAST_WINDOW),
			};
		}
		if self.searches.remove(id).is_none() {
			return (Arrival::Late, Vec::new());
		}
		(Arrival::Wanted, self.cancel(id))
	}

	/// A peer says whether it has a block.
	pub fn presence(&mut self, peer: P, id: &ContentId, has: bool, now: Instant) {
		let Some(known) = self.peers.get_mut(&peer) else { return };
		let Some((asked, _)) = known.asked.get_mut(id) else { return };
		known.heard = now;
		match (*asked, has) {
			(Asked::Have | Asked::Hasnt, true) => *asked = Asked::Has,
			(Asked::Have | Asked::Has, false) => *asked = Asked::Hasnt,
			(Asked::Block, false) => {
				*asked = Asked::Hasnt;
				known.owes -= 1;
				known.misses = known.misses.saturating_add(1);
				self.reopen(*id, now);
			},
			_ => {},
		}
	}

	/// A lookup is done: whoever was found is connected by now.
	pub fn looked_up(&mut self, id: &ContentId) {
		if let Some(search) = self.searches.get_mut(id) {
			search.lookup = Lookup::Done;
		}
	}

	/// What is to be done now.
	pub fn act(&mut self, now: Instant) -> Vec<Action<P>> {
		let mut actions = Vec::new();
		let mut asks: BTreeMap<P, Vec<Ask>> = BTreeMap::new();
		let mut probes = self.probing();
		let mut busy = 0;
		// Those further behind have to wait for these anyway.
		let rest = self.open.split_off(self.open.len().min(AT_ONCE));
		for id in std::mem::replace(&mut self.open, VecDeque::with_capacity(rest.len())) {
			let Some(search) = self.searches.get_mut(&id) else { continue };
			if busy >= MOST_BUSY {
				self.open.push_back(id);
				continue;
			}
			match choose(&self.peers, &id) {
				Choice::Peer(peer) => {
					let known = self.peers.get_mut(&peer).expect("it was chosen from these; qed");
					if known.owes == 0 {
						known.heard = now;
					}
					known.owes += 1;
					known.asked.insert(id, (Asked::Block, now));
					search.promise(now);
					asks.entry(peer).or_default().push(Ask { id, want: Want::Block, answer: true });
				},
				Choice::Wait => {
					// Who is busy gets on, or is dropped: this is no time lost.
					search.since = search.since.map(|_| now);
					busy += 1;
					self.open.push_back(id);
				},
				Choice::Unknown => {
					let unasked: Vec<P> = self
						.peers
						.iter()
						.filter(|(_, known)| {
							matches!(known.asked.get(&id), None | Some((Asked::Cancelled, _)))
						})
						.map(|(peer, _)| *peer)
						.take(self.limits.breadth)
						.collect();
					let answers_due = self
						.peers
						.values()
						.any(|known| matches!(known.asked.get(&id), Some((Asked::Have, _))));
					if !unasked.is_empty() {
						if search.probed || probes < self.limits.probes {
							probes += usize::from(!search.probed);
							search.probed = true;
							search.since.get_or_insert(now);
							for peer in unasked {
								let known =
									self.peers.get_mut(&peer).expect("it is one of these; qed");
								known.asked.insert(id, (Asked::Have, now));
								let ask = Ask { id, want: Want::Have, answer: true };
								asks.entry(peer).or_default().push(ask);
							}
						}
						self.open.push_back(id);
					} else if answers_due {
						self.open.push_back(id);
					} else if search.lookup == Lookup::Not {
						search.lookup = Lookup::Running;
						search.since.get_or_insert(now);
						actions.push(Action::Lookup(id));
						self.open.push_back(id);
					} else if search.lookup == Lookup::Running {
						self.open.push_back(id);
					} else if !self.awaited.is_empty() {
						search.since.get_or_insert(now);
						self.open.push_back(id);
					} else {
						self.searches.remove(&id);
						actions.push(Action::Fail(id, Failed::Missing));
						actions.extend(self.cancel(&id));
					}
				},
			}
		}
		self.open.extend(rest);
		actions.extend(asks.into_iter().map(|(peer, asks)| Action::Send(peer, asks)));
		actions
	}

	/// How many blocks peers are asked whether they have them.
	fn probing(&self) -> usize {
		self.open
			.iter()
			.filter(|id| self.searches.get(id).is_some_and(|search| search.probed))
			.count()
	}

	/// Nobody is to send the block any more.
	fn reopen(&mut self, id: ContentId, now: Instant) {
		let stall = self.limits.stall;
		if let Some(search) = self.searches.get_mut(&id) {
			// What it took with one who did not send it counts, but no longer than a peer may be silent:
			// one that sends others is not the fault of the search.
			let took =
				search.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
			search.spent += took.min(stall);
			search.since = Some(now);
			search.promised = false;
			self.open.push_front(id);
		}
	}

	/// Tells all who were asked that they need not answer any more.
	fn cancel(&mut self, id: &ContentId) -> Vec<Action<P>> {
		let mut actions = Vec::new();
		for (peer, known) in &mut self.peers {
			let Some((asked, _)) = known.asked.get_mut(id) else { continue };
			if *asked == Asked::Cancelled {
				continue;
			}
			if *asked == Asked::Block {
				known.owes -= 1;
			}
			*asked = Asked::Cancelled;
			actions.push(Action::Send(
				*peer,
				vec![Ask { id: *id, want: Want::Cancel, answer: false }],
			));
		}
		actions
	}

	/// Nobody listened for so long: that no peer was heard is not their fault.
	pub fn deaf(&mut self, time: Duration) {
		for known in self.peers.values_mut() {
			known.heard += time;
			known.asked.values_mut().for_each(|(_, since)| *since += time);
		}
	}

	/// Whether another peer says that it has one of the blocks that this one is to send.
	fn is_owed_elsewhere(&self, known: &Peer) -> bool {
		let has = |other: &Peer, id| matches!(other.asked.get(id), Some((Asked::Has, _)));
		let mut owed = known.asked.iter().filter(|(_, (asked, _))| *asked == Asked::Block);
		owed.any(|(id, _)| self.peers.values().any(|other| has(other, id)))
	}

	/// What is to be done because nothing happened. To be called now and then, before
	/// [`Wants::act`].
	pub fn tick(&mut self, now: Instant) -> Vec<Action<P>> {
		let Limits { stall, deadline, .. } = self.limits;
		let mut actions = Vec::new();
		let proven = self.peers.values().filter(|known| known.is_proven()).count();
		let is_alone =
			|known: &Peer| known.is_proven() && proven == 1 && !self.is_owed_elsewhere(known);
		let stalled: Vec<P> = self
			.peers
			.iter()
			.filter(|(_, known)| {
				let silent = |time| known.owes > 0 && now >= known.heard + time;
				silent(stall) && (silent(ALONE * stall) || !is_alone(known))
			})
			.map(|(peer, _)| *peer)
			.collect();
		for peer in stalled {
			actions.push(self.offend(peer, Offence::Stalled, now));
		}
		let mut reopened = Vec::new();
		for (peer, known) in &mut self.peers {
			// An answer may be lost with a connection that was made anew: who should have it is asked again.
			let good = known.is_proven() || self.lasting.contains(peer);
			known.asked.retain(|_, (asked, since)| match asked {
				Asked::Cancelled => now < *since + deadline + GRACE * stall,
				Asked::Have => !good || now < *since + stall,
				_ => true,
			});
			for (id, (asked, since)) in &mut known.asked {
				match asked {
					// The silence of a stranger says no.
					Asked::Have if now >= *since + stall => *asked = Asked::Hasnt,
					// It sends others, but not this one.
					Asked::Block if now >= *since + GRACE * stall => {
						*asked = Asked::Hasnt;
						known.owes -= 1;
						reopened.push(*id);
					},
					_ => {},
				}
			}
		}
		reopened.into_iter().for_each(|id| self.reopen(id, now));
		let late: Vec<ContentId> = self
			.searches
			.iter()
			.filter(|(_, search)| {
				let since = search.since.filter(|_| !search.promised);
				since.is_some_and(|since| now + search.spent >= since + deadline)
			})
			.map(|(id, _)| *id)
			.collect();
		for id in late {
			self.searches.remove(&id);
			actions.push(Action::Fail(id, Failed::TimedOut));
			actions.extend(self.cancel(&id));
		}
		self.banned.retain(|_, until| *until > now);
		actions
	}
}

enum Choice<P> {
	/// It should send it.
	Peer(P),
	/// Who could send it has enough to do.
	Wait,
	/// Nobody is known who could send it.
	Unknown,
}

/// The least busy of those who have the block, or have had others.
fn choose<P: Copy + Ord>(peers: &BTreeMap<P, Peer>, id: &ContentId) -> Choice<P> {
	let able = peers.iter().filter(|(_, known)| match known.asked.get(id) {
		Some((Asked::Has, _)) => true,
		// Not asked about it, or in an earlier search.
		None | Some((Asked::Cancelled, _)) => known.is_proven() && known.misses < MOST_MISSES,
		// To ask for a block before the answer is there might bring it twice: some answer with small
		// blocks at once.
		Some((Asked::Block | Asked::Have | Asked::Hasnt, _)) => false,
	});
	let mut any = false;
	let mut best: Option<(usize, P)> = None;
	for (peer, known) in able {
		any = true;
		let better = best.is_none_or(|(owes, _)| known.owes < owes);
		if known.owes < known.window && better {
			best = Some((known.owes, *peer));
		}
	}
	match best {
		Some((_, peer)) => Choice::Peer(peer),
		None if any => Choice::Wait,
		None => Choice::Unknown,
	}
}

#[cfg(test)]
mod tests;
