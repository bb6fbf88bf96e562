//! Whom the network has for a task. Where there are fewer different operators than a range needs replicas,
//! it waits in vain.

use std::collections::BTreeSet;

use dgcs_client::{api, AccountId, At, Balance};
use dgcs_primitives::{
	api::{Standing, WorkerView},
	Selection, TaskSpec, MAX_MEMORY_MIB,
};
use futures::StreamExt;

use crate::error::Result;

/// Most workers that are looked at. Where there are more, a task does not want for any.
const MOST: usize = 1024;
/// Requests at a time.
const PARALLEL: usize = 16;
/// What a task counts as that needs less memory, in MiB (`docs/protocol.md`, "Task specification").
const LEAST_MEMORY_MIB: u32 = 64;

/// The workers of a network, as a task sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workforce {
	/// Workers that were looked at: all that are registered, or so many that the rest does not matter.
	pub workers: u32,
	/// Who runs those that may be drawn for the task. Two replicas of a range never go to one operator.
	pub operators: BTreeSet<AccountId>,
	/// Workers that are suspended, blacklisted or leaving, or serve other kinds of tasks.
	pub away: u32,
	/// Workers whose slots have too little memory.
	pub small: u32,
	/// The most memory that a slot of one of these has, in MiB.
	pub largest_mib: u32,
	/// Workers without the run of good results that the task asks for.
	pub unproven: u32,
}

impl Workforce {
	/// Those that may be drawn for a task with this specification as of a block, busy or not. No more are
	/// looked at than it can have replicas.
	pub async fn at(at: &At, spec: &TaskSpec<Balance>) -> Result<Self> {
		let proven_run = at.constant(api::constants().workers().proven_run())?;
		let accounts = at.workers(MOST).await?;
		let views =
			futures::stream::iter(accounts).map(|account| async move { at.worker(&account).await });
		let mut views = views.buffer_unordered(PARALLEL);
		let mut found = Workforce::default();
		while let Some(view) = views.next().await {
			if let Some(worker) = view? {
				found.count(&worker, spec, proven_run);
			}
			if found.operators.len() >= usize::from(spec.max_replicas) {
				break;
			}
		}
		Ok(found)
	}

	fn count(
		&mut self,
		worker: &WorkerView<AccountId, Balance>,
		spec: &TaskSpec<Balance>,
		proven_run: u32,
	) {
		self.workers += 1;
		let memory = worker.capacity.memory_mib;
		let here = worker.standing == Standing::Good && worker.leaving.is_none();
		if !here || !worker.kinds.contains(spec.kind) {
			self.away += 1;
		} else if memory < memory_needed(spec) {
			self.small += 1;
			self.largest_mib = self.largest_mib.max(memory);
		} else if spec.selection == Selection::Proven && worker.good_run < proven_run {
			self.unproven += 1;
		} else {
			self.operators.insert(worker.operator.clone());
		}
	}

	/// How many operators there are for the task.
	pub fn count_operators(&self) -> usize {
		self.operators.len()
	}

	/// Why a task with this specification gets no verdict from this network. `None`: it has enough workers.
	pub fn lack(&self, spec: &TaskSpec<Balance>) -> Option<String> {
		let (needed, found) = (usize::from(spec.replicas), self.operators.len());
		if found >= needed {
			return None;
		}
		if self.workers == 0 {
			return Some(format!(
				"no worker is registered on this network, and each range needs {needed} of different operators"
			));
		}
		let mut rest = Vec::new();
		if self.small > 0 {
			rest.push(format!(
				"{} with too little memory (a subtask needs {} MiB, the most of these have {}: ask for less \
				 by --memory, or --merge-memory for a merge step)",
				self.small,
				memory_needed(spec),
				self.largest_mib
			));
		}
		if self.away > 0 {
			rest.push(format!("{} that may have no such work now", self.away));
		}
		if self.unproven > 0 {
			rest.push(format!("{} not proven yet (--proven)", self.unproven));
		}
		let rest = match rest.is_empty() {
			true => String::new(),
			false => format!(", of which {}", rest.join(", ")),
		};
		let operators = match found {
			1 => "only 1 operator has".into(),
			found => format!("only {found} operators have"),
		};
		Some(format!(
			"{operators} workers for this task, and each range needs {needed} different ones ({} workers are \
			 registered{rest})",
			self.workers
		))
	}
}

