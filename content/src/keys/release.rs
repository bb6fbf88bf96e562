//! How a worker gets the key of its range: masternodes release their shares to it, each sealed to
//! the worker's key and proven against the manifest.

use codec::{Decode, DecodeAll, Encode};
use dgcs_primitives::EncryptionKey;
use sp_core::H256;

use super::{
	derive::{Scope, ScopeKey, TaskNonce},
	seal::{EncryptionSecret, Opener, Sealer, ENCAPSULATED_SIZE},
	share::{HolderShares, Share},
};
use crate::{
	error::{Error, Result},
	manifest::Manifest,
	merkle,
};

const RELEASE_DOMAIN: &[u8; 16] = b"dgcs/release/v1\0";

/// What is sealed: the share, and its way up to the holder's commitment.
#[derive(Encode, Decode)]
struct Release {
	share: Share,
	proof: Vec<H256>,
}

fn info(nonce: &TaskNonce, holder: u8, scope: Scope) -> Vec<u8> {
	(RELEASE_DOMAIN, nonce, holder, scope).encode()
}

/// Seals holder number `holder`'s share of the key of `scope` to a worker. Whether that worker has
/// a lease is for the caller to know. Fails if the task has no such scope.
pub fn seal_release(
	shares: &HolderShares,
	nonce: &TaskNonce,
	holder: u8,
	scope: Scope,
	to: &EncryptionKey,
) -> Result<Vec<u8>> {
	let (share, proof) =
		shares.share(scope).ok_or(Error::Unsealable { what: "a share that does not exist" })?;
	let (start, mut sealer) = Sealer::new(to, &info(nonce, holder, scope))?;
	Ok([&start[..], &sealer.seal(&Release { share, proof }.encode())].concat())
}

/// Opens what holder number `holder` released for `scope` and checks it against the manifest. A
/// share that differs from its commitment is an error that names the giver.
pub fn open_release(
	sealed: &[u8],
	secret: &EncryptionSecret,
	manifest: &Manifest,
	holder: u8,
	scope: Scope,
) -> Result<Share> {
	const WHAT: &str = "the released share";
	let refused = || Error::Unsealable { what: WHAT };
	let wrong = || Error::WrongShare { holder, scope };
	let root = &manifest.holder(holder)?.shares_root;
	let position = scope.position().ok_or_else(refused)?;
	let (start, message) = sealed.split_at_checked(ENCAPSULATED_SIZE).ok_or_else(refused)?;
	let info = info(&manifest.nonce, holder, scope);
	let release = Opener::new(secret, start, &info, WHAT)?.open(message)?;
	let release = Release::decode_all(&mut &release[..]).map_err(|_| wrong())?;
	let leaf = release.share.commitment(position);
	if !merkle::verify(root, &release.proof, manifest.shared_keys(), position, leaf) {
		return Err(wrong());
	}
	Ok(release.share)
}

/// Collects the shares of one key until there are enough.
#[derive(Debug)]
pub struct KeyRing<'a> {
	manifest: &'a Manifest,
	scope: Scope,
	shares: Vec<(u8, Share)>,
}

impl<'a> KeyRing<'a> {
	/// For the key of `scope` of this task.
	pub fn new(manifest: &'a Manifest, scope: Scope) -> Self {
		KeyRing { manifest, scope, shares: Vec::new() }
	}

	/// Adds what holder number `holder` released. Says who gave a wrong share.
	pub fn add(&mut self, holder: u8, sealed: &[u8], secret: &EncryptionSecret) -> Result<()> {
		let share = open_release(sealed, secret, self.manifest, holder, self.scope)?;
		if self.shares.iter().all(|(other, _)| *other != holder) {
			self.shares.push((holder, share));
		}
		Ok(())
	}

	/// The key, or how many shares are there and how many are needed.
	pub fn key(&self) -> Result<ScopeKey> {
		self.manifest.sharing()?.combine(self.scope, &self.shares)
	}
}
