//! A search for pieces of many texts at once, however they are written down.

use std::{
	collections::{BTreeSet, HashMap},
	path::Path,
};

use base64::{
	engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
	Engine,
};

/// So many bytes of a text in a row are a find. By chance, that many bytes of texts in 32 letters are
/// nowhere.
const PIECE: usize = 12;

/// Pieces that are looked for, and of what they are.
#[derive(Default)]
pub struct Needles {
	pieces: HashMap<Vec<u8>, String>,
	lens: BTreeSet<usize>,
	/// For each three bytes whether a piece begins with them.
	begins: Vec<bool>,
}

impl Needles {
	/// Adds a text, of at least [`PIECE`] bytes: each piece of it, as it is, as UTF-16, and in digits of
	/// base 16 and 64.
	pub fn add(&mut self, name: &str, text: &[u8]) {
		self.add_pieces(name, text, PIECE);
		let wide =
			|order: fn(u16) -> [u8; 2]| text.iter().flat_map(move |byte| order((*byte).into()));
		self.add_pieces(
			&format!("{name}, as UTF-16"),
			&wide(u16::to_le_bytes).collect::<Vec<_>>(),
			2 * PIECE,
		);
		self.add_pieces(
			&format!("{name}, as UTF-16"),
			&wide(u16::to_be_bytes).collect::<Vec<_>>(),
			2 * PIECE,
		);
		let digits = hex::encode(text);
		let name = format!("{name}, in hexadecimal digits");
		self.add_pieces(&name, digits.as_bytes(), 2 * PIECE);
		self.add_pieces(&name, digits.to_uppercase().as_bytes(), 2 * PIECE);
		let name = format!("{name}, as base64");
		for start in 0..3 {
			// What is before and after it changes no digit of whole groups.
			let whole = &text[start..];
			let whole = &whole[..whole.len() / 3 * 3];
			for digits in [STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)] {
				self.add_pieces(&name, digits.as_bytes(), PIECE / 3 * 4);
			}
		}
	}

	/// Adds the pieces of so many bytes of a text that is already written as it is to be found.
	pub fn add_pieces(&mut self, name: &str, text: &[u8], len: usize) {
		if self.begins.is_empty() {
			self.begins = vec![false; 1 << 24];
		}
		self.lens.insert(len);
		for piece in text.windows(len) {
			self.begins[begin(piece)] = true;
			self.pieces.entry(piece.to_vec()).or_insert_with(|| name.to_owned());
		}
	}

	/// Of which texts there is a piece in `bytes`.
	pub fn found(&self, bytes: &[u8]) -> BTreeSet<String> {
		let mut found = BTreeSet::new();
		for at in 0..bytes.len().saturating_sub(PIECE - 1) {
			if !self.begins[begin(&bytes[at..])] {
				continue;
			}
			for len in &self.lens {
				let piece = bytes.get(at..at + len);
				if let Some(name) = piece.and_then(|piece| self.pieces.get(piece)) {
					found.insert(name.clone());
				}
			}
		}
		found
	}

	/// Of which texts there is a piece in the files of a folder, and how many bytes these have.
	pub fn found_below(&self, folder: &Path) -> (BTreeSet<String>, u64) {
		let (mut found, mut total) = (BTreeSet::new(), 0);
		for entry in std::fs::read_dir(folder).expect("a folder") {
			let path = entry.expect("readable").path();
			if path.is_dir() {
				let (below, bytes) = self.found_below(&path);
				found.extend(below);
				total += bytes;
			} else if let Ok(bytes) = std::fs::read(&path) {
				// Databases remove files as they go.
				let name = path.file_name().expect("a file").as_encoded_bytes();
				found.extend(self.found(name).into_iter().chain(self.found(&bytes)));
				total += bytes.len() as u64;
			}
		}
		(found, total)
	}
}

fn begin(bytes: &[u8]) -> usize {
	(usize::from(bytes[0]) << 16) | (usize::from(bytes[1]) << 8) | usize::from(bytes[2])
}

#[test]
fn a_text_is_found_however_it_is_written() {
	let text = b"a secret of some length";
	let mut needles = Needles::default();
	needles.add("it", text);
	let found = |bytes: &[u8]| !needles.found(bytes).is_empty();
	let around = |inner: &[u8]| [b"before ", inner, b" after"].concat();
	assert!(!found(&around(b"a secret")) && !found(b"") && !found(b"another text altogether"));
	assert!(found(&around(&text[4..16])));
	for start in 0..4 {
		let part = around(&text[start..start + 20]);
		assert!(found(hex::encode(&part).as_bytes()) && found(hex::encode_upper(&part).as_bytes()));
		assert!(found(STANDARD_NO_PAD.encode(&part).as_bytes()), "{start}");
		let wide: Vec<u8> = part.iter().flat_map(|byte| [*byte, 0]).collect();
		assert!(found(&wide) && found(&wide[1..]));
	}
}
