//! What happened in a block.

use std::collections::BTreeMap;

use dgcs_primitives::TaskId;
use sp_core::H256;
use subxt::{
	events::{DecodeAsEvent, Events as SubxtEvents, Phase},
	Metadata,
};

use crate::{
	error::Failure,
	runtime::{api, DgcsConfig, Offline, Runtime},
	Error, Head, Receipt, Result,
};

pub use api::{
	balances::events as balances, escrow::events as escrow, masternodes::events as masternodes,
	system::events as system, tasks::events as tasks, verdicts::events as verdicts,
	workers::events as workers,
};
pub use subxt::events::DecodeAsEvent as Event;

/// The version of the metadata that a [`Reader`] is made from.
pub const METADATA_VERSION: u32 = 16;

/// Reads events whose bytes come from elsewhere than a node's RPC: a node has its own.
#[derive(Debug)]
pub struct Reader(Runtime);

impl Reader {
	/// For blocks of the runtime with this version and metadata. Fails if its events are not what this
	/// program knows.
	pub fn new(spec_version: u32, metadata: &[u8]) -> Result<Self> {
		let metadata = Metadata::decode_from(metadata)
			.map_err(|error| Error::answer("the metadata of the runtime", error))?;
		// Genesis and transactions are of no account to events.
		Ok(Reader(Runtime::new(H256::zero(), spec_version, 0, metadata)?))
	}

	/// The version of the runtime.
	pub fn spec_version(&self) -> u32 {
		self.0.spec_version
	}

	/// The events of a block, from the value of its storage `System.Events`.
	pub fn read(&self, block: Head, bytes: Vec<u8>) -> Events {
		Events::new(block, &self.0.offline, bytes)
	}
}

/// The events of one block, in order.
#[derive(Debug)]
pub struct Events {
	block: Head,
	all: SubxtEvents<DgcsConfig>,
	/// Those of one transaction alone.
	of: Option<u32>,
}

impl Events {
	pub(crate) fn new(block: Head, offline: &Offline, bytes: Vec<u8>) -> Self {
		Events { block, all: offline.events().from_bytes(bytes), of: None }
	}

	/// Those of the transaction with this place in the block alone.
	pub(crate) fn of(mut self, index: u32) -> Self {
		self.of = Some(index);
		self
	}

	/// The block.
	pub fn block(&self) -> Head {
		self.block
	}

	/// All events of one kind, such as [`verdicts::Decided`]. Fails if one can't be read.
	pub fn find<E: DecodeAsEvent>(&self) -> Result<Vec<E>> {
		let mut found = Vec::new();
		for event in self.all.iter() {
			let event = event.map_err(|error| self.unreadable(error))?;
			if self.of.is_some_and(|index| event.phase() != Phase::ApplyExtrinsic(index)) {
				continue;
			}
			if let Some(event) = event.decode_fields_as::<E>() {
				found.push(event.map_err(|error| self.unreadable(error))?);
			}
		}
		Ok(found)
	}

	/// Who did what in the blocks of work chains that this block brought, by task and by the index of such
	/// a block.
	pub fn receipts(&self) -> Result<BTreeMap<(TaskId, u32), Vec<Receipt>>> {
		let decided = self.find::<verdicts::Decided>()?.into_iter().map(|event| {
			let receipts = event.receipts.0.into_iter().map(|receipt| receipt.0);
			((event.task.0, event.index), receipts.collect())
		});
		Ok(decided.collect())
	}

	/// Why the transaction whose events these are failed. `None`: it did not.
	pub(crate) fn failure(&self, offline: &Offline) -> Result<Option<Failure>> {
		for event in self.all.iter() {
			let event = event.map_err(|error| self.unreadable(error))?;
			let ours = self.of.is_none_or(|index| event.phase() == Phase::ApplyExtrinsic(index));
			if ours && event.is::<system::ExtrinsicFailed>() {
				let error = subxt::error::DispatchError::decode_from(
					event.field_bytes(),
					offline.metadata(),
				)
				.map_err(|error| self.unreadable(error))?;
				return Ok(Some(failure(&error)));
			}
		}
		Ok(None)
	}

	fn unreadable(&self, error: impl ToString) -> Error {
		Error::answer(format!("the events of block #{}", self.block.number), error)
	}
}

/// A dispatch error by its names, and with what its pallet says about it.
fn failure(error: &subxt::error::DispatchError) -> Failure {
	if let subxt::error::DispatchError::Module(error) = error {
		if let Ok(details) = error.details() {
			return Failure {
				pallet: Some(details.pallet.name().into()),
				name: details.variant.name.clone(),
				docs: details.variant.docs.join(" ").trim().into(),
			};
		}
	}
	Failure { pallet: None, name: "the runtime".into(), docs: error.to_string() }
}
