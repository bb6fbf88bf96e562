//! An encryption key's secret as words, for a backup on paper: those of BIP-39 in English, of the 32
//! bytes themselves. No seed is derived from the words, so that they and the file are the same secret.

use bip39::{Language, Mnemonic};
use dgcs_content::EncryptionSecret;
use zeroize::Zeroizing;

/// How many words 32 bytes and their checksum make.
const COUNT: usize = 24;

/// Why words are not those of a key. It does not repeat them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordsError {
	/// There are too few or too many.
	#[error(
		"an encryption key has {COUNT} words, and these are {count}: give all of them in one line"
	)]
	Count {
		/// How many there are.
		count: usize,
	},
	/// One is no word that a key could have.
	#[error("word {place} is none of BIP-39's English words: compare it with the backup")]
	Unknown {
		/// Which one, from 1.
		place: usize,
	},
	/// All could be, and together they are not.
	#[error("the checksum of these words is wrong, so one of them is another or their order is: compare them with the backup")]
	Checksum,
}

/// The words of a secret, with spaces between them.
pub fn to_words(secret: &EncryptionSecret) -> Zeroizing<String> {
	let bytes = Zeroizing::new(secret.to_bytes());
	let words = Mnemonic::from_entropy(&*bytes).expect("BIP-39 has words for 32 bytes; qed");
	Zeroizing::new(words.to_string())
}

/// The secret of words, in upper or lower case and with any space between them.
pub fn from_words(text: &str) -> Result<EncryptionSecret, WordsError> {
	let text = Zeroizing::new(text.to_lowercase());
	let count = text.split_whitespace().count();
	if count != COUNT {
		return Err(WordsError::Count { count });
	}
	let words =
		Mnemonic::parse_in_normalized(Language::English, &text).map_err(|error| match error {
			bip39::Error::UnknownWord(index) => WordsError::Unknown { place: index + 1 },
			// Their number and their language are right.
			_ => WordsError::Checksum,
		})?;
	let (bytes, _) = words.to_entropy_array();
	let bytes = Zeroizing::new(bytes);
	let (secret, _) = bytes.split_first_chunk().expect("33 bytes are at least 32; qed");
	Ok(EncryptionSecret::from_bytes(secret))
}

#[cfg(test)]
mod tests {
	use sp_core::bytes::to_hex;

	use super::*;

	/// A test vector of BIP-39, with bytes that X25519 leaves as they are.
	const BYTES: &str = "0x68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c";
	const WORDS: &str =
		"hamster diagram private dutch cause delay private meat slide toddler razor \
		book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length";

	/// The words with another one in a place, from 1.
	fn replaced(place: usize, by: &str) -> String {
		let mut words: Vec<_> = WORDS.split(' ').collect();
		words[place - 1] = by;
		words.join(" ")
	}

	/// What is wrong with a text, of which nothing is repeated.
	fn refused(text: &str) -> WordsError {
		let error = from_words(text).expect_err("they are no key's");
		for word in text.split_whitespace().filter(|word| word.len() > 4) {
			assert!(!error.to_string().split(' ').any(|said| said == word), "{word}: {error}");
		}
		error
	}

	#[test]
	fn words_are_the_secret() {
		for _ in 0..16 {
			let secret = EncryptionSecret::random();
			let words = to_words(&secret);
			assert_eq!(words.split(' ').count(), COUNT);
			let typed = format!(" {}\t\n", words.to_uppercase().replace(' ', "  "));
			for text in [words.as_str(), &typed] {
				let back = from_words(text).expect("its own words");
				assert_eq!(back.public(), secret.public());
				assert_eq!(back.to_bytes(), secret.to_bytes());
			}
		}
	}

	#[test]
	fn words_are_those_of_bip39() {
		let secret = from_words(WORDS).expect("a vector");
		assert_eq!(to_hex(&secret.to_bytes(), false), BYTES);
		assert_eq!(*to_words(&secret), WORDS);
	}

	#[test]
	fn wrong_words_are_refused_with_what_is_wrong() {
		let (but_one, _) = WORDS.rsplit_once(' ').expect("there are several");
		assert_eq!(refused(""), WordsError::Count { count: 0 });
		assert_eq!(refused(but_one), WordsError::Count { count: 23 });
		assert_eq!(refused(&format!("{WORDS} zoo")), WordsError::Count { count: 25 });
		// An account's.
		let account = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
		assert_eq!(refused(account), WordsError::Count { count: 12 });
		for (place, word) in [(1, "hamsterr"), (12, "xyzzy"), (24, "längth")] {
			assert_eq!(refused(&replaced(place, word)), WordsError::Unknown { place });
		}
		for place in [1, 12, 24] {
			assert_eq!(refused(&replaced(place, "zoo")), WordsError::Checksum, "{place}");
		}
	}
}
