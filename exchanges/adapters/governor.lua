-- The budget of calls to one venue from one address, shared by all processes; one run is one atomic step.
--
-- The arithmetic is that of exchanges/domain/budgets.py, and the two are tested against each other. What only a shared
-- budget needs is added: tickets of other processes, bans by the venue, and the breaker.
--
-- KEYS  1 lane: hash "slot:kind" -> weight, and epoch, limit, span   2 waiting: zset of tickets by priority and turn
--       3 tickets: hash ticket -> JSON      4 turns: hash              5 alive: hash process -> until (ms)
--       6 held: set of tickets that wait for a claim of their own      7 ban: string that expires with the ban
--       8 breaker: hash open_until, level, probe_until, "ok:slot", "bad:slot"      9 prefix of the claims' hashes
--       10 lanes: zset of the names of all budgets by last use
-- ARGV  1 JSON, see exchanges/adapters/budget_store.py
--
-- The time is the server's: the clocks of machines differ, and one that is ahead would open the next span too early.
-- Only a test says what time it is.

local SLOTS, KINDS, FOREIGN, MOST = 20, 7, 6, 300
local CANCEL, RECONCILE, EXIT = 0, 1, 2
local ORDER = 1e12 -- turns of one priority lie below it

local lane, waiting, tickets, turns, alive, held, ban, breaker, claims, lanes = unpack(KEYS)
local ask = cjson.decode(ARGV[1])
local now = ask.now
if not now or now == cjson.null then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local windows = {}
local function window(key, span)
  local found = windows[key]
  if found then return found end
  local slot_ms = span / SLOTS
  local slot = math.floor(now / slot_ms)
  found = {key = key, span = span, slot_ms = slot_ms, slot = slot, total = 0, kinds = {}, slots = {}}
  for kind = 0, KINDS - 1 do found.kinds[kind] = 0 end
  local flat, stale = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do
    local at, kind = string.match(flat[i], '^(%d+):(%d)$')
    if at then
      at, kind = tonumber(at), tonumber(kind)
      if at < slot - SLOTS then
        stale[#stale + 1] = flat[i]
      else
        local weight = tonumber(flat[i + 1])
        found.total = found.total + weight
        found.kinds[kind] = found.kinds[kind] + weight
        found.slots[at] = (found.slots[at] or 0) + weight
      end
    end
  end
  if #stale > 0 then redis.call('HDEL', key, unpack(stale)) end
  windows[key] = found
  return found
end

local function count(found, weight, kind)
  found.total = found.total + weight
  found.kinds[kind] = found.kinds[kind] + weight
  found.slots[found.slot] = (found.slots[found.slot] or 0) + weight
end

local function spend(found, weight, kind)
  count(found, weight, kind)
  redis.call('HINCRBY', found.key, string.format('%d:%d', found.slot, kind), weight)
  redis.call('PEXPIRE', found.key, 2 * found.span)
end

local function wait_for(found, need)
  if need <= 0 then return 0 end
  local at = {}
  for slot in pairs(found.slots) do at[#at + 1] = slot end
  table.sort(at)
  for _, slot in ipairs(at) do
    need = need - found.slots[slot]
    if need <= 0 then return (slot + SLOTS + 1) * found.slot_ms - now end
  end
  return (SLOTS + 1) * found.slot_ms
end

local function room(found, priority)
  local left = ask.limit - found.total
  for above = 0, priority - 1 do
    left = left - math.max(0, ask.reserves[above + 1] - found.kinds[above])
  end
  if priority == RECONCILE then
    left = left - math.max(0, ask.reserves[EXIT + 1] - found.kinds[EXIT])
  end
  return left
end

local function forget(member)
  redis.call('ZREM', waiting, member)
  redis.call('HDEL', tickets, member)
  redis.call('SREM', held, member)
end

-- The venue counts in other spans than was known: what was spent in the old ones counts as spent just now.
local span = tonumber(redis.call('HGET', lane, 'span') or ask.span)
local before = 0
if span ~= ask.span then
  before = window(lane, span).total
  local epoch = redis.call('HGET', lane, 'epoch')
  redis.call('DEL', lane)
  redis.call('HSET', lane, 'epoch', epoch)
  windows[lane] = nil
end

-- What others spend at this venue, and what a process has spent while this store was away.
local budget = window(lane, ask.span)
if before > 0 then spend(budget, before, FOREIGN) end
redis.call('HSETNX', lane, 'epoch', ask.nonce)
redis.call('HSET', lane, 'limit', ask.limit, 'span', ask.span)
if ask.carried > 0 then spend(budget, ask.carried, FOREIGN) end
if ask.observed > budget.total then spend(budget, ask.observed - budget.total, FOREIGN) end

local function member_of(number)
  return ask.process .. string.format(':%012d', number) -- as text in the order of the numbers
end

for _, number in ipairs(ask.withdrawn) do forget(member_of(number)) end
for _, ticket in ipairs(ask.tickets) do
  local member = member_of(ticket.number)
  local place = ticket.priority .. ':' .. ticket.owner
  local turn = math.max(
    tonumber(redis.call('HGET', turns, ticket.priority) or 0),
    tonumber(redis.call('HGET', turns, place) or 0))
  redis.call('HSET', turns, place, turn + ticket.weight)
  redis.call('ZADD', waiting, ticket.priority * ORDER + turn, member)
  redis.call('HSET', tickets, member, cjson.encode(ticket))
end

-- The breaker: open, only what makes things smaller passes; then one call at a time tries whether the venue is back.
local function guard(priority)
  if priority == CANCEL or priority == EXIT then return 'pass' end
  local state = redis.call('HMGET', breaker, 'open_until', 'level', 'probe_until')
  if not state[2] then return 'pass' end
  if now < tonumber(state[1]) then return 'refuse' end
  if now < tonumber(state[3] or 0) then return 'refuse' end
  return 'probe'
end

local answer = {granted = {}, refused = {}, blocked = {}, held = {}, now = now}
local banned = redis.call('PTTL', ban)
local own = ask.process .. ':'

-- Returns false if those behind it have to wait as well.
local function let_go(member, priority, turn)
  local is_own = string.sub(member, 1, #own) == own
  local ticket = redis.call('HGET', tickets, member)
  local process = string.match(member, '^(.*):')
  if not ticket or (not is_own and tonumber(redis.call('HGET', alive, process) or 0) < now) then
    forget(member)
    return true
  end
  ticket = cjson.decode(ticket)
  if not is_own and redis.call('SISMEMBER', held, member) == 1 then return true end
  local passes = guard(priority)
  if passes == 'refuse' then
    if is_own then
      answer.refused[#answer.refused + 1] = ticket.number
      forget(member)
    end
    return true
  end
  local left = room(budget, priority)
  if ticket.weight > left then
    answer.blocked[tostring(priority)] = wait_for(budget, 1 - left)
    return false
  end
  if not is_own then
    -- Its process comes for it within moments; until then the room is its.
    count(budget, ticket.weight, priority)
    return true
  end
  for _, claim in ipairs(ticket.claims) do
    local claimed = window(claims .. claim.name, claim.span)
    local over = claimed.total + claim.weight - claim.limit
    if over > 0 then
      answer.held[tostring(ticket.number)] = wait_for(claimed, over)
      redis.call('SADD', held, member)
      return true
    end
  end
  if passes == 'probe' then redis.call('HSET', breaker, 'probe_until', now + ask.probe) end
  spend(budget, ticket.weight, priority)
  for _, claim in ipairs(ticket.claims) do
    spend(window(claims .. claim.name, claim.span), claim.weight, 0)
  end
  local reached = tonumber(redis.call('HGET', turns, priority) or 0)
  redis.call('HSET', turns, priority, math.max(reached, turn))
  answer.granted[#answer.granted + 1] = ticket.number
  forget(member)
  return true
end

local function goes_past(priority)
  for blocked in pairs(answer.blocked) do
    if not (priority == EXIT and tonumber(blocked) == RECONCILE) then return false end
  end
  return true
end

if banned <= 0 then
  for priority = 0, KINDS - 2 do
    if not goes_past(priority) then break end
    local low = priority * ORDER
    local line = redis.call(
      'ZRANGEBYSCORE', waiting, low, '(' .. (low + ORDER), 'WITHSCORES', 'LIMIT', 0, MOST)
    for i = 1, #line, 2 do
      if not let_go(line[i], priority, tonumber(line[i + 1]) - low) then break end
    end
  end
end

local left = redis.call('ZCARD', waiting)
if left == 0 then
  redis.call('DEL', turns, tickets, alive, held)
else
  redis.call('HSET', alive, ask.process, now + ask.alive)
  for _, key in ipairs({waiting, tickets, turns, alive, held}) do
    redis.call('PEXPIRE', key, 2 * ask.span)
  end
end
redis.call('PEXPIRE', lane, 2 * ask.span)
redis.call('ZADD', lanes, now, ask.lane)
if math.random(100) == 1 then redis.call('ZREMRANGEBYSCORE', lanes, '-inf', now - 86400000) end

answer.epoch = redis.call('HGET', lane, 'epoch')
answer.used = budget.total
answer.banned = math.max(0, banned)
answer.waiting = left
return cjson.encode(answer)
