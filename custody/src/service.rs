//! Custody as a task of a running node.

use std::sync::Arc;

use dgcs_primitives::BlockNumber;
use tokio::{sync::watch, task::JoinSet};

use crate::{custody::Custody, edges::Block, hand_over::HandedOver, LOG_TARGET};

/// Follows the finalised chain until the sender of `finalised` (the number of the last finalised
/// block) is gone: reads it, fetches what is owed, as many blobs at a time as the limits say, and hands
/// over what is to be handed over. Runs on a tokio runtime; everything that waits is on threads of
/// its own.
pub async fn run(custody: Arc<Custody>, mut finalised: watch::Receiver<BlockNumber>) {
	let mut fetches: JoinSet<()> = JoinSet::new();
	let mut reading: JoinSet<Option<Block>> = JoinSet::new();
	let mut leaving: JoinSet<Option<HandedOver>> = JoinSet::new();
	let mut told = None;
	finalised.mark_changed();
	loop {
		while fetches.len() < custody.limits.fetches.max(1) {
			let Some(job) = custody.next() else { break };
			let custody = custody.clone();
			fetches.spawn_blocking(move || custody.perform(job));
		}
		tokio::select! {
			changed = finalised.changed(), if reading.is_empty() => {
				if changed.is_err() {
					return;
				}
				let custody = custody.clone();
				reading.spawn_blocking(move || sync(&custody));
			},
			Some(read) = reading.join_next() => {
				// Takes as long as others take to answer; blocks are read meanwhile.
				if let (Ok(Some(at)), true) = (read, leaving.is_empty()) {
					let custody = custody.clone();
					leaving.spawn_blocking(move || hand_over(&custody, &at));
				}
			},
			Some(_) = fetches.join_next() => {},
			Some(report) = leaving.join_next() => {
				let report = report.ok().flatten();
				if report != told {
					report.iter().for_each(tell);
					told = report;
				}
			},
		}
	}
}

fn sync(custody: &Custody) -> Option<Block> {
	custody.sync().inspect_err(|error| log::warn!(target: LOG_TARGET, "{error}")).ok()
}

fn hand_over(custody: &Custody, at: &Block) -> Option<HandedOver> {
	let report = custody.hand_over(at);
	report.inspect_err(|error| log::warn!(target: LOG_TARGET, "{error}")).ok().flatten()
}

/// Says how far a masternode is that has left: its operator waits for it.
fn tell(report: &HandedOver) {
	let HandedOver { done, left } = *report;
	if left > 0 {
		let all = done.saturating_add(left);
		log::info!(
			target: LOG_TARGET,
			"This masternode has left: {done} of {all} blobs of key shares are handed over; keep it running"
		);
	} else {
		log::info!(
			target: LOG_TARGET,
			"This masternode has left, and all key shares are handed over: {done} blobs for tasks that are live"
		);
	}
}
