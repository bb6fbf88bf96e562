//! What the chain is, in types, and whether a chain is that.

use std::sync::{Arc, LazyLock};

use sp_core::H256;
use subxt::{
	config::substrate::{SpecVersionForRange, SubstrateConfigBuilder},
	Metadata, OfflineClient, OfflineClientAtBlock, SubstrateConfig,
};

use crate::{Error, Result};

/// Storage, calls, events and constants of the chain, made by subxt from the committed metadata
/// (`scripts/update-metadata.sh` writes it). Types of `dgcs-primitives` are those themselves, in
/// [`Static`](subxt::utils::Static), whose field `0` they are.
#[allow(missing_docs, missing_debug_implementations, rustdoc::all, clippy::all)]
#[subxt::subxt(
	runtime_metadata_path = "metadata/dgcs.scale",
	substitute_type(
		path = "sp_core::crypto::AccountId32",
		with = "::subxt::utils::Static<::sp_core::crypto::AccountId32>"
	),
	substitute_type(
		path = "dgcs_primitives::ids::TaskId",
		with = "::subxt::utils::Static<::dgcs_primitives::TaskId>"
	),
	substitute_type(
		path = "dgcs_primitives::ids::RangeIndex",
		with = "::subxt::utils::Static<::dgcs_primitives::RangeIndex>"
	),
	substitute_type(
		path = "dgcs_primitives::ids::Round",
		with = "::subxt::utils::Static<::dgcs_primitives::Round>"
	),
	substitute_type(
		path = "dgcs_primitives::ids::EncryptionKey",
		with = "::subxt::utils::Static<::dgcs_primitives::EncryptionKey>"
	),
	substitute_type(
		path = "dgcs_primitives::ids::ResultDigest",
		with = "::subxt::utils::Static<::dgcs_primitives::ResultDigest>"
	),
	substitute_type(
		path = "dgcs_primitives::vote::Commitment",
		with = "::subxt::utils::Static<::dgcs_primitives::Commitment>"
	),
	substitute_type(
		path = "dgcs_primitives::api::Capacity",
		with = "::subxt::utils::Static<::dgcs_primitives::api::Capacity>"
	),
	substitute_type(
		path = "dgcs_primitives::task::Kinds",
		with = "::subxt::utils::Static<::dgcs_primitives::Kinds>"
	),
	substitute_type(
		path = "dgcs_primitives::task::TaskSpec<B>",
		with = "::subxt::utils::Static<::dgcs_primitives::TaskSpec<u128>>"
	),
	substitute_type(
		path = "dgcs_primitives::price::Price<B>",
		with = "::subxt::utils::Static<::dgcs_primitives::Price<u128>>"
	),
	substitute_type(
		path = "dgcs_primitives::traits::Refusal",
		with = "::subxt::utils::Static<::dgcs_primitives::Refusal>"
	),
	substitute_type(
		path = "dgcs_primitives::chain::Settlement<A, B>",
		with = "::subxt::utils::Static<::dgcs_primitives::Settlement<::sp_core::crypto::AccountId32, u128>>"
	),
	substitute_type(
		path = "dgcs_primitives::chain::Receipt<A, B>",
		with = "::subxt::utils::Static<::dgcs_primitives::Receipt<::sp_core::crypto::AccountId32, u128>>"
	),
	substitute_type(
		path = "pallet_verdicts::types::RangeVote<A>",
		with = "::subxt::utils::Static<::dgcs_primitives::range::RangeVote<::sp_core::crypto::AccountId32>>"
	),
	substitute_type(
		path = "pallet_verdicts::types::Head",
		with = "::subxt::utils::Static<::dgcs_primitives::Head>"
	)
)]
pub mod api {}

/// How subxt encodes for this chain: accounts as `MultiAddress`, Blake2b-256, the SDK's transaction
/// extensions, of which those unknown to it have no data.
pub(crate) type DgcsConfig = SubstrateConfig;

/// subxt with the metadata of one runtime, and no connection.
pub(crate) type Offline = OfflineClientAtBlock<DgcsConfig>;

/// The pallets whose calls can be made and whose events are read.
const PALLETS: [&str; 5] = ["Masternodes", "Workers", "Escrow", "Tasks", "Verdicts"];

/// Calls beside those of [`PALLETS`].
const CALLS: [(&str, &str); 1] = [("Balances", "transfer_keep_alive")];

/// The storage that is read.
const STORAGE: [(&str, &str); 6] = [
	("System", "Account"),
	("System", "Events"),
	("Tasks", "Asking"),
	("Workers", "Workers"),
	("Verdicts", "Heads"),
	("Verdicts", "Ranges"),
];

