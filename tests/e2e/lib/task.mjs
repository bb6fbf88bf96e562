// A task as an owner submits it.

import { digestOf } from './votes.mjs';

/** One thousandth of a token, which has twelve decimals. */
export const MILLI = 10n ** 9n;

/**
 * A small task that every chain takes, with `changes`.
 * @param {object} [changes]
 */
export function spec(changes = {}) {
	return {
		kind: 'Compute',
		manifest: { codec: 'Raw', digest: digestOf('manifest') },
		inputRoot: digestOf('input'),
		subtasks: 4,
		rangeSize: 2,
		replicas: 3,
		maxReplicas: 5,
		reward: 100n * MILLI,
		limits: { timeMs: 1_000, memoryMib: 64, fuel: 1_000_000 },
		queueTimeout: 200,
		runTimeout: 400,
		selection: 'Any',
		payout: 'Pps',
		visibility: 'Private',
		keepSolution: true,
		...changes,
	};
}

/**
 * What a task costs: written down anew from the rule.
 * @param {ReturnType<typeof spec>} spec
 * @param {bigint} share of the masternodes, in thousand-millionths
 */
export function price({ subtasks, replicas, maxReplicas, reward }, share) {
	const each = BigInt(subtasks) * reward;
	const rewards = each * BigInt(replicas);
	const reserve = each * BigInt(maxReplicas - replicas);
	const masternodes = ((rewards + reserve) * share + 999_999_999n) / 1_000_000_000n;
	return { rewards, reserve, masternodes, total: rewards + reserve + masternodes };
}
