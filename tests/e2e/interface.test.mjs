// What programs see: the metadata that wallets show calls by, and the `dgcs_*` methods, fed with
// whatever may come. On a chain of one masternode.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { account, EventLog, rpc, send } from './lib/chain.mjs';
import { startDevelopment } from './lib/network.mjs';
import { spec } from './lib/task.mjs';

const PALLETS = ['tasks', 'workers', 'verdicts', 'escrow', 'masternodes'];
/** Arguments that are bytes because that is what they are. */
const BYTES = ['masternodes.join address', 'masternodes.update address'];
const ZERO = `0x${'00'.repeat(32)}`;
const NO_ACCOUNT = account('//nobody').address;

describe('interface', () => {
	/** @type {import('./lib/network.mjs').Network} */
	let network;
	/** @type {import('@polkadot/api').ApiPromise} */
	let api;
	/** @type {EventLog} */
	let log;

	before(async () => {
		network = await startDevelopment('interface');
		api = network.api('alice');
		log = await EventLog.follow(api);
	});

	after(async () => {
		log?.stop();
		await network?.stop();
	});

	describe('metadata', () => {
		it('names and describes every call and its arguments', () => {
			for (const pallet of PALLETS) {
				const calls = Object.entries(api.tx[pallet]);
				assert.ok(calls.length > 0, `${pallet} has calls`);
				for (const [name, { meta }] of calls) {
					assert.ok(meta.docs.length > 0, `${pallet}.${name} says what it does`);
					for (const arg of meta.args) {
						const where = `${pallet}.${name} ${arg.name}`;
						assert.match(arg.name.toString(), /^[a-z]\w*$/, `${where} has a name`);
						const raw = rawBytes(arg.type.toString(), meta.fields.find((field) => {
							return field.name.unwrapOr('').toString() === arg.name.toString();
						}).type);
						assert.ok(!raw || BYTES.includes(where), `${where} has a type of its own`);
					}
				}
			}
		});

		it('names every field of every event, and describes every error', () => {
			for (const pallet of PALLETS) {
				for (const [name, { meta }] of Object.entries(api.events[pallet])) {
					assert.ok(meta.docs.length > 0, `${pallet}.${name} says what happened`);
					for (const field of meta.fields) {
						assert.ok(field.name.isSome, `every field of ${pallet}.${name} has a name`);
						const raw = rawBytes('', field.type);
						assert.ok(!raw, `${pallet}.${name} ${field.name} has a type of its own`);
					}
				}
				for (const [name, { meta }] of Object.entries(api.errors[pallet])) {
					assert.ok(meta.docs.length > 0, `${pallet}.${name} says what to do`);
				}
			}
		});

		it('describes what is stored, and every constant', () => {
			for (const pallet of PALLETS) {
				for (const [name, query] of Object.entries(api.query[pallet])) {
					const version = name === 'palletVersion';
					assert.ok(version || query.creator.meta.docs.length > 0, `${pallet}.${name}`);
				}
				for (const [name, { meta }] of Object.entries(api.consts[pallet])) {
					assert.ok(meta.docs.length > 0, `${pallet}.${name}`);
				}
			}
		});

		it('lets a wallet sign with a digest of it', () => {
			assert.ok(api.registry.signedExtensions.includes('CheckMetadataHash'));
			assert.ok(api.registry.signedExtensions.includes('ChargeTransactionPayment'));
		});

		it('says how amounts are shown', () => {
			assert.deepEqual(api.registry.chainTokens, ['DGC']);
			assert.deepEqual(api.registry.chainDecimals, [12]);
			assert.equal(api.registry.chainSS58, 42);
		});

		/** Whether a type is, or has anywhere in it, a list of bytes without a meaning. */
		function rawBytes(name, id, seen = new Set()) {
			if (name === 'Bytes') return true;
			if (id === undefined || seen.has(id.toNumber())) return false;
			seen.add(id.toNumber());
			const { def } = api.registry.lookup.getSiType(id);
			const inner = (next) => rawBytes('', next, seen);
			if (def.isSequence) {
				const { type } = def.asSequence;
				const { def: of } = api.registry.lookup.getSiType(type);
				return (of.isPrimitive && of.asPrimitive.isU8) || inner(type);
			}
			if (def.isComposite) return def.asComposite.fields.some(({ type }) => inner(type));
			if (def.isTuple) return def.asTuple.some(inner);
			if (def.isVariant) {
				return def.asVariant.variants.some(({ fields }) => fields.some(({ type }) => inner(type)));
			}
			return false;
		}
	});

	describe('rpc', () => {
		it('offers its methods by name', async () => {
			const { methods } = await rpc(api, 'rpc_methods');
			const own = methods.filter((method) => method.startsWith('dgcs_')).sort();
			assert.deepEqual(own, [
				'dgcs_estimate',
				'dgcs_handOver',
				'dgcs_held',
				'dgcs_keptReceipts',
				'dgcs_keptSpec',
				'dgcs_keptWorkChain',
				'dgcs_keyShare',
				'dgcs_masternodes',
				'dgcs_queuePosition',
				'dgcs_range',
				'dgcs_storeAddresses',
				'dgcs_task',
				'dgcs_workChain',
				'dgcs_worker',
			]);
		});

		it('answers what is asked', async () => {
			const genesis = api.genesisHash.toHex();
			await send(api, api.tx.tasks.submit(spec()), account('//Alice'));
			const task = await rpc(api, 'dgcs_task', 0);
			assert.equal(task.owner, account('//Alice').address);
			assert.match(task.spec.manifest, /^bafkr4i/);
			assert.deepEqual(await rpc(api, 'dgcs_task', '0'), task, 'ids may be digits');
			const again = await rpc(api, 'dgcs_estimate', task.spec);
			assert.equal(again.total, task.held, 'what one method returns the other takes');
			assert.deepEqual(await rpc(api, 'dgcs_workChain', 0), {
				task: 0,
				height: 0,
				blocks: [],
				next: null,
			});
			assert.deepEqual(
				await rpc(api, 'dgcs_workChain', 0, 0, 4_294_967_295),
				await rpc(api, 'dgcs_workChain', 0),
				'a limit beyond the limit is the limit',
			);
			assert.equal((await rpc(api, 'dgcs_queuePosition', 0)).ahead, 0);
			assert.equal(await rpc(api, 'dgcs_range', 0, 0), null, 'nobody has a seat yet');
			const [address] = await rpc(api, 'dgcs_storeAddresses');
			assert.match(address, /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW/);
			assert.equal((await rpc(api, 'dgcs_masternodes')).length, 1);
			assert.equal((await rpc(api, 'dgcs_masternodes', genesis)).length, 1);
			const few = await rpc(api, 'dgcs_estimate', { subtasks: 10, reward: '1000000000' });
			assert.deepEqual([few.rewards, few.reserve], ['30000000000', '0']);
		});

		/** Method, parameters, code of the error, and data that it must have. */
		const refused = [
			['dgcs_task', [], -32602, { parameter: 'task' }],
			['dgcs_task', [null], -32602, { parameter: 'task' }],
			['dgcs_task', ['seven'], -32602, { parameter: 'task' }],
			['dgcs_task', [-1], -32602, { parameter: 'task' }],
			['dgcs_task', [1.5], -32602, { parameter: 'task' }],
			['dgcs_task', [{}], -32602, { parameter: 'task' }],
			['dgcs_task', ['340282366920938463463374607431768211456'], -32602, { parameter: 'task' }],
			['dgcs_task', ['18446744073709551615'], -32901],
			['dgcs_task', [999], -32901, { task: 999 }],
			['dgcs_task', [0, '0x12'], -32602, { parameter: 'at' }],
			['dgcs_task', [0, ZERO], -32905, { at: ZERO }],
			['dgcs_queuePosition', [999], -32901],
			['dgcs_queuePosition', [[0]], -32602, { parameter: 'task' }],
			['dgcs_workChain', [999], -32901],
			['dgcs_workChain', [0, 1], -32903, { height: 0 }],
			['dgcs_workChain', [0, 4_294_967_295], -32903, { from: 4_294_967_295 }],
			['dgcs_workChain', [0, 4_294_967_296], -32602, { parameter: 'from' }],
			['dgcs_workChain', [0, 0, 'all'], -32602, { parameter: 'limit' }],
			['dgcs_range', [0], -32602, { parameter: 'range' }],
			['dgcs_range', [999, 0], -32901],
			['dgcs_range', [0, 4_294_967_295], -32921, { range: 4_294_967_295 }],
			['dgcs_held', [999], -32901, { task: 999 }],
			['dgcs_held', [], -32602, { parameter: 'task' }],
			['dgcs_keyShare', [999, 0, NO_ACCOUNT], -32904, { worker: NO_ACCOUNT }],
			['dgcs_keyShare', [0, 1], -32602, { parameter: 'worker' }],
			['dgcs_handOver', ['0x00'], -32602, { parameter: 'offer' }],
			['dgcs_worker', [], -32602, { parameter: 'account' }],
			['dgcs_worker', ['5Grw'], -32602, { parameter: 'account' }],
			['dgcs_worker', [7], -32602, { parameter: 'account' }],
			['dgcs_worker', [NO_ACCOUNT], -32904, { account: NO_ACCOUNT }],
			['dgcs_estimate', [], -32602, { parameter: 'spec' }],
			['dgcs_estimate', ['much'], -32602, { parameter: 'spec' }],
			['dgcs_estimate', [{}], -32602, { parameter: 'spec.subtasks' }],
			['dgcs_estimate', [{ subtasks: 1, reward: 1, repicas: 3 }], -32602],
			['dgcs_estimate', [{ subtasks: 1, reward: -1 }], -32602, { parameter: 'spec.reward' }],
			['dgcs_estimate', [{ subtasks: 0, reward: '1000000' }], -32907, { field: 'subtasks' }],
			['dgcs_estimate', [{ subtasks: 1, reward: 1, replicas: 2 }], -32907, { field: 'replicas' }],
			['dgcs_estimate', [{ kind: 'store', subtasks: 1, reward: '1000000' }], -32907, { field: 'kind' }],
			['dgcs_estimate', [{ subtasks: 9, reward: `${(1n << 128n) - 1n}` }], -32908],
			['dgcs_masternodes', ['best'], -32602, { parameter: 'at' }],
			['dgcs_masternodes', [ZERO], -32905],
			['dgcs_nothing', [], -32601],
		];

		for (const [method, params, code, data] of refused) {
			it(`refuses ${method}(${JSON.stringify(params).slice(1, -1)}) with ${code}`, async () => {
				const error = await rpc(api, method, ...params).then(
					(result) => assert.fail(`it returned ${JSON.stringify(result)}`),
					(error) => error,
				);
				assert.equal(error.code, code, error.message);
				for (const [key, value] of Object.entries(data ?? {})) {
					assert.deepEqual(error.data[key], value, `${key} in ${error.message}`);
				}
			});
		}
	});
});
