// The fake ledger is honest as far as three public Nano libraries agree with it: what they make is
// taken, what breaks a rule is refused as a node refuses it, and what it makes itself they verify.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { randomBytes } from 'node:crypto';
import { Block } from 'libnemo';
import * as currency from 'nanocurrency';
import web from 'nanocurrency-web';
import { createFake } from './nano.mjs';
import * as own from './nano_crypto.mjs';

const seed = 'D56143E7561D71C1AF4D563C6AF79EECE93E82479818AD8ED88BED1AAE8BE4E5';
const ZEROS = '0'.repeat(64);
let fake;
let url;

before(async () => {
  fake = createFake();
  fake.server.listen(0, '127.0.0.1');
  await once(fake.server, 'listening');
  url = `http://127.0.0.1:${fake.server.address().port}`;
});
after(() => {
  fake.server.close();
  fake.server.closeAllConnections();
  assert.deepEqual(fake.world.complaints, []);
  setTimeout(() => process.exit(), 200).unref(); // libnemo keeps workers
});

async function post(path, body) {
  const res = await fetch(url + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  return res.json();
}
const rpc = (action, q = {}) => post('/', { action, ...q });
const publish = (subtype, block) => rpc('process', { json_block: 'true', subtype, block });
const keys = (index) => {
  const secret = currency.deriveSecretKey(seed, index);
  const key = currency.derivePublicKey(secret);
  return { secret, key, address: currency.deriveAddress(key, { useNanoPrefix: true }) };
};
const work = (root, threshold = 'ffc0000000000000') => currency.computeWork(root, { workThreshold: threshold });
async function paid(index, amount, more = {}) {
  const { hash } = await post('/control/pay', { to: keys(index).address, amount, ...more });
  return hash;
}

test('keys, addresses and hashes are the libraries\' own', () => {
  for (let i = 0; i < 20; i += 1) {
    const index = i === 0 ? 4294967295 : randomBytes(4).readUInt32BE();
    const secret = own.secretKey(seed, index);
    assert.equal(secret.toString('hex'), currency.deriveSecretKey(seed, index).toLowerCase());
    const key = own.publicKey(secret);
    assert.equal(key.toString('hex'), currency.derivePublicKey(secret.toString('hex')).toLowerCase());
    const address = own.address(key);
    assert.equal(address, currency.deriveAddress(key.toString('hex'), { useNanoPrefix: true }));
    assert.equal(own.keyOf(address).toString('hex'), web.tools.addressToPublicKey(address).toLowerCase());
    assert.equal(own.keyOf(address.replace(/.$/, address.endsWith('1') ? '3' : '1')), null);
    assert.deepEqual(own.keyOf(address.replace('nano_', 'xrb_')), key);
    const message = randomBytes(32);
    const signature = own.sign(secret, message);
    assert.equal(signature.toString('hex').toUpperCase(), currency.signBlock({ hash: message.toString('hex'), secretKey: secret.toString('hex') }).toUpperCase());
    assert.ok(own.verify(key, message, signature));
    signature[i % 64] ^= 1;
    assert.ok(!own.verify(key, message, signature));
  }
});

test('work is valued as the libraries do', async () => {
  const root = randomBytes(32).toString('hex');
  for (const threshold of ['f000000000000000', 'ffc0000000000000']) {
    const theirs = await work(root, threshold);
    assert.ok(own.workValue(root, theirs) >= BigInt(`0x${threshold}`));
    assert.ok(currency.validateWork({ blockHash: root, work: own.makeWork(root, BigInt(`0x${threshold}`)), threshold }));
  }
});

test('blocks of nanocurrency are taken: open, receive, change, send', async () => {
  const { secret, key, address } = keys(0);
  const make = async (fields) => currency.createBlock(secret, { representative: address, ...fields, work: await work(fields.previous ?? key) });
  const first = await paid(0, '1000');
  const open = await make({ previous: null, balance: '1000', link: first });
  assert.deepEqual(await publish('open', open.block), { hash: open.hash });
  const second = await paid(0, '5');
  const receive = await make({ previous: open.hash, balance: '1005', link: second });
  assert.deepEqual(await publish('receive', receive.block), { hash: receive.hash });
  const change = await make({ previous: receive.hash, balance: '1005', link: null, representative: keys(5).address });
  assert.deepEqual(await publish('change', change.block), { hash: change.hash });
  const send = await make({ previous: change.hash, balance: '0', link: keys(1).address });
  assert.deepEqual(await publish('send', send.block), { hash: send.hash });
  const info = await rpc('account_info', { account: address, representative: 'true', include_confirmed: 'true' });
  assert.equal(info.balance, '0');
  assert.equal(info.frontier, send.hash);
  assert.equal(info.confirmed_frontier, send.hash);
  const told = await rpc('block_info', { json_block: 'true', hash: send.hash });
  assert.equal(told.amount, '1005');
  assert.equal(told.subtype, 'send');
  assert.equal(currency.hashBlock(told.contents), send.hash);
  const waiting = await rpc('accounts_receivable', { accounts: [keys(1).address], count: '5', source: 'true', threshold: '1005', include_only_confirmed: 'true' });
  assert.deepEqual(waiting.blocks[keys(1).address][send.hash], { amount: '1005', source: address });
});

test('blocks of nanocurrency-web are taken', async () => {
  const { secret, key, address } = keys(2);
  const first = await paid(2, '700');
  const open = web.block.receive({ walletBalanceRaw: '0', toAddress: address, representativeAddress: address, frontier: ZEROS, transactionHash: first, amountRaw: '700', work: await work(key) }, secret);
  const opened = await publish('open', open);
  assert.equal(opened.hash, currency.hashBlock(open));
  const send = web.block.send({ walletBalanceRaw: '700', fromAddress: address, toAddress: keys(3).address, representativeAddress: address, frontier: opened.hash, amountRaw: '300', work: await work(opened.hash) }, secret);
  const sent = await publish('send', send);
  assert.equal((await rpc('block_info', { json_block: 'true', hash: sent.hash })).amount, '300');
});

test('blocks of libnemo are taken', async () => {
  const { secret, key, address } = keys(4);
  const first = await paid(4, '50');
  const open = new Block(address, '0', ZEROS, address);
  open.receive(first, '50');
  await open.sign(secret);
  const opened = await publish('open', { ...open.toJSON(), work: await work(key) });
  assert.equal(opened.hash, open.hash);
  const send = new Block(address, '50', opened.hash, address);
  send.send(keys(3).address, '20');
  await send.sign(secret);
  assert.equal((await publish('send', { ...send.toJSON(), work: await work(opened.hash) })).hash, send.hash);
  assert.equal((await rpc('account_info', { account: address })).balance, '30');
});

test('what the fake signs itself, every library verifies', async () => {
  for (let i = 0; i < 5; i += 1) {
    const hash = await paid(6, `${10n ** BigInt(i * 6)}`, { from: 7 });
    const { contents } = await rpc('block_info', { json_block: 'true', hash });
    const key = currency.derivePublicKey(contents.account);
    assert.equal(currency.hashBlock(contents), hash);
    assert.ok(currency.verifyBlock({ hash, signature: contents.signature, publicKey: key }));
    assert.ok(web.tools.verifyBlock(key, contents));
    assert.equal(contents.link_as_account, keys(6).address);
  }
});

test('what breaks a rule is refused in the node\'s words', async () => {
  const { secret, key, address } = keys(8);
  const send = await paid(8, '100');
  const make = async (fields, threshold) => currency.createBlock(secret, { representative: address, ...fields, work: await work(fields.previous ?? key, threshold) });
  const refused = async (subtype, block, error) => assert.deepEqual(await publish(subtype, block), { error });
  const open = await make({ previous: null, balance: '100', link: send });
  await refused('open', { ...open.block, signature: open.block.signature.replace(/^./, (c) => (c === '0' ? '1' : '0')) }, 'Bad signature');
  await refused('open', { ...open.block, balance: '101' }, 'Bad signature');
  await refused('open', (await make({ previous: null, balance: '101', link: send })).block, 'Balance and amount delta do not match');
  await refused('open', (await make({ previous: null, balance: '100', link: randomBytes(32).toString('hex') })).block, 'Gap source block');
  await refused('receive', (await make({ previous: randomBytes(32).toString('hex'), balance: '100', link: send })).block, 'Gap previous block');
  let weak = 0n;
  while (own.workValue(key, weak.toString(16).padStart(16, '0')) >= 0xf000000000000000n) weak += 1n;
  await refused('open', { ...open.block, work: weak.toString(16).padStart(16, '0') }, 'Block work is less than threshold');
  assert.equal((await publish('open', open.block)).hash, open.hash);
  await refused('open', open.block, 'Old block');
  await refused('receive', (await make({ previous: open.hash, balance: '200', link: send })).block, 'Unreceivable');
  const spend = await make({ previous: open.hash, balance: '60', link: keys(3).address });
  let cheap = 0n; // enough for a receive only
  const value = () => own.workValue(open.hash, cheap.toString(16).padStart(16, '0'));
  while (value() < 0xf000000000000000n || value() >= 0xffc0000000000000n) cheap += 1n;
  await refused('send', { ...spend.block, work: cheap.toString(16).padStart(16, '0') }, 'Block work is insufficient');
  await refused('send', (await make({ previous: open.hash, balance: '100', link: keys(3).address })).block, 'Invalid block balance for given subtype');
  assert.equal((await publish('send', spend.block)).hash, spend.hash);
  await refused('send', spend.block, 'Invalid block balance for given subtype'); // although it is in the ledger
  await refused('send', (await make({ previous: open.hash, balance: '10', link: keys(3).address })).block, 'Fork');
  await refused('send', { ...spend.block, type: 'send' }, 'Block is invalid');
});

test('confirmation is a step of its own; an unconfirmed send can lose', async () => {
  const hash = await paid(9, '77', { confirm: false });
  const list = async () => (await rpc('receivable', { account: keys(9).address, count: '5', include_only_confirmed: 'true' })).blocks;
  assert.equal(await list(), '');
  assert.equal((await rpc('block_info', { json_block: 'true', hash })).confirmed, 'false');
  const { hash: other } = await post('/control/fork', { hash, to: keys(10).address });
  assert.deepEqual(await rpc('block_info', { json_block: 'true', hash }), { error: 'Block not found' });
  assert.equal((await rpc('block_info', { json_block: 'true', hash: other })).confirmed, 'true');
  const again = await paid(9, '78', { confirm: false });
  await rpc('block_confirm', { hash: again });
  assert.deepEqual(await list(), [again]);
});

test('the MCP reader has three shapes of error and no more knowledge than the real one', async () => {
  const call = (method, params) => post('/mcp', { jsonrpc: '2.0', method, params, id: 1 });
  const address = keys(0).address;
  assert.deepEqual(await call('getBalance', { address }), { jsonrpc: '2.0', result: { balance: '0', pending: '0' }, id: 1 });
  assert.equal((await call('getBalance', { address: address.replace(/.$/, address.endsWith('1') ? '3' : '1') })).result.balance, '0');
  assert.equal((await call('getBalance', { address: 'nano_1' })).errorCode, 'INVALID_ADDRESS_LENGTH');
  assert.equal((await call('tools/call', {})).errorCode, 'METHOD_NOT_FOUND');
  assert.equal((await post('/mcp', [])).error.code, -32600);
  assert.deepEqual((await call('getAccountInfo', { address: keys(99).address })).result, { error: 'Account not found' });
  const bad = await fetch(`${url}/mcp`, { method: 'POST', body: '{' });
  assert.equal(bad.status, 400);
});
