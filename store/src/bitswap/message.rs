//! Messages of Bitswap 1.2.0 (<https://specs.ipfs.tech/bitswap-protocol/>), as Kubo speaks it.

use cid::Cid;
use dgcs_content::content_id::{from_cid, raw};
use dgcs_primitives::{ContentCodec, ContentId};
use prost::Message as _;

/// Its name on the network.
pub(crate) const PROTOCOL: &str = "/ipfs/bitswap/1.2.0";

/// The most bytes of a message that we send, as far as more than one block is in it.
pub(crate) const SEND: usize = 512 << 10;

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
	#[prost(message, optional, tag = "1")]
	wantlist: Option<Wantlist>,
	#[prost(message, repeated, tag = "3")]
	payload: Vec<Block>,
	#[prost(message, repeated, tag = "4")]
	presences: Vec<BlockPresence>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wantlist {
	#[prost(message, repeated, tag = "1")]
	entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
	#[prost(bytes = "vec", tag = "1")]
	cid: Vec<u8>,
	#[prost(int32, tag = "2")]
	priority: i32,
	#[prost(bool, tag = "3")]
	cancel: bool,
	/// 0 asks for the block, 1 for whether it is there.
	#[prost(int32, tag = "4")]
	want_type: i32,
	#[prost(bool, tag = "5")]
	send_dont_have: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Block {
	#[prost(bytes = "vec", tag = "1")]
	prefix: Vec<u8>,
	#[prost(bytes = "vec", tag = "2")]
	data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BlockPresence {
	#[prost(bytes = "vec", tag = "1")]
	cid: Vec<u8>,
	/// 0 has it, 1 hasn't.
	#[prost(int32, tag = "2")]
	presence: i32,
}

/// What is said of one block that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
	/// Send it.
	Block,
	/// Say whether you have it.
	Have,
	/// It is no longer wanted.
	Cancel,
}

/// One line of a list of wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
	pub id: ContentId,
	pub want: Want,
	/// Say so if you don't have it.
	pub answer: bool,
}

/// A message. Blocks are named by what they are, not by what the sender says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
	pub asks: Vec<Ask>,
	/// Who has what.
	pub presences: Vec<(ContentId, bool)>,
	pub blocks: Vec<(ContentId, Vec<u8>)>,
	/// Names and blocks of kinds that this network does not have. They are passed over, as others
	/// may have them.
	pub foreign: usize,
}

impl Message {
	/// The bytes to send, with their length before them; nothing if nothing is said.
	pub fn frame(self) -> Vec<u8> {
		if self == Message::default() {
			return Vec::new();
		}
		self.wire().encode_length_delimited_to_vec()
	}

	fn wire(self) -> Wire {
		let entries = self.asks.into_iter().map(|ask| Entry {
			cid: ask.id.to_bytes().to_vec(),
			priority: 1,
			cancel: ask.want == Want::Cancel,
			want_type: i32::from(ask.want == Want::Have),
			send_dont_have: ask.answer,
		});
		let entries: Vec<_> = entries.collect();
		let presences = self.presences.into_iter().map(|(id, has)| BlockPresence {
			cid: id.to_bytes().to_vec(),
			presence: i32::from(!has),
		});
		let payload = self.blocks.into_iter().map(|(id, data)| {
			// The CID without its digest.
			Block { prefix: id.to_bytes()[..4].to_vec(), data }
		});
		Wire {
			wantlist: (!entries.is_empty()).then_some(Wantlist { entries }),
			payload: payload.collect(),
			presences: presences.collect(),
		}
	}

	/// Reads a message, and names each block by its digest.
	pub fn decode(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
		let wire = Wire::decode(bytes)?;
		let mut message = Message::default();
		for entry in wire.wantlist.unwrap_or_default().entries {
			let want = match (entry.cancel, entry.want_type) {
				(true, _) => Want::Cancel,
				(false, 0) => Want::Block,
				(false, _) => Want::Have,
			};
			match id(&entry.cid) {
				Some(id) => message.asks.push(Ask { id, want, answer: entry.send_dont_have }),
				None => message.foreign += 1,
			}
		}
		for presence in wire.presences {
			match id(&presence.cid) {
				Some(id) => message.presences.push((id, presence.presence == 0)),
				None => message.foreign += 1,
			}
		}
		for block in wire.payload {
			let codec = [ContentCodec::Raw, ContentCodec::DagPb].into_iter().find(|codec| {
				ContentId { codec: *codec, digest: Default::default() }.to_bytes()[..4]
					== block.prefix
			});
			match codec {
				Some(codec) => {
					let id = ContentId { codec, ..raw(&block.data) };
					message.blocks.push((id, block.data));
				},
				None => message.foreign += 1,
			}
		}
		Ok(message)
	}
}

fn id(bytes: &[u8]) -> Option<ContentId> {
	from_cid(&Cid::try_from(bytes).ok()?).ok()
}

#[cfg(test)]
mod tests {
	use dgcs_content::content_id::raw;
	use proptest::prelude::*;

	use super::*;

	#[test]
	fn messages_come_back_and_blocks_are_named_by_what_they_are() {
		let id = raw(b"block");
		let node = ContentId { codec: ContentCodec::DagPb, ..id };
		let message = Message {
			asks: vec![
				Ask { id, want: Want::Block, answer: true },
				Ask { id: node, want: Want::Have, answer: false },
				Ask { id, want: Want::Cancel, answer: false },
			],
			presences: vec![(id, true), (node, false)],
			blocks: vec![(id, b"block".to_vec()), (node, b"block".to_vec())],
			foreign: 0,
		};
		assert_eq!(
			Message::decode(&message.clone().wire().encode_to_vec()).expect("ours"),
			message
		);
		let lie = Message { blocks: vec![(id, b"other".to_vec())], ..Message::default() };
		let seen = Message::decode(&lie.wire().encode_to_vec()).expect("well-formed");
		assert_eq!(seen.blocks, [(raw(b"other"), b"other".to_vec())]);
	}

	#[test]
	fn other_networks_names_are_passed_over() {
		let wire = Wire {
			wantlist: Some(Wantlist {
				entries: vec![Entry { cid: to_cid_v0(), ..Entry::default() }],
			}),
			payload: vec![Block { prefix: vec![1, 0x71, 0x1e, 0x20], data: vec![0] }],
			presences: vec![BlockPresence { cid: vec![9], presence: 0 }],
		};
		let seen = Message::decode(&wire.encode_to_vec()).expect("well-formed");
		assert_eq!(seen, Message { foreign: 3, ..Message::default() });
	}

	fn to_cid_v0() -> Vec<u8> {
		let cid = "QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5";
		cid.parse::<Cid>().expect("a CIDv0").to_bytes()
	}

	proptest! {
		#![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

		#[test]
		fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
			if let Ok(message) = Message::decode(&bytes) {
				prop_assert!(message.blocks.len() + message.asks.len() <= bytes.len());
			}
		}
	}
}
