//! The test vectors of "Secrets of an account" in `docs/protocol.md`. They are a file of their own, so
//! that another implementation can read them; this test computes each anew. After a deliberate
//! change: `DGCS_WRITE_VECTORS=1 cargo test --release --workspace --test vectors`.

use dgcs_client::{Account, ENCRYPTION_DOMAIN, OWNER_DOMAIN};
use dgcs_content::{keys::Scope, TaskNonce};
use serde_json::{json, Value};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/account-vectors.json");
const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

fn hex(bytes: impl AsRef<[u8]>) -> String {
	sp_core::bytes::to_hex(bytes.as_ref(), false)
}

fn account(uri: &str) -> Value {
	let account = Account::from_uri(uri).expect(uri);
	let encryption = account.encryption_secret();
	// An owner's secret is not given out; what derives from it is.
	let nonce = TaskNonce([2; 32]);
	json!({
		"uri": uri,
		"address": account.address(),
		"encryptionSecret": hex(encryption.to_bytes()),
		"encryptionKey": hex(encryption.public().0),
		"keyOfTask": {
			"nonce": hex(nonce.0),
			"scopeOfTask": hex(account.owner_secret().task(&nonce).scope(Scope::Task).as_bytes()),
		},
	})
}

#[test]
fn vectors_are_those_of_the_protocol_document() {
	let uris = [
		PHRASE.to_string(),
		format!("{PHRASE}//worker//1"),
		format!("{PHRASE}//soft/last"),
		format!("{PHRASE}///password"),
		"0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e".into(),
		"//Alice".into(),
	];
	let computed = json!({
		"ownerDomain": hex(OWNER_DOMAIN),
		"encryptionDomain": hex(ENCRYPTION_DOMAIN),
		"accounts": uris.map(|uri| account(&uri)),
	});
	let computed = serde_json::to_string_pretty(&computed).expect("plain data") + "\n";
	if std::env::var_os("DGCS_WRITE_VECTORS").is_some() {
		std::fs::write(PATH, &computed).expect("docs/ can be written");
	}
	let written = std::fs::read_to_string(PATH).expect("docs/account-vectors.json exists");
	assert_eq!(written, computed, "the derivations differ from docs/account-vectors.json");
}
