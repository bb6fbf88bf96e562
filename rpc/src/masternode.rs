//! What a masternode answers beside the chain: the names of its methods, and what they return.

use dgcs_primitives::TaskId;
use serde::{Deserialize, Serialize};

/// The method by which stores find peers. No parameters; returns `Vec<String>` of multiaddresses.
pub const STORE_ADDRESSES: &str = "dgcs_storeAddresses";
/// The method by which a worker collects key shares. Parameters `task`, `position` (of the scope in
/// the manifest's lists: 0 the task's, r + 1 that of range r), `worker` (SS58), and where it may be left
/// out `range`, the one that the worker has a lease of, which makes the look-up for position 0 short;
/// returns `Vec<`[`ReleasedShare`]`>`.
pub const KEY_SHARE: &str = "dgcs_keyShare";
/// The method by which an owner sees what of its task is kept. Parameter `task`; returns [`Held`].
pub const HELD: &str = "dgcs_held";
/// The method by which an owner who was away gets the work chain of a task that has ended, of which the
/// top-level chain keeps nothing but a hash and two roots. Parameters `task` and `from`, a block's
/// index; returns a [`WorkChainPage`] of at most 256 blocks.
pub const KEPT_WORK_CHAIN: &str = "dgcs_keptWorkChain";
/// The method by which an owner who was away learns who did what for a task: nodes forget the events that
/// say so within minutes. Parameters `task` and `from`, the index of a block of its work chain; returns a
/// [`ReceiptsPage`] of at most 256 blocks.
pub const KEPT_RECEIPTS: &str = "dgcs_keptReceipts";
/// The method by which an owner learns from another machine what a task was, when the top-level chain's
/// states in which it was live are forgotten. Parameter `task`; returns [`KeptSpec`].
pub const KEPT_SPEC: &str = "dgcs_keptSpec";
/// The method by which a masternode that leaves hands on its shares of keys. Parameter `offer`, in SCALE
/// as `0x` and hexadecimal digits; returns `true`.
pub const HAND_OVER: &str = "dgcs_handOver";

/// A share of a key, sealed to the worker that asked for it (`docs/protocol.md`, "Key shares").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleasedShare {
	/// The place of the share's holder in the manifest.
	pub holder: u8,
	/// What [`KeyRing::add`](dgcs_content::keys::KeyRing::add) takes. `0x` and hexadecimal digits.
	#[serde(with = "hexadecimal")]
	pub sealed: Vec<u8>,
}

/// What a masternode keeps of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
	/// The task.
	pub task: TaskId,
	/// Whether all of its content is here and every share that is sealed to this masternode opens:
	/// when enough masternodes say so, the owner may go offline.
	pub complete: bool,
	/// Whether the manifest and all that it names beside the shards are here, and every share that is
	/// sealed to this masternode opens.
	pub manifest: bool,
	/// Whether the program is here.
	pub program: bool,
	/// Shards that are here.
	pub shards_held: u32,
	/// Shards of the task, 0 as long as the manifest is not here.
	pub shards: u32,
	/// Masternodes whose sealed key shares are here: as the owner sealed them, or to this masternode, by
	/// one that has left.
	pub key_shares_held: u32,
	/// Masternodes that share the keys.
	pub key_shares: u32,
	/// Results that are here.
	pub results_held: u32,
	/// Results that verdicts have named so far.
	pub results: u32,
	/// Bytes that are here.
	pub bytes: u64,
	/// Whether nothing more will be fetched of something that is missing.
	pub given_up: bool,
	/// Why something is missing, the most important first; `null` if nothing failed.
	pub reason: Option<String>,
	/// Whether the task has ended, and only its results are kept.
	pub ended: bool,
}

/// What a task is, which a masternode keeps as long as its results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptSpec {
	/// Its `TaskSpec` in SCALE, as `0x` and hexadecimal digits.
	#[serde(with = "hexadecimal")]
	pub spec: Vec<u8>,
}

/// A part of a work chain that a masternode keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkChainPage {
	/// How many blocks there are in all.
	pub height: u32,
	/// Some of them, in order: `Vec<WorkBlock>` in SCALE, as `0x` and hexadecimal digits.
	#[serde(with = "hexadecimal")]
	pub blocks: Vec<u8>,
}

/// Who did what in a part of a work chain that a masternode keeps. The receipts root of each block
/// proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptsPage {
	/// How many blocks there are in all.
	pub height: u32,
	/// The receipts of some of them, in order: `Vec<Option<Vec<Receipt>>>` in SCALE, as `0x` and
	/// hexadecimal digits. `None`: the masternode could not read those of this block.
	#[serde(with = "hexadecimal")]
	pub receipts: Vec<u8>,
}

/// Bytes as `0x` and hexadecimal digits.
mod hexadecimal {
	use serde::{de::Error as _, Deserialize, Deserializer, Serializer};

	pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
		serializer.serialize_str(&format!("0x{}", hex::encode(bytes)))
	}

	pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
		let text = String::deserialize(deserializer)?;
		let digits =
			text.strip_prefix("0x").ok_or_else(|| D::Error::custom("no 0x before digits"))?;
		hex::decode(digits).map_err(D::Error::custom)
	}
}

#[cfg(test)]
mod tests {
	use serde_json::json;

	use super::*;

	#[test]
	fn what_goes_over_the_wire() {
		let share = ReleasedShare { holder: 3, sealed: vec![0, 255] };
		let json = serde_json::to_string(&share).expect("plain data");
		assert_eq!(json, r#"{"holder":3,"sealed":"0x00ff"}"#);
		assert_eq!(serde_json::from_str::<ReleasedShare>(&json).expect("its own"), share);
		for wrong in [
			r#"{"holder":3,"sealed":"00ff"}"#,
			r#"{"holder":3,"sealed":"0x0f0"}"#,
			r#"{"holder":256,"sealed":"0x"}"#,
			r#"{"holder":-1,"sealed":"0x"}"#,
			r#"{"sealed":"0x"}"#,
		] {
			assert!(serde_json::from_str::<ReleasedShare>(wrong).is_err(), "{wrong}");
		}
		let held =
			Held { task: TaskId(7), manifest: true, shards_held: 1, shards: 2, ..Held::default() };
		let json = serde_json::to_value(&held).expect("plain data");
		let expected = json!({
			"task": 7, "complete": false, "manifest": true, "program": false, "shardsHeld": 1,
			"shards": 2, "keySharesHeld": 0, "keyShares": 0, "resultsHeld": 0, "results": 0,
			"bytes": 0, "givenUp": false, "reason": null, "ended": false,
		});
		assert_eq!(json, expected);
		assert_eq!(serde_json::from_value::<Held>(json).expect("its own"), held);
	}
}
