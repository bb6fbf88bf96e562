//! Test doubles of the traits between pallets. Each keeps its state per thread, so that tests run
//! side by side; `reset` starts a test afresh, and the functions beside the trait let a test set
//! the scene and see what a pallet asked for. Beside them: [`task_spec`], for the tests of all crates.

use std::{cell::RefCell, collections::BTreeMap, thread::LocalKey};

use frame_support::dispatch::DispatchResult;
use sp_core::H256;
use sp_runtime::{DispatchError, Perbill};

use crate::{
	ChainRecord, Conduct, ContentId, Escrow, Judge, Kinds, Offer, Payout, RangeIndex, RangeTerms,
	Refusal, SeatError, Selection, SubtaskLimits, Sums, TaskBook, TaskId, TaskKind, TaskSpec,
	Visibility, Workers,
};

type Account = u64;
type Amount = u128;
type Cell<T> = LocalKey<RefCell<T>>;

fn with<T, R>(cell: &'static Cell<T>, f: impl FnOnce(&mut T) -> R) -> R {
	cell.with(|state| f(&mut state.borrow_mut()))
}

thread_local! {
	static LEDGERS: RefCell<BTreeMap<TaskId, Ledger>> = const { RefCell::new(BTreeMap::new()) };
	static WORKERS: RefCell<BTreeMap<Account, Result<Offer<Account>, Refusal>>> =
		const { RefCell::new(BTreeMap::new()) };
	static RATINGS: RefCell<Vec<(Account, Conduct)>> = const { RefCell::new(Vec::new()) };
	static VOTES: RefCell<BTreeMap<TaskId, Votes>> = const { RefCell::new(BTreeMap::new()) };
	static BOOK: RefCell<Book> = const { RefCell::new(Book::new()) };
}

/// A task with this content, cut like that, which asks for as little as it may of everything else.
pub fn task_spec(
	manifest: ContentId,
	input_root: H256,
	subtasks: u32,
	range_size: u32,
) -> TaskSpec<Amount> {
	TaskSpec {
		kind: TaskKind::Compute,
		manifest,
		input_root,
		subtasks,
		range_size,
		replicas: 3,
		max_replicas: 5,
		reward: 1,
		limits: SubtaskLimits { time_ms: 1, memory_mib: 1, fuel: 1 },
		queue_timeout: 1,
		run_timeout: 1,
		selection: Selection::Any,
		payout: Payout::Pps,
		visibility: Visibility::Private,
		keep_solution: false,
	}
}

/// Forgets everything.
pub fn reset() {
	with(&LEDGERS, BTreeMap::clear);
	with(&WORKERS, BTreeMap::clear);
	with(&RATINGS, Vec::clear);
	with(&VOTES, BTreeMap::clear);
	with(&BOOK, |book| *book = Book::new());
}

/// What [`TestEscrow`] knows of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
	/// All that was paid in.
	pub deposited: Amount,
	/// All that was paid out.
	pub paid: Amount,
	/// Whether it is closed.
	pub closed: bool,
}

/// Money without accounts: account 0 has nothing, everybody else enough.
#[derive(Debug)]
pub struct TestEscrow;

impl TestEscrow {
	/// The ledger of a task.
	pub fn ledger(task: TaskId) -> Option<Ledger> {
		with(&LEDGERS, |ledgers| ledgers.get(&task).cloned())
	}
}

impl Escrow<Account, Amount> for TestEscrow {
	fn masternode_share() -> Perbill {
		Perbill::from_percent(5)
	}

	fn open(task: TaskId, owner: &Account, amount: Amount, _: Payout) -> DispatchResult {
		if *owner == 0 {
			return Err(DispatchError::Other("no money"));
		}
		let ledger = Ledger { deposited: amount, ..Default::default() };
		with(&LEDGERS, |ledgers| ledgers.insert(task, ledger));
		Ok(())
	}

	fn add(task: TaskId, funder: &Account, amount: Amount) -> DispatchResult {
		if *funder == 0 {
			return Err(DispatchError::Other("no money"));
		}
		with(&LEDGERS, |ledgers| {
			let ledger = ledgers.get_mut(&task).filter(|ledger| !ledger.closed);
			ledger.ok_or(DispatchError::Other("no ledger"))?.deposited += amount;
			Ok(())
		})
	}

	fn pay(
		task: TaskId,
		reward: Amount,
		credits: &[(Account, u32)],
	) -> Result<Vec<(Account, Amount)>, DispatchError> {
		with(&LEDGERS, |ledgers| {
			let ledger = ledgers.get_mut(&task).filter(|ledger| !ledger.closed);
			let ledger = ledger.ok_or(DispatchError::Other("no ledger"))?;
			let payments: Vec<_> =
				credits.iter().map(|(who, n)| (*who, reward * Amount::from(*n))).collect();
			ledger.paid += payments.iter().map(|(_, amount)| amount).sum::<Amount>();
			Ok(payments)
		})
	}

	fn close(task: TaskId) -> Result<Sums<Amount>, DispatchError> {
		with(&LEDGERS, |ledgers| {
			let ledger = ledgers.get_mut(&task).filter(|ledger| !ledger.closed);
			let ledger = ledger.ok_or(DispatchError::Other("no ledger"))?;
			ledger.closed = true;
			let refunded = ledger.deposited.saturating_sub(ledger.paid);
			Ok(Sums { paid: ledger.paid, masternodes: 0, refunded })
		})
	}
}

