//! Tables and properties of the book.

use std::collections::BTreeSet;

use super::*;
use dgcs_primitives::{api::TaskState, doubles::task_spec, ContentCodec};
use proptest::prelude::*;

fn blob(byte: u8, len: u64) -> Blob {
	let id = ContentId { codec: ContentCodec::Raw, digest: H256::repeat_byte(byte) };
	Blob { id, len }
}

fn view(owner: u8, paid: Balance) -> TaskView<AccountId, Balance> {
	TaskView {
		owner: AccountId::new([owner; 32]),
		spec: task_spec(blob(owner, 0).id, H256::zero(), 4, 2),
		state: TaskState::Queued,
		due: 1,
		reward: 1,
		held: paid,
		begun_ranges: 0,
		open_subtasks: 4,
		agreed: 0,
		failed: 0,
		height: 0,
	}
}

fn promise(shards: u32) -> Promise {
	let mut promise = Promise {
		program: blob(1, 100),
		index: None,
		private: blob(2, 50),
		shares: vec![blob(3, 200), blob(4, 200)],
		shards,
		shard_size: 10_000,
		mine: vec![1],
		bytes: 0,
	};
	promise.bytes = promise.items().map(|item| charge(promise.len(&item))).sum();
	promise
}

fn book(budget: u64) -> Book {
	Book::new(Limits { budget, retention: 10, patience: 20, ..Limits::default() })
}

fn fetch(book: &mut Book, now: BlockNumber) -> Vec<Item> {
	let mut fetched = Vec::new();
	while let Some(job) = book.next(now) {
		assert!(book.got(job, blob(9, 10), now));
		fetched.push(job.item);
	}
	fetched
}

#[test]
fn manifest_and_own_shares_come_first_then_results_then_content() {
	let mut book = book(1 << 20);
	let id = TaskId(1);
	book.live(id, &view(1, 1), 1);
	assert_eq!(fetch(&mut book, 1), [Item::Manifest]);
	book.learn(id, promise(2), 1);
	let digest = ResultDigest(H256::repeat_byte(7));
	book.verdicts(id, 1, &[digest], 1);
	let expected = [
		Item::Shares(1),
		Item::Result(digest),
		Item::Program,
		Item::Shares(0),
		Item::Shard(0),
		Item::Shard(1),
		Item::Private,
	];
	assert_eq!(fetch(&mut book, 1), expected);
	assert!(book.held(id).expect("known").complete);
}

#[test]
fn own_shares_are_missing_until_they_are_here_or_of_no_use() {
	let id = TaskId(1);
	let known = || {
		let mut book = book(1 << 20);
		book.live(id, &view(1, 1), 1);
		let job = book.next(1).expect("the manifest");
		assert!(book.got(job, blob(9, 10), 1));
		assert_eq!(book.missing_shares(id), 0, "nobody knows of any yet");
		book.learn(id, promise(2), 1);
		assert_eq!(book.missing_shares(id), 1);
		book
	};
	let mut good = known();
	fetch(&mut good, 1);
	assert_eq!(good.missing_shares(id), 0);
	let mut wrong = known();
	let job = wrong.next(1).expect("its own shares");
	wrong.failed(job, Failure::Later("nobody".into()), 1);
	assert_eq!(wrong.missing_shares(id), 1, "they may come");
	assert_eq!(wrong.next(2), Some(job));
	wrong.failed(job, Failure::Never("damaged".into()), 2);
	assert_eq!(wrong.missing_shares(id), 0, "they never will");
	let mut refused = known();
	refused.refuse(id, "too large".into());
	assert_eq!(refused.missing_shares(id), 0);
}

#[test]
fn shares_that_were_handed_over_count_once_for_their_holder() {
	let mut book = book(1 << 20);
	let id = TaskId(1);
	book.live(id, &view(1, 1), 1);
	let job = book.next(1).expect("the manifest");
	assert!(book.got(job, blob(9, 10), 1));
	book.learn(id, promise(2), 1);
	let job = book.next(1).expect("its own shares");
	assert!(book.got(job, blob(9, 10), 1));
	let here = |book: &Book| book.held(id).map(|held| (held.key_shares_held, held.key_shares));
	assert_eq!(here(&book), Some((1, 2)));
	assert!(book.inherit(id, 0, blob(8, 200)));
	assert_eq!(here(&book), Some((2, 2)));
	let held = book.held(id).expect("known");
	assert!(!held.manifest && !held.complete, "what the owner sealed is still to come");
	fetch(&mut book, 1);
	assert!(book.held(id).expect("known").complete);
	assert_eq!(here(&book), Some((2, 2)), "the same shares, sealed twice");
	book.end(id, 2, false);
	assert_eq!(here(&book), Some((0, 2)));
}

#[test]
fn one_owner_never_takes_all_fetches() {
	let mut book = book(1 << 30);
	for id in 0..5 {
		book.live(TaskId(id), &view(1, 1_000_000), 1);
	}
	book.live(TaskId(9), &view(2, 1), 1);
	let flying: Vec<Job> = std::iter::from_fn(|| book.next(1)).collect();
	let of_the_other = flying.iter().filter(|job| job.task == TaskId(9)).count();
	assert_eq!((flying.len(), of_the_other), (3, 1), "two of four are one owner's");
}

#[test]
fn tries_grow_apart_and_end() {
	let mut book = book(1 << 20);
	book.limits.patience = 1000;
	book.live(TaskId(1), &view(1, 1), 0);
	let mut tries = Vec::new();
	for now in 0..5000 {
		while let Some(job) = book.next(now) {
			tries.push(now);
			book.failed(job, Failure::Later("nobody".into()), now);
		}
	}
	assert_eq!(&tries[..9], [0, 1, 3, 7, 15, 31, 63, 127, 255]);
	assert!(tries.len() < 20 && tries.last().is_some_and(|last| *last < 1300), "{tries:?}");
	assert!(book.held(TaskId(1)).expect("known").given_up);
}

