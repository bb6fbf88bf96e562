//! Sealing to somebody's X25519 key: HPKE (RFC 9180) in base mode, DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and ChaCha20-Poly1305.

use std::fmt;

use dgcs_primitives::EncryptionKey;
use hpke::{
	aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305},
	kdf::HkdfSha256,
	kem::X25519HkdfSha256,
	setup_receiver, setup_sender, Deserializable, Kem, OpModeR, OpModeS, Serializable,
};
use sp_core::H256;

use crate::error::{Error, Result};

/// Bytes before the first sealed message: the sender's one-time public key.
pub(super) const ENCAPSULATED_SIZE: usize = 32;

type Aead = ChaCha20Poly1305;
type Kdf = HkdfSha256;
type Sender = AeadCtxS<Aead, Kdf, X25519HkdfSha256>;
type Receiver = AeadCtxR<Aead, Kdf, X25519HkdfSha256>;

/// The secret half of an encryption key that is registered on the chain.
#[derive(Clone)]
pub struct EncryptionSecret(<X25519HkdfSha256 as Kem>::PrivateKey);

impl EncryptionSecret {
	/// A new one, from the system's randomness.
	pub fn random() -> Self {
		EncryptionSecret(X25519HkdfSha256::gen_keypair().0)
	}

	/// From the bytes that a keystore holds. Any 32 bytes are an X25519 secret.
	pub fn from_bytes(bytes: &[u8; 32]) -> Self {
		let secret = Deserializable::from_bytes(bytes);
		EncryptionSecret(secret.expect("any 32 bytes are an X25519 secret; qed"))
	}

	/// The bytes, for a keystore.
	pub fn to_bytes(&self) -> [u8; 32] {
		self.0.to_bytes().into()
	}

	/// The public half.
	pub fn public(&self) -> EncryptionKey {
		let public = X25519HkdfSha256::sk_to_pk(&self.0);
		EncryptionKey(H256::from_slice(&public.to_bytes()))
	}
}

impl fmt::Debug for EncryptionSecret {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "EncryptionSecret(of {:?})", self.public().0)
	}
}

/// Messages sealed to one key, in order.
pub(super) struct Sealer(Sender);

impl Sealer {
	/// Begins, and gives the bytes that go before the first message.
	pub fn new(to: &EncryptionKey, info: &[u8]) -> Result<([u8; ENCAPSULATED_SIZE], Self)> {
		let refused = |_| Error::PublicKey(to.0);
		let key = Deserializable::from_bytes(to.0.as_bytes()).map_err(refused)?;
		let (encapsulated, sender) =
			setup_sender::<Aead, Kdf, X25519HkdfSha256>(&OpModeS::Base, &key, info)
				.map_err(refused)?;
		Ok((encapsulated.to_bytes().into(), Sealer(sender)))
	}

	/// The next message, sealed.
	pub fn seal(&mut self, message: &[u8]) -> Vec<u8> {
		self.0.seal(message, &[]).expect("nobody seals 2^64 messages; qed")
	}
}

/// The inverse of [`Sealer`].
pub(super) struct Opener {
	receiver: Receiver,
	what: &'static str,
}

impl Opener {
	/// Begins with the bytes before the first message. `what` names the whole in errors.
	pub fn new(
		secret: &EncryptionSecret,
		encapsulated: &[u8],
		info: &[u8],
		what: &'static str,
	) -> Result<Self> {
		let refused = |_| Error::Unsealable { what };
		let key = Deserializable::from_bytes(encapsulated).map_err(refused)?;
		let receiver =
			setup_receiver::<Aead, Kdf, X25519HkdfSha256>(&OpModeR::Base, &secret.0, &key, info)
				.map_err(refused)?;
		Ok(Opener { receiver, what })
	}

	/// The next message, opened.
	pub fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>> {
		self.receiver.open(sealed, &[]).map_err(|_| Error::Unsealable { what: self.what })
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn sealed(to: &EncryptionKey) -> ([u8; 32], Vec<u8>, Vec<u8>) {
		let (start, mut sealer) = Sealer::new(to, b"info").expect("a good key");
		(start, sealer.seal(b"one"), sealer.seal(b"two"))
	}

	#[test]
	fn messages_open_in_order_with_the_right_secret() {
		let secret = EncryptionSecret::random();
		let (start, one, two) = sealed(&secret.public());
		let again = EncryptionSecret::from_bytes(&secret.to_bytes());
		let opener = |secret: &EncryptionSecret, info: &[u8]| {
			Opener::new(secret, &start, info, "test").expect("a good key")
		};
		let mut good = opener(&again, b"info");
		assert_eq!(good.open(&one).expect("first"), b"one");
		assert_eq!(good.open(&two).expect("second"), b"two");

		let refused = |result| matches!(result, Err(Error::Unsealable { what: "test" }));
		assert!(refused(opener(&again, b"info").open(&two)), "out of order");
		assert!(refused(opener(&again, b"other").open(&one)), "other info");
		assert!(refused(opener(&EncryptionSecret::random(), b"info").open(&one)), "other key");
		assert!(refused(opener(&again, b"info").open(&one[1..])), "cut short");
	}

	#[test]
	fn seal_fails_when_nobody_can_hold_the_key() {
		let zero = EncryptionKey(H256::zero());
		assert!(matches!(Sealer::new(&zero, b""), Err(Error::PublicKey(key)) if key.is_zero()));
	}
}
