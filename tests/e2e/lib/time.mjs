// Deadlines. Nothing here waits for time to pass: a deadline only ends a wait for something that
// never comes. All are generous, for a machine that does something else besides.

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

/**
 * The promise, or an error if it takes too long.
 * @template T
 * @param {Promise<T>} promise
 * @param {number} milliseconds
 * @param {string | (() => string)} what is waited for, as in "waited for …"
 * @returns {Promise<T>}
 */
export function deadline(promise, milliseconds, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => {
			const text = typeof what === 'function' ? what() : what;
			reject(new Error(`waited ${milliseconds / SECOND} s in vain for ${text}`));
		}, milliseconds);
		// After a test has failed, what it still waited for must not keep the process.
		timer.unref();
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
