//! Content ids: the CIDv1s of this network, made, checked and shown.

use cid::{multihash::Multihash, Cid};
use dgcs_primitives::{ContentCodec, ContentId};
use sp_core::H256;

use crate::error::{Error, Result};

const RAW: u64 = 0x55;
const DAG_PB: u64 = 0x70;
const BLAKE3: u64 = 0x1e;

/// What names a block with these bytes.
pub(crate) fn digest(bytes: &[u8]) -> H256 {
	H256(blake3::hash(bytes).into())
}

/// The id of `bytes` as one raw block.
pub fn raw(bytes: &[u8]) -> ContentId {
	ContentId { codec: ContentCodec::Raw, digest: digest(bytes) }
}

/// The CID of `id`, as IPFS knows it.
pub fn to_cid(id: &ContentId) -> Cid {
	let codec = match id.codec {
		ContentCodec::Raw => RAW,
		ContentCodec::DagPb => DAG_PB,
	};
	let hash = Multihash::wrap(BLAKE3, id.digest.as_bytes())
		.expect("a digest of 32 bytes fits a multihash of 64; qed");
	Cid::new_v1(codec, hash)
}

/// The id that `cid` stands for. Only CIDv1 of raw or dag-pb with BLAKE3 has one.
pub fn from_cid(cid: &Cid) -> Result<ContentId> {
	let refused = || Error::Cid(cid.to_string());
	let codec = match cid.codec() {
		RAW => ContentCodec::Raw,
		DAG_PB => ContentCodec::DagPb,
		_ => return Err(refused()),
	};
	let hash = cid.hash();
	if cid.version() != cid::Version::V1 || hash.code() != BLAKE3 || hash.digest().len() != 32 {
		return Err(refused());
	}
	Ok(ContentId { codec, digest: H256::from_slice(hash.digest()) })
}

/// `id` as text: base32, as `ipfs` prints it.
pub fn display(id: &ContentId) -> String {
	to_cid(id).to_string()
}

/// The id that is written as `text`, in any base that a CID can have.
pub fn parse(text: &str) -> Result<ContentId> {
	let cid: Cid = text.parse().map_err(|_| Error::Cid(text.to_owned()))?;
	from_cid(&cid)
}

/// Checks that `bytes` are those that `id` names.
pub fn verify(id: &ContentId, bytes: &[u8]) -> Result<()> {
	let found = digest(bytes);
	if found == id.digest {
		Ok(())
	} else {
		Err(Error::WrongBlock { id: *id, found: ContentId { digest: found, ..*id } })
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn text_is_that_of_ipfs() {
		// `printf 'hello world' | ipfs add --cid-version=1 --hash=blake3 --raw-leaves -Q`
		let id = raw(b"hello world");
		assert_eq!(display(&id), "bafkr4igxjga67jykbseaxdmmdgc5a5o3zp3htom2l6mrjznk7fvyggu6eq");
		assert_eq!(to_cid(&id).to_bytes(), id.to_bytes());
		assert_eq!(from_cid(&to_cid(&id)).expect("ours"), id);
		assert_eq!(parse(&display(&id)).expect("ours"), id);
		assert!(matches!(parse("Qm"), Err(Error::Cid(text)) if text == "Qm"));
	}

	#[test]
	fn from_cid_refuses_other_kinds() {
		let hash = Multihash::wrap(BLAKE3, &[7; 32]).expect("fits");
		let other_hash = Multihash::wrap(0xb220, &[7; 32]).expect("fits");
		let sha2 = Multihash::wrap(0x12, &[7; 32]).expect("fits");
		let short = Multihash::wrap(BLAKE3, &[7; 20]).expect("fits");
		for cid in [
			Cid::new_v0(sha2).expect("SHA-256"),
			Cid::new_v1(RAW, sha2),
			Cid::new_v1(0x71, hash),
			Cid::new_v1(RAW, other_hash),
			Cid::new_v1(RAW, short),
		] {
			assert!(matches!(from_cid(&cid), Err(Error::Cid(text)) if text == cid.to_string()));
		}
	}

	#[test]
	fn verify_names_what_came() {
		let id = raw(b"a");
		verify(&id, b"a").expect("the same");
		let Err(Error::WrongBlock { id: asked, found }) = verify(&id, b"b") else { panic!() };
		assert_eq!((asked, found), (id, raw(b"b")));
	}
}
