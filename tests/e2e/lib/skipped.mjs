// What a test does not do because this machine can't have it done, for whoever runs them to see at the end.

import { appendFileSync } from 'node:fs';

/**
 * Says that something was not tested, now and in the file that `DGCS_SKIPPED` names, if it does.
 * @param {string} what and why
 */
export function noteSkip(what) {
	console.log(`SKIPPED: ${what}`);
	const { DGCS_SKIPPED } = process.env;
	if (DGCS_SKIPPED) appendFileSync(DGCS_SKIPPED, `${what.replaceAll('\n', ' ')}\n`);
}