/// Of these the values matter not: all events of all pallets have one type, which any new one
/// changes, and of workers the keys are read.
const VALUES_UNUSED: [&str; 2] = ["Events", "Workers"];

/// The runtime APIs that are called.
const RUNTIME_APIS: [(&str, &[&str]); 2] = [
	(
		"DgcsApi",
		&[
			"task",
			"live_tasks",
			"changed_tasks",
			"queue_position",
			"work_chain",
			"worker",
			"estimate",
			"masternodes",
		],
	),
	("AccountNonceApi", &["account_nonce"]),
];

/// How many differences an error lists.
const MOST_LISTED: usize = 6;

const METADATA: &[u8] = include_bytes!("../metadata/dgcs.scale");

/// The committed metadata.
static OURS: LazyLock<Arc<Metadata>> = LazyLock::new(|| {
	Arc::new(Metadata::decode_from(METADATA).expect("subxt read the same file to make `api`; qed"))
});

/// The version of the runtime that this program was made for.
pub fn spec_version() -> u32 {
	version_of(&OURS).map_or(0, |(spec, _)| spec)
}

/// subxt with the committed metadata and this genesis hash.
pub(crate) fn offline_ours() -> Offline {
	let (spec, transaction) = version_of(&OURS).unwrap_or_default();
	offline(H256::zero(), spec, transaction, OURS.clone())
}

/// A runtime of the chain, by its metadata.
#[derive(Clone, Debug)]
pub(crate) struct Runtime {
	/// The version of its rules.
	pub spec_version: u32,
	/// subxt for it.
	pub offline: Offline,
}

impl Runtime {
	/// Checks that the runtime has all that this program uses, and the same.
	pub fn new(
		genesis: H256,
		spec_version: u32,
		transaction_version: u32,
		metadata: Metadata,
	) -> Result<Self> {
		let differences = differences(&OURS, &metadata);
		if !differences.is_empty() {
			return Err(Error::Runtime {
				ours: self::spec_version(),
				chain: spec_version,
				differences: listed(&differences),
			});
		}
		let offline = offline(genesis, spec_version, transaction_version, Arc::new(metadata));
		Ok(Runtime { spec_version, offline })
	}
}

fn offline(
	genesis: H256,
	spec_version: u32,
	transaction_version: u32,
	metadata: Arc<Metadata>,
) -> Offline {
	let block_range = 0..u64::MAX;
	let version = SpecVersionForRange { block_range, spec_version, transaction_version };
	let config = SubstrateConfigBuilder::new()
		.set_genesis_hash(genesis)
		.set_spec_version_for_block_ranges([version])
		.set_metadata_for_spec_versions([(spec_version, metadata)])
		.build();
	OfflineClient::new_with_config(config)
		.at_block(0u64)
		.expect("version and metadata were set for all blocks just before; qed")
}

/// The version of the runtime with this metadata: of its rules, and of its transactions.
fn version_of(metadata: &Metadata) -> Option<(u32, u32)> {
	use codec::Decode;
	// sp_version's RuntimeVersion up to what is needed of it.
	#[derive(Decode)]
	struct Version {
		_spec_name: String,
		_impl_name: String,
		_authoring_version: u32,
		spec_version: u32,
		_impl_version: u32,
		_apis: Vec<([u8; 8], u32)>,
		transaction_version: u32,
	}
	let constant = metadata.pallet_by_name("System")?.constant_by_name("Version")?;
	let version = Version::decode(&mut constant.value()).ok()?;
	Some((version.spec_version, version.transaction_version))
}

/// What `ours` has and `theirs` has not, or has otherwise, of what this program uses. What is new in
/// `theirs` does not matter.
fn differences(ours: &Metadata, theirs: &Metadata) -> Vec<String> {
	let mut found = Vec::new();
	for name in PALLETS {
		let pallet = ours.pallet_by_name(name);
		for call in pallet.iter().flat_map(|pallet| pallet.call_variants().unwrap_or_default()) {
			if !same_call(ours, theirs, name, &call.name) {
				found.push(format!("the call {name}.{}", call.name));
			}
		}
		for event in pallet.iter().flat_map(|pallet| pallet.event_variants().unwrap_or_default()) {
			if !same_event(ours, theirs, name, &event.name) {
				found.push(format!("the event {name}.{}", event.name));
			}
		}
	}
	for (pallet, call) in CALLS {
		if !same_call(ours, theirs, pallet, call) {
			found.push(format!("the call {pallet}.{call}"));
		}
	}
	for (pallet, entry) in STORAGE {
		let hash = |metadata: &Metadata| metadata.pallet_by_name(pallet)?.storage_hash(entry);
		let same = match VALUES_UNUSED.contains(&entry) {
			true => hash(theirs).is_some(),
			false => hash(ours) == hash(theirs),
		};
		if !same {
			found.push(format!("the storage {pallet}.{entry}"));
		}
	}
	for (api, methods) in RUNTIME_APIS {
		for method in methods {
			let hash = |metadata: &Metadata| {
				let api = metadata.runtime_api_trait_by_name(api)?;
				api.method_by_name(method).map(|method| method.hash())
			};
			if hash(ours) != hash(theirs) {
				found.push(format!("the runtime API {api}.{method}"));
			}
		}
	}
	found
}

