//! What calls cost as the state grows: the same calls in a chain with few and with many workers,
//! tasks and subtasks, in one process, so that the figures can be compared.

use std::{
	fmt,
	time::{Duration, Instant},
};

use clap::Args;
use dgcs_primitives::{
	Digests, RangeIndex, Round, Selection, SubtaskLimits, TaskId, TaskSpec, MAX_MEMORY_MIB,
};
use dgcs_runtime::{constants::MICRO, AccountId, Balance, Runtime, System, Tasks, Verdicts};

use crate::chain;

/// Subtasks that are voted on together.
const RANGE: u32 = 10;
/// Workers that take and vote while it is measured.
const MEASURED: u32 = 3;
/// Seats that each of them asks for at first.
const SEATS: u16 = 16;

/// Options of the scale benchmark.
#[derive(Debug, Args)]
pub struct Options {
	/// Workers and tasks in the large state.
	#[arg(long, default_value_t = 100_000)]
	many: u32,
	/// How often each call is measured; the median counts.
	#[arg(long, default_value_t = 31)]
	repeat: usize,
}

/// Where a chain does not do what the benchmark expects.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Median times of one life of a task.
#[derive(Debug, Default)]
struct Times {
	submit: Vec<Duration>,
	lease: Vec<Duration>,
	commit: Vec<Duration>,
	reveal: Vec<Duration>,
	settle: Vec<Duration>,
}

impl Times {
	fn medians(&mut self) -> [(&'static str, Duration); 5] {
		let median = |times: &mut Vec<Duration>| {
			times.sort();
			times.get(times.len() / 2).copied().unwrap_or_default()
		};
		[
			("submit", median(&mut self.submit)),
			("lease", median(&mut self.lease)),
			("commit", median(&mut self.commit)),
			("reveal", median(&mut self.reveal)),
			("settle", median(&mut self.settle)),
		]
	}
}

/// What becomes of the tasks that fill the state.
#[derive(Clone, Copy, Debug)]
enum Filling {
	/// They are leased, and computed for longer than the benchmark takes.
	Leased,
	/// They wait in the same bucket as the one that is measured, and no worker may have them.
	Waiting,
}

impl fmt::Display for Filling {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Filling::Leased => "leased",
			Filling::Waiting => "waiting",
		})
	}
}

/// Runs the benchmark and prints its ratios.
pub fn run(options: &Options) -> Result<(), Error> {
	let few = measure(10, 10, Filling::Leased, options.repeat)?;
	print("10 workers and leased tasks, 10 subtasks", &few, &few);
	for (state, subtasks, filling) in [
		(10, 1_000_000, Filling::Leased),
		(1_000, 10, Filling::Leased),
		(1_000, 10, Filling::Waiting),
		(options.many, 10, Filling::Leased),
		(options.many, 10, Filling::Waiting),
		(options.many, 1_000_000, Filling::Leased),
	] {
		let times = measure(state, subtasks, filling, options.repeat)?;
		print(&format!("{state} workers and {filling} tasks, {subtasks} subtasks"), &times, &few);
	}
	Ok(())
}

fn print(title: &str, times: &[(&'static str, Duration); 5], base: &[(&'static str, Duration); 5]) {
	println!("{title}");
	for ((name, time), (_, base)) in times.iter().zip(base) {
		let ratio = time.as_secs_f64() / base.as_secs_f64().max(f64::EPSILON);
		println!(
			"  {name:<7} {:>8.1} µs   {ratio:>5.2} times the smallest state's",
			time.as_secs_f64() * 1e6
		);
	}
}

