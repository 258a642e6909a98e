// The rules of Nano's ledger, as a node applies them to state blocks. Every change has a number
// (`tick`), so that a lagging node is a view that stops at one of them.
import { NONE, address, hashBlock, keyOf, publicKey, secretKey, sign, verify, workValue } from './nano_crypto.mjs';

export const SUPPLY = 133248297920938463463374607431768211455n;
const SEED = 'FA4E'.repeat(16); // of the accounts that pay; genesis is the highest index
const GENESIS = 0xffffffff;

export class Ledger {
  constructor({ send = 'ffc0000000000000', receive = 'f000000000000000' } = {}) {
    Object.assign(this, {
      blocks: new Map(), accounts: new Map(), waiting: new Map(), // waiting: account -> Map(send hash -> entry)
      tick: 0, cemented: 0, thresholds: { send: BigInt(`0x${send}`), receive: BigInt(`0x${receive}`) },
      checkSignatures: true, onConfirmed: () => {}, payers: new Map(),
    });
    const key = publicKey(secretKey(SEED, GENESIS));
    this.genesis = this.put(this.make(GENESIS, {
      account: address(key), previous: NONE, representative: address(key), balance: SUPPLY, link: key.toString('hex').toUpperCase(),
    }), 'open', SUPPLY);
    this.confirm(this.genesis.hash);
  }

  // --- reading; `until` is the last tick that a view knows ---

  sees(entry, until = Infinity) { return entry !== undefined && entry.tick <= until; }
  find(hash, until) {
    const entry = this.blocks.get(hash.toUpperCase());
    return this.sees(entry, until) ? entry : null;
  }
  isConfirmed(entry, until = Infinity) { return entry.confirmedAt !== null && entry.confirmedAt <= until; }
  chain(account, until = Infinity) { return (this.accounts.get(account) ?? []).filter((e) => this.sees(e, until)); }
  frontier(account, until) {
    if (until === undefined) return this.accounts.get(account)?.at(-1) ?? null;
    return this.chain(account, until).at(-1) ?? null;
  }
  receivables(account, until = Infinity) {
    return [...(this.waiting.get(account)?.values() ?? [])].filter((e) => this.sees(e, until) && !(e.receivedBy && this.sees(e.receivedBy, until)));
  }

  // --- writing ---

  put(block, subtype, amount) {
    const hash = hashBlock(block).toString('hex').toUpperCase();
    const chain = this.accounts.get(block.account) ?? [];
    const entry = {
      hash, block, subtype, amount, height: chain.length + 1, time: Math.floor(Date.now() / 1000),
      tick: ++this.tick, confirmedAt: null, successor: null, receivedBy: null, source: null, legacy: false, pruned: false,
    };
    if (chain.length) chain.at(-1).successor = entry;
    chain.push(entry);
    this.accounts.set(block.account, chain);
    this.blocks.set(hash, entry);
    if (subtype === 'send') {
      entry.to = address(Buffer.from(block.link, 'hex'));
      if (!this.waiting.has(entry.to)) this.waiting.set(entry.to, new Map());
      this.waiting.get(entry.to).set(hash, entry);
    } else if (block.link !== NONE && this.blocks.has(block.link)) {
      entry.source = this.blocks.get(block.link);
      entry.source.receivedBy = entry;
    }
    return entry;
  }

  // A block is cemented with everything that it stands on.
  confirm(hash) {
    const entry = this.blocks.get(hash.toUpperCase());
    if (!entry || entry.confirmedAt !== null) return false;
    const below = entry.height > 1 ? this.accounts.get(entry.block.account)[entry.height - 2] : null;
    if (below) this.confirm(below.hash);
    if (entry.source) this.confirm(entry.source.hash);
    entry.confirmedAt = ++this.tick;
    this.cemented++;
    this.onConfirmed(entry);
    return true;
  }

  // An unconfirmed block lost an election, or was forgotten; what stands on it goes too.
  rollback(hash) {
    const entry = this.blocks.get(hash.toUpperCase());
    if (!entry || entry.confirmedAt !== null) return false;
    if (entry.successor) this.rollback(entry.successor.hash);
    if (entry.receivedBy) this.rollback(entry.receivedBy.hash);
    const chain = this.accounts.get(entry.block.account);
    chain.pop();
    if (chain.length) chain.at(-1).successor = null;
    else this.accounts.delete(entry.block.account);
    if (entry.to) this.waiting.get(entry.to)?.delete(entry.hash);
    if (entry.source) entry.source.receivedBy = null;
    this.blocks.delete(entry.hash);
    this.tick++;
    return true;
  }