/// Whether both have the call, with the same arguments and at the same place.
fn same_call(ours: &Metadata, theirs: &Metadata, pallet: &str, call: &str) -> bool {
	let identity = |metadata: &Metadata| {
		let pallet = metadata.pallet_by_name(pallet)?;
		Some((
			pallet.call_index(),
			pallet.call_variant_by_name(call)?.index,
			pallet.call_hash(call)?,
		))
	};
	identity(ours) == identity(theirs)
}

/// Whether both have the event, with the same fields. Of their types those that matter are in calls
/// and storage as well.
fn same_event(ours: &Metadata, theirs: &Metadata, pallet: &str, event: &str) -> bool {
	let fields = |metadata: &Metadata| {
		let pallet = metadata.pallet_by_name(pallet)?;
		let event = pallet.event_variants()?.iter().find(|other| other.name == event)?;
		Some(event.fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>())
	};
	fields(ours) == fields(theirs)
}

fn listed(differences: &[String]) -> String {
	let (first, rest) = differences.split_at(differences.len().min(MOST_LISTED));
	match rest.len() {
		0 => first.join(", "),
		more => format!("{} and {more} more", first.join(", ")),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_committed_metadata_has_all_that_is_used() {
		let nothing = differences(&OURS, &OURS);
		assert!(nothing.is_empty(), "{nothing:?}");
		assert!(spec_version() > 0);
		for (pallet, entry) in STORAGE {
			let pallet = OURS.pallet_by_name(pallet).expect(pallet);
			assert!(pallet.storage_hash(entry).is_some(), "{entry}");
		}
		for (api, methods) in RUNTIME_APIS {
			let api = OURS.runtime_api_trait_by_name(api).expect(api);
			assert!(methods.iter().all(|method| api.method_by_name(method).is_some()));
		}
		for pallet in PALLETS {
			let pallet = OURS.pallet_by_name(pallet).expect(pallet);
			assert!(pallet.call_variants().is_some_and(|calls| !calls.is_empty()));
		}
	}

	#[test]
	fn what_differs_is_named() {
		// The same metadata with names replaced by others of their length.
		let with = |from: &str, to: &str| {
			assert_eq!(from.len(), to.len());
			let mut bytes = METADATA.to_vec();
			let places: Vec<usize> = (0..bytes.len() - from.len())
				.filter(|start| bytes[*start..].starts_with(from.as_bytes()))
				.collect();
			assert!(!places.is_empty(), "{from}");
			for start in places {
				bytes[start..start + from.len()].copy_from_slice(to.as_bytes());
			}
			differences(&OURS, &Metadata::decode_from(&bytes).expect("names have any letters"))
		};
		assert_eq!(with("replenish", "replenosh"), ["the call Workers.replenish"]);
		assert_eq!(with("queue_timeout", "queue_tameout").len(), 3, "call, runtime APIs");
		assert!(with("transfer_keep_alive", "transfer_keep_above")
			.contains(&"the call Balances.transfer_keep_alive".into()));
		assert!(with("Asking", "Aching").contains(&"the storage Tasks.Asking".into()));
		assert!(
			with("RoundOpened", "RoundClosed").contains(&"the event Verdicts.RoundOpened".into())
		);
		assert!(with("DgcsApi", "DgcsBpi").len() == 8);
		// Not used here.
		assert!(with("proxy_announced", "proxy_denounced").is_empty());
	}

	#[test]
	fn errors_say_which_of_both_is_older() {
		for (ours, chain, advice) in [(1, 2, "Update dgcs"), (2, 1, "older"), (1, 1, "same source")]
		{
			let error = Error::Runtime { ours, chain, differences: "the call Tasks.submit".into() };
			let text = error.to_string();
			assert!(text.contains(advice) && text.contains("Tasks.submit"), "{text}");
		}
	}

	#[test]
	fn long_lists_of_differences_are_cut() {
		let many: Vec<String> = (0..9).map(|n| format!("thing {n}")).collect();
		let text = listed(&many);
		assert!(text.ends_with("thing 5 and 3 more"), "{text}");
		assert_eq!(listed(&many[..2]), "thing 0, thing 1");
	}
}
