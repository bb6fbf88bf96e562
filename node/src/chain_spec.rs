//! The chains that the binary knows by name. Any other chain comes as a file.
//!
//! What is in their first block is decided by the runtime's genesis presets; what is here is what
//! the runtime cannot know: the name, the network and how wallets show amounts.

use std::path::Path;

use dgcs_runtime::WASM_BINARY;
use sc_chain_spec::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sc_service::{ChainType, Properties};

/// A chain of DGCS: no extensions.
pub type ChainSpec = sc_service::GenericChainSpec;

/// Sets our networks apart from those of every other chain.
const PROTOCOL_ID: &str = "dgcs";
/// What amounts are shown in.
const TOKEN_SYMBOL: &str = "DGC";
/// How many smallest units make one token, as a power of ten.
const TOKEN_DECIMALS: u8 = 12;
/// The generic address format, which every wallet can show.
const SS58_FORMAT: u16 = 42;

/// The chain that `--chain id` means. Nothing given means `local`.
pub fn load(id: &str) -> Result<ChainSpec, String> {
	match id {
		"dev" => development(),
		"" | "local" => local(),
		path if Path::new(path).is_file() => ChainSpec::from_json_file(path.into())
			.map_err(|error| format!("`{path}` is no chain specification: {error}")),
		unknown => Err(format!(
			"there is no chain `{unknown}`: give `dev`, `local`, or the path of a chain \
			 specification file (`dgcs export-chain-spec` writes one)"
		)),
	}
}

/// One masternode, run with Alice's well-known keys.
pub fn development() -> Result<ChainSpec, String> {
	preset("DGCS Development", "dgcs_dev", ChainType::Development, DEV_RUNTIME_PRESET)
}

/// Four masternodes, run with the well-known keys of Alice, Bob, Charlie and Dave: the fewest with
/// which GRANDPA survives the loss of one.
pub fn local() -> Result<ChainSpec, String> {
	preset("DGCS Local Testnet", "dgcs_local", ChainType::Local, LOCAL_TESTNET_RUNTIME_PRESET)
}

fn preset(name: &str, id: &str, kind: ChainType, preset: &str) -> Result<ChainSpec, String> {
	let code = WASM_BINARY.ok_or(
		"this `dgcs` was built without the runtime's WebAssembly (SKIP_WASM_BUILD was set), so it \
		 knows no chain by name: give `--chain FILE`, or build it again without",
	)?;
	Ok(ChainSpec::builder(code, None)
		.with_name(name)
		.with_id(id)
		.with_chain_type(kind)
		.with_protocol_id(PROTOCOL_ID)
		.with_properties(properties())
		.with_genesis_config_preset_name(preset)
		.build())
}

fn properties() -> Properties {
	Properties::from_iter([
		("tokenSymbol".to_owned(), TOKEN_SYMBOL.into()),
		("tokenDecimals".to_owned(), TOKEN_DECIMALS.into()),
		("ss58Format".to_owned(), SS58_FORMAT.into()),
	])
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_runtime::BuildStorage;

	#[test]
	fn unknown_name_says_what_is_known() {
		let error = load("mainnet").err().expect("there is no such chain");
		for word in ["`mainnet`", "`dev`", "`local`", "export-chain-spec"] {
			assert!(error.contains(word), "`{word}` is not in: {error}");
		}
	}

	#[test]
	fn wrong_file_is_named() {
		let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
		let error = load(path).err().expect("it is no JSON");
		assert!(error.contains(path), "{error}");
	}

	#[test]
	fn nothing_given_means_local() {
		// Without the WASM both are the same error.
		let id = |spec: Result<ChainSpec, String>| spec.map(|spec| spec.id().to_owned());
		assert_eq!(id(load("")), id(load("local")));
	}

	#[test]
	fn presets_build_a_first_block() {
		if WASM_BINARY.is_none() {
			return;
		}
		for (name, id) in [("dev", "dgcs_dev"), ("local", "dgcs_local")] {
			let spec = load(name).expect("the chain is built in");
			assert_eq!(spec.id(), id);
			assert_eq!(spec.protocol_id(), Some("dgcs"));
			assert_eq!(spec.properties()["tokenSymbol"], "DGC");
			assert_eq!(spec.properties()["tokenDecimals"], 12);
			assert_eq!(spec.properties()["ss58Format"], 42);
			spec.build_storage().expect("the preset builds");
		}
	}
}
