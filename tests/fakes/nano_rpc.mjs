// The node's RPC actions on the ledger. Everything is a string, empty lists are "", errors are bodies.
import { NONE, address, hashBlock, keyOf, makeWork, workValue } from './nano_crypto.mjs';

class Refused extends Error {}
const refuse = (text) => { throw new Refused(text); };
const need = (value) => (value === undefined ? refuse('Unable to parse JSON') : value);
const isTrue = (value, otherwise = false) => (value === undefined ? otherwise : value === true || value === 'true');
const hash64 = (text) => (/^[0-9a-fA-F]{64}$/.test(need(text)) ? text.toUpperCase() : refuse('Invalid block hash'));
const account = (text) => { const key = keyOf(need(text)); return key ? address(key) : refuse('Bad account number'); };
const orEmpty = (o) => (Object.keys(o).length ? o : '');
function amount(text, error) {
  if (!/^(0|[1-9][0-9]{0,38})$/.test(text)) refuse(error);
  return BigInt(text);
}
const level = (work, difficulty) => (Number(2n ** 64n - difficulty) / Number(2n ** 64n - work)).toString();

export function contents(entry) {
  const b = entry.block;
  if (entry.legacy) return { type: 'send', previous: b.previous, destination: address(Buffer.from(b.link, 'hex')), balance: BigInt(b.balance).toString(16).padStart(32, '0').toUpperCase(), signature: b.signature, work: b.work };
  return { type: 'state', account: b.account, previous: b.previous, representative: b.representative, balance: b.balance, link: b.link, link_as_account: address(Buffer.from(b.link, 'hex')), signature: b.signature, work: b.work };
}

function readBlock(q) {
  const b = isTrue(q.json_block) ? q.block : JSON.parse(need(q.block));
  if (!b || typeof b !== 'object' || b.type !== 'state') refuse('Block is invalid');
  const hex = (text, n) => (new RegExp(`^[0-9a-fA-F]{${n}}$`).test(text) ? text.toUpperCase() : refuse('Block is invalid'));
  return {
    account: account(b.account), previous: hex(b.previous, 64), representative: account(b.representative),
    balance: amount(b.balance, 'Block is invalid').toString(), link: hex(b.link, 64), signature: hex(b.signature, 128), work: hex(b.work ?? '', 16).toLowerCase(),
  };
}

// What a list of receivables looks like depends on what was asked for.
function listed(entries, q, threshold) {
  const out = {};
  for (const e of entries) out[e.hash] = isTrue(q.source) ? { amount: e.amount.toString(), source: e.block.account } : e.amount.toString();
  if (isTrue(q.source) || threshold > 0n || isTrue(q.sorting)) return orEmpty(out);
  return Object.keys(out).length ? Object.keys(out) : '';
}

function waiting(view, who, q, threshold) {
  if (q.include_only_confirmed === undefined) view.complain(`${q.action} without include_only_confirmed`);
  const sure = isTrue(q.include_only_confirmed, true);
  return view.ledger.receivables(who, view.until).filter((e) => e.amount >= threshold && (!sure || view.ledger.isConfirmed(e, view.until)));
}
const byHash = (a, b) => (a.hash < b.hash ? -1 : 1);
const byAmount = (a, b) => (a.amount < b.amount ? 1 : a.amount > b.amount ? -1 : byHash(a, b));

function blockInfo(view, e, q = {}) {
  const { ledger, until } = view;
  const next = e.successor && ledger.sees(e.successor, until) ? e.successor.hash : NONE;
  const out = {
    block_account: e.block.account, ...(e.pruned ? {} : { amount: e.amount.toString() }), balance: e.block.balance, height: String(e.height),
    local_timestamp: String(e.time), successor: next, confirmed: String(ledger.isConfirmed(e, until)),
    contents: isTrue(q.json_block) ? contents(e) : JSON.stringify(contents(e)), subtype: e.subtype,
  };
  if (isTrue(q.receive_hash)) out.receive_hash = e.receivedBy?.hash ?? NONE;
  if (isTrue(q.source)) out.source_account = e.source?.block.account ?? '0';
  return out;
}