/// Workers that a test puts there.
#[derive(Debug)]
pub struct TestWorkers;

impl TestWorkers {
	/// A worker in good standing that serves every kind, run by `operator`.
	pub fn add(worker: Account, operator: Account, room: u16) {
		let offer = Offer { operator, kinds: Kinds(7), memory_mib: 4096, room, proven: false };
		Self::set(worker, Ok(offer));
	}

	/// What `offer` answers for `worker`.
	pub fn set(worker: Account, offer: Result<Offer<Account>, Refusal>) {
		with(&WORKERS, |workers| workers.insert(worker, offer));
	}

	/// How workers were rated, in order.
	pub fn ratings() -> Vec<(Account, Conduct)> {
		with(&RATINGS, |ratings| ratings.clone())
	}
}

impl Workers<Account> for TestWorkers {
	fn offer(worker: &Account) -> Result<Offer<Account>, Refusal> {
		with(&WORKERS, |all| all.get(worker).cloned().unwrap_or(Err(Refusal::NotRegistered)))
	}

	fn payee(worker: &Account) -> Account {
		Self::offer(worker).map_or(*worker, |offer| offer.operator)
	}

	fn occupy(worker: &Account) -> Result<(), Refusal> {
		with(&WORKERS, |all| match all.get_mut(worker) {
			Some(Ok(offer)) if offer.room > 0 => {
				offer.room -= 1;
				Ok(())
			},
			Some(Ok(_)) => Err(Refusal::NoFreeSlot),
			Some(Err(refusal)) => Err(*refusal),
			None => Err(Refusal::NotRegistered),
		})
	}

	fn vacate(worker: &Account) {
		with(&WORKERS, |all| {
			if let Some(Ok(offer)) = all.get_mut(worker) {
				offer.room += 1;
			}
		});
	}

	fn seen(_: &Account) {}

	fn rate(worker: &Account, conduct: Conduct) {
		with(&RATINGS, |ratings| ratings.push((*worker, conduct)));
	}
}

/// What [`TestJudge`] knows of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Votes {
	/// Subtasks still to be decided.
	pub open: u32,
	/// Who sits where: `(range, worker, operator, until)`.
	pub seats: Vec<(RangeIndex, Account, Account, u32)>,
	/// Whether the vote is over.
	pub closed: bool,
}

/// A judge that gives seats and never decides.
#[derive(Debug)]
pub struct TestJudge;

impl TestJudge {
	/// The votes of a task.
	pub fn votes(task: TaskId) -> Option<Votes> {
		with(&VOTES, |votes| votes.get(&task).cloned())
	}
}

impl Judge<Account> for TestJudge {
	fn open(task: TaskId, subtasks: u32) {
		let votes = Votes { open: subtasks, ..Default::default() };
		with(&VOTES, |all| all.insert(task, votes));
	}

	fn seat(
		task: TaskId,
		range: RangeIndex,
		_: RangeTerms,
		worker: &Account,
		operator: &Account,
		until: u32,
	) -> Result<(), SeatError> {
		with(&VOTES, |all| {
			let votes = all.get_mut(&task).filter(|votes| !votes.closed);
			let votes = votes.ok_or(SeatError::NoOpenSeat)?;
			if votes.seats.iter().any(|seat| seat.0 == range && seat.2 == *operator) {
				return Err(SeatError::AlreadySeated);
			}
			votes.seats.push((range, *worker, *operator, until));
			Ok(())
		})
	}

	fn withdraw(task: TaskId, subtasks: u32) {
		with(&VOTES, |all| {
			if let Some(votes) = all.get_mut(&task) {
				votes.open = votes.open.saturating_sub(subtasks);
			}
		});
	}

	fn close(task: TaskId) -> Option<ChainRecord> {
		with(&VOTES, |all| {
			let votes = all.get_mut(&task)?;
			votes.closed = true;
			Some(ChainRecord::default())
		})
	}
}

/// What [`TestBook`] knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
	/// Rewards of the running tasks.
	pub rewards: BTreeMap<TaskId, Amount>,
	/// Seats that were opened again.
	pub reopened: Vec<(TaskId, RangeIndex)>,
	/// Tasks that were reported finished.
	pub finished: Vec<TaskId>,
}

impl Book {
	const fn new() -> Self {
		Self { rewards: BTreeMap::new(), reopened: Vec::new(), finished: Vec::new() }
	}
}

/// A task book that takes notes.
#[derive(Debug)]
pub struct TestBook;

impl TestBook {
	/// Makes `task` run, at `reward` a result.
	pub fn run(task: TaskId, reward: Amount) {
		with(&BOOK, |book| book.rewards.insert(task, reward));
	}

	/// What was noted.
	pub fn book() -> Book {
		with(&BOOK, |book| book.clone())
	}
}

impl TaskBook<Amount> for TestBook {
	fn reward(task: TaskId) -> Option<Amount> {
		with(&BOOK, |book| book.rewards.get(&task).copied())
	}

	fn reopen(task: TaskId, range: RangeIndex) {
		with(&BOOK, |book| book.reopened.push((task, range)));
	}

	fn finished(task: TaskId) {
		with(&BOOK, |book| book.finished.push(task));
	}
}