/// Fills a chain with `state` workers and as many tasks, and takes one more task of `subtasks`
/// subtasks through its life again and again.
fn measure(
	state: u32,
	subtasks: u32,
	filling: Filling,
	repeat: usize,
) -> Result<[(&'static str, Duration); 5], Error> {
	let mut ext = chain::chain();
	let filled = ext.execute_with(|| {
		chain::register_workers(MEASURED + state);
		fill(state, filling)?;
		Ok::<_, Error>(bytes_at_rest())
	})?;
	ext.commit_all().map_err(|error| Error(format!("the state can't be written: {error}")))?;

	let mut times = Times::default();
	for _ in 0..repeat {
		ext.execute_with(|| life(subtasks, &mut times))?;
		ext.commit_all().map_err(|error| Error(format!("the state can't be written: {error}")))?;
	}
	let left = ext.execute_with(bytes_at_rest).saturating_sub(filled) / repeat.max(1);
	println!("a settled task leaves {left} bytes");
	Ok(times.medians())
}

/// The size of the state when nothing happens in it: no events, and nothing left to be cleared.
fn bytes_at_rest() -> usize {
	(0..3).for_each(|_| chain::next_block_unchecked());
	chain::state_bytes()
}

/// As many tasks as workers, each submitted by another account.
fn fill(state: u32, filling: Filling) -> Result<(), Error> {
	let workers: Vec<AccountId> = (1..=state).map(|n| chain::account(MEASURED + n)).collect();
	let submit_all = |spec: &TaskSpec<_>| {
		workers.iter().try_for_each(|owner| {
			Tasks::submit(chain::signed(owner), spec.clone())
				.map_err(|error| Error(format!("a task to fill the state with: {error:?}")))
		})
	};
	match filling {
		Filling::Waiting => submit_all(&TaskSpec {
			limits: SubtaskLimits { memory_mib: MAX_MEMORY_MIB, ..chain::spec().limits },
			selection: Selection::Proven,
			queue_timeout: 800_000,
			..chain::spec()
		}),
		Filling::Leased => {
			let long = long();
			submit_all(&long)?;
			lease_all(&workers, long.replicas.into())
		},
	}
}

/// A task that keeps its workers busy for longer than the benchmark takes.
fn long() -> TaskSpec<Balance> {
	TaskSpec {
		subtasks: RANGE,
		range_size: RANGE,
		max_replicas: 3,
		limits: SubtaskLimits { time_ms: 1_000_000, ..chain::spec().limits },
		reward: MICRO,
		queue_timeout: 800_000,
		run_timeout: 800_000,
		..chain::spec()
	}
}

/// Has the workers lease all seats of all tasks.
fn lease_all(workers: &[AccountId], slots: u16) -> Result<(), Error> {
	// Who asks late may find that it has a seat on each range that is left: more than one pass.
	for _ in 0..5 {
		for worker in workers {
			let _ = Tasks::take(chain::signed(worker), slots);
		}
		while !pallet_tasks::Line::<Runtime>::get().is_empty() {
			chain::next_block_unchecked();
		}
		if pallet_tasks::Waiting::<Runtime>::get() == Default::default() {
			return Ok(());
		}
	}
	Err(Error("the tasks that fill the state are not leased".into()))
}

fn timed<R>(into: &mut Vec<Duration>, f: impl FnOnce() -> R) -> R {
	let since = Instant::now();
	let result = f();
	into.push(since.elapsed());
	result
}

/// The first ranges of a task, from submission to settlement. What is not begun is cancelled, so
/// that the task can be settled however many subtasks it has.
fn life(subtasks: u32, times: &mut Times) -> Result<(), Error> {
	let spec = TaskSpec {
		subtasks,
		range_size: RANGE,
		replicas: 3,
		max_replicas: 3,
		run_timeout: 10_000,
		..chain::spec()
	};
	let task: TaskId = timed(&mut times.submit, || chain::submit(spec));
	let workers: Vec<AccountId> = (1..=MEASURED).map(chain::account).collect();
	// What is leased first is all that there will be: the rest is cancelled.
	let since = Instant::now();
	for worker in &workers {
		let _ = Tasks::take(chain::signed(worker), SEATS);
	}
	(0..3).for_each(|_| chain::next_block_unchecked());
	let leased = pallet_verdicts::Ranges::<Runtime>::iter_prefix_values(task)
		.map(|range| range.seats.len() as u32)
		.sum::<u32>();
	times.lease.push(since.elapsed() / leased.max(1));
	let _ = Tasks::cancel(chain::signed(&chain::owner()), task);

	for _ in 0..50 {
		// The chain settles what is finished by itself at the end of a block.
		if Tasks::settlement(task).is_some() {
			return Ok(());
		}
		vote(task, &workers, times);
		if Tasks::task(task).is_some_and(|task| task.finished) {
			// Not by a whole block, which would settle it by itself.
			frame_system::Pallet::<Runtime>::set_block_number(System::block_number() + 1);
			let origin = chain::signed(&chain::owner());
			let _ = timed(&mut times.settle, || Tasks::settle(origin, task));
			(0..3).for_each(|_| chain::next_block_unchecked());
			return match Tasks::settlement(task) {
				Some(_) => Ok(()),
				None => Err(Error(format!("task {task} is finished and can't be settled"))),
			};
		}
		// The seats that are still open in the ranges that were begun.
		for worker in &workers {
			let _ = Tasks::take(chain::signed(worker), 1);
		}
		(0..3).for_each(|_| chain::next_block_unchecked());
	}
	Err(Error(format!("not finished: {:?}", Tasks::task(task))))
}

/// Commits and reveals wherever a worker has a seat that wants it.
fn vote(task: TaskId, workers: &[AccountId], times: &mut Times) {
	let ranges: Vec<RangeIndex> =
		pallet_verdicts::Ranges::<Runtime>::iter_key_prefix(task).collect();
	for range in ranges {
		let digests = Digests::truncate_from(chain::honest(task, range, RANGE));
		for worker in workers {
			let commitment = chain::commitment(task, range, Round(0), worker, &digests);
			let origin = chain::signed(worker);
			let since = Instant::now();
			if Verdicts::commit(origin, task, range, commitment).is_ok() {
				times.commit.push(since.elapsed());
			}
		}
		for worker in workers {
			let (origin, digests) = (chain::signed(worker), digests.clone());
			let since = Instant::now();
			if Verdicts::reveal(origin, task, range, digests, chain::SALT).is_ok() {
				times.reveal.push(since.elapsed());
			}
		}
	}
}
