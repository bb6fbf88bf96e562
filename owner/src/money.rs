//! Amounts of money as people write them: in DGC, with up to twelve decimals.

use dgcs_client::Balance;

/// Decimals of one DGC.
pub const DECIMALS: usize = 12;
/// One DGC in the smallest unit.
pub const DGC: Balance = 1_000_000_000_000;

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no amount of DGC ({reason}): expected one such as 2 or 0.0015")]
pub struct AmountError {
	/// What was given.
	pub text: String,
	/// What is wrong with it.
	pub reason: &'static str,
}

/// Reads an amount of DGC, such as `2`, `0.0015` or `1.5 DGC`, as the smallest unit.
pub fn parse(text: &str) -> Result<Balance, AmountError> {
	let wrong = |reason| AmountError { text: text.chars().take(40).collect(), reason };
	let number = text.trim();
	let number = number.strip_suffix("DGC").map_or(number, str::trim_end);
	let (whole, part) = number.split_once('.').unwrap_or((number, ""));
	let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
	if whole.is_empty() && part.is_empty() || !digits(whole) || !digits(part) {
		return Err(wrong("not a decimal number"));
	}
	if part.len() > DECIMALS {
		return Err(wrong("more than twelve decimals"));
	}
	let too_large = |_| wrong("more than there can be");
	let whole: Balance = format!("0{whole}").parse().map_err(too_large)?;
	let part: Balance = format!("{part:0<DECIMALS$}").parse().map_err(too_large)?;
	whole
		.checked_mul(DGC)
		.and_then(|whole| whole.checked_add(part))
		.ok_or_else(|| wrong("more than there can be"))
}

/// An amount as people read it: `1.5 DGC`.
pub fn show(amount: Balance) -> String {
	let (whole, part) = (amount / DGC, amount % DGC);
	let part = format!("{part:0>DECIMALS$}");
	match part.trim_end_matches('0') {
		"" => format!("{whole} DGC"),
		part => format!("{whole}.{part} DGC"),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn amounts_are_read_and_shown() {
		for (text, amount, shown) in [
			("2", 2 * DGC, "2 DGC"),
			("0.0015", DGC * 15 / 10_000, "0.0015 DGC"),
			(" 1.5 DGC ", DGC * 3 / 2, "1.5 DGC"),
			(".5", DGC / 2, "0.5 DGC"),
			("7.", 7 * DGC, "7 DGC"),
			("0.000000000001", 1, "0.000000000001 DGC"),
			("0", 0, "0 DGC"),
		] {
			assert_eq!(parse(text), Ok(amount), "{text}");
			assert_eq!(show(amount), shown);
		}
	}

	#[test]
	fn what_is_no_amount_is_refused() {
		let most = format!("{}0", Balance::MAX);
		for text in
			["", ".", "-1", "+1", "1e3", "1,5", "0x1", "1 2", "0.0000000000001", "DGC", &most]
		{
			assert!(parse(text).is_err(), "{text}");
		}
	}

	proptest! {
		#![proptest_config(ProptestConfig {
			cases: 256,
			failure_persistence: None,
			..ProptestConfig::default()
		})]

		#[test]
		fn what_is_shown_is_read_back(amount in any::<Balance>()) {
			prop_assert_eq!(parse(&show(amount)), Ok(amount));
		}

		#[test]
		fn any_text_is_an_amount_or_an_error(text in ".{0,50}") {
			let _ = parse(&text);
		}
	}
}
