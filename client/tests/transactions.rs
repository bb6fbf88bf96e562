//! Transactions on a real node: from a single transfer to a task's whole life.

mod common;

use std::collections::BTreeMap;

use common::{account, sender, Node, LONG, UNIT};
use dgcs_client::{
	call::{self, workers::Terms},
	event, fee, Chain, Error, Phase, SeatState, Sender, WorkChain,
};
use dgcs_primitives::{
	api::{Capacity, TaskInfo},
	ContentCodec, ContentId, Digests, Kinds, Outcome, Payout, RangeIndex, ResultDigest, Selection,
	SubtaskLimits, TaskEnd, TaskId, TaskKind, TaskSpec, Visibility,
};
use futures::{future::join_all, StreamExt};
use sp_core::H256;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_signed_sent_and_found() {
	let Some(node) = Node::start() else { return };
	let chain = node.chain().await;
	let alice = sender(&chain, "//Alice");
	let eve = account("//client//eve").id();
	let free = |chain: Chain| {
		let eve = eve.clone();
		async move { chain.at_finalized().await.expect("there").funds(&eve).await.expect("there").free }
	};

	let transfer = call::balances::transfer(&eve, UNIT);
	let price = alice.fee(&transfer).await.expect("it can be told");
	assert!(price > 0 && price < UNIT, "{price}");
	assert_eq!(fee(&chain, &alice.account().id(), &transfer).await.expect("as well"), price);

	// Several at once, each with its own number.
	let many = join_all((0..5).map(|_| async {
		let mut sent = alice.send(&transfer).await.expect("it is valid");
		let early = sent.in_block().await.expect("it succeeds");
		let included = sent.finalized().await.expect("it stays");
		assert!(early.block.number <= included.block.number);
		let moved = included.event::<event::balances::Transfer>().expect("it moved money");
		assert_eq!((moved.to.0, moved.amount), (eve.clone(), UNIT));
	}));
	timeout(LONG, many).await.expect("blocks come");
	assert_eq!(free(chain.clone()).await, 5 * UNIT);

	// Refused by the runtime, with its own words.
	let unknown = call::tasks::cancel(TaskId(99));
	let error = timeout(LONG, alice.send_and_include(&unknown)).await.expect("blocks come");
	let error = error.expect_err("there is no such task");
	assert!(error.is_failure("Tasks", "UnknownTask"), "{error}");
	let Error::Failed { failure, .. } = &error else { panic!("{error}") };
	assert!(!failure.docs.is_empty(), "it says what to do");
	let too_much = call::balances::transfer(&eve, u128::MAX / 2);
	let error = timeout(LONG, alice.send_and_include(&too_much)).await.expect("blocks come");
	assert!(matches!(error, Err(Error::Failed { .. })), "{error:?}");

	// An account without money can't pay a fee.
	let poor = sender(&chain, "//client//poor");
	let error = poor.send(&transfer).await.expect_err("it has nothing");
	let text = error.to_string();
	assert!(matches!(error, Error::InvalidTransaction { .. }) && text.contains("fees"), "{text}");

	// Two that don't know of each other take the same number. One of both happens, or both.
	let (one, other) = (sender(&chain, "//Alice"), sender(&chain, "//Alice"));
	let both = async { tokio::join!(one.send(&transfer), other.send(&transfer)) };
	let (first, second) = timeout(LONG, both).await.expect("a node answers");
	let mut done = 0;
	for sent in [first, second].into_iter().flatten() {
		match timeout(LONG, sent.finalized()).await.expect("blocks come") {
			Ok(_) => done += 1,
			Err(Error::Usurped { .. }) => {},
			Err(error) => panic!("{error}"),
		}
	}
	assert!(done > 0);
	assert_eq!(free(chain.clone()).await, (5 + done) * UNIT, "each as often as it said");
}

