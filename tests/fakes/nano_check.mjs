#!/usr/bin/env node
// Judges our Nano keys, blocks and amounts with three public libraries, and makes some of their own for us to judge.
//
//   node nano_check.mjs IN.json OUT.json
//
// IN   {threshold, blocks: [{seed, index, hash, subtype, bad, wallet, block}], amounts: [{raw, xno}]}
//      bad: one bit was changed after signing, so every library has to refuse it; wallet: libnemo derives the address
//      too, which takes it a third of a second
// OUT  {wrong: [text], checked, blocks: [{by, seed, index, hash, block}], amounts: [{raw, xno}]}
import { readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as currency from 'nanocurrency';
import web from 'nanocurrency-web';
import { Block, Wallet } from 'libnemo';

if (!globalThis.crypto) { // Debian 12's Node 18 has it behind a flag, and libnemo's worker wants it
  const again = ['--experimental-global-webcrypto', ...process.argv.slice(1)];
  process.exit(spawnSync(process.execPath, again, { stdio: 'inherit' }).status ?? 1);
}
const OWN = 20; // blocks of each library
const ZEROS = '0'.repeat(64);
const SUPPLY = 133248297920938463463374607431768211455n; // libnemo refuses balances above it
const [, , from, to] = process.argv;
const given = JSON.parse(readFileSync(from, 'utf8'));
const wrong = [];
let checked = 0;

const same = (what, a, b) => {
  checked += 1;
  if (String(a).toLowerCase() !== String(b).toLowerCase()) wrong.push(`${what}: ${a} is not ${b}`);
};
const hex = (n) => randomBytes(n).toString('hex').toUpperCase();
const bytes = (text) => new Uint8Array(Buffer.from(text, 'hex'));
const below = (n) => BigInt(`0x${hex(16)}`) % n;

// libnemo has no reader of foreign blocks: its fields are set as its own methods set them.
function nemoBlock(b, subtype) {
  const block = new Block(b.account, b.balance, b.previous, b.representative);
  block.subtype = subtype === 'open' ? 'receive' : subtype;
  block.link = bytes(b.link);
  block.signature = b.signature;
  return block;
}

async function nemoKeys(seed, index) {
  const wallet = await Wallet.load('BLAKE2b', 'test', seed);
  await wallet.unlock('test');
  return wallet.account(index);
}

async function judge({ seed, index, hash, subtype, bad, wallet, block }) {
  const secret = currency.deriveSecretKey(seed, index);
  const key = currency.derivePublicKey(secret);
  const [account] = web.wallet.legacyAccounts(seed, index, index);
  same('nanocurrency hash', currency.hashBlock({ ...block }), hash);
  same('libnemo hash', nemoBlock(block, subtype).hash, hash);
  same('nanocurrency verify', currency.verifyBlock({ hash, signature: block.signature, publicKey: key }), !bad);
  same('nanocurrency-web verify', web.tools.verifyBlock(key, block), !bad);
  same('libnemo verify', await nemoBlock(block, subtype).verify(key), !bad);
  if (bad) return;
  const root = block.previous === ZEROS ? key : block.previous;
  same('nanocurrency address', currency.deriveAddress(key, { useNanoPrefix: true }), block.account);
  same('nanocurrency-web address', account.address, block.account);
  same('nanocurrency-web private key', account.privateKey, secret);
  if (wallet) same('libnemo address', (await nemoKeys(seed, index)).address, block.account);
  same('address check', currency.checkAddress(block.account) && web.tools.validateAddress(block.account), true);
  same('work', currency.validateWork({ blockHash: root, work: block.work, threshold: given.threshold }), true);
}

function judgeAmount({ raw, xno }) {
  const { raw: RAW, NANO } = currency.Unit;
  same('raw to XNO', currency.convert(raw, { from: RAW, to: NANO }), xno);
  same('XNO to raw', currency.convert(xno, { from: NANO, to: RAW }), raw);
  same('raw to XNO, web', web.tools.convert(raw, 'RAW', 'NANO').replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, ''), xno); // it keeps the zeros behind
  same('XNO to raw, web', web.tools.convert(xno, 'NANO', 'RAW'), raw);
}

const randomAddress = () => currency.deriveAddress(hex(32), { useNanoPrefix: true });

function byCurrency(seed, index) {
  const first = index % 2 === 0;
  const { hash, block } = currency.createBlock(currency.deriveSecretKey(seed, index), {
    work: null, previous: first ? null : hex(32), representative: randomAddress(), balance: String(below(2n ** 128n)), link: hex(32),
  });
  return { by: 'nanocurrency', hash, block };
}

function byWeb(seed, index) {
  const [account] = web.wallet.legacyAccounts(seed, index, index);
  const balance = below(2n ** 127n) + 1n;
  const common = { walletBalanceRaw: String(balance), representativeAddress: randomAddress(), frontier: hex(32), work: null };
  const block = index % 2 === 0
    ? web.block.send({ ...common, fromAddress: account.address, toAddress: randomAddress(), amountRaw: String(below(balance) + 1n) }, account.privateKey)
    : web.block.receive({ ...common, toAddress: account.address, transactionHash: hex(32), amountRaw: String(below(2n ** 127n)) }, account.privateKey);
  return { by: 'nanocurrency-web', hash: currency.hashBlock(block), block };
}

async function byNemo(seed, index) {
  const secret = currency.deriveSecretKey(seed, index);
  const address = currency.deriveAddress(currency.derivePublicKey(secret), { useNanoPrefix: true });
  const balance = below(SUPPLY) + 1n;
  const block = new Block(address, String(balance), hex(32), randomAddress());
  if (index % 2 === 0) block.send(randomAddress(), String(below(balance) + 1n));
  else block.change(randomAddress());
  await block.sign(secret);
  return { by: 'libnemo', hash: block.hash, block: block.toJSON() };
}

for (const item of given.blocks) await judge(item);
for (const item of given.amounts) judgeAmount(item);
const blocks = [];
for (const make of [byCurrency, byWeb, byNemo]) {
  for (let i = 0; i < OWN; i += 1) {
    const seed = hex(32);
    const index = randomBytes(4).readUInt32BE();
    blocks.push({ seed, index, ...(await make(seed, index)) });
  }
}
const amounts = Array.from({ length: 50 }, (_, i) => {
  const raw = String(below(2n ** BigInt(1 + (i * 127) / 49 | 0)));
  return { raw, xno: web.tools.convert(raw, 'RAW', 'NANO') };
});
writeFileSync(to, JSON.stringify({ wrong, checked, blocks, amounts }));
process.exit(0); // libnemo keeps its worker