function work(view, q) {
  const root = hash64(q.hash);
  const difficulty = BigInt(`0x${q.difficulty ?? view.ledger.thresholds.send.toString(16)}`);
  if (difficulty > 0xffff000000000000n) refuse('Difficulty above config limit or below publish threshold');
  const found = makeWork(root, difficulty);
  return { hash: root, work: found, difficulty: workValue(root, found).toString(16), multiplier: level(workValue(root, found), difficulty) };
}

const actions = {
  accounts_receivable(view, q) {
    if (q.accounts?.length > (view.face.accountCap ?? Infinity)) refuse('Too many accounts');
    const threshold = q.threshold === undefined ? 0n : amount(q.threshold, 'Bad threshold number');
    const count = Math.min(Number(q.count ?? Infinity), view.face.countCap ?? Infinity);
    const out = {};
    for (const who of need(q.accounts)) {
      const cut = waiting(view, account(who), q, threshold).sort(byHash).slice(0, count);
      if (isTrue(q.sorting)) cut.sort(byAmount);
      if (cut.length) out[account(who)] = listed(cut, q, threshold);
    }
    return { blocks: orEmpty(out) };
  },
  receivable(view, q) {
    const threshold = q.threshold === undefined ? 0n : amount(q.threshold, 'Bad threshold number');
    const count = Math.min(Number(q.count ?? Infinity), view.face.countCap ?? Infinity);
    const all = waiting(view, account(q.account), q, threshold).sort(isTrue(q.sorting) ? byAmount : byHash);
    const from = view.face.noOffset ? 0 : Number(q.offset ?? 0);
    return { blocks: listed(all.slice(from, from + count), q, threshold) };
  },
  pending: (view, q) => ({ ...actions.receivable(view, q), deprecated: '1' }),
  receivable_exists(view, q) {
    const e = view.ledger.find(hash64(q.hash), view.until) ?? refuse('Block not found');
    const sure = !isTrue(q.include_only_confirmed, true) || view.ledger.isConfirmed(e, view.until);
    return { exists: sure && e.to && !e.receivedBy ? '1' : '0' };
  },
  account_info(view, q) {
    const who = account(q.account);
    const chain = view.ledger.chain(who, view.until);
    const top = chain.at(-1) ?? refuse('Account not found');
    const sure = chain.findLast((e) => view.ledger.isConfirmed(e, view.until));
    const out = {
      frontier: top.hash, open_block: chain[0].hash, representative_block: top.hash, balance: top.block.balance,
      modified_timestamp: String(top.time), block_count: String(chain.length), account_version: '2',
    };
    if (isTrue(q.include_confirmed)) Object.assign(out, { confirmed_balance: sure?.block.balance ?? '0', confirmed_height: String(sure?.height ?? 0), confirmed_frontier: sure?.hash ?? NONE });
    else Object.assign(out, { confirmation_height: String(sure?.height ?? 0), confirmation_height_frontier: sure?.hash ?? NONE });
    if (isTrue(q.representative)) out.representative = top.block.representative;
    return out;
  },
  accounts_balances(view, q) {
    const balances = {};
    const errors = {};
    for (const who of need(q.accounts)) {
      if (!keyOf(who)) { errors[who] = 'Bad account number'; continue; }
      const sum = waiting(view, account(who), q, 0n).reduce((n, e) => n + e.amount, 0n).toString();
      balances[who] = { balance: view.ledger.frontier(account(who), view.until)?.block.balance ?? '0', pending: sum, receivable: sum };
    }
    return { balances: orEmpty(balances), ...(Object.keys(errors).length ? { errors } : {}) };
  },
  account_history(view, q) {
    const who = account(q.account);
    const all = view.ledger.chain(who, view.until).reverse();
    const from = q.head ? all.findIndex((e) => e.hash === q.head) : Number(q.offset ?? 0);
    const part = all.slice(from, from + Number(need(q.count)));
    const history = part.map((e) => ({ type: e.subtype === 'open' ? 'receive' : e.subtype, account: e.to ?? e.source?.block.account, amount: e.amount.toString(), local_timestamp: String(e.time), height: String(e.height), hash: e.hash, confirmed: String(view.ledger.isConfirmed(e, view.until)) }));
    return { account: who, history: history.length ? history : '', ...(all[from + part.length] ? { previous: all[from + part.length].hash } : {}) };
  },
  block_info: (view, q) => blockInfo(view, view.ledger.find(hash64(q.hash), view.until) ?? refuse('Block not found'), q),
  blocks_info(view, q) {
    const blocks = {};
    const missing = [];
    for (const h of need(q.hashes)) {
      const e = view.ledger.find(hash64(h), view.until);
      if (e) blocks[e.hash] = blockInfo(view, e, q);
      else if (isTrue(q.include_not_found)) missing.push(h);
      else refuse('Block not found');
    }
    return { blocks: orEmpty(blocks), ...(isTrue(q.include_not_found) ? { blocks_not_found: missing.length ? missing : '' } : {}) };
  },
  process(view, q) {
    if (!q.subtype) view.complain('process without subtype');
    if (isTrue(q.async)) view.complain('process with async hides errors');
    const block = readBlock(q);
    const { error, entry } = view.ledger.process(block, q.subtype);
    view.world.processed.push({ hash: hashBlock(block).toString('hex').toUpperCase(), subtype: q.subtype, error: error ?? null, signature: block.signature });
    if (error) refuse(error);
    view.world.confirmSoon(entry.hash);
    return { hash: entry.hash };
  },
  block_confirm(view, q) {
    const e = view.ledger.find(hash64(q.hash), view.until) ?? refuse('Block not found');
    view.world.asked.push(e.hash);
    if (view.world.confirmWhenAsked) view.world.confirmSoon(e.hash);
    return { started: '1' };
  },
  republish: (view, q) => ({ success: '', blocks: [(view.ledger.find(hash64(q.hash), view.until) ?? refuse('Block not found')).hash] }),
  work_generate: (view, q) => (view.face.noWork ? refuse('RPC control is disabled') : work(view, q)),
  work_validate(view, q) {
    const value = workValue(hash64(q.hash), need(q.work));
    return { valid_all: value >= view.ledger.thresholds.send ? '1' : '0', valid_receive: value >= view.ledger.thresholds.receive ? '1' : '0', difficulty: value.toString(16), multiplier: level(value, view.ledger.thresholds.send) };
  },
  version: (view) => ({
    rpc_version: '1', store_version: '24', protocol_version: '21', node_vendor: 'Nano V28.2', store_vendor: 'LMDB 0.9.70', network: view.face.network ?? 'live',
    network_identifier: view.face.networkId ?? '991CF190094C00F0B68E2E5F75F6BEE95A2E0BD93CEAA4A6734DB9F19B728948', build_info: 'fake',
  }),
  block_count: (view) => ({ count: String(view.seenBlocks()), unchecked: '0', cemented: String(view.seenCemented()) }),
  telemetry: (view) => ({ block_count: String(view.ledger.blocks.size), cemented_count: String(view.ledger.cemented), unchecked_count: '0', peer_count: '120', protocol_version: '21' }),
  validate_account_number: (view, q) => ({ valid: keyOf(need(q.account)) ? '1' : '0' }),
  block_create(view) { view.complain('a private key was sent over the wire (block_create)'); return refuse('RPC control is disabled'); },
  sign(view) { view.complain('a private key was sent over the wire (sign)'); return refuse('RPC control is disabled'); },
};

export function answer(view, text) {
  try {
    if ((text.match(/[{[]/g) ?? []).length > 20) refuse('Max JSON depth exceeded');
    let q;
    try { q = JSON.parse(text); } catch { refuse('Unable to parse JSON'); }
    if (!q || typeof q !== 'object' || typeof q.action !== 'string') refuse('Unable to parse JSON');
    return (actions[q.action] ?? (() => refuse('Unknown command')))(view, q);
  } catch (e) {
    if (e instanceof Refused) return { error: e.message };
    throw e;
  }
}
