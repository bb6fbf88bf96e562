// What processes say, one JSON object a line.

import { deadline } from './time.mjs';

/**
 * The first note about `event` that `check` likes, of those that were said and those to come; or what `ended` comes
 * to, if that is first.
 * @template T
 * @param {{ said: any[], listeners: Set<(note: any) => void> }} speaker
 * @param {string | string[]} event one, or any of several
 * @param {(note: any) => boolean} check
 * @param {Promise<T>} ended
 * @param {number} milliseconds how long it may take
 * @returns {Promise<any | T>}
 */
export function firstNote(speaker, event, check, ended, milliseconds) {
	let listen;
	const heard = new Promise((resolve) => {
		listen = (note) => [event].flat().includes(note.event) && check(note) && resolve(note);
		speaker.listeners.add(listen);
		speaker.said.forEach(listen);
	});
	return deadline(Promise.race([heard, ended]), milliseconds, () => `${event} from ${speaker}`)
		.finally(() => speaker.listeners.delete(listen));
}