  // --- process: the node's answers, in the node's order ---

  process(block, subtype) {
    const hash = hashBlock(block).toString('hex').toUpperCase();
    const root = block.previous === NONE ? keyOf(block.account).toString('hex') : block.previous;
    const value = workValue(root, block.work);
    if (value < this.thresholds.receive) return { error: 'Block work is less than threshold' };
    const balance = BigInt(block.balance);
    const now = this.frontier(block.account);
    const had = now ? BigInt(now.block.balance) : 0n;
    if (block.previous !== NONE && !this.blocks.has(block.previous)) return { error: 'Gap previous block' };
    // The node compares with the account's balance of this moment, so a repeated send is refused here.
    if (subtype === 'send' && had <= balance) return { error: 'Invalid block balance for given subtype' };
    if (subtype === 'receive' && had > balance) return { error: 'Invalid block balance for given subtype' };
    if (subtype === 'open' && block.previous !== NONE) return { error: 'Invalid previous block for given subtype' };
    if (subtype === 'change' && had !== balance) return { error: 'Invalid block balance for given subtype' };
    return this.judge(block, hash, value);
  }

  judge(block, hash, value) {
    if (this.blocks.has(hash)) return { error: 'Old block' };
    if (this.checkSignatures && !verify(keyOf(block.account), Buffer.from(hash, 'hex'), Buffer.from(block.signature, 'hex'))) return { error: 'Bad signature' };
    if (/^0+$/.test(keyOf(block.account).toString('hex'))) return { error: 'Block is invalid' };
    const balance = BigInt(block.balance);
    const below = block.previous === NONE ? null : this.blocks.get(block.previous);
    const first = this.frontier(block.account);
    if (first && !below) return { error: 'Fork' };
    if (!first && below) return { error: 'This block cannot follow the previous block' };
    if (below && below.block.account !== block.account) return { error: 'This block cannot follow the previous block' };
    if (below && below !== first) return { error: 'Fork' };
    const had = below ? BigInt(below.block.balance) : 0n;
    const isSend = balance < had;
    let amount = balance - had;
    if (isSend) amount = -amount;
    else if (block.link !== NONE) {
      const send = this.blocks.get(block.link);
      if (!send) return { error: 'Gap source block' };
      if (send.to !== block.account || send.receivedBy) return { error: 'Unreceivable' };
      if (amount !== send.amount) return { error: 'Balance and amount delta do not match' };
    } else {
      if (!below) return { error: 'Gap source block' };
      if (amount !== 0n) return { error: 'Balance and amount delta do not match' };
    }
    const isReceive = !isSend && block.link !== NONE;
    if (!isReceive && value < this.thresholds.send) return { error: 'Block work is insufficient' };
    return { entry: this.put(block, isSend ? 'send' : !isReceive ? 'change' : below ? 'receive' : 'open', amount) };
  }

  // --- blocks of the accounts that pay ---

  make(index, fields) {
    const block = { work: '0000000000000000', ...fields, balance: fields.balance.toString() };
    return { ...block, signature: sign(secretKey(SEED, index), hashBlock(block)).toString('hex').toUpperCase() };
  }
  next(index, balance, link) {
    const account = this.payer(index);
    const top = this.frontier(account);
    return this.make(index, { account, previous: top?.hash ?? NONE, representative: this.genesis.block.account, balance, link });
  }
  payer(index) {
    if (!this.payers.has(index)) this.payers.set(index, address(publicKey(secretKey(SEED, index))));
    return this.payers.get(index);
  }
  send(index, to, amount) {
    const top = this.frontier(this.payer(index));
    return this.put(this.next(index, BigInt(top.block.balance) - amount, keyOf(to).toString('hex').toUpperCase()), 'send', amount);
  }
  receive(index, send) {
    const had = BigInt(this.frontier(this.payer(index))?.block.balance ?? 0);
    return this.put(this.next(index, had + send.amount, send.hash), had || this.frontier(this.payer(index)) ? 'receive' : 'open', send.amount);
  }
  // The payer gets what it needs from genesis first.
  pay(index, to, amount) {
    const have = BigInt(this.frontier(this.payer(index))?.block.balance ?? 0);
    if (have < amount) {
      const more = this.send(GENESIS, this.payer(index), amount * 1000n > SUPPLY / 10000n ? amount : amount * 1000n);
      this.confirm(this.receive(index, more).hash);
    }
    return this.send(index, to, amount);
  }
}