fn spec() -> TaskSpec<u128> {
	TaskSpec {
		kind: TaskKind::Compute,
		manifest: ContentId { codec: ContentCodec::Raw, digest: H256::repeat_byte(1) },
		input_root: H256::repeat_byte(2),
		subtasks: 3,
		range_size: 2,
		replicas: 3,
		max_replicas: 3,
		reward: UNIT / 10,
		limits: SubtaskLimits { time_ms: 1000, memory_mib: 64, fuel: 1_000_000 },
		queue_timeout: 200,
		run_timeout: 400,
		selection: Selection::Any,
		payout: Payout::Pps,
		visibility: Visibility::Private,
		keep_solution: true,
	}
}

fn truth(task: TaskId, range: RangeIndex, subtask: u8) -> ResultDigest {
	let mut digest = [7; 32];
	digest[..8].copy_from_slice(&task.0.to_le_bytes());
	digest[8..12].copy_from_slice(&range.0.to_le_bytes());
	digest[12] = subtask;
	ResultDigest(H256(digest))
}

/// Registers, asks for work, and votes on whatever it is leased, until all is decided.
async fn work(worker: Sender, task: TaskId) {
	let chain = worker.chain().clone();
	let me = worker.account().id();
	let terms = Terms {
		operator: me.clone(),
		key: worker.account().encryption_secret().public(),
		capacity: Capacity { slots: 2, memory_mib: 256 },
		kinds: Kinds::from(TaskKind::Compute),
	};
	worker.send_and_finalize(&call::workers::register(&terms)).await.expect("it has money");
	let at = chain.at_finalized().await.expect("there");
	let view = at.worker(&me).await.expect("there").expect("registered");
	assert_eq!((view.key, view.capacity), (terms.key, terms.capacity));
	assert_eq!(at.can_work(&me).await.expect("an answer"), Ok(()));
	assert_eq!(view.bond, at.bond_required(terms.capacity).await.expect("an answer"));

	let mut secrets = BTreeMap::new();
	let mut heads = chain.best_heads();
	while heads.next().await.is_some() {
		let at = chain.at_best().await.expect("there");
		let Some(TaskInfo::Live(_)) = at.task(task).await.expect("an answer") else { return };
		let votes = at.votes_of_worker(&me).await.expect("an answer");
		if votes.len() < 2 && !at.is_asking(&me).await.expect("an answer") {
			let busy = at.worker(&me).await.expect("there").expect("registered").busy;
			// Nothing to do may be over by then: no matter.
			let _ = worker.send_and_include(&call::tasks::take(2 - busy)).await;
		}
		for (task, range, vote) in votes {
			assert_eq!(at.vote(task, range).await.expect("an answer").as_ref(), Some(&vote));
			let seat = vote.seat(&me).expect("votes of the worker").clone();
			match (seat.state, vote.phase) {
				(SeatState::Leased { .. }, _) => {
					let digests: Digests = vote
						.open_subtasks()
						.map(|subtask| truth(task, range, subtask))
						.collect::<Vec<_>>()
						.try_into()
						.expect("at most 64");
					let salt = H256::random();
					let ballot = vote.ballot(chain.genesis(), task, range);
					let commitment = ballot.commitment(&me, &digests, &salt);
					secrets.insert((task, range), (digests, salt));
					let before = at.funds(&me).await.expect("there");
					let commit = call::verdicts::commit(task, range, commitment);
					let included = worker.send_and_include(&commit).await.expect("it is owed");
					included.event::<event::verdicts::Committed>().expect("it counts");
					let at = chain.at(included.block).await.expect("there");
					assert!(at.funds(&me).await.expect("there").free >= before.free, "it is free");
				},
				(SeatState::Committed(_), Phase::Reveal { .. }) => {
					let (digests, salt) = secrets.get(&(task, range)).expect("it committed");
					let reveal = call::verdicts::reveal(task, range, digests, *salt);
					let included = worker.send_and_include(&reveal).await.expect("it is owed");
					included.event::<event::verdicts::Revealed>().expect("it counts");
				},
				_ => {},
			}
		}
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_goes_from_submission_to_settlement() {
	let Some(node) = Node::start() else { return };
	let chain = node.chain().await;
	let owner = sender(&chain, "//Alice");
	let spec = spec();

	let at = chain.at_best().await.expect("there");
	let price = at.estimate(&spec).await.expect("an answer").expect("it is valid");
	let refused = at.estimate(&TaskSpec { replicas: 2, ..spec.clone() }).await.expect("an answer");
	assert!(refused.is_err());
	let hopeless = call::tasks::submit(&TaskSpec { replicas: 2, ..spec.clone() });
	let error = timeout(LONG, owner.send_and_include(&hopeless)).await.expect("blocks come");
	assert!(error.expect_err("it is not").is_failure("Tasks", "BadReplicas"));

	let submit = call::tasks::submit(&spec);
	let submitted = timeout(LONG, owner.send_and_finalize(&submit)).await.expect("blocks come");
	let submitted = submitted.expect("it is valid");
	let submitted = submitted.event::<event::tasks::Submitted>().expect("it is there");
	let task = submitted.task.0;
	assert_eq!(submitted.price.0, price);
	let at = chain.at_finalized().await.expect("there");
	assert_eq!(at.live_tasks().await.expect("an answer"), [task]);
	assert!(at.queue_position(task).await.expect("an answer").is_some());
	let Some(TaskInfo::Live(view)) = at.task(task).await.expect("an answer") else {
		panic!("it was submitted")
	};
	assert_eq!((view.owner, &view.spec), (owner.account().id(), &spec));
	assert_eq!(view.held, price.total());

	// Everybody has their own worker account, endowed by Alice.
	let uris = ["//client//w1", "//client//w2", "//client//w3"];
	let workers: Vec<Sender> = uris.iter().map(|uri| sender(&chain, uri)).collect();
	for worker in &workers {
		let endow = call::balances::transfer(&worker.account().id(), 10_000 * UNIT);
		timeout(LONG, owner.send_and_finalize(&endow)).await.expect("blocks come").expect("rich");
	}

	// Keeps its own copy of the work chain, as an owner does.
	let mut copy = WorkChain::new(task);
	let mut receipts = 0;
	let watching = async {
		let mut events = chain.finalized_events(Some(chain.heads().finalized.number));
		while let Some(events) = events.next().await {
			let events = events.expect("the node answers");
			receipts += events
				.find::<event::verdicts::Decided>()
				.expect("readable")
				.iter()
				.map(|decided| decided.receipts.0.len())
				.sum::<usize>();
			let at = chain.at(events.block()).await.expect("there");
			at.extend_work_chain(&mut copy).await.expect("it verifies");
			if let Some(settled) = events.find::<event::tasks::Settled>().expect("readable").pop() {
				return settled;
			}
		}
		panic!("heads don't end")
	};
	let working = join_all(workers.into_iter().map(|worker| work(worker, task)));
	let (settled, _) =
		timeout(LONG, async { tokio::join!(watching, working) }).await.expect("blocks come");
	assert_eq!(settled.task.0, task);
	let settlement = settled.settlement.0;
	assert_eq!(settlement.end, TaskEnd::Completed);
	assert_eq!(settlement.sums.paid, 9 * spec.reward, "three results each");
	assert_eq!(receipts, 6, "three seats on two ranges");

	// The copy is proven by what stays of the task. The block of the last verdict is in no state when
	// the task is settled in the same block: then all but that one are there, and are not the whole.
	let whole = copy.height() == settlement.chain.height;
	assert_eq!(copy.verify(&settlement.chain).is_ok(), whole);
	assert!(copy.height() + 1 >= settlement.chain.height);
	let verdicts: Vec<_> = copy.verdicts(&spec).collect();
	assert!(!verdicts.is_empty());
	for verdict in verdicts {
		assert_eq!(verdict.range.0, verdict.subtask / spec.range_size);
		let subtask = (verdict.subtask % spec.range_size) as u8;
		assert_eq!(verdict.outcome, Outcome::Agreed(truth(task, verdict.range, subtask)));
	}
	let at = chain.at_finalized().await.expect("there");
	let Some(TaskInfo::Settled(kept)) = at.task(task).await.expect("an answer") else {
		panic!("its owner wanted it kept")
	};
	assert_eq!(kept, settlement);
}