#[test]
fn results_that_nobody_has_delay_no_others() {
	let mut book = book(1 << 20);
	book.limits.patience = 10_000;
	let id = TaskId(1);
	book.live(id, &view(1, 1), 0);
	fetch(&mut book, 0);
	let digest = |byte| ResultDigest(H256::repeat_byte(byte));
	let gone: Vec<ResultDigest> = (0..50).map(digest).collect();
	book.verdicts(id, 1, &gone, 0);
	for now in 0..500 {
		while let Some(job) = book.next(now) {
			book.failed(job, Failure::Later("nobody".into()), now);
		}
	}
	book.verdicts(id, 2, &[digest(99)], 500);
	assert_eq!(book.next(500), Some(Job { task: id, item: Item::Result(digest(99)) }));
}

#[derive(Clone, Debug)]
enum Op {
	Live(u64, u32),
	Learn(u64, u32),
	Verdict(u64, u8),
	Start,
	Got(prop::sample::Index, u8, u64),
	Later(prop::sample::Index),
	Never(prop::sample::Index),
	Inherit(u64, u8),
	End(u64, bool),
	Pass(u32),
}

fn op() -> impl Strategy<Value = Op> {
	let task = || 0u64..6;
	let place = any::<prop::sample::Index>;
	prop_oneof![
		2 => (task(), 0u32..1_000_000).prop_map(|(id, paid)| Op::Live(id, paid)),
		2 => (task(), 0u32..6).prop_map(|(id, shards)| Op::Learn(id, shards)),
		1 => (task(), 0u8..8).prop_map(|(id, digest)| Op::Verdict(id, digest)),
		8 => Just(Op::Start),
		6 => (place(), 0u8..30, 0u64..5000).prop_map(|(at, id, len)| Op::Got(at, id, len)),
		1 => place().prop_map(Op::Later),
		1 => place().prop_map(Op::Never),
		1 => (task(), 0u8..3).prop_map(|(id, holder)| Op::Inherit(id, holder)),
		1 => (task(), any::<bool>()).prop_map(|(id, kept)| Op::End(id, kept)),
		2 => (1u32..15).prop_map(Op::Pass),
	]
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

	/// Whatever happens in whatever order, every byte is accounted for once, and what is pinned is
	/// what some task keeps.
	#[test]
	fn the_book_is_balanced(ops in prop::collection::vec(op(), 1..150), budget in 20_000u64..200_000) {
		let mut book = book(budget);
		let mut flying: Vec<Job> = Vec::new();
		let mut pinned: BTreeSet<H256> = BTreeSet::new();
		let mut now = 0;
		for op in ops {
			let take = |flying: &mut Vec<Job>, at: prop::sample::Index| {
				(!flying.is_empty()).then(|| flying.swap_remove(at.index(flying.len())))
			};
			match op {
				Op::Live(id, paid) => book.live(TaskId(id), &view(id as u8, paid.into()), now),
				Op::Learn(id, shards) if book.to_learn().contains(&TaskId(id)) => {
					book.learn(TaskId(id), promise(shards), now);
				},
				Op::Learn(..) => {},
				Op::Verdict(id, digest) => {
					let digest = ResultDigest(H256::repeat_byte(100 + digest));
					let height = book.height(TaskId(id)) + 1;
					book.verdicts(TaskId(id), height, &[digest], now);
				},
				Op::Start => flying.extend(book.next(now)),
				Op::Got(at, id, len) => {
					if let Some(job) = take(&mut flying, at) {
						let len = book.promise(job.task).map_or(len, |all| match all.len(&job.item) {
							0 => len,
							promised => promised,
						});
						if book.got(job, blob(id, len), now) {
							pinned.insert(blob(id, 0).id.digest);
						}
					}
				},
				Op::Later(at) => {
					if let Some(job) = take(&mut flying, at) {
						book.failed(job, Failure::Later("later".into()), now);
					}
				},
				Op::Never(at) => {
					if let Some(job) = take(&mut flying, at) {
						book.failed(job, Failure::Never("never".into()), now);
					}
				},
				Op::Inherit(id, holder) => {
					let heirloom = blob(200 + holder, 300);
					if book.inherit(TaskId(id), holder, heirloom) {
						pinned.insert(heirloom.id.digest);
					}
				},
				Op::End(id, kept) => book.end(TaskId(id), now, kept),
				Op::Pass(blocks) => {
					now += blocks;
					book.tick(now);
				},
			}
			for (_, _, unpinned) in book.take_released() {
				for id in unpinned {
					prop_assert!(pinned.remove(&id.digest), "unpinned twice");
				}
			}
			let kept: BTreeSet<H256> = book.keepers.keys().copied().collect();
			prop_assert_eq!(&kept, &pinned);
			let held = || book.tasks.values().flat_map(|entry| entry.held.values());
			let reserved: u64 = book.tasks.values().map(|entry| entry.reserved).sum();
			let charged: u64 = held().map(|blob| charge(blob.len)).sum();
			prop_assert_eq!(book.used, charged + reserved);
			prop_assert_eq!(book.blobs, held().count());
			prop_assert_eq!(book.keepers.values().sum::<u32>() as usize, held().count());
			for entry in book.tasks.values() {
				let counted = Counts::of(entry.held.iter());
				prop_assert_eq!(entry.counts.promised, counted.promised);
				prop_assert!(entry.ended.is_none() || entry.reserved == 0);
				let claim = if entry.admitted { entry.missing() } else { 0 };
				prop_assert_eq!(entry.reserved, claim);
			}
		}
	}
}
