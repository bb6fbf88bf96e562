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
		with = "::subxt::utils::Static<crate::vote::RangeVote>"
	),
	substitute_type(
		path = "pallet_verdicts::types::Head",
		with = "::subxt::utils::Static<crate::work_chain::Head>"
	)
)]
pub mod api {}

/// How subxt encodes for this chain: accounts as `MultiAddress`, Blake2b-256, the SDK's transaction
/// extensions, of which those unknown to it have no data.
pub(crate) type DgcsConfig = SubstrateConfig;

/// subxt with the metadata of one runtime, and no connection.
pub(crate) type Offline = OfflineClientAtBlock<DgcsConfig>;

/// The pallets that this program reads or calls.
const PALLETS: [&str; 7] =
	["System", "Balances", "Masternodes", "Workers", "Escrow", "Tasks", "Verdicts"];

/// The runtime APIs that this program calls, and which of their methods. Empty: all.
const RUNTIME_APIS: [(&str, &[&str]); 2] =
	[("DgcsApi", &[]), ("AccountNonceApi", &["account_nonce"])];

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

/// What `ours` has and `theirs` has not, or has otherwise: calls, storage, events and runtime APIs,
/// of what this program uses. What is new in `theirs` does not matter.
fn differences(ours: &Metadata, theirs: &Metadata) -> Vec<String> {
	let mut found = Vec::new();
	for name in PALLETS {
		let Some(ours) = ours.pallet_by_name(name) else { continue };
		let Some(theirs) = theirs.pallet_by_name(name) else {
			found.push(format!("the pallet {name}"));
			continue;
		};
		for call in ours.call_variants().unwrap_or_default() {
			let same_hash = ours.call_hash(&call.name) == theirs.call_hash(&call.name);
			let same_place = ours.call_index() == theirs.call_index()
				&& theirs.call_variant_by_name(&call.name).is_some_and(|t| t.index == call.index);
			if !(same_hash && same_place) {
				found.push(format!("the call {name}.{}", call.name));
			}
		}
		for entry in ours.storage().map(|storage| storage.entries()).unwrap_or_default() {
			if ours.storage_hash(entry.name()) != theirs.storage_hash(entry.name()) {
				found.push(format!("the storage {name}.{}", entry.name()));
			}
		}
		for event in ours.event_variants().unwrap_or_default() {
			let fields = || event.fields.iter().map(|field| &field.name);
			let same = theirs.event_variants().unwrap_or_default().iter().any(|theirs| {
				let their_fields = theirs.fields.iter().map(|field| &field.name);
				theirs.name == event.name && their_fields.eq(fields())
			});
			if !same {
				found.push(format!("the event {name}.{}", event.name));
			}
		}
	}
	for (name, methods) in RUNTIME_APIS {
		let Some(ours) = ours.runtime_api_trait_by_name(name) else { continue };
		let theirs = theirs.runtime_api_trait_by_name(name);
		for method in ours.methods() {
			let wanted = methods.is_empty() || methods.contains(&method.name());
			let theirs = theirs.as_ref().and_then(|api| api.method_by_name(method.name()));
			if wanted && theirs.map(|method| method.hash()) != Some(method.hash()) {
				found.push(format!("the runtime API {name}.{}", method.name()));
			}
		}
	}
	found
}

fn listed(differences: &[String]) -> String {
	let (first, rest) = differences.split_at(differences.len().min(MOST_LISTED));
	match rest.len() {
		0 => first.join(", "),
		more => format!("{} and {more} more", first.join(", ")),
	}
}
