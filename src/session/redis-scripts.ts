import { script } from './redis-connection.ts';

/*
 * What must happen as a whole. Each script works on one key, so that it runs in a cluster too. Times come as arguments:
 * milliseconds since the epoch by the instance's clock; Redis's own expiry is given what is left of them.
 */

/** KEYS: session. ARGV: now, idle until, ends, sealed record, sealed tokens or '', then name and value of what never changes. Says 0 ended, 1 new, 2 replaced. */
export const SAVE = script(`
if redis.call('HEXISTS', KEYS[1], 'ended') == 1 then return 0 end
local known = redis.call('EXISTS', KEYS[1])
redis.call('HSET', KEYS[1], 'seen', ARGV[1], 'idle', ARGV[2], 'ends', ARGV[3], 'record', ARGV[4], unpack(ARGV, 6))
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'tokens', ARGV[5]) end
redis.call('PEXPIRE', KEYS[1], math.min(tonumber(ARGV[2]), tonumber(ARGV[3])) - tonumber(ARGV[1]))
return known + 1
`);

/** KEYS: session. ARGV: now, ends, sealed record, sealed tokens or '', then as for a save. Leaves the idle limit alone. Says when it then ends, 0: it is not there. */
export const RENEW = script(`
local idle = tonumber(redis.call('HGET', KEYS[1], 'idle') or 0)
local now = tonumber(ARGV[1])
if idle <= now then return 0 end
local limit = math.min(idle, tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'ends', ARGV[2], 'record', ARGV[3], unpack(ARGV, 5))
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'tokens', ARGV[4]) end
redis.call('PEXPIRE', KEYS[1], limit - now)
return limit
`);

/** KEYS: session. ARGV: now, idle until, written before. Puts the limit off unless it has passed. Says when it then ends, 0: it is not there. */
export const TOUCH = script(`
local held = redis.call('HMGET', KEYS[1], 'idle', 'ends', 'seen')
local now = tonumber(ARGV[1])
if not held[1] or tonumber(held[1]) <= now or tonumber(held[2]) <= now then return 0 end
local idle = tonumber(held[1])
if tonumber(held[3]) <= tonumber(ARGV[3]) then
  idle = tonumber(ARGV[2])
  redis.call('HSET', KEYS[1], 'seen', ARGV[1], 'idle', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], math.min(idle, tonumber(held[2])) - now)
end
return math.min(idle, tonumber(held[2]))
`);

/**
 * KEYS: session. ARGV: now, how long the end is remembered, 'expired' to end it only if its time has run out, and the
 * list that it was found by, from which it may have moved meanwhile. Leaves a mark, so that a save that comes late does
 * not bring the session back. Says when it ends if it is spared, else 0, whether there was one, and its lists.
 */
export const END = script(`
local held = redis.call('HMGET', KEYS[1], 'idle', 'ends', 'lists')
if held[1] then
  local limit = math.min(tonumber(held[1]), tonumber(held[2]))
  if ARGV[3] == 'expired' and limit > tonumber(ARGV[1]) then return {limit} end
  if ARGV[4] ~= '' and not string.find('\\n' .. held[3] .. '\\n', '\\n' .. ARGV[4] .. '\\n', 1, true) then return {limit} end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'ended', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {0, held[1] and 1 or 0, held[3] or ''}
`);

/** KEYS: index. ARGV: now, handle, end. Lists a handle, never for a shorter time than before, and drops those of the past. */
export const LIST = script(`
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', tonumber(ARGV[1]) - 60000)
local before = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not before or tonumber(before) < tonumber(ARGV[3]) then redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2]) end
local left = tonumber(ARGV[3]) - tonumber(ARGV[1])
if redis.call('PTTL', KEYS[1]) < left then redis.call('PEXPIRE', KEYS[1], left) end
return 0
`);
