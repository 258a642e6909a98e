// The Nano MCP server as it really speaks: methods by name, three shapes of error, `pending` always
// "0", addresses checked by shape only, "pending" lists of at most one block.
import { address, keyOf } from './nano_crypto.mjs';

const methods = ['initialize', 'tools/list', 'generateWallet', 'getBalance', 'getAccountInfo', 'getPendingBlocks', 'initializeAccount', 'receiveAllPending', 'sendTransaction', 'generateQrCode', 'convertBalance', 'getAccountStatus', 'nanoConverterHelp'];

function send(res, status, body, type = 'application/json') {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  res.end(text);
}

const bare = (errorCode, error) => ({ success: false, error, errorCode, details: {}, nextSteps: [], exampleRequest: {} });

// By shape only: a mistyped checksum is an account with balance 0.
function looksRight(text) {
  if (typeof text !== 'string') return bare('MISSING_PARAMETER', 'Missing required parameter: address');
  if (!/^(nano|xrb)_/.test(text)) return bare('INVALID_ADDRESS_PREFIX', 'Invalid Nano address prefix');
  if (text.length < 64 || text.length > 65) return bare('INVALID_ADDRESS_LENGTH', 'Invalid Nano address length');
  if (!/^(nano|xrb)_[13][13456789abcdefghijkmnopqrstuwxyz]{59}$/.test(text)) return bare('INVALID_ADDRESS_CHARACTERS', 'Invalid characters in Nano address');
  return null;
}

const results = {
  initialize: () => ({ version: '1.0.0', capabilities: { methods } }),
  getBalance: (ledger, who) => ({ balance: ledger.frontier(who)?.block.balance ?? '0', pending: '0' }),
  getAccountInfo: (ledger, who) => {
    const top = ledger.frontier(who);
    return top ? { frontier: top.hash, balance: top.block.balance, block_count: String(top.height) } : { error: 'Account not found' };
  },
  getPendingBlocks: (ledger, who) => {
    const first = ledger.receivables(who)[0];
    return { blocks: first ? { [first.hash]: { amount: first.amount.toString(), source: first.block.account } } : '', deprecated: '1' };
  },
};

export function serveMcp(world, fault, req, res, text, breakReply) {
  let q;
  if (req.method !== 'POST') return send(res, 404, 'Not Found', 'text/plain');
  try { q = JSON.parse(text); } catch { return send(res, 400, '<!DOCTYPE html><pre>SyntaxError: Unexpected token</pre>', 'text/html'); }
  world.mcpCalls.push(q.method ?? null);
  if (/private|seed|secret/i.test(text)) world.complaints.push('MCP: a key was sent');
  if (req.headers.authorization) world.complaints.push('MCP: a key of the node was sent');
  const real = () => reply(world, q);
  return fault ? breakReply(fault, req, res, real) : send(res, 200, real());
}

function reply(world, q) {
  if (Array.isArray(q) || q.jsonrpc !== '2.0' || !q.method) return { jsonrpc: '2.0', error: { code: -32600, message: 'Invalid Request' }, id: q.id ?? null };
  if (!results[q.method]) return bare('METHOD_NOT_FOUND', `Method ${q.method} not found`);
  if (q.method === 'initialize') return { jsonrpc: '2.0', result: results.initialize(), id: q.id };
  const wrong = looksRight(q.params?.address);
  if (wrong) return wrong;
  const key = keyOf(q.params.address);
  const who = key ? address(key) : q.params.address;
  return { jsonrpc: '2.0', result: results[q.method](world.ledger, who), id: q.id };
}