/// What a worker must offer, in MiB: the chain rounds up to a power of two.
fn memory_needed(spec: &TaskSpec<Balance>) -> u32 {
	spec.limits.memory_mib.clamp(LEAST_MEMORY_MIB, MAX_MEMORY_MIB).next_power_of_two()
}

#[cfg(test)]
pub(crate) mod tests {
	use dgcs_primitives::{api::Capacity, Kinds};
	use sp_runtime::Permill;

	use super::*;
	use crate::{
		survey::Survey,
		wish::{Outline, Terms},
	};

	const PROVEN: u32 = 10;

	fn spec(change: impl FnOnce(&mut Terms)) -> TaskSpec<Balance> {
		let mut terms = Terms::usual();
		change(&mut terms);
		let survey = Survey { cut: dgcs_content::Cut::Files, subtasks: 1, bytes: 0 };
		terms.spec(&Outline::of(&survey, &terms), 3000)
	}

	fn worker(operator: u8, memory_mib: u32) -> WorkerView<AccountId, Balance> {
		WorkerView {
			operator: AccountId::new([operator; 32]),
			bond: 1,
			key: Default::default(),
			capacity: Capacity { slots: 1, memory_mib },
			kinds: Kinds(1),
			busy: 1,
			standing: Standing::Good,
			good_run: 0,
			wrong: Permill::one(),
			silent: Permill::one(),
			offline: Permill::one(),
			last_seen: 0,
			leaving: None,
		}
	}

	/// A network of so many operators, each with a worker for everything.
	pub(crate) fn workforce(operators: u8) -> Workforce {
		let mut found = Workforce::default();
		for operator in 0..operators {
			found.count(&worker(operator, MAX_MEMORY_MIB), &spec(|_| {}), PROVEN);
		}
		found
	}

	#[test]
	fn two_workers_of_one_operator_are_one() {
		let spec = spec(|_| {});
		let mut found = workforce(2);
		found.count(&worker(1, 4096), &spec, PROVEN);
		let text = found.lack(&spec).expect("each range needs three");
		assert!(text.contains("only 2 operators") && text.contains("3 workers"), "{text}");
		found.count(&worker(2, 4096), &spec, PROVEN);
		assert_eq!(found.lack(&spec), None);
		let nobody = Workforce::default().lack(&spec).expect("nobody is there");
		assert!(nobody.contains("no worker is registered"), "{nobody}");
	}

	#[test]
	fn it_is_said_what_the_others_lack() {
		let spec = spec(|terms| {
			terms.selection = Selection::Proven;
			terms.limits.memory_mib = 600;
		});
		let mut found = Workforce::default();
		let good_run = PROVEN;
		let fit = WorkerView { good_run, ..worker(0, 1024) };
		let others = [
			// The chain asks for 1024 MiB where a task needs 600.
			WorkerView { good_run, ..worker(1, 1023) },
			WorkerView { good_run, ..worker(2, 512) },
			WorkerView { good_run: PROVEN - 1, ..worker(3, 1024) },
			WorkerView { standing: Standing::Suspended { until: 9 }, ..fit.clone() },
			WorkerView { standing: Standing::Blacklisted, ..fit.clone() },
			WorkerView { leaving: Some(9), ..fit.clone() },
			WorkerView { kinds: Kinds(2), ..fit.clone() },
		];
		others.iter().chain([&fit]).for_each(|one| found.count(one, &spec, PROVEN));
		assert_eq!((found.workers, found.count_operators()), (8, 1));
		let text = found.lack(&spec).expect("one is not enough");
		for part in [
			"only 1 operator has",
			"2 with too little memory",
			"needs 1024 MiB",
			"of these have 1023",
			"by --memory, or --merge-memory for a merge step",
			"4 that may have no such work",
			"1 not proven",
		] {
			assert!(text.contains(part), "{part}: {text}");
		}
	}

	#[test]
	fn memory_counts_as_on_the_chain() {
		for (asked, needed) in
			[(1, 64), (64, 64), (65, 128), (1024, 1024), (3000, 4096), (4096, 4096)]
		{
			assert_eq!(memory_needed(&spec(|terms| terms.limits.memory_mib = asked)), needed);
		}
	}
}
